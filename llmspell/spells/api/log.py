"""Log records, sent to the supervisor (API-004 … API-010)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_MESSAGE: Final = Param("message", ("any",), "what happened", required=True)
_FIELDS: Final = Param("fields", ("object",), "at most 32 further values", default={})

MODULE: Final = Module(
    "log",
    ("log", "Logger"),
    "Log records on standard error. The table itself can be called: log(level, message, fields).",
    tuple(
        Function(
            level,
            f"One record of the level {level}.",
            (_MESSAGE, _FIELDS),
            kind="local",
            positional=2,
        )
        for level in ("trace", "debug", "info", "warn", "error")
    ),
)
