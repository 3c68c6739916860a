"""One mistake, three languages: the same typed failure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parity.cases import ANSWERS, Case
from tests.parity.workers import KINDS, LANGUAGES, run

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
