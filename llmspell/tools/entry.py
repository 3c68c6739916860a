"""The line that the index keeps of each tool."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """What can be said of a tool without importing it."""

    name: str
    category: str
    description: str
    version: str
    capabilities: tuple[str, ...]
    security_level: str
    needs: frozenset[str]
    seconds: float
    data_bytes: int
    memory_bytes: int
    calls_per_minute: int | None
    module: str
