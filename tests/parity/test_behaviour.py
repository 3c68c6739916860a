"""One behaviour, three languages: the same outcome to the letter."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.parity.cases import ANSWERS, Case
from tests.parity.workers import KINDS, LANGUAGES, Ended, run, worker

CASES: dict[str, Case] = {
    "print": Case(
        'print("a", 1) print("é😀")',
        'console.log("a\\t1"); print("é😀")',
        'print("a", 1, sep="\\t"); print("é😀")',
        None,
        "a\t1\né😀\n",
    ),
    "bytes both ways": Case(
        'return {fs.read("x", {encoding="binary"}) == "\\0\\255", fs.write("p", "\\255\\0").data}',
        'const b = await fs.read("x", {encoding: "binary"});'
        "return [b[0] === 0 && b[1] === 255 && b.length === 2,"
        ' (await fs.write("p", new Uint8Array([255, 0]))).data]',
        'b = await fs.read("x", encoding="binary")\n'
        '[b == b"\\0\\xff", (await fs.write("p", b"\\xff\\0")).data]',
        [True, b"\xff\x00"],
    ),
    "values from a reply": Case(
        'local v = storage.get("k") return {v.n, v.f, v.none == nil, #v.list, v.s}',
        'const v = await storage.get("k"); return [v.n, v.f, v.none === null, v.list.length, v.s]',
        'v = await storage.get("k")\n[v.n, v["f"], v.none is None, len(v.list), v.s]',
        [2**53, 0.5, True, 2, "é😀"],
    ),
    "values to a call": Case(
        'return storage.set("k", {a={}, n=1.0, t={true,false}, s="\\1\\"\\\\\\n"})',
        'return await storage.set("k", {a: [], n: 1.0, t: [true, false], s: "\\x01\\"\\\\\\n"})',
        'await storage.set("k", {"a": [], "n": 1, "t": [True, False], "s": "\\x01\\"\\\\\\n"})',
        {"a": [], "n": 1, "t": [True, False], "s": '\x01"\\\n'},
    ),
    "a denial can be caught, with its fields": Case(
        'local ok, e = pcall(fs.stat, "x")'
        " return {ok, e.code, e.kind, e.message, e.rule, e.hint, e.recoverable, e.trace_id}",
        'try { await fs.stat("x") } catch (e) {'
        " return [false, e.code, e.kind, e.message, e.rule, e.hint, e.recoverable, e.trace_id] }",
        'try:\n    await fs.stat("x")\nexcept LLMSpellError as e:\n'
        "    result = [False, e.code, e.kind, e.message, e.rule, e.hint, e.recoverable,"
        " e.trace_id]",
        [
            False,
            4008,
            "denied",
            "denied by the test",
            "medium.test",
            "to allow it: --allow-test",
            True,
            "t-1",
        ],
    ),
    "an invalid argument names it": Case(
        'local _, e = pcall(fs.list, "x", {limit=99999})'
        " return {e.code, e.kind, e.message, e.hint}",
        'try { await fs.list("x", {limit: 99999}) } catch (e) '
        "{ return [e.code, e.kind, e.message, e.hint] }",
        'try:\n    await fs.list("x", limit=99999)\nexcept LLMSpellError as e:\n'
        "    result = [e.code, e.kind, e.message, e.hint]",
        [2002, "validation", "fs.list: limit must be at most 10000", "ask for fewer"],
    ),
    "all": Case(
        'return Async.all{function() Async.sleep(20) return "slow" end,'
        ' function() return fs.read("ab") end}',
        'return await Async.all([async () => { await Async.sleep(20); return "slow" },'
        ' fs.read("ab")])',
        'async def slow():\n    await Async.sleep(20)\n    return "slow"\n'
        'await Async.all([slow(), fs.read("ab")])',
        ["slow", "abab"],
    ),
    "all ends with the first error": Case(
        "local _, e = pcall(Async.all, {function() Async.sleep(9000) end,"
        ' function() fs.stat("x") end}) return e.code',
        'try { await Async.all([Async.sleep(9000), fs.stat("x")]) } catch (e) { return e.code }',
        'try:\n    await Async.all([Async.sleep(9000), fs.stat("x")])\n'
        "except LLMSpellError as e:\n    result = e.code",
        4008,
    ),
    "all settled": Case(
        "local r = Async.all_settled{function() return 1 end, function() fs.stat('x') end}"
        " return {r[1].status, r[1].value, r[2].status, r[2].reason.code}",
        "const r = await Async.allSettled([async () => 1, fs.stat('x')]);"
        " return [r[0].status, r[0].value, r[1].status, r[1].reason.code]",
        "r = await Async.all_settled([lambda: 1, fs.stat('x')])\n"
        "[r[0]['status'], r[0]['value'], r[1]['status'], r[1]['reason'].code]",
        ["fulfilled", 1, "rejected", 4008],
    ),
    "race": Case(
        "return Async.race{function() Async.sleep(9000) return 1 end,"
        " function() Async.sleep(1) return 2 end}",
        "return await Async.race([Async.sleep(9000),"
        " async () => { await Async.sleep(1); return 2 }])",
        "async def quick():\n    await Async.sleep(1)\n    return 2\n"
        "await Async.race([Async.sleep(9000), quick()])",
        2,
    ),
    "timeout": Case(
        "local _, e = pcall(Async.timeout, function() Async.sleep(9000) end, 5)"
        " return {e.code, e.kind, Async.timeout(function() return 3 end, 5000)}",
        "let k; try { await Async.timeout(Async.sleep(9000), 5) } catch (e) { k = e }"
        " return [k.code, k.kind, await Async.timeout(async () => 3, 5000)]",
        "try:\n    await Async.timeout(Async.sleep(9000), 5)\n"
        "except LLMSpellError as e:\n    k = e\n"
        "[k.code, k.kind, await Async.timeout(lambda: 3, 5000)]",
        [4004, "timeout", 3],
    ),
    "retry": Case(
        "local n = 0 return Async.retry(function() n = n + 1"
        " if n < 3 then error('no') end return n end, {attempts=5, delay=1})",
        "let n = 0; return await Async.retry(async () => { if (++n < 3) throw new Error('no');"
        " return n }, {attempts: 5, delay: 1})",
        "n = []\ndef work():\n    n.append(1)\n    if len(n) < 3:\n        raise ValueError('no')\n"
        "    return len(n)\nawait Async.retry(work, attempts=5, delay=1)",
        3,
    ),
    "spawned tasks are waited for": Case(
        "Async.spawn(function() Async.sleep(5) print('late') end) return 1",
        "Async.spawn(async () => { await Async.sleep(5); print('late') }); return 1",
        "async def late():\n    await Async.sleep(5)\n    print('late')\nAsync.spawn(late)\n1",
        1,
        "late\n",
    ),
    "http": Case(
        "local r = http.get('http://h/') return {r.status, r.ok, r.json().a[2], r.text(),"
        " http.get_json('http://h/').a[1]}",
        "const r = await http.get('http://h/'); return [r.status, r.ok, r.json().a[1], r.text(),"
        " (await http.getJson('http://h/')).a[0]]",
        "r = await http.get('http://h/')\n[r.status, r.ok, r.json()['a'][1], r.text(),"
        " (await http.get_json('http://h/'))['a'][0]]",
        [200, True, 2, '{"a": [1, 2]}', 1],
    ),
    "http status": Case(
        "local _, e = pcall(http.get_json, 'http://h/missing') return {e.kind, e.message}",
        "try { await http.getJson('http://h/missing') } catch (e) { return [e.kind, e.message] }",
        "try:\n    await http.get_json('http://h/missing')\nexcept LLMSpellError as e:\n"
        "    result = [e.kind, e.message]",
        ["http_status", "GET http://h/missing answered 404"],
    ),
    "tools": Case(
        "local t = Tools.get('calc')"
        " return {t.execute({a=1}).result, t:execute({a=2}).result, t.getName(), t.description}",
        "const t = await Tools.get('calc'); return [(await t.execute({a: 1})).result,"
        " (await t.execute({a: 2})).result, t.getName(), t.description]",
        "t = await Tools.get('calc')\n[(await t.execute({'a': 1})).result,"
        " (await t.execute(a=2)).result, t.getName(), t.description]",
        [{"a": 1}, {"a": 2}, "calc", "d"],
    ),
    "a tool's execute replaced (S41)": Case(
        "local t = Tools.get('calc') local run = t.execute"
        " t.execute = function(_, input) return run({ wrapped = input }) end"
        " return {Tools.get('calc'):execute({a=1}).result, Tools.execute('calc', {a=2}).result}",
        "const t = await Tools.get('calc'); const run = t.execute;"
        " t.execute = (input) => run.call(t, {wrapped: input});"
        " return [(await (await Tools.get('calc')).execute({a: 1})).result,"
        " (await Tools.execute('calc', {a: 2})).result]",
        "t = await Tools.get('calc')\nrun = t.execute\n"
        "t.execute = lambda given: run({'wrapped': given})\n"
        "[(await (await Tools.get('calc')).execute({'a': 1})).result,"
        " (await Tools.execute('calc', {'a': 2})).result]",
        [{"wrapped": {"a": 1}}, {"a": 2}],
    ),
    "a field of a tool's result (S27)": Case(
        "local r = Tools.get('calc'):execute({a={1,2}}) local q = Tools.execute('calc', {a=3})"
        " return {r.a, q.a, r.b == nil, r, q.result.a}",
        "const r = await Tools.get('calc').execute({a: [1, 2]});"
        " const q = await Tools.execute('calc', {a: 3});"
        " return [r.a, q.a, r.b === undefined, {...r}, q.result.a]",
        "r = await Tools.get('calc').execute({'a': [1, 2]})\n"
        "q = await Tools.execute('calc', {'a': 3})\n"
        "[r.a, q['a'], 'b' not in r and r.get('b') is None, r, q.result.a]",
        [[1, 2], 3, True, {"result": {"a": [1, 2]}}, 3],
    ),
    "json": Case(
        'return {JSON.encode({1, "é"}), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')}',
        'return [JSON.encode([1, "é"]), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')]',
        '[JSON.encode([1, "é"]), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')]',
        ['[1,"é"]', {"a": [1, 2.5, "😀"]}],
    ),
    "sleep": Case(
        "local t = os.clock() local r = Async.sleep(20) return {r == nil, os.clock() - t >= 0.02}",
        "const t = Date.now(); const r = await Async.sleep(20);"
        " return [r === undefined, Date.now() - t >= 19]",
        "import time\nt = time.monotonic()\nr = await Async.sleep(20)\n"
        "[r is None, time.monotonic() - t >= 0.019]",
        [True, True],
    ),
    "race ends with the first error too": Case(
        "local _, e = pcall(Async.race, {function() Async.sleep(9000) end,"
        " function() fs.stat('x') end}) return e.code",
        "try { await Async.race([Async.sleep(9000), fs.stat('x')]) } catch (e) { return e.code }",
        "try:\n    await Async.race([Async.sleep(9000), fs.stat('x')])\n"
        "except LLMSpellError as e:\n    result = e.code",
        4008,
    ),
    "retry gives up with the last error": Case(
        "local n = 0 local _, e = pcall(Async.retry, function() n = n + 1 fs.stat('x') end,"
        " {attempts=2, delay=1}) return {n, e.code}",
        "let n = 0; try { await Async.retry(() => { n++; return fs.stat('x') },"
        " {attempts: 2, delay: 1}) } catch (e) { return [n, e.code] }",
        "n = []\ndef work():\n    n.append(1)\n    return fs.stat('x')\n"
        "try:\n    await Async.retry(work, attempts=2, delay=1)\n"
        "except LLMSpellError as e:\n    result = [len(n), e.code]",
        [2, 4008],
    ),
    "a wrong time to sleep": Case(
        "local _, e = pcall(Async.sleep, -1) return {e.code, e.kind}",
        "try { await Async.sleep(-1) } catch (e) { return [e.code, e.kind] }",
        "try:\n    await Async.sleep(-1)\n"
        "except LLMSpellError as e:\n    result = [e.code, e.kind]",
        [2002, "validation"],
    ),
    "standard input": Case(
        "local t = {} for line in stdin.lines() do t[#t+1] = line end return t",
        "const t = []; for await (const line of stdin.lines()) t.push(line); return t",
        "t = []\nasync for line in stdin.lines():\n    t.append(line)\nt",
        ["one", "two", "", "três"],
    ),
    "nothing is null": Case("local x = 1", "let x = 1", "x = 1", None),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CASES)
def test_the_same_outcome(name: str, language: str, kind: str) -> None:
    pieces = iter(["one\ntw", "o\n\ntr", "ês", None])
    case = CASES[name]
    source = getattr(case, language)
    ended = run(language, source, {**ANSWERS, "stdin.read": lambda _: next(pieces)}, kind=kind)
    assert ended.error is None
    assert ended.value == case.value
    assert ended.stdout == case.stdout


LOOP_OUTPUT = Case(
    "for i = 1, 200000 do print(i) end",
    "for (let i = 1; i <= 200000; i++) print(i)",
    "for i in range(1, 200001):\n    print(i)",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_IP_14_an_honest_loop_of_prints_is_gathered_and_whole(language: str) -> None:
    began = time.monotonic()
    ended = run(language, getattr(LOOP_OUTPUT, language), timeout=40)
    assert ended.error is None
    assert ended.stdout == "".join(f"{i}\n" for i in range(1, 200001))
    assert len(ended.frames) < 1_000 + 2_000 * (time.monotonic() - began)


HANG = Case(
    'print("first") print("second") while true do end',
    'print("first"); print("second"); for (;;);',
    'print("first")\nprint("second")\nwhile True: pass',
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_was_printed_before_a_hang_has_arrived(language: str) -> None:
    with worker(language) as one:
        one.begin(getattr(HANG, language))
        heard = ""
        deadline = time.monotonic() + 10
        while "second\n" not in heard and time.monotonic() < deadline:
            heard += getattr(one.receive(10), "text", "")
        assert heard == "first\nsecond\n"
        one.process.kill()


def logged(ended: Ended) -> list[tuple[str, str, dict[str, Any]]]:
    return [(log.level, log.message, log.fields) for log in ended.logs]


LOGS = Case(
    'log("info", "m", {a=1}) log.warn("w") Logger.error("e", {b="x"}) info("i")',
    'log("info", "m", {a: 1}); log.warn("w"); Logger.error("e", {b: "x"}); info("i")',
    'log("info", "m", {"a": 1}); log.warn("w"); Logger.error("e", b="x"); info("i")',
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_log_records(language: str, kind: str) -> None:
    ended = run(language, getattr(LOGS, language), kind=kind)
    assert ended.error is None
    assert logged(ended) == [
        ("info", "m", {"a": 1}),
        ("warn", "w", {}),
        ("error", "e", {"b": "x"}),
        ("info", "i", {}),
    ]


CHECKED = Case(
    'print("ran") fs.write("p", "x")\nreturn 1',
    'print("ran"); await fs.write("p", "x")\nreturn 1',
    'print("ran")\nawait fs.write("p", "x")',
)
BROKEN = Case('print("ran")\nx = (', 'print("ran")\nlet x = 1 +* 2', 'print("ran")\nx = (')


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_check_compiles_and_runs_nothing(language: str, kind: str) -> None:
    good = run(language, getattr(CHECKED, language), ANSWERS, kind=kind, check=True)
    assert (good.value, good.error, good.stdout, good.calls) == (None, None, "", [])
    bad = run(language, getattr(BROKEN, language), ANSWERS, kind=kind, check=True)
    assert bad.error is not None
    assert (bad.error["code"], bad.error["kind"], bad.error["line"]) == (4001, "syntax", 2)
    assert bad.stdout == ""
    ran = run(language, getattr(CHECKED, language), ANSWERS, kind=kind)
    assert (ran.stdout, len(ran.calls)) == ("ran\n", 1)


def test_a_check_runs_not_even_what_ends_the_wrapper() -> None:
    for source in ('}); print("ran"); (() => {', '})(), print("ran"), (function () {'):
        assert run("javascript", source, check=True).stdout == ""


SORTED = Case(
    'local t = {} for _, k in ipairs{"z", "a", "é", "A", "m1", "m10", "m2"} do t[k] = 1 end'
    " t.a = {y = 1, x = 2} return JSON.encode(t)",
    "",
    "",
    '{"A":1,"a":{"x":2,"y":1},"m1":1,"m10":1,"m2":1,"z":1,"é":1}',
)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_a_lua_object_are_in_order(kind: str) -> None:
    for _ in range(2):
        assert run("lua", SORTED.lua, kind=kind).value == SORTED.value
    ended = run("lua", "return {z = 1, b = 2, a = 3}", kind=kind)
    assert list(ended.value) == ["a", "b", "z"]


GRANTED = Case(
    "return require('helper').n",
    "return (await require('helper')).n",
    "import helper\nhelper.n",
)
FILES = {"lua": "return {n = 7}", "javascript": "exports.n = 7", "python": "n = 7"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_ENG_014_a_granted_module_of_the_folder_is_read_where_reading_is_allowed(
    language: str, kind: str
) -> None:
    spell = getattr(GRANTED, language)
    allow = {"modules.load": lambda _args: {"own_folder": False}}
    read = {**allow, "fs.read": lambda _args: FILES[language]}
    granted = run(language, spell, read, kind=kind, modules=["helper"])
    assert (granted.value, granted.error) == (7, None)
    assert [call.method for call in granted.calls] == ["modules.load", "fs.read"]
    unread = run(language, spell, allow, kind=kind, modules=["helper"])
    assert unread.error is not None and unread.error["rule"] == "medium.test"
    refused = run(language, spell, {"fs.read": read["fs.read"]}, kind=kind)
    assert refused.error is not None and refused.error["code"] == 4008
    assert [call.method for call in refused.calls] == ["modules.load"]


LIBRARY = Case("require('os') return require('os').time() > 0", "", "import os\nimport os\nTrue")


@pytest.mark.parametrize("language", ["lua", "python"])
def test_ENG_014_a_granted_library_is_asked_for_once(language: str) -> None:
    allow = {"modules.load": lambda _args: {"own_folder": False}}
    ended = run(language, getattr(LIBRARY, language), allow, modules=["os"])
    assert ended.value is True
    assert ended.called("modules.load") == [{"name": "os"}]
    denied = run(language, getattr(LIBRARY, language), modules=["os"])
    assert denied.error is not None and denied.error["code"] == 4008
