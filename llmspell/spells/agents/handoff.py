"""Handing a conversation over: who may get it, what goes along, in what words (ORC-001, ORC-016).

Sources: 000:9626-9716; STO-011. The model chooses among the specialists its agent was given; what
state goes along is the agent's setting, which the model can narrow and never widen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput
from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HANDOFFS_MAX: Final = 10
"""Changes of agent within one request; one more is an error that names the round."""

TOOL: Final = "handoff"
FINDER: Final = "agent_finder"
MESSAGE_MODES: Final = ("none", "last", "all")
KEYS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class StateFilter:
    """What goes along: keys of the state (None: all) without `exclude`, and which messages."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    messages: str = "last"

    def state(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The part of a state that passes."""
        return {
            key: value
            for key, value in state.items()
            if (self.include is None or key in self.include) and key not in self.exclude
        }

    def narrowed(self, other: StateFilter) -> StateFilter:
        """What passes both."""
        include = self.include
        if other.include is not None:
            include = tuple(
                key for key in other.include if self.include is None or key in self.include
            )
        order = MESSAGE_MODES
        messages = order[min(order.index(self.messages), order.index(other.messages))]
        return StateFilter(include, (*self.exclude, *other.exclude), messages)

    def to_json(self) -> dict[str, Any]:
        """The filter as data."""
        shown: dict[str, Any] = {"exclude": list(self.exclude), "messages": self.messages}
        if self.include is not None:
            shown["include"] = list(self.include)
        return shown


PASS_ALL: Final = StateFilter(messages="all")


def read_filter(given: Any, default: StateFilter) -> StateFilter:
    """A filter as written: a list of keys, or {include, exclude, messages}. 1004 else."""
    if given is None:
        return default
    if isinstance(given, list):
        given = {"include": given}
    table = values.table(given, "state_filter")
    include = table.get("include", table.get("keys"))
    messages = table.get("messages", default.messages)
    if messages is True or messages is False:
        messages = "all" if messages else "none"
    if messages not in MESSAGE_MODES:
        raise InvalidInput("state_filter.messages is none, last or all", code=1004)
    return StateFilter(
        default.include if include is None else _keys(include, "include"),
        _keys(table.get("exclude"), "exclude"),
        messages,
    )


def _keys(given: Any, what: str) -> tuple[str, ...]:
    found = values.items(given, f"state_filter.{what}", KEYS_MAX)
    return tuple(values.text(key, f"state_filter.{what}", 256) for key in found)


@dataclass(frozen=True, slots=True)
class Specialist:
    """An agent that may be handed the conversation: its name, and what it is for."""

    name: str
    description: str
    filter: StateFilter


@dataclass(frozen=True, slots=True)
class HandoffRequest:
    """TRT-022: to whom, with what, and why."""

    target: str
    input: Any
    reason: str
    filter: StateFilter

    def to_json(self) -> dict[str, Any]:
        """The request as a result shows it."""
        return {
            "target_agent_id": self.target,
            "input": self.input,
            "reason": self.reason,
            "state_filter": self.filter.to_json(),
        }


def prompt(specialists: Sequence[Specialist]) -> str:
    """What the system prompt says of the specialists."""
    lines = [f"- '{one.name}': {one.description or 'a specialist'}" for one in specialists]
    return (
        "You can answer yourself, or hand the conversation over to a specialist with the tool "
        f"'{TOOL}'. Available specialists:\n" + "\n".join(lines)
    )


def definition(specialists: Sequence[Specialist]) -> dict[str, Any]:
    """The tool by which the model hands over."""
    target: dict[str, Any] = {"type": "string", "description": "the specialist's name"}
    if specialists:
        target["enum"] = [one.name for one in specialists]
    return {
        "name": TOOL,
        "description": "Hands the conversation over to a specialist, who then answers.",
        "parameters": {
            "type": "object",
            "properties": {
                "target_agent_id": target,
                "input": {"type": "string", "description": "what the specialist is to do"},
                "reason": {"type": "string", "description": "why"},
                "state_filter": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "only these keys of the shared state go along",
                },
            },
            "required": ["target_agent_id", "input"],
        },
    }


FINDER_DEFINITION: Final[Mapping[str, Any]] = {
    "name": FINDER,
    "description": "Finds agents by what they can do.",
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "a capability, or words to look for"}
        },
        "required": [],
    },
}


def of_call(arguments: Mapping[str, Any], default_input: str) -> HandoffRequest:
    """The request in a model's tool call or JSON answer. Raises `InvalidInput`."""
    target = next(
        (
            arguments[key]
            for key in ("target_agent_id", "target", "agent", "target_agent", "specialist")
            if isinstance(arguments.get(key), str)
        ),
        None,
    )
    if not target:
        raise InvalidInput("a handoff needs target_agent_id")
    given = arguments.get("input", arguments.get("message"))
    if given is None or given == "" or not values.is_plain(given):
        given = default_input
    reason = arguments.get("reason")
    try:
        passing = read_filter(arguments.get("state_filter"), PASS_ALL)
    except InvalidInput:
        # A model that writes nonsense there gets nothing passed rather than everything.
        passing = StateFilter(include=(), messages="none")
    return HandoffRequest(
        target[:128], given, reason[:1_000] if isinstance(reason, str) else "", passing
    )


def in_answer(content: str, default_input: str) -> HandoffRequest | None:
    """The request in an answer that is a 'handoff' action (S55), or None."""
    data = values.json_answer(content)
    if data is None or data.get("action", data.get("type")) != TOOL:
        return None
    try:
        return of_call(data, default_input)
    except InvalidInput:
        return None
