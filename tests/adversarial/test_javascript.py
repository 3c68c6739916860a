"""JS: what JavaScript offers an attacker, native and in the guest, exec'ed and forked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.batches import EXEC, ONE_WAY_EACH, WAYS, Batches, Case
from tests.adversarial.proof import Control

SPOIL = """
const read = fs.read, get = Storage.get, set = Storage.set;
const changed = [];
for (const attempt of [() => { fs.read = 1; return fs.read === 1 },
    () => { delete fs.read; return !fs.read }, () => { fs.x = 1; return fs.x === 1 },
    () => { Object.defineProperty(fs, "read", {value: 1}); return true },
    () => { Object.setPrototypeOf(fs, {read: 1}); return true }]) {
  try { changed.push(attempt()) } catch (e) { changed.push(false) }
}
const evil = function () { throw new Error("replaced"); };
for (const proto of [Object, Array, String, Promise, Map, Set, RegExp, Function, Error, Number]) {
  for (const name of Object.getOwnPropertyNames(proto.prototype)) {
    if (name === "constructor" || name === "then") continue;
    try { proto.prototype[name] = evil; } catch (e) {}
  }
}
try { Object.prototype.kind = Object.prototype.method = "polluted"; } catch (e) {}
try { Array.prototype[0] = "polluted"; } catch (e) {}
JSON.stringify = JSON.parse = Math.min = Reflect.ownKeys = evil;
globalThis.leftBehind = "by another";
let kind = "none", rule = "";
try { await read("/etc/shadow"); } catch (e) { kind = e.kind; rule = e.rule; }
await set("k", 2);
return [changed, kind, rule, await get("k")];
"""
FRESH = """
let kind;
try { await fs.read("/etc/shadow"); } catch (e) { kind = e.kind; }
return [typeof leftBehind, [3, 4].map((x) => x + 1), {}.method === undefined, kind,
  JSON.stringify({a: [1]}), "x".repeat(2)];
"""
MADE_OF_TEXT = """
const names = ["__host", "P", "host", "__send", "__recv", "__run_jobs", "std", "scriptArgs",
  "bjson", "globalThis.os?.exec", "globalThis.os?.open", "globalThis.process?.binding", "Deno"];
const ways = [eval, (t) => (0, eval)(t), (t) => Function("return " + t)(),
  (t) => (() => {}).constructor.constructor("return " + t)(),
  (t) => Object.getPrototypeOf(async () => {}).constructor("return " + t),
  (t) => (function* () {}).constructor("return " + t)().next().value];
