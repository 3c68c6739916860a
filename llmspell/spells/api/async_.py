"""Concurrency helpers, each language's own underneath (API-107 … API-112, API-119)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Any, Final

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
_FUNCTION: Final = _ONE._replace(types=("callback",), doc="a function")


def _local(name: str, doc: str, params: tuple[Param, ...], returns: str, **more: Any) -> Function:
    return Function(name, doc, params, returns, kind="local", positional=len(params), **more)


_ALL: Final = _local("all", "All results in order; the first error ends it.", (_WORK,), "array")
_ALL_SETTLED: Final = _local(
    "all_settled",
    "All outcomes in order: {status: fulfilled, value} or {status: rejected, reason}.",
    (_WORK,),
    "array",
)
_RACE: Final = _local("race", "What ends first; the others are cancelled.", (_WORK,), "any")

MODULE: Final = Module(
    "async",
    ("Async",),
    "Waiting for several things at a time.",
    (
        _local("sleep", "Waits; other tasks go on.", (_MS,), "nothing"),
        _ALL,
        _ALL_SETTLED,
        _RACE,
        _local(
            "timeout",
            "The result, or an error of kind timeout after `ms`; the work is then cancelled.",
            (_ONE, _MS),
            "any",
            aliases=("with_timeout",),
        ),
        _local(
            "retry",
            "Calls again after an error.",
            (
                _FUNCTION,
                Param(
                    "options",
                    ("object",),
                    "{attempts=3, delay=100 ms, backoff=2, max_delay=30000 ms}",
                    default={},
                ),
            ),
            "any",
        ),
        _local(
            "with_retry",
            "Calls once, and after an error up to `retries` times more, as retry does.",
            (
                _FUNCTION,
                Param("retries", ("integer",), "further attempts", default=3, minimum=0),
            ),
            "any",
        ),
        _local(
            "with_resource",
            "Calls `operation(resource)`, then closes the resource however that ended.",
            (
                Param(
                    "resource",
                    ("any",),
                    "it, or a function that gives it; closed by its close, release or dispose",
                    required=True,
                ),
                _FUNCTION,
            ),
            "what the operation gave",
        ),
        _local(
            "run",
            "The result of a function, a task, or a coroutine; what a coroutine yields it gets"
            " back once it is there.",
            (_ONE,),
            "any",
        ),
        _local(
            "schedule",
            "Calls a function after `ms`; the run ends no earlier. Gives the task, for its cancel.",
            (_MS, _FUNCTION),
            "task",
        ),
        _local("spawn", "Starts a function as a task.", (_ONE,), "task"),
        _local(
            "yield_now",
            "Lets other tasks go on for a moment.",
            (),
            "nothing",
            aliases=("yield", "yield_"),
        ),
        _local("yield_for", "Lets other tasks go on for at least `ms`.", (_MS,), "nothing"),
        _local(
            "yield_until",
            "Lets other tasks go on until the function says true; asks at least every 10 ms.",
            (
                _FUNCTION,
                _MS._replace(
                    name="timeout",
                    doc="milliseconds, then an error of kind timeout",
                    required=False,
                ),
            ),
            "nothing",
        ),
    ),
    classes=(
        Class(
            "task",
            'Work that goes on by itself. In Lua it is a promise too: `then` (as `task["then"]`'
            " or `and_then`), `catch`, `finally`; JavaScript gives a real promise.",
            (
                _local(
                    "await",
                    "Waits for its result, or raises its error.",
                    (),
                    "any",
                    languages=("lua",),
                ),
                _local(
                    "cancel",
                    "Ends it; who waits for it gets the error cancelled.",
                    (),
                    "nothing",
                    languages=("lua", "python"),
                ),
                _local("done", "Whether it has ended.", (), "boolean", languages=("lua", "python")),
                *(
                    _local(
                        name,
                        doc,
                        (_FUNCTION._replace(name="handler"),),
                        "task",
                        languages=("lua",),
                        aliases=aliases,
                    )
                    for name, doc, aliases in (
                        (
                            "and_then",
                            "The task of what the function makes of the value.",
                            ("then",),
                        ),
                        ("catch", "The task of what the function makes of the error.", ()),
                        ("finally", "Calls the function at either end.", ()),
                    )
                ),
            ),
        ),
    ),
)

_VALUE: Final = Param("value", ("any",), "a value, or a promise of it")

PROMISE: Final = Module(
    "promise",
    ("Promise",),
    "Promises over Lua's tasks; a promise is a task (see Async). An error nobody hears fails the"
    " run.",
    (
        _local(
            "new",
            "Calls `executor(resolve, reject)` at once.",
            (_FUNCTION._replace(name="executor", doc="function(resolve, reject)"),),
            "task",
        ),
        _local("resolve", "A promise kept with the value.", (_VALUE,), "task"),
        _local(
            "reject", "A promise broken by the error.", (_VALUE._replace(name="reason"),), "task"
        ),
        _ALL._replace(doc="A promise of all values in order.", returns="task"),
        _ALL_SETTLED._replace(returns="task"),
        _RACE._replace(doc="A promise of what ends first.", returns="task"),
    ),
    languages=("lua",),
    construct="new",
)

MODULES: Final = (MODULE, PROMISE)
