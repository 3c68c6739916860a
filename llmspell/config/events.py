"""`[events]` of the user's own `llmspell.toml` (EVT-018). Every bound can only be made smaller."""

from __future__ import annotations

import os

from llmspell.config.sections import own_section
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final


class EventSettings(NamedTuple):
    """`batch`: events of one delivery. `persist`: whether events are kept from the start, where
    the policy allows it; `ttl` in seconds."""

    enabled: bool = True
    buffer: int = 1_000
    subscribers: int = 100
    batch: int = 50
    persist: bool = False
    ttl: float = 86_400.0


_BOUNDS: Final[Mapping[str, int]] = {
    "buffer_size": 1_000,
    "max_subscribers": 100,
    "batch_size": 50,
    "persistence_ttl": 31_536_000,
}
_BOOLEANS: Final = ("enabled", "persistence_enabled", "batch_processing")


def load_events(environ: Mapping[str, str] = os.environ) -> EventSettings:
    """The settings in effect. Raises `ConfigurationError` naming file and key."""
    return check_events(*own_section("events", environ))


def check_events(table: Mapping[str, Any], source: str) -> EventSettings:
    """The section, checked. Raises `ConfigurationError`."""
    for key, value in table.items():
        if key in _BOOLEANS:
            good = isinstance(value, bool)
        elif key in _BOUNDS:
            good = type(value) is int and 1 <= value <= _BOUNDS[key]
        else:
            raise ConfigurationError(f"{source}: events.{key}: this key is unknown")
        if not good:
            wanted = f"1 to {_BOUNDS[key]}" if key in _BOUNDS else "true or false"
            raise ConfigurationError(f"{source}: events.{key}: {value!r} is not {wanted}")
    return EventSettings(
        enabled=table.get("enabled", True),
        buffer=table.get("buffer_size", 1_000),
        subscribers=table.get("max_subscribers", 100),
        batch=table.get("batch_size", 50) if table.get("batch_processing", True) else 1,
        persist=table.get("persistence_enabled", False),
        ttl=float(table.get("persistence_ttl", 86_400)),
    )
