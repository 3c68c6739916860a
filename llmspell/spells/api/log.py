"""Log records, sent to the supervisor (API-004 … API-010), and the console (API-013)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

LEVELS: Final = ("trace", "debug", "info", "warn", "error")

_MESSAGE: Final = Param("message", ("any",), "what happened", required=True)
_FIELDS: Final = Param("fields", ("object",), "at most 32 further values", default={})

MODULE: Final = Module(
    "log",
    ("log", "Logger"),
    "Log records on standard error. The table itself can be called: log(level, message, fields).",
    (
        *(
            Function(
                level,
                f"One record of the level {level}.",
                (_MESSAGE, _FIELDS),
                kind="local",
                positional=2,
            )
            for level in LEVELS
        ),
        Function(
            "set_level",
            "The least level this spell sends; apart from what the supervisor shows (API-010).",
            (
                Param(
                    "level", ("string",), "a level, or off", required=True, choices=(*LEVELS, "off")
                ),
            ),
            kind="local",
            positional=1,
        ),
        Function(
            "level", "The least level this spell sends; trace at first.", (), "text", kind="local"
        ),
    ),
)

CONSOLE: Final = Module(
    "console",
    ("console",),
    "Lines on the output (log, info, debug) and on standard error (warn, error).",
    tuple(
        Function(
            name,
            f"A line on {'standard error' if name in ('warn', 'error') else 'the output'}.",
            (Param("value", ("any",), "what is shown; more may follow"),),
            kind="local",
            positional=1,
        )
        for name in ("log", "info", "debug", "warn", "error")
    ),
)

UTIL: Final = Module(
    "util",
    ("util",),
    "The older text's helpers (API-015).",
    (
        Function(
            "sleep",
            "Waits, as Async.sleep.",
            (Param("ms", ("number",), "milliseconds", required=True, minimum=0),),
            kind="local",
            positional=1,
        ),
    ),
    languages=("lua", "javascript"),
)

MODULES: Final = (MODULE, CONSOLE, UTIL)
