"""Hostile JavaScript (threats JS-01 … JS-09), natively and as a wasm guest."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import OperationFailed
from tests.parity.workers import Ended, run, worker

KINDS = ("bare", "medium", "forked", "high")
ECHO = {"storage.set": lambda args: args["value"], "fs.read": lambda args: args["path"] + "!"}


def js(source: str, answers: Any = None, **fields: Any) -> Ended:
    return run("javascript", source, answers, **fields)


def value(source: str, answers: Any = None, **fields: Any) -> Any:
    ended = js(source, answers, **fields)
    assert ended.error is None, ended.error
    return ended.value


HANGS = {
    "JS_01": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
    "JS_02": "for (let n = 7n;; n = n ** 3n) n << 1000000n;",
    "JS_07": "const again = () => Promise.resolve().then(again); again()",
    "JS_07_iterator": "async function* g() { for (;;) yield 1 } for await (const x of g());",
}


@pytest.mark.parametrize("name", HANGS)
def test_JS_01_02_07_endless_work_ends_with_the_processor_time(name: str) -> None:
    with worker("javascript", "medium", cpu=1) as one:
        one.begin(HANGS[name])
        heard = one.receive(20)
        assert heard is None or getattr(heard, "error", {}).get("kind") in ("memory", "runtime")
    assert value("return /^(a+)+$/.test('aaaa')", kind="medium") is True


SPOIL = """
const ownKeys = Reflect.ownKeys;
const protos = [Array.prototype, Promise.prototype, String.prototype, Map.prototype, Set.prototype,
                RegExp.prototype, Function.prototype, Object.prototype];
