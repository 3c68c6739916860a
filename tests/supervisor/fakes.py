"""A policy, an audit and methods in memory, for the core's own tests; no worker, no disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MemoryAudit:
    """Keeps records; can be told to fail."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.broken: Exception | None = None
        self.head = "head"
        self.path = None

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        if self.broken is not None:
            raise self.broken
        self.records.append((event, dict(fields)))

    def close(self, fields: Mapping[str, Any]) -> None:
        self.record("session_end", fields)

    def failed(self) -> bool:
        return self.broken is not None

    def events(self) -> list[str]:
        return [event for event, _ in self.records]
