"""Editor types from the description: LuaCATS, TypeScript declarations, Python stubs.

Text only: what an editor needs to complete and check a spell. No reading of the world, no service,
nothing that a run imports.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.editors import javascript, lua, python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

FILES: Final[Mapping[str, str]] = {
    "lua": "llmspell.lua",
    "javascript": "llmspell.d.ts",
    "python": "llmspell.pyi",
}
"""The file of each language."""


def render(language: str) -> str:
    """The types of one language as text."""
    writers = {"lua": lua.render, "javascript": javascript.render, "python": python.render}
    return writers[language]()
