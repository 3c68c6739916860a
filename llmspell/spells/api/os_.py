"""What is left of the operating system: time, and the granted environment."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_LUA: Final = ("lua",)


def _local(name: str, doc: str, params: tuple[Param, ...], returns: str) -> Function:
    return Function(
        name, doc, params, returns, kind="local", positional=len(params), languages=_LUA
    )


MODULE: Final = Module(
    "os",
    ("os",),
    "Lua's os without files and processes; times are UTC.",
    (
        _local(
            "time",
            "Seconds since 1970, now or of a table.",
            (Param("table", ("object",), "year, month, day, hour, min, sec"),),
            "integer",
        ),
        _local(
            "date",
            "A time as text, or as a table for *t.",
            (
                Param("format", ("string",), "as strftime", default="%c"),
                Param("time", ("number",), "seconds since 1970"),
            ),
            "text or table",
        ),
        _local("clock", "Seconds since the spell began.", (), "number"),
        _local(
            "difftime",
            "The seconds between two times.",
            (
                Param("later", ("number",), "seconds", required=True),
                Param("earlier", ("number",), "seconds", required=True),
            ),
            "number",
        ),
        _local(
            "getenv",
            "A granted environment variable, or nil.",
            (Param("name", ("string",), "its name", required=True),),
            "text or nil",
        ),
        _local(
            "exit",
            "Ends the spell: well for 0 or true, else as failed.",
            (Param("code", ("integer", "boolean"), "the exit code", default=0),),
            "never",
        ),
    ),
    languages=_LUA,
)
