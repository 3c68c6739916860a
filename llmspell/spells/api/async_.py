"""Concurrency helpers, each language's own underneath (API-107 … API-110)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_MS: Final = Param("ms", ("number",), "milliseconds", required=True, minimum=0)
_WORK: Final = Param(
    "work",
    ("array",),
    "functions, or promises (JavaScript), tasks (Lua), awaitables (Python)",
    required=True,
)
_ONE: Final = _WORK._replace(
    name="operation", types=("callback", "any"), doc="one such piece of work"
)


def _local(name: str, doc: str, params: tuple[Param, ...], returns: str) -> Function:
    return Function(name, doc, params, returns, kind="local", positional=len(params))


MODULE: Final = Module(
    "async",
    ("Async",),
    "Waiting for several things at a time.",
    (
        _local("sleep", "Waits; other tasks go on.", (_MS,), "nothing"),
        _local("all", "All results in order; the first error ends it.", (_WORK,), "array"),
        _local(
            "all_settled",
            "All outcomes in order: {status: fulfilled, value} or {status: rejected, reason}.",
            (_WORK,),
            "array",
        ),
        _local("race", "What ends first; the others are cancelled.", (_WORK,), "any"),
        _local(
            "timeout",
            "The result, or an error of kind timeout after `ms`.",
            (_ONE, _MS),
            "any",
        ),
        _local(
            "retry",
            "Calls again after an error.",
            (
                _ONE._replace(types=("callback",)),
                Param(
                    "options",
                    ("object",),
                    "{attempts=3, delay=100 ms, backoff=2, max_delay=30000 ms}",
                    default={},
                ),
            ),
            "any",
        ),
        _local("spawn", "Starts a function as a task.", (_ONE,), "task"),
    ),
)
