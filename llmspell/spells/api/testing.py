"""Spell tests: LuaTest and its twins JSTest and PyTest (API-117).

`T.suite(name)` gives a suite, `suite:test(name, function(t) … end)` registers a test,
`T.run_all()` runs them in the order they were registered, one after the other. A test fails by its
first assertion that does not hold, or by its error; the others still run. `run_all` prints one
line a test and the counts, and gives

    {passed, failed, tests = [{suite, name, passed, error?}]}.

A run that had failing tests ends as failed (kind `test_failed`), so that none can hide.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

TESTS_MAX: Final = 10_000
"""Tests of one run."""

_NAME: Final = Param("name", ("string",), "its name", required=True)
_MESSAGE: Final = Param("message", ("string",), "shown if it does not hold")
_VALUE: Final = Param("value", ("any",), "what is looked at", required=True)


def _local(name: str, doc: str, params: tuple[Param, ...], returns: str = "nothing") -> Function:
    return Function(name, doc, params, returns, kind="local", positional=len(params))


def _assert(name: str, doc: str, *params: Param) -> Function:
    return _local(f"assert_{name}", doc, (*params, _MESSAGE))


_SUITE: Final = Class(
    "test_suite",
    "Tests that belong together.",
    (
        _local(
            "test",
            "Registers a test; it runs with run_all.",
            (
                _NAME,
                Param("body", ("callback",), "function(t), t is the asserts", required=True),
            ),
        ),
    ),
)
_ASSERTS: Final = Class(
    "test_asserts",
    "What a test holds to be true; each takes a message as its last argument.",
    (
        _assert("not_nil", "The value is there.", _VALUE),
        _assert("nil", "The value is not there.", _VALUE),
        _assert("true", "The value is true.", _VALUE),
        _assert("false", "The value is false.", _VALUE),
        _assert(
            "equals",
            "The values are equal; lists and objects by what they hold.",
            _VALUE,
            Param("expected", ("any",), "what it should be", required=True),
        ),
        _assert(
            "type",
            "The value is of a type: string, number, boolean, function, nil; table, object, array"
            " for what holds others.",
            _VALUE,
            Param("type", ("string",), "the type's name", required=True),
        ),
        _assert(
            "greater_than",
            "The value is greater than a limit.",
            _VALUE,
            Param("limit", ("number",), "what it must be above", required=True),
        ),
        _assert(
            "contains",
            "Text holds a part, or a list an item equal to it.",
            _VALUE,
            Param("part", ("any",), "what it must hold", required=True),
        ),
        _local(
            "assert_error",
            "The function raises; gives the error. `part` is text its message must hold.",
            (
                Param("function", ("callback",), "called without arguments", required=True),
                Param("part", ("string",), "a part of the message"),
                _MESSAGE,
            ),
            "the error",
        ),
    ),
)


def _module(name: str, language: str) -> Module:
    return Module(
        "testing",
        (name, "Test"),
        "Tests within a spell. A run with failing tests ends as failed.",
        (
            _local("suite", "A suite of tests.", (_NAME,), "test_suite"),
            _local(
                "run_all",
                "Runs every registered test and prints the report.",
                (),
                "{passed, failed, tests}",
            ),
        ),
        languages=(language,),
        classes=(_SUITE, _ASSERTS),
    )


MODULES: Final = (
    _module("LuaTest", "lua"),
    _module("JSTest", "javascript"),
    _module("PyTest", "python"),
)
