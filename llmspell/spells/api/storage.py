"""Key-value storage of the session (API-097, API-099, API-101)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_KEY: Final = Param(
    "key", ("string",), "1 to 256 characters", required=True, minimum=1, maximum=256
)

MODULE: Final = Module(
    "storage",
    ("Storage", "storage"),
    "Values kept for the rest of the session.",
    (
        Function("get", "A stored value.", (_KEY,), "any", wire="storage.get", positional=1),
        Function(
            "set",
            "Stores a value.",
            (
                _KEY,
                Param("value", ("any",), "what JSON can hold, at most 1 MiB", required=True),
                Param("ttl", ("number",), "seconds until it is forgotten", minimum=0.001),
            ),
            wire="storage.set",
            positional=2,
        ),
        Function(
            "delete",
            "Forgets a value.",
            (_KEY,),
            "boolean",
            wire="storage.delete",
            positional=1,
        ),
        Function(
            "exists",
            "Whether a key holds a value.",
            (_KEY,),
            "boolean",
            wire="storage.exists",
            positional=1,
        ),
        Function(
            "list",
            "The keys, sorted.",
            (Param("prefix", ("string",), "only keys that begin so", maximum=256),),
            "array of strings",
            wire="storage.list",
            positional=1,
        ),
        Function("clear", "Forgets everything.", wire="storage.clear"),
    ),
)
