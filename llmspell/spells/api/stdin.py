"""The run's standard input, brokered."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

MODULE: Final = Module(
    "stdin",
    ("stdin",),
    "Text from standard input.",
    (
        Function(
            "read",
            "The next piece of text; null at the end.",
            (
                Param(
                    "length",
                    ("integer",),
                    "most characters to give",
                    minimum=1,
                    maximum=1_048_576,
                ),
            ),
            "text or null",
            wire="stdin.read",
            positional=1,
        ),
        Function(
            "lines",
            "The lines without their ends: an iterator, in JavaScript and Python an async one.",
            (),
            "iterator of text",
            kind="local",
        ),
        Function("read_all", "Everything up to the end.", (), "text", kind="local"),
    ),
)
