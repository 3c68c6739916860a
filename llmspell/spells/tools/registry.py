"""Every tool of a run by name: the built-in ones and the spell's own (TOOL-065, TOOL-070)."""

from __future__ import annotations

from llmspell.errors import InvalidInput, LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.tools.cache import Shelf
from llmspell.spells.tools.definition import (
    GUARDED,
    ScriptTool,
    read_config,
    tool_name,
    unknown_keys,
)
from llmspell.spells.tools.guards import Guard
from llmspell.tools import registry as built_in
from llmspell.tools.index import TOOLS
from llmspell.tools.naming import near, snake

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.tools.entry import Entry

TOOLS_MAX: Final = 256
"""Tools of a spell's own in one run."""

CATEGORIES: Final[Mapping[str, str]] = {
    "utility": "util",
    "utilities": "util",
    "file_system": "filesystem",
    "files": "filesystem",
    "web_access": "web",
    "network": "web",
    "data_processing": "data",
}
"""The seeds' names of the built-in tools' categories (X11)."""


class Registry:
    """Names, descriptions and guards. A spell's tool never hides a built-in one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._own: dict[str, ScriptTool] = {}
        self._guards: dict[str, Guard] = {}
        self._configured: set[str] = set()
        self._shelf = Shelf()

    # -- the spell's own -----------------------------------------------------------------------

    def create(self, name: Any, given: Any, function: str) -> ScriptTool:
        """Makes a tool. Raises `InvalidInput` (2005 name, 2010 schema), `LimitExceeded`."""
        config = read_config(given, function)
        name = tool_name(name if name is not None else config.get("name"), function)
        if _built_in(name) is not None:
            raise InvalidInput(
                f"{function}: {name} is the name of a built-in tool",
                code=2005,
                hint="choose another name",
            )
        if name in self._own:
            raise InvalidInput(
                f"{function}: there is a tool {name} already",
                code=2005,
                hint=f"Tools.unregister('{name}') lets it go",
            )
        if len(self._own) >= TOOLS_MAX:
            raise LimitExceeded("tools", f"a spell has at most {TOOLS_MAX} tools of its own")
        tool = ScriptTool(name, config, function)
        guard = Guard(name, self._host.now, self._shelf)
        guard.configure(config, self._host.engine, function)
        unknown = unknown_keys(config)
        if unknown and function == "tools.create":
            # What `tools.register` is given may be an object with fields of its own.
            self._host.note(
                "warn", f"{function}: kept as metadata of {name}: {', '.join(unknown[:8])}"
            )
        self._own[name] = tool
        self._guards[name] = guard
        return tool

    def remove(self, name: str) -> bool:
        """Lets a tool of the spell's go; whether there was one. Raises for a built-in (2005)."""
        if name in self._own:
            del self._own[name]
            guard = self._guards.pop(name, None)
            if guard is not None:
                guard.drop_cache()
            return True
        if _built_in(name) is not None:
            raise InvalidInput(f"{name} is a built-in tool and stays", code=2005)
        return False

    def configure(self, name: str, given: Any, function: str) -> Guard:
        """Sets cache, rate, concurrency or time of any tool."""
        name = self.known_name(name)
        config = read_config(given, function)
        wrong = sorted(config.keys() - set(GUARDED))
        if wrong:
            raise InvalidInput(f"{function} takes {', '.join(GUARDED)}; not {wrong[0][:40]}")
        guard = self.guard(name)
        guard.configure(config, self._host.engine, function)
        self._configured.add(name)
        return guard

    # -- looking up ----------------------------------------------------------------------------

    def intercepts(self, name: str) -> bool:
        """Whether a call of this name has more to it than running a built-in tool."""
        return name in self._own or (
            bool(self._configured) and (name in self._configured or snake(name) in self._configured)
        )

    def script(self, name: str) -> ScriptTool | None:
        """The spell's own tool of a name."""
        return self._own.get(name)

    def known_name(self, name: Any) -> str:
        """The name of the tool that is meant. Raises `Missing` 2001."""
        if name in self._own:
            return str(name)
        if not isinstance(name, str):
            raise InvalidInput("a tool is named by text")
        entry = _built_in(name)
        if entry is None:
            shown = name[:64] if name.isprintable() else ascii(name[:64])
            raise Missing(
                f"there is no tool {shown}",
                code=2001,
                hint=near(name, self.names()) or "Tools.list() shows all",
            )
        return entry.name

    def needs(self, name: str) -> tuple[Set[str], str]:
        """What a verdict asks: the needs and category of a known tool."""
        own = self._own.get(name)
        if own is not None:
            return frozenset(), own.category
        entry = built_in.entry(name)
        return entry.needs, entry.category

    def guard(self, name: str) -> Guard:
        """The guard of a known tool."""
        guard = self._guards.get(name)
        if guard is None:
            guard = self._guards[name] = Guard(name, self._host.now, self._shelf)
        return guard

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted([*TOOLS, *self._own])

    def describe(self, name: str) -> dict[str, Any]:
        """Everything about one tool. Raises `Missing` 2001."""
        name = self.known_name(name)
        own = self._own.get(name)
        if own is not None:
            return own.describe()
        described = built_in.describe(name)
        schema, output = described["parameters"], described.get("output")
        return {
            **described,
            "schema": schema,
            "input_schema": schema,
            "output_schema": (output or {}).get("properties", {}).get("result"),
        }

    def all(self) -> list[dict[str, Any]]:
        """A line of each tool, by name."""
        lines = [*map(summary, TOOLS.values()), *(tool.summary() for tool in self._own.values())]
        return sorted(lines, key=lambda line: str(line["name"]))

    def by_category(self, category: str) -> list[dict[str, Any]]:
        """The tools of a category, in the seeds' spelling too."""
        wanted = {category, CATEGORIES.get(category, category)}
        return [line for line in self.all() if line["category"] in wanted]

    def search(self, query: str) -> list[dict[str, Any]]:
        """Tools that fit the words, best first; the spell's own come first."""
        words = [word for word in query[:256].lower().replace("_", " ").split() if len(word) > 1]
        scored = [(_score(tool, words), tool) for tool in self._own.values()]
        own = [tool.summary() for score, tool in sorted(scored, key=lambda p: -p[0]) if score]
        return [*own, *map(summary, built_in.search(query))]

    def discover(
        self, capabilities: Iterable[str], category: str | None, least: str
    ) -> list[dict[str, Any]]:
        """Tools that have all these capabilities (TOOL-065)."""
        wanted = frozenset(capabilities)
        kind = None if category is None else CATEGORIES.get(category, category)
        own = [
            tool.summary()
            for tool in self._own.values()
            if wanted <= frozenset(tool.capabilities)
            and category in (None, tool.category)
            and _version(tool.version) >= _version(least)
        ]
        return [*own, *map(summary, built_in.discover(wanted, kind, least))]

    def stats(self) -> dict[str, Any]:
        """Figures of the tools that were called by way of the services."""
        return {name: guard.stats() for name, guard in sorted(self._guards.items()) if guard.calls}


def summary(entry: Entry) -> dict[str, Any]:
    """A built-in tool in a list: nothing of it is imported."""
    return {
        "name": entry.name,
        "category": entry.category,
        "description": entry.description,
        "security_level": entry.security_level,
        "required_permissions": sorted(entry.needs),
    }


def _built_in(name: str) -> Entry | None:
    return TOOLS.get(name) or TOOLS.get(snake(name[:64]))


def _score(tool: ScriptTool, words: list[str]) -> int:
    name = tool.name.lower().replace("_", " ")
    tags = " ".join((*tool.capabilities, tool.category)).replace("_", " ").lower()
    description = tool.description.lower()
    return sum(4 * (w in name) + 2 * (w in tags) + (w in description) for w in words)


def _version(text: str) -> tuple[int, ...]:
    parts = text[:64].split(".")
    return tuple(int(part) if part.isdecimal() and len(part) < 9 else 0 for part in parts)
