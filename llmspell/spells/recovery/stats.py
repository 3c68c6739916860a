"""Counts of a run's errors and of what became of them (ERR-016). Bounded, no message kept."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

SEEN_MAX: Final = 1_024
"""Trace ids remembered, so that an error that is parsed, reported and recovered counts once."""


class ErrorStats:
    """`total_errors`, and by code, type and category; attempts to recover and their ends."""

    __slots__ = ("_areas", "_attempts", "_codes", "_ends", "_seen", "_total", "_types")

    def __init__(self) -> None:
        self._total = 0
        self._codes: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._areas: dict[str, int] = {}
        self._seen: dict[str, None] = {}
        self._attempts = 0
        self._ends = {"recovered": 0, "failed": 0, "exhausted": 0}

    def saw(self, parsed: Mapping[str, Any]) -> bool:
        """Counts an error once by its trace id; whether it was new."""
        trace = parsed["trace_id"]
        if trace in self._seen:
            return False
        if len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[trace] = None
        self._total += 1
        # At most 60 codes, the types of `parsing.TYPES` and six areas.
        for counts, key in (
            (self._codes, str(parsed["code"])),
            (self._types, parsed["type"]),
            (self._areas, parsed["category"]),
        ):
            counts[key] = counts.get(key, 0) + 1
        return True

    def attempted(self, attempts: int, end: str) -> None:
        """Counts one recovery: how often its operation ran, and `recovered`, `failed` or
        `exhausted`."""
        self._attempts += attempts
        self._ends[end] += 1

    def tell(self) -> dict[str, Any]:
        """The counts as a spell sees them."""
        return {
            "total_errors": self._total,
            "by_code": dict(self._codes),
            "by_type": dict(self._types),
            "by_category": dict(self._areas),
            "recoveries": sum(self._ends.values()),
            "recovered": self._ends["recovered"],
            "failed_recoveries": self._ends["failed"] + self._ends["exhausted"],
            "retry_attempts": self._attempts,
            "retries_exhausted": self._ends["exhausted"],
        }