for (let i = 0; i < protos.length; i++) {
  const names = ownKeys(protos[i]);
  for (let k = 0; k < names.length; k++) {
    if (names[k] === "constructor") continue;
    try { protos[i][names[k]] = () => { throw new Error("spoilt") } } catch {}
  }
}
Object.defineProperty(Object.prototype, "type", { get() { return "part" }, configurable: true });
Object.defineProperty(Object.prototype, "ok", { get() { return false }, configurable: true });
Object.defineProperty(Object.prototype, "kind", { value: "polluted", writable: true });
Object.defineProperty(Array.prototype, "0", { set() { throw new Error("seen") }, get() {} });
JSON.stringify = JSON.parse = Math.min = () => { throw new Error("spoilt") };
globalThis.Promise = globalThis.Map = globalThis.Object = undefined;
"""


@pytest.mark.parametrize("kind", KINDS)
def test_JS_03_prototype_pollution_does_not_reach_the_prelude(kind: str) -> None:
    ended = js(SPOIL + "const a = await fs.read('x'); return a", ECHO, kind=kind)
    assert (ended.value, ended.error) == ("x!", None)
    assert ended.called("fs.read") == [{"path": "x"}]


@pytest.mark.parametrize("kind", KINDS)
def test_JS_03_the_api_is_frozen(kind: str) -> None:
    source = """
    "use strict";
    const out = [];
    for (const attempt of [() => { fs.read = 1 }, () => { delete fs.read }, () => { fs.x = 1 },
                           () => { Tools.get = 1 }, () => { console.log = 1 },
                           () => { Object.defineProperty(fs, "read", { value: 1 }) }]) {
      try { attempt(); out.push("changed") } catch (e) { out.push(e.name) }
    }
    return out;
    """
    assert value(source, kind=kind) == ["TypeError"] * 6


@pytest.mark.parametrize("kind", KINDS)
def test_JS_04_code_made_of_text_has_no_more_rights(kind: str) -> None:
    source = """
    const names = ["__host", "P", "host", "__send", "__recv", "__run_jobs", "std",
                   "os", "scriptArgs"];
    const seen = [];
    for (const name of names) for (const run of [eval, (t) => Function("return " + t)(),
        (t) => (() => {}).constructor.constructor("return " + t)()]) {
      seen.push(run("typeof " + name));
    }
    return [...new Set(seen)];
    """
    assert value(source, kind=kind) == ["undefined"]


@pytest.mark.parametrize("kind", KINDS)
def test_JS_06_arguments_are_read_once(kind: str) -> None:
    source = """
    let reads = 0;
    const shifty = { get path() { return ++reads === 1 ? "first" : "second" } };
    const a = await fs.read(shifty);
    let json = 0;
    const b = await storage.set("k", { toJSON() { return { n: ++json } } });
    const proxy = new Proxy({ x: 1 }, { get: (t, k) => k === "x" ? "once" : t[k] });
    const c = await storage.set("k", proxy);
    let inner;
    const d = await storage.set("k", { get v() { inner = fs.read("inner"); return 1 } });
    return [a, reads, b, json, c, d, await inner];
    """
    expected = ["first!", 1, {"n": 1}, 1, {"x": "once"}, {"v": 1}, "inner!"]
    assert value(source, ECHO, kind=kind) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_JS_08_no_module_of_the_engine_or_the_host(kind: str) -> None:
    for name in ("std", "os", "bjson", "file:///etc/passwd", "./x.js"):
        ended = js(f"await import('{name}')", kind=kind)
        assert ended.error is not None
        assert (ended.error["code"], ended.error["kind"]) == (4008, "denied")
        assert [(call.method, call.args) for call in ended.calls] == [
            ("modules.load", {"name": name})
        ]
        hidden = js(f"await eval('imp' + 'ort(\\'{name}\\')')", kind=kind)
        assert hidden.error is not None and hidden.calls == []
        assert (hidden.error["code"], hidden.error["kind"]) == (4008, "denied")
    ended = js("import fs from 'fs'", kind=kind)
    assert ended.error is not None and ended.error["code"] == 4008
    assert ended.error["hint"] == "to allow it: --allow-module fs"
    ended = js("const fs = await require('fs')", kind=kind)
    assert ended.error is not None and ended.error["code"] == 4008
    assert ended.error["hint"] == "to allow it: --allow-module fs"
    assert [(call.method, call.args) for call in ended.calls] == [("modules.load", {"name": "fs"})]
    ended = js("await require('fs')", {"modules.load": lambda args: {}}, kind=kind)
    assert ended.error is not None and ended.error["code"] == 4007
    assert ended.error["message"] == "module fs is not part of this engine"


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_used_without_await_fails_for_the_module(kind: str) -> None:
    ended = js("const express = require('express');\nconst app = express();", kind=kind)
    assert ended.error is not None and ended.error["code"] == 4008
    assert ended.error["message"] == "denied module express" and ended.error["line"] == 1
    source = "try { await require('express') } catch (e) {}\nundefined.x"
    ended = js(source, kind=kind)
    assert ended.error is not None and "TypeError" in ended.error["message"]


@pytest.mark.parametrize(
    "source", ["if (1) {\nimport x from 'y' }", "export const x = 1", "// c\nexport { a }"]
)
def test_what_only_a_module_may_have_says_what_to_do(source: str) -> None:
    ended = js(source)
    assert ended.error is not None and ended.error["code"] == 4001
    assert "no export" in ended.error["message"] and "await require" in ended.error["hint"]
    plain = js("important = (")
    assert plain.error is not None and "hint" not in plain.error


def test_JS_08_low_requires_from_the_spells_folder_through_the_broker() -> None:
    def read(args: dict[str, Any]) -> Any:
        if args["path"] == "spell:lib/util.js":
            return "exports.twice = (x) => x * 2; await Async.sleep(1); exports.fs = typeof fs"
        raise OperationFailed("not there", kind="not_found")

    source = "const u = await require('./lib/util'); return [u.twice(4), u.fs]"
    assert value(source, {"fs.read": read}, profile="low") == [8, "object"]
    missing = js("await require('absent')", {"fs.read": read}, profile="low")
    assert missing.error is not None and missing.error["code"] == 4008
    assert missing.error["hint"] == "to allow it: --allow-module absent"
    assert [call.method for call in missing.calls] == ["fs.read"] * 3 + ["modules.load"]
    for bad in ("../x", "/etc/passwd/../x"):
        ended = js(f"await require('{bad}')", {"fs.read": read}, profile="low")
        assert ended.error is not None and ended.error["code"] == 2002
        assert ended.calls == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "source",
    [
        "return JSON.parse('['.repeat(5e6))",
        "const f = () => f() + 1; f()",
        "const a = []; a.length = 2 ** 32 - 1; return a",
        "return new ArrayBuffer(2 ** 40)",
        "return 'a'.repeat(2 ** 30)",
        "let s = 'x'; for (;;) s = JSON.stringify([s, s])",
        "let o = {}; for (let i = 0; i < 1e6; i++) o = { o }; return o",
        "return new Array(3e8).fill(1)",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x",
    ],
)
def test_JS_09_depth_and_size_are_typed_errors(source: str, kind: str) -> None:
    ended = js(source, kind=kind, memory=256 << 20, timeout=30)
    assert ended.error is not None
    assert ended.error["code"] in (4002, 4005, 2002)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_errors_are_told_without_running_away(kind: str) -> None:
    for source in (
        "throw new Proxy({}, { get() { throw 1 } })",
        "throw { get message() { throw 1 } }",
        "throw Symbol('x')",
        "const e = new Error('x'); e.stack = { toString() { throw 1 } }; throw e",
        "throw undefined",
        "class E extends Error { get message() { for (;;) throw 2 } } throw new E()",
    ):
        ended = js(source, kind=kind)
        assert ended.error is not None and ended.error["code"] == 4002, source


def test_a_wait_that_can_never_end_is_told() -> None:
    ended = js("await new Promise(() => {})")
    assert ended.error is not None
    assert "never" in ended.error["message"]


def test_timers() -> None:
    source = """
    const order = [];
    setTimeout((x) => order.push(x), 15, "b"); setTimeout(() => order.push("a"), 1);
    const never = setTimeout(() => order.push("never"), 5); clearTimeout(never);
    let n = 0; const t = setInterval(() => { order.push("i"); if (++n === 2) clearInterval(t) }, 2);
    await Async.sleep(40);
    return [order.filter(x => x !== "i"), n];
    """
    assert value(source) == [["a", "b"], 2]


def test_console_shows_values() -> None:
    ended = js("console.log({a: [1, {b: null}], s: 'x'}, [1n, undefined], new Map([[1, 2]]), 'é')")
    assert ended.stdout == '{ a: [ 1, { b: null } ], s: "x" } [ 1n, undefined ] Map { 1 => 2 } é\n'
    circular = js("const a = {}; a.a = a; console.log(a); console.error(new Error('x'))")
    assert (circular.stdout, circular.stderr) == ("{ a: [circular] }\n", "Error: x\n")


@pytest.mark.parametrize("kind", KINDS)
def test_line_and_stack_are_the_spells_own(kind: str) -> None:
    ended = js(
        "\nfunction inner() {\n  null.x\n}\nasync function f() { inner() }\nawait f()", kind=kind
    )
    assert ended.error is not None
    assert ended.error["line"] == 3
    assert "inner (spell.js:3" in ended.error["stack"]
    assert "llmspell" not in ended.error["stack"] and "<input>" not in ended.error["stack"]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_the_first_line_are_the_spells_own(kind: str) -> None:
    for source in ("throw new Error('x')", "\nthrow new Error('x')"):
        ended = js(source, kind=kind)
        assert ended.error is not None
        assert ended.error["stack"].endswith(f"(spell.js:{ended.error['line']}:11)")


REJECTIONS = {
    "Promise.reject(new TypeError('no')); await Async.sleep(9); print('late')": "TypeError: no",
    "async function f() { throw new Error('boom') }\nf(); return 1": "boom",
    "new Promise((_, no) => no('boom')); return 1": "boom",
    "Promise.resolve().then(() => { throw new Error('boom') }); await Async.sleep(20)": "boom",
    "setTimeout(async () => { throw new Error('boom') }, 1); return 1": "boom",
    "Async.all([Promise.reject(new Error('boom'))]); await Async.sleep(20)": "boom",
    "Promise.reject(null); await Async.sleep(20)": "the spell threw null",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", REJECTIONS)
def test_a_rejection_that_nobody_handles_fails_the_run(source: str, kind: str) -> None:
    ended = js(source, kind=kind)
    assert ended.error is not None, ended.value
    assert (ended.error["code"], ended.error["kind"]) == (4002, "unhandled_rejection")
    assert ended.error["message"] == REJECTIONS[source]
    assert ended.stdout == ""
    if "new" in source and "Promise((" not in source:
        assert ended.error["line"] == 1 and "spell.js:1" in ended.error["stack"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_rejected_call_in_a_function_nobody_awaits_keeps_its_fields(kind: str) -> None:
    ended = js("(async () => { await fs.read('x') })(); await Async.sleep(500)", kind=kind)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["rule"]) == (4008, "medium.test")


@pytest.mark.parametrize("kind", KINDS)
def test_a_rejection_that_is_handled_is_no_failure(kind: str) -> None:
    source = """
    const p = Promise.reject(new Error("x")); p.catch(() => {});
    const q = Promise.reject(new Error("y")); let got; try { await q } catch (e) { got = e.message }
    const settled = await Promise.allSettled([Promise.reject(1), Promise.resolve(2)]);
    await Async.race([async () => 1, async () => { await Async.sleep(1); throw new Error("z") }]);
    let timed; try { await Async.timeout(async () => { await Async.sleep(5); throw 1 }, 1) }
    catch (e) { timed = e.kind }
    await Async.sleep(30);
    return [got, settled[0].status, timed];
    """
    assert value(source, kind=kind) == ["y", "rejected", "timeout"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_rejections_is_withstood(kind: str) -> None:
    handled = "for (let i = 0; i < 20000; i++) try { await Promise.reject(i) } catch {} return 1"
    assert value(handled, kind=kind) == 1
    spoilt = "Map.prototype.set = Map.prototype.delete = () => { throw 1 };"
    ended = js(spoilt + "for (let i = 0; i < 20000; i++) Promise.reject(i)", kind=kind)
    assert ended.error is not None and ended.error["kind"] == "unhandled_rejection"


@pytest.mark.parametrize("kind", KINDS)
def test_a_thrown_null_is_no_lack_of_memory(kind: str) -> None:
    for word in ("null", "undefined"):
        ended = js(f"throw {word}", kind=kind)
        assert ended.error is not None
        assert (ended.error["code"], ended.error["message"]) == (4002, f"the spell threw {word}")


@pytest.mark.parametrize("kind", KINDS)
def test_small_objects_without_end_are_a_lack_of_memory(kind: str) -> None:
    ended = js("let a = null; for (;;) a = { a }", kind=kind, memory=200 << 20, timeout=40)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["kind"]) == (4005, "memory")


def test_KX_18_random_numbers_do_not_repeat() -> None:
    first, second = (value("return Array.from({length: 80}, Math.random)") for _ in range(2))
    assert len({*first, *second}) == 160
    assert all(0 <= number < 1 for number in first)
