"""What an agent keeps of its conversation, and what it was told to remember (STO-009, STO-010)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell.spells.agents.settings import MemorySettings

CHARACTERS_MAX: Final = 1_048_576
"""Characters of one conversation as JSON; older turns go first."""

FACTS_MAX: Final = 1_000
FACT_CHARACTERS_MAX: Final = 65_536
FACTS_CHARACTERS_MAX: Final = 262_144
"""Characters of one remembered value, and of all of an agent's, as JSON."""

KEY_MAX: Final = 256
ROLES: Final = ("user", "assistant", "system", "tool")

Message = dict[str, Any]


class Conversation:
    """Turns, oldest first: what belongs together (a question, its tool calls, the answer).

    A turn is kept or dropped whole: providers refuse a tool's result without its call.
    """

    __slots__ = ("_settings", "_sizes", "_turns", "summary")

    def __init__(self, settings: MemorySettings) -> None:
        self._settings = settings
        self._turns: list[list[Message]] = []
        self._sizes: list[int] = []
        self.summary = ""

    def configure(self, settings: MemorySettings) -> None:
        """Other bounds from now on."""
        self._settings = settings
        self._trim()

    def add(self, turn: Sequence[Message]) -> None:
        """Keeps a turn, and lets the oldest go that no longer fit.

        One that is too large by itself is kept without its images, else as question and answer
        alone, else not at all.
        """
        if not self._settings.enabled or not turn:
            return
        for kept in (list(turn), without_images(turn), bare(turn)):
            size = len(json.dumps(kept, ensure_ascii=False))
            if size <= CHARACTERS_MAX:
                self._turns.append(kept)
                self._sizes.append(size)
                self._trim()
                return

    def messages(self, *, shorter: bool = False) -> list[Message]:
        """Every kept message; the newer half of the turns when `shorter`."""
        turns = self._turns[(len(self._turns) + 1) // 2 :] if shorter else self._turns
        return [message for turn in turns for message in turn]

    def clear(self) -> None:
        """Forgets the conversation."""
        self._turns.clear()
        self._sizes.clear()
        self.summary = ""

    def due(self) -> list[Message]:
        """The messages to be summarised now; none while the conversation is short enough."""
        after = self._settings.summarize_after
        if after is None or self._entries() <= after:
            return []
        return [message for turn in self._turns[: self._older()] for message in turn]

    def fold(self, summary: str) -> None:
        """Replaces the messages that were `due` by their summary."""
        older = self._older()
        del self._turns[:older], self._sizes[:older]
        self.summary = summary

    def snapshot(self) -> dict[str, Any]:
        """The conversation as data."""
        return {"turns": [list(turn) for turn in self._turns], "summary": self.summary}

    def restore(self, snapshot: Any) -> None:
        """The conversation of a snapshot. Raises `InvalidInput` for anything else."""
        if not isinstance(snapshot, dict):
            raise InvalidInput("the saved conversation is no object")
        turns, summary = snapshot.get("turns", []), snapshot.get("summary", "")
        if not isinstance(turns, list) or not isinstance(summary, str):
            raise InvalidInput("the saved conversation is damaged")
        checked = [[checked_message(message) for message in _turn(turn)] for turn in turns]
        self.clear()
        self.summary = summary[:FACT_CHARACTERS_MAX]
        for turn in checked:
            self.add(turn)

    def _entries(self) -> int:
        return sum(map(len, self._turns))

    def _older(self) -> int:
        return max(1, len(self._turns) // 2)

    def _trim(self) -> None:
        entries, size = self._entries(), sum(self._sizes)
        drop = 0
        while drop < len(self._turns) - 1 and (
            entries > self._settings.max_entries or size > CHARACTERS_MAX
        ):
            entries -= len(self._turns[drop])
            size -= self._sizes[drop]
            drop += 1
        del self._turns[:drop], self._sizes[:drop]


def without_images(turn: Sequence[Message]) -> list[Message]:
    """The turn with a word in the place of each image."""
    return [
        {
            **message,
            "content": [
                part if part.get("type") == "text" else {"type": "text", "text": "[image]"}
                for part in message["content"]
            ],
        }
        if isinstance(message.get("content"), list)
        else message
        for message in turn
    ]


def bare(turn: Sequence[Message]) -> list[Message]:
    """The turn's question and answer, without images and tool calls."""
    return [
        message
        for message in without_images(turn)
        if message["role"] != "tool" and "tool_calls" not in message
    ]


def _turn(turn: Any) -> list[Any]:
    if not isinstance(turn, list):
        raise InvalidInput("the saved conversation is damaged")
    return turn


def checked_message(message: Any) -> Message:
    """A message of a spell's or of a snapshot: role and content, nothing hostile."""
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise InvalidInput(f"a message needs a role, one of {', '.join(ROLES)}, and content")
    kept: Message = {"role": message["role"], "content": message.get("content") or ""}
    for key in ("tool_calls", "tool_call_id", "name"):
        if message.get(key) is not None:
            kept[key] = message[key]
    result: Message = values.plain(kept, "a message", CHARACTERS_MAX)
    return result


class Facts:
    """Values an agent was told to remember, by key (API-040)."""

    __slots__ = ("_kept", "_sizes")

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def remember(self, key: str, value: Any) -> None:
        """Keeps a value. Raises `LimitExceeded` beyond `FACTS_MAX` and `FACTS_CHARACTERS_MAX`."""
        if key not in self._kept and len(self._kept) >= FACTS_MAX:
            raise LimitExceeded("agent_memory", f"an agent remembers at most {FACTS_MAX} values")
        values.plain(value, f"what {key[:60]!r} holds", FACT_CHARACTERS_MAX)
        size = len(json.dumps(value, ensure_ascii=False)) + len(key)
        if sum(self._sizes.values()) - self._sizes.get(key, 0) + size > FACTS_CHARACTERS_MAX:
            raise LimitExceeded(
                "agent_memory", f"an agent remembers at most {FACTS_CHARACTERS_MAX} characters"
            )
        self._kept[key], self._sizes[key] = value, size

    def recall(self, key: str) -> Any:
        """A kept value, or None."""
        return self._kept.get(key)

    def forget(self, key: str) -> bool:
        """Lets a value go; whether there was one."""
        self._sizes.pop(key, None)
        return self._kept.pop(key, self) is not self

    def clear(self) -> None:
        """Forgets every value."""
        self._kept.clear()
        self._sizes.clear()

    def snapshot(self) -> dict[str, Any]:
        """The values by key."""
        return dict(self._kept)

    def restore(self, snapshot: Any) -> None:
        """The values of a snapshot. Raises `InvalidInput` for anything else."""
        if not isinstance(snapshot, dict):
            raise InvalidInput("the saved memory is no object")
        fresh = Facts()
        for key, value in snapshot.items():
            fresh.remember(key[:KEY_MAX], value)
        self._kept, self._sizes = fresh._kept, fresh._sizes
