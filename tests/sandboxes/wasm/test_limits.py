"""Memory and stack: the language's own error where it can be caught, a typed end where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.sandboxes.wasm.worker import MIB, Worker

FILL = {
    "lua": "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "javascript": "let a = []; for (;;) a.push(new Array(1000).fill(1))",
    "python": "x = []\nwhile True: x.append(bytearray(1000000))",
}
CATCH = {
    "lua": "local ok, e = pcall(load(%r)) collectgarbage() __host.send('caught ' .. tostring(e))"
    " __host.send(#('x'):rep(1 << 19) .. '')",
    "javascript": "try { __host.compile(%r, 'spell.js') } catch (e) { __host.send('caught ' + e) }"
    " __host.send(String('x'.repeat(1 << 19).length))",
    "python": "def f():\n  exec(%r)\ntry: f()\n"
    "except MemoryError as e: __host.send('caught memory')\n"
    "__host.send(str(len(b'x' * (1 << 19))))",
}


@pytest.mark.parametrize("level", ["none", "high"])
@pytest.mark.parametrize("engine", list(FILL))
def test_WA_02_full_memory_is_caught_and_the_spell_goes_on(
    engine: str, level: str, tmp_path: Path
) -> None:
    quoted = {
        "lua": f"[==[{FILL['lua']}]==]",
        "javascript": json.dumps(f"(function() {{ {FILL['javascript']} }})()"),
        "python": repr(FILL["python"]),
    }
    prelude = CATCH[engine].replace("%r", quoted[engine])
    with Worker(tmp_path, engine, prelude, memory=64 * MIB, level=level) as worker:
        worker.message()
        caught, went_on = worker.rest()
        assert b"memory" in caught
        assert went_on == b"524288"
        status = worker.end()
        assert status.code == 0
        assert status.max_rss_bytes < 128 * MIB


@pytest.mark.parametrize("engine", list(FILL))
def test_WA_02_full_memory_uncaught_ends_as_memory(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, FILL[engine], memory=64 * MIB) as worker:
        worker.message()
        error = worker.message()["error"]
        assert (error["code"], error["kind"]) == (4002, "memory")
        assert worker.end().code == 70


@pytest.mark.parametrize("engine", list(FILL))
def test_too_little_memory_to_start_is_said(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, FILL[engine], memory=MIB) as worker:
        frames = worker.rest()
        code = worker.end().code
        assert code in (64, 70)
        assert "memory" in worker.stderr() or json.loads(frames[-1])["error"]["kind"] == "memory"


DEEP_LUA = {
    "call": "local function f() return f() + 1 end f()",
    "pattern": "local function f() return ('a'):gsub('a', f) end f()",
    "sort": "local function f() table.sort({3, 2, 1}, function() f() return true end) end f()",
    "metamethod": "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k)"
    " return t[k] end return t.x",
    "parser": "assert(load('return ' .. ('('):rep(100000)))",
    "coroutine": "local function f() return coroutine.wrap(f)() end return f()",
    "close": "local function f() local x <close> = setmetatable({}, {__close = function()"
    " f() end}) end f()",
}


@pytest.mark.parametrize("case", list(DEEP_LUA))
def test_deep_recursion_in_lua_is_an_error_that_can_be_caught(case: str, tmp_path: Path) -> None:
    prelude = (
        f"local ok, e = pcall(load([==[{DEEP_LUA[case]}]==]))"
        "__host.send(tostring(ok)) __host.send(tostring(e))"
    )
    with Worker(tmp_path, "lua", prelude) as worker:
        worker.message()
        held, message = worker.rest()
        assert held == b"false"
        assert b"overflow" in message, message


DEEP_JAVASCRIPT = {
    "call": "function f() { return f() + 1 } f()",
    "json_parse": "JSON.parse('['.repeat(200000))",
    "json_stringify": "let o = {toJSON() { return JSON.stringify(o) }}; JSON.stringify(o)",
    "parser_parentheses": "__host.compile('('.repeat(200000), 'x')",
    "parser_templates": "__host.compile('`${'.repeat(50000), 'x')",
    "parser_unary": "__host.compile('-'.repeat(200000) + '1', 'x')",
    "array_to_string": "let a = []; for (let i = 0; i < 100000; i++) a = [a]; '' + a",
    "proxy": "let p = new Proxy({}, {get(t, k, r) { return r[k] }}); p.x",
    "getter": "let o = {get x() { return this.x }}; o.x",
    "sort": "function f() { [3, 2, 1].sort(() => { f(); return 1 }) } f()",
    "replace": "function f() { 'a'.replace(/a/, f) } f()",
    "constructor": "class A { constructor() { new A } } new A",
    "generator": "function* g() { yield* g() } [...g()]",
}


@pytest.mark.parametrize("case", list(DEEP_JAVASCRIPT))
def test_deep_recursion_in_javascript_is_a_range_error(case: str, tmp_path: Path) -> None:
    source = json.dumps(f"(function() {{ {DEEP_JAVASCRIPT[case]} }})()")
    prelude = (
        f"try {{ __host.compile({source}, 'spell.js'); __host.send('no error') }}"
        "catch (e) { __host.send(e.name) } __host.send('goes on')"
    )
    with Worker(tmp_path, "javascript", prelude) as worker:
        worker.message()
        assert worker.rest() == [b"RangeError", b"goes on"]
        assert worker.end().code == 0


DEEP_PYTHON = {
    "call": "def f(): return f()\nf()",
    "method": "class A:\n  def __getattr__(self, n): return getattr(self, n + 'x')\nA().x",
    "repr": "x = []\nfor _ in range(100000): x = [x]\nrepr(x)",
    "compare": "x, y = [], []\nfor _ in range(100000): x, y = [x], [y]\nx == y",
    "sort": "def f(x): return sorted([3, 2, 1], key=f)\nf(1)",
    "metaclass": "class A:\n  def __eq__(self, other): return other == self\nA() == A()",
    "json_loads": "import json\njson.loads('[' * 100000)",
    "json_dumps": "import json\nx = []\nfor _ in range(100000): x = [x]\njson.dumps(x)",
    "regex": "import re\nre.compile('(' * 5000)",
    "parser_parentheses": "compile('(' * 100000, 'x', 'exec')",
    "parser_unary": "compile('-' * 100000 + '1', 'x', 'exec')",
    "parser_attributes": "compile('x' + '.x' * 100000, 'x', 'exec')",
    "parser_calls": "compile('x' + '()' * 100000, 'x', 'exec')",
    "parser_lambda": "compile('lambda: ' * 100000 + '1', 'x', 'exec')",
    "parser_f_string": "eval('f\"{' * 150 + '1' + '}\"' * 150)",
    "generator": "def g(): yield from g()\nlist(g())",
    "pickle": "import copy\nx = []\nfor _ in range(100000): x = [x]\ncopy.deepcopy(x)",
    "isinstance": "x = ()\nfor _ in range(100000): x = (x,)\nisinstance(1, x)",
    "limit raised": "import sys\nsys.setrecursionlimit(10**9)\n"
    "class A:\n  def __add__(self, o): return o + self\nA() + A()",
    "del": "x = None\nfor _ in range(1000000): x = (x,)\ndel x\nraise RecursionError",
}


@pytest.mark.parametrize("case", list(DEEP_PYTHON))
def test_deep_recursion_in_python_is_an_error_that_can_be_caught(case: str, tmp_path: Path) -> None:
    prelude = (
        f"try: exec({DEEP_PYTHON[case]!r}, {{}}); __host.send('no error')\n"
        "except (RecursionError, SyntaxError, MemoryError) as e: __host.send('caught')\n"
        "__host.send('goes on')"
    )
    with Worker(tmp_path, "python", prelude, memory=512 * MIB) as worker:
        worker.message()
        assert worker.rest() == [b"caught", b"goes on"]
        assert worker.end().code == 0


@pytest.mark.parametrize("level", ["none", "high"])
def test_an_aborting_engine_is_a_typed_trap(level: str, tmp_path: Path) -> None:
    prelude = "import os\nos.abort()"
    with Worker(tmp_path, "python", prelude, level=level) as worker:
        worker.message()
        errors = [json.loads(frame) for frame in worker.rest()]
        assert errors[-1]["type"] == "failed"
        assert (errors[-1]["error"]["code"], errors[-1]["error"]["kind"]) == (4002, "trap")
        assert worker.end().code == 70


@pytest.mark.parametrize("engine", list(FILL))
def test_an_uncaught_error_of_the_prelude_is_reported_as_valid_json(
    engine: str, tmp_path: Path
) -> None:
    prelude = {
        "lua": "error('quote \" backslash \\\\ byte \\255 line \\n end')",
        "javascript": "throw new Error('quote \" backslash \\\\ snowman \\u2603 line \\n end')",
        "python": "raise ValueError('quote \" backslash \\\\ snowman \\u2603 line \\n end')",
    }[engine]
    with Worker(tmp_path, engine, prelude) as worker:
        worker.message()
        error = worker.message()["error"]
        assert error["kind"] == "trap"
        assert 'quote " backslash \\ ' in error["message"]
        assert worker.end().code == 70
