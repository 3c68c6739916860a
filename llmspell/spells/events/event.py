"""One event, plain and bounded, whoever emitted it (EVT-003, API-085, X28)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.events.names import canonical

if TYPE_CHECKING:
    from typing import Any, Final

NAME_MAX: Final = 128
"""Characters of an event's name and of its source."""

WEIGHT_MAX: Final = 65_536
"""Characters and values of one event's data: what a thousand in the ring may come to is bounded."""

DEPTH_MAX: Final = 24
"""Nesting of an event's data; a delivery wraps it in a few levels more."""

EMISSION: Final = 5005
SPELL: Final = "spell"
"""The source of what the spell itself emits."""

SERVICES: Final = frozenset({"config", "error_handler", "events", "hooks", "scheduler", "system"})
"""Sources of the services themselves, beside those of the form `kind:name`."""

Event = dict[str, "Any"]


def refused(why: str, *, kind: str = "event") -> OperationFailed:
    """An emission that can't be made (5005)."""
    return OperationFailed(why, code=EMISSION, kind=kind)


def make(
    name: object, data: object, source: str, moment: float, metadata: object = None
) -> tuple[Event, int]:
    """An event without its number, and its weight. `moment`: seconds since 1970.

    Raises `OperationFailed` 5005 for a name that is none and data that is too much or not plain.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise refused(f"an event's name is text of 1 to {NAME_MAX} characters")
    weighing = _Weighing()
    event: Event = {
        "type": canonical(name),
        "timestamp": moment,
        "sequence": 0,
        "source": source[:NAME_MAX],
        "data": weighing.plain(data, 0),
    }
    if metadata is not None:
        event["metadata"] = weighing.plain(metadata, 0)
    return event, weighing.weight


def spell_source(given: object) -> str:
    """What a spell may call itself: never as one of the services."""
    if not isinstance(given, str) or not given:
        return SPELL
    return f"{SPELL}:{given}" if ":" in given or given in SERVICES else given


class _Weighing:
    """Copies plain data and stops where it gets too much."""

    def __init__(self) -> None:
        self.weight = 0

    def plain(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self.weight += len(value) + 1 if kind is str else 8
        if self.weight > WEIGHT_MAX:
            raise refused(f"an event's data is over {WEIGHT_MAX} characters", kind="limit")
        if kind in (str, int, float, bool) or value is None:
            return value
        if depth >= DEPTH_MAX:
            raise refused(f"an event's data is nested deeper than {DEPTH_MAX} levels")
        if isinstance(value, dict):
            result = {}
            for key, item in value.items():
                self.weight += len(key)
                result[key] = self.plain(item, depth + 1)
            return result
        if isinstance(value, Callback):
            raise refused("an event can't carry a function")
        if isinstance(value, (list, tuple)):
            return [self.plain(item, depth + 1) for item in value]
        if isinstance(value, bytes):
            self.weight += 2 * len(value)
            return value
        return self.plain(str(value), depth)
