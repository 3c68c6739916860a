"""JSON, done in the worker (API-014)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_VALUE: Final = Param("value", ("any",), "what JSON can hold", required=True)
_TEXT: Final = Param("text", ("string",), "JSON", required=True)


def _local(name: str, doc: str, param: Param, returns: str) -> Function:
    return Function(name, doc, (param,), returns, kind="local", positional=1)


MODULE: Final = Module(
    "json",
    ("JSON",),
    "JSON text. In Lua an empty table is [], JSON.null is null, JSON.object() is {}.",
    (
        _local("encode", "The value as JSON.", _VALUE, "text"),
        _local("decode", "The value of JSON text.", _TEXT, "any"),
        _local("stringify", "The same as encode.", _VALUE, "text"),
        _local("parse", "The same as decode.", _TEXT, "any"),
    ),
)