const seen = new Set();
for (const name of names) for (const way of ways) {
  let found = way("typeof " + name);
  seen.add(typeof found === "function" ? await found() : found);
}
const told = [];
for (const way of ways.slice(0, 4)) {
  try { told.push(await way('fs.read("/etc/shadow")')); } catch (e) { told.push(e.kind + e.rule); }
}
return [[...seen], told, ways[2]("6 * 7"), ways[3]("typeof fs.read")];
"""
ONCE = """
let reads = 0, json = 0, inner;
const shifty = {get path() { return ++reads === 1 ? "/etc/shadow" : "spell:x"; }};
let first;
try { await fs.read(shifty); } catch (e) { first = e.kind + e.rule; }
await Storage.set("j", {toJSON() { return {n: ++json}; }});
await Storage.set("p", new Proxy({x: 1}, {get: (t, k) => k === "x" ? "once" : t[k]}));
await Storage.set("g", {get v() { inner = Storage.set("i", "within"); return 1; }});
await inner;
await Storage.set("plain", {n: 1});
const all = [];
for (const key of ["j", "p", "g", "i", "plain"]) all.push(await Storage.get(key));
return [first, reads, json, all];
"""
MODULES = ["os", "std", "bjson", "file:///etc/passwd", "./x.js"]
OWN_MODULE = "const own = await require('./own'); return own.twice(21);"
THROWING = (
    "const p = new Proxy({}, {get() { throw 1 }, ownKeys() { throw 2 }}); return p",
    "const p = new Proxy({}, {get() { return 1 }, ownKeys() { return [] }}); return p",
)

TYPED = [
    Case("JS_09_array", "new Array(4294967295).fill(0)", "new Array(42).fill(0)"),
    Case("JS_09_length", "const a = []; a.length = 2 ** 32 - 1; return a", "[].length = 3"),
    Case("JS_09_buffer", "new ArrayBuffer(2 ** 40)", "new ArrayBuffer(2 ** 10)"),
    Case("JS_09_repeat", "'a'.repeat(2 ** 30) + 'b'.repeat(2 ** 30)", "'a'.repeat(2 ** 10)"),
    Case("JS_09_growth", "let a = ''; for (;;) a += a + 'x'", "let a = ''; a += a + 'x'"),
    Case("JS_09_json", "JSON.parse('['.repeat(5000000))", "JSON.parse('[[[]]]')"),
    Case("JS_09_recursion", "(function f() { f() })()", "(function f(n) { n && f(n - 1) })(99)"),
    Case("JS_09_source", "return eval('('.repeat(200000))", "return eval('((((1))))')"),
    Case(
        "JS_09_proxies",
        "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x",
        "let p = {}; for (let i = 0; i < 9; i++) p = new Proxy(p, {}); return p.x",
    ),
    Case("JS_06_throwing_proxy", *THROWING),
    Case("JS_06_cycle", "const a = []; a.push(a); return a", "const a = []; a.push([]); return a"),
    Case("JS_06_thrown_proxy", "throw new Proxy({}, {get() { throw 1 }})", "new Proxy({}, {})"),
    Case("JS_06_thrown_symbol", "throw Symbol('x')", "Symbol('x')"),
]
HANGING = [
    Case("JS_01_regex", "/^(a+)+$/.test('a'.repeat(60) + 'b')"),
    Case("JS_02_power", "for (let n = 7n;; n = n ** 3n) n << 1000000n;"),
    Case("JS_02_big_power", "7n ** 30000000n"),
    Case(
        "JS_07_microtasks",
        "const f = () => Promise.resolve().then(f); f(); await new Promise(() => {})",
    ),
    Case("JS_07_iterator", "async function* g() { for (;;) yield 1 } for await (const x of g());"),
    Case("JS_07_thenable", "await {then(f) { const g = () => Promise.resolve().then(g); g() }}"),
    Case("JS_06_to_json", "return {toJSON() { for (;;); }}"),
    Case("JS_06_thrown_getter", "throw {get message() { for (;;); }}"),
]
SHIFT = Case("JS_02_shift", "1n << 4000000000n", "1n << 40n")
TWINS = """
const AsyncFunction = (async () => {}).constructor;
const told = {};
for (const [name, code] of Object.entries(params.twins)) {
  try { await new AsyncFunction(code)(); told[name] = true; } catch (e) { told[name] = String(e); }
}
return told;
"""
WALL = 0.3
LIMITS = {"wall": 9, "memory": "128MiB"}


def runs(profile: str, start: str) -> list[dict[str, Any]]:
    """Everything that JavaScript attacks with; what looks for traces of the others comes last."""
    typed = [*TYPED, SHIFT]
    found: list[dict[str, Any]] = [
        {"name": "spoil", "source": SPOIL},
        {"name": "text", "source": MADE_OF_TEXT},
        {"name": "once", "source": ONCE},
        {"name": "twins", "source": TWINS, "params": {"twins": {c.name: c.twin for c in typed}}},
        *({"name": case.name, "source": case.attack} for case in typed),
    ]
    for number, name in enumerate(MODULES):
        found.append({"name": f"import{number}", "source": f"await import('{name}')"})
        found.append(
            {"name": f"hidden{number}", "source": f"await eval('imp' + 'ort(\"{name}\")')"}
        )
        found.append({"name": f"require{number}", "source": f"await require('{name}')"})
    if profile == "low":
        files = {"own.js": "exports.twice = (x) => x * 2"}
        found.append({"name": "own", "source": OWN_MODULE, "files": files})
    if (profile, start) in ONE_WAY_EACH:
        mark = {"reach": "begun", "limits": {**LIMITS, "wall": WALL}}
        say = "console.log('begun');"
        found += [{"name": c.name, "source": f"{say} {c.attack}", **mark} for c in HANGING]
        found.append({"name": "twin", "source": f"{say} return /^(a+)+$/.test('aaaa')", **mark})
    found.append({"name": "next", "source": FRESH})
    return [{"language": "javascript", "limits": LIMITS, **run} for run in found]


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_JS_03_neither_the_api_nor_the_next_spell_uses_what_a_spell_replaced(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    changed, kind, rule, stored = told["spoil"]["value"]
    control(stored == 2)
    assert changed == [False] * 5
    assert (kind, rule) == ("denied", f"{profile}.files.read")
    asked = {"action": "read", "target": "/etc/shadow", "rule": rule, "code": 4008}
    assert told["spoil"]["refused"] == [asked]
    fresh = ["undefined", [4, 5], True, "denied", '{"a":[1]}', "xx"]
    assert told["next"]["value"] == fresh, told["next"]


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_JS_04_code_made_of_text_has_no_more_rights(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)["text"]
    seen, refused, computed, known = told["value"]
    control((computed, known) == (42, "function"))
    assert seen == ["undefined"], "no name that the engine or its host uses"
    assert refused == [f"denied{profile}.files.read"] * 4
    assert [item["target"] for item in told["refused"]] == ["/etc/shadow"] * 4


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_JS_06_arguments_are_read_once(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)["once"]
    first, reads, json_calls, (json, proxy, getter, inner, plain) = told["value"]
    control(plain == {"n": 1})
    assert (first, reads) == (f"denied{profile}.files.read", 1), "judged is what was read"
    assert [item["target"] for item in told["refused"]] == ["/etc/shadow"]
    assert (json_calls, json) == (1, {"n": 1})
    assert (proxy, getter, inner) == ({"x": "once"}, {"v": 1}, "within")


@pytest.mark.parametrize(("profile", "start"), WAYS)
@pytest.mark.parametrize("number", range(len(MODULES)))
def test_JS_08_no_module_of_the_engine_or_the_host(
    batches: Batches, control: Control, number: int, profile: str, start: str
) -> None:
    control(batches.at(runs, "low", EXEC)["own"]["value"] == 42)
    told = batches.at(runs, profile, start)
    rule = f"{profile}.modules"
    named = MODULES[number]
    for way in ("import", "require"):
        result = told[f"{way}{number}"]
        if profile == "low" and named.startswith("file:"):
            # A name of the spell's own folder could not be this one.
            assert (result["exit"], result["error"]["code"]) == (1, 2002), result
            continue
        assert (result["exit"], result["status"]) == (3, "denied"), result
        assert (result["error"]["code"], result["error"]["rule"]) == (4008, rule), result
        assert {"action": "module", "target": named, "rule": rule, "code": 4008} in [
            {**item, "action": "module"} for item in result["refused"]
        ], result
    # Written so that the prelude does not see it, the broker is not asked (docs/limitations.md):
    # the engine itself has nothing that could load.
    hidden = told[f"hidden{number}"]
    assert (hidden["exit"], hidden["reason"], hidden["error"]["code"]) == (1, "denied", 4008), (
        hidden
    )


@pytest.mark.parametrize(("profile", "start"), WAYS)
@pytest.mark.parametrize("case", [*TYPED, SHIFT], ids=lambda case: case.name)
def test_ends_typed(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    control(told["twins"]["value"][case.name] is True)
    result = told[case.name]
    assert result["exit"] in (1, 4) and result["status"] in ("spell_error", "limit"), result
    assert result["reason"] != "wall" and result["error"]["code"] >= 1000
    assert len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize(("profile", "start"), ONE_WAY_EACH)
@pytest.mark.parametrize("case", HANGING, ids=lambda case: case.name)
def test_ends_at_the_wall(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    result = told[case.name]
    control(told["twin"]["value"] is True and result["output"].startswith("begun\n"))
    used = result["usage"]["wall"]
    if case.name.startswith("JS_02") and result["reason"] != "wall":
        # A number that grows without end may be out of memory before its time is up.
        assert (result["status"], result["error"]["code"]) in (
            ("limit", 4005),
            ("spell_error", 4002),
        )
        return
    assert (result["status"], result["reason"], result["exit"]) == ("limit", "wall", 4), result
    assert (result["error"]["code"], result["error"]["rule"]) == (4004, "limit.wall")
    assert result["limits"]["wall"] <= used < result["limits"]["wall"] + 3
