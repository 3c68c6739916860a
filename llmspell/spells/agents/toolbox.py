"""The tools of one agent, under names that every provider takes (LLM-012)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN_MAX: Final = 64
"""Characters of a tool's name that providers take."""

_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

MESSAGE_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "Message to send to the agent"},
        "context": {
            "type": "object",
            "description": "Additional context for the agent",
            "properties": {
                "conversation_id": {"type": "string"},
                "user_id": {"type": "string"},
                "session_data": {"type": "object"},
            },
        },
    },
    "required": ["message"],
}
"""What an agent that is a tool takes (TRT-027)."""

WORKFLOW_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "object", "description": "the workflow's input"}},
    "required": [],
}


@dataclass(frozen=True, slots=True)
class AgentTool:
    """One tool: `kind` is tool, inline, agent or workflow; `target` its name in the run, or id."""

    kind: str
    name: str
    target: str
    shown: str
    description: str
    parameters: Mapping[str, Any]

    def definition(self) -> dict[str, Any]:
        """The function definition for the model."""
        return {
            "name": self.shown,
            "description": self.description,
            "parameters": dict(self.parameters),
        }

    def to_wire(self) -> dict[str, Any]:
        """The tool as `list_tools` shows it."""
        kind = "tool" if self.kind == "inline" else self.kind
        return {"name": self.name, "type": kind, "description": self.description}


class Toolbox:
    """Tools by the name the model sees."""

    __slots__ = ("_tools", "finds_agents")

    def __init__(self, tools: Iterable[AgentTool] = ()) -> None:
        self._tools = {tool.shown: tool for tool in tools}
        self.finds_agents = False

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Any:
        return iter(self._tools.values())

    def add(self, tool: AgentTool) -> None:
        """Adds a tool, in the place of one of the same name."""
        for shown, known in list(self._tools.items()):
            if known.name == tool.name:
                del self._tools[shown]
        shown = _free(tool.shown, self._tools)
        self._tools[shown] = AgentTool(
            tool.kind, tool.name, tool.target, shown, tool.description, tool.parameters
        )

    def remove(self, name: str) -> bool:
        """Takes a tool away; whether there was one. Class names of the seeds fit too."""
        wanted = _spellings(name)
        for shown, tool in list(self._tools.items()):
            if tool.name in wanted or tool.target in wanted:
                del self._tools[shown]
                return True
        return False

    def get(self, shown: str) -> AgentTool | None:
        """The tool of a name as the model, or the spell, writes it."""
        found = self._tools.get(shown)
        if found is None:
            found = next((tool for tool in self._tools.values() if tool.name == shown), None)
        return found

    def names(self) -> list[str]:
        """The tools' own names, in the order they were added."""
        return [tool.name for tool in self._tools.values()]

    def copy(self) -> Toolbox:
        """The same tools, for one request that adds some."""
        fresh = Toolbox(self._tools.values())
        fresh.finds_agents = self.finds_agents
        return fresh


def shown_name(name: str) -> str:
    """A name that every provider takes: letters, digits, `_` and `-`."""
    spelled = "".join(letter if letter in _LETTERS else "_" for letter in name[:SHOWN_MAX])
    return spelled or "tool"


def _free(shown: str, taken: Mapping[str, AgentTool]) -> str:
    name, number = shown, 2
    while name in taken:
        end = f"_{number}"
        name, number = shown[: SHOWN_MAX - len(end)] + end, number + 1
    return name


def _spellings(name: str) -> set[str]:
    """The names of the tool that a spell may mean: `HttpTool` is `http_client` (API-059)."""
    from llmspell.spells.api.class_tools import CLASS_TOOLS, OLD_NAMES
    from llmspell.spells.api.options import snake

    meant = {name, OLD_NAMES.get(name, name)}
    if name in CLASS_TOOLS:
        meant.add(CLASS_TOOLS[name].tool)
    if name.endswith("Tool"):
        plain = snake(name.removesuffix("Tool"))
        meant |= {plain, f"{plain}_tool"}
    return meant
