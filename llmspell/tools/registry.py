"""Which tools there are. Listing and searching read a literal index and import no tool."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from llmspell.errors import Missing
from llmspell.tools.entry import Entry
from llmspell.tools.index import TOOLS
from llmspell.tools.naming import near, snake

if TYPE_CHECKING:
    from llmspell.tools.tool import Tool

__all__ = [
    "Entry", "by_category", "categories", "describe", "discover", "entry", "get", "list_tools",
    "search",
]  # fmt: skip


def list_tools() -> tuple[Entry, ...]:
    """All built-in tools, by name."""
    return tuple(TOOLS.values())


def categories() -> tuple[str, ...]:
    """The categories that have a tool, by name."""
    return tuple(sorted({entry.category for entry in TOOLS.values()}))


def by_category(category: str) -> tuple[Entry, ...]:
    """The tools of a category; none for a category that does not exist."""
    return tuple(entry for entry in TOOLS.values() if entry.category == category)


def entry(name: str) -> Entry:
    """A tool's entry. Raises `Missing` (2001) with near matches."""
    found = TOOLS.get(name) or TOOLS.get(snake(name[:64]))
    if found is None:
        shown = name[:64] if name.isprintable() else ascii(name[:64])
        raise Missing(
            f"there is no tool {shown}",
            code=2001,
            hint=near(name, TOOLS) or "llmspell tool list shows all",
        )
    return found


def get(name: str) -> Tool:
    """The tool itself; imports its module. Raises `Missing` (2001) with near matches."""
    from importlib import import_module

    tool: Tool = import_module(entry(name).module).TOOL
    return tool


def describe(name: str) -> dict[str, Any]:
    """Everything needed to call the tool (JSON-able): parameters, examples, permissions, limits."""
    return get(name).describe()


def search(query: str) -> tuple[Entry, ...]:
    """Tools whose name, description or capabilities hold words of the query, best first."""
    words = [word for word in query[:256].lower().replace("_", " ").split() if len(word) > 1]
    scored = [(_score(entry, words), entry) for entry in TOOLS.values()]
    return tuple(entry for score, entry in sorted(scored, key=lambda pair: -pair[0]) if score > 0)


def _score(entry: Entry, words: list[str]) -> int:
    name = entry.name.replace("_", " ")
    tags = " ".join((*entry.capabilities, entry.category)).replace("_", " ").lower()
    description = entry.description.lower()
    score = 0
    for word in words:
        stem = word[:-1] if word.endswith("s") and len(word) > 3 else word
        score += 4 * (stem in name) + 2 * (stem in tags) + (stem in description)
    return score


def discover(
    capabilities: Iterable[str] = (), category: str | None = None, min_version: str = "0"
) -> tuple[Entry, ...]:
    """Tools that have all these capabilities (TOOL-065), of a category and at least a version."""
    wanted = frozenset(capabilities)
    least = _version(min_version)
    return tuple(
        entry
        for entry in TOOLS.values()
        if wanted <= frozenset(entry.capabilities)
        and category in (None, entry.category)
        and _version(entry.version) >= least
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(
        int(part) if part.isdecimal() and len(part) < 9 else 0 for part in text[:64].split(".")
    )
