"""One behaviour, three languages: the same outcome to the letter."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from tests.parity.workers import KINDS, LANGUAGES, Ended, drive, run, worker


class Case(NamedTuple):
    """What three spells have in common. `value` and `stdout` are what each must end with."""

    lua: str
    javascript: str
    python: str
    value: Any = None
    stdout: str = ""


def echo(args: dict[str, Any]) -> Any:
    return args


def refuse(_args: dict[str, Any]) -> Any:
    raise InvalidInput("fs.list: limit must be at most 10000", hint="ask for fewer")


ANSWERS = {
    "fs.read": lambda args: b"\x00\xff" if args.get("encoding") == "binary" else args["path"] * 2,
    "fs.write": echo,
    "fs.list": refuse,
    "storage.get": lambda args: {"n": 2**53, "f": 0.5, "none": None, "list": [1, None], "s": "é😀"},
    "storage.set": lambda args: args["value"],
    "http.request": lambda args: {
        "status": 404 if "missing" in args["url"] else 200,
        "headers": {},
        "body": '{"a": [1, 2]}',
        "url": args["url"],
        "redirects": 0,
    },
    "tools.get": lambda args: {"name": args["name"], "description": "d", "schema": {}},
    "tools.execute": lambda args: {"result": args["input"]},
}

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
    "json": Case(
        'return {JSON.encode({1, "é"}), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')}',
        'return [JSON.encode([1, "é"]), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')]',
        '[JSON.encode([1, "é"]), JSON.decode(\'{"a":[1,2.5,"\\\\ud83d\\\\ude00"]}\')]',
        ['[1,"é"]', {"a": [1, 2.5, "😀"]}],
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


FAILURES: dict[str, tuple[Case, dict[str, Any]]] = {
    "syntax": (Case("\nx = (", "\nlet x = (", "\nx = ("), {"code": 4001, "kind": "syntax"}),
    "runtime": (
        Case('\n\nerror("boom")', '\n\nthrow new Error("boom")', '\n\nraise ValueError("boom")'),
        {"code": 4002, "kind": "runtime", "line": 3},
    ),
    "a denial nobody caught": (
        Case('fs.stat("x")', 'await fs.stat("x")', 'await fs.stat("x")'),
        {
            "code": 4008,
            "kind": "denied",
            "rule": "medium.test",
            "hint": "to allow it: --allow-test",
            "trace_id": "t-1",
        },
    ),
    "a denial nobody waited for": (
        Case(
            'Async.spawn(function() fs.stat("x") end) return 1',
            'fs.stat("x"); return 1',
            'fs.stat("x")\n1',
        ),
        {"code": 4008, "kind": "denied", "rule": "medium.test"},
    ),
    "IP-27 a cyclic value": (
        Case(
            "local a = {} a[1] = a return a",
            "const a = []; a.push(a); return a",
            "a = []\na.append(a)\na",
        ),
        {"code": 2002, "kind": "validation"},
    ),
    "IP-27 a deep value": (
        Case(
            "local a = {} for i = 1, 1e5 do a = {a} end return a",
            "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
            "a = []\nfor i in range(100000):\n    a = [a]\na",
        ),
        {"code": 2002, "kind": "validation"},
    ),
    "a function as value": (
        Case("return print", "return print", "print"),
        {"code": 2002, "kind": "validation"},
    ),
    "an integer nobody else can hold": (
        Case("return (1 << 53) + 1", "return 2n ** 53n + 1n", "2**53 + 1"),
        {"code": 2002, "kind": "validation"},
    ),
    "not a number": (
        Case("return 0/0", "return NaN", "float('nan')"),
        {"code": 2002, "kind": "validation"},
    ),
    "too large a value": (
        Case('return ("x"):rep(17 << 20)', 'return "x".repeat(17 << 20)', '"x" * (17 << 20)'),
        {"code": 4009, "kind": "limit"},
    ),
    "too large a call": (
        Case(
            'fs.write("p", ("x"):rep(17 << 20))',
            'await fs.write("p", "x".repeat(17 << 20))',
            'await fs.write("p", "x" * (17 << 20))',
        ),
        {"code": 4009, "kind": "limit"},
    ),
    "a module that is not given": (
        Case('require("socket")', 'await require("socket")', "import socket"),
        {
            "code": 4008,
            "kind": "denied",
            "message": "denied module socket",
            "rule": "medium.modules",
            "hint": "to allow it: --allow-module socket",
        },
    ),
    "deep recursion": (
        Case(
            "local function f() return 1 + f() end f()",
            "function f() { return 1 + f() } f()",
            "def f():\n    return 1 + f()\nf()",
        ),
        {"code": 4002, "kind": "runtime"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FAILURES)
def test_the_same_failure(name: str, language: str, kind: str) -> None:
    case, fields = FAILURES[name]
    ended = run(language, getattr(case, language), ANSWERS, kind=kind)
    assert ended.error is not None, ended.value
    assert {key: ended.error.get(key) for key in fields} == fields


OUT_OF_MEMORY = Case(
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000000) .. #t end",
    "const t = []; for (;;) t.push(new Uint8Array(1e6).fill(t.length))",
    "t = []\nwhile True:\n    t.append(bytearray(1000000))",
)
CAUGHT = Case(
    "local ok = pcall(function() " + OUT_OF_MEMORY.lua + " end) return ok",
    "try { " + OUT_OF_MEMORY.javascript + " } catch { return false }",
    "def fill():\n    t = []\n    while True:\n        t.append(bytearray(1000000))\n"
    "try:\n    fill()\nexcept MemoryError:\n    result = False",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_uncaught_exhaustion_of_memory_is_typed(language: str, kind: str) -> None:
    ended = run(language, getattr(OUT_OF_MEMORY, language), kind=kind, memory=200 << 20)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["kind"]) == (4005, "memory")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_exhausted_memory_that_is_caught_lets_the_spell_go_on(language: str, kind: str) -> None:
    ended = run(language, getattr(CAUGHT, language), kind=kind, memory=200 << 20)
    assert (ended.value, ended.error) == (False, None)


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


CALLBACKS = Case(
    'return tools.execute("t", {f=function(a, b) return a .. b .. fs.read("q") end}).result',
    'return (await tools.execute("t", {f: async (a, b) => a + b + await fs.read("q")})).result',
    'async def f(a, b):\n    return a + b + await fs.read("q")\n'
    '(await tools.execute("t", {"f": f})).result',
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invoke_runs_while_the_call_waits(language: str, kind: str) -> None:
    from llmspell.channel import messages

    with worker(language, kind) as one:
        one.begin(getattr(CALLBACKS, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        function = first.args["input"]["f"]
        assert isinstance(function, Callback)
        number, data = one.connection.invoke(function.number, ["x", "y"])
        one.send(data)
        nested = one.receive()
        assert isinstance(nested, messages.Call) and nested.method == "fs.read"
        one.send(one.connection.reply(nested.id, "!"))
        returned = one.receive()
        assert returned == messages.Returned(number, "xy!", None)
        one.send(one.connection.reply(first.id, {"result": returned.value}))
        ended = drive(one, {})
        assert (ended.value, ended.error) == ("xy!", None)


THROWING = Case(
    'tools.execute("t", {f=function() error({message="bad", kind="mine"}) end})',
    'await tools.execute("t", {f() { throw new TypeError("bad") }})',
    'def f():\n    raise ValueError("bad")\nawait tools.execute("t", {"f": f})',
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_callbacks_error_and_an_unknown_callback_are_returned(language: str) -> None:
    from llmspell.channel import messages

    with worker(language) as one:
        one.begin(getattr(THROWING, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        for callback in (first.args["input"]["f"].number, 77):
            number, data = one.connection.invoke(callback, [])
            one.send(data)
            returned = one.receive()
            assert isinstance(returned, messages.Returned) and returned.id == number
            assert returned.error is not None
            assert ("bad" in returned.error["message"]) is (callback != 77)
        one.send(one.connection.reply(first.id, {}))
        assert drive(one, {}).error is None


CANCELLED = Case(
    'tools.execute("t", {f=function() Async.sleep(60000) end}) return 1',
    'await tools.execute("t", {f: () => Async.sleep(60000)}); return 1',
    'await tools.execute("t", {"f": lambda: Async.sleep(60000)})\n1',
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cancelled_invoke_is_answered_once_and_does_not_hold_the_end(language: str) -> None:
    from llmspell.channel import messages

    with worker(language) as one:
        one.begin(getattr(CANCELLED, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        number, data = one.connection.invoke(first.args["input"]["f"].number, [])
        one.send(data + one.connection.cancel(number))
        returned = one.receive()
        assert isinstance(returned, messages.Returned) and returned.error is not None
        assert returned.error["kind"] == "cancelled"
        one.send(one.connection.reply(first.id, {}))
        assert drive(one, {}).value == 1


IN_FLIGHT = Case(
    "local t = {} for i = 1, 40 do t[i] = function() return fs.read(tostring(i)) end end"
    " return Async.all(t)",
    "return await Async.all(Array.from({length: 40}, (_, i) => fs.read(String(i + 1))))",
    "await Async.all([fs.read(str(i + 1)) for i in range(40)])",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_in_flight_are_answered_in_any_order(language: str, kind: str) -> None:
    from llmspell.channel import messages

    with worker(language, kind) as one:
        one.begin(getattr(IN_FLIGHT, language))
        calls = [one.receive() for _ in range(40)]
        for call in reversed(calls):
            assert isinstance(call, messages.Call)
            one.send(one.connection.reply(call.id, "<" + call.args["path"] + ">"))
        assert drive(one, {}).value == [f"<{i}>" for i in range(1, 41)]


RACED = Case(
    "return Async.race{function() return fs.read('slow') end, function() Async.sleep(5)"
    " return 'quick' end}",
    "return await Async.race([fs.read('slow'), async () => { await Async.sleep(5);"
    " return 'quick' }])",
    "async def quick():\n    await Async.sleep(5)\n    return 'quick'\n"
    "await Async.race([fs.read('slow'), quick()])",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_that_lost_a_race_is_taken_back(language: str) -> None:
    from llmspell.channel import messages

    with worker(language) as one:
        one.begin(getattr(RACED, language))
        call, cancel = one.receive(), one.receive()
        assert isinstance(call, messages.Call)
        assert cancel == messages.Cancel(call.id)
        assert drive(one, {}).value == "quick"


LARGE = Case(
    "local t = storage.get('k') return {#t, storage.set('k', t) == t,"
    " #fs.read('b', {encoding='binary'})}",
    "const t = await storage.get('k'); return [t.length, await storage.set('k', t) === t,"
    " (await fs.read('b', {encoding: 'binary'})).length]",
    "t = await storage.get('k')\n[len(t), await storage.set('k', t) == t,"
    " len(await fs.read('b', encoding='binary'))]",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_large_values_travel_in_parts_both_ways(language: str, kind: str) -> None:
    text = ('€"\\\n' * 300_000) + "end"
    lua_length = len(text.encode("utf-8"))
    answers = {
        "storage.get": lambda _args: text,
        "storage.set": lambda args: args["value"],
        "fs.read": lambda _args: bytes(range(256)) * 12_000,
    }
    ended = run(language, getattr(LARGE, language), answers, kind=kind, timeout=40)
    assert ended.error is None
    assert ended.value == [lua_length if language == "lua" else len(text), True, 256 * 12_000]
    assert ended.called("storage.set")[0]["value"] == text
