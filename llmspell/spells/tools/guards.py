"""How often and how many at once: per-tool rates, concurrency, time and cache (TOOL-074, 076)."""

from __future__ import annotations

from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.policies.rate import RateLimiter
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import seconds
from llmspell.spells.tools.cache import ResultCache, Shelf

if TYPE_CHECKING:
    from asyncio import Semaphore
    from collections.abc import Callable, Mapping
    from typing import Any, Final

SECONDS: Final = 30.0
"""Time a script tool may take unless its `timeout` says otherwise."""

SECONDS_MAX: Final = 600.0
RATE_MAX: Final = 1_000_000
CONCURRENCY_MAX: Final = 64
QUEUE_MAX: Final = 64
"""Calls that wait for one tool; a further one is refused."""


class Guard:
    """The settings and figures of one tool. `seconds` is None where the tool has its own."""

    __slots__ = (
        "_clock",
        "_limiter",
        "_places",
        "_rate",
        "_shelf",
        "_waiting",
        "cache",
        "calls",
        "concurrency",
        "failures",
        "longest",
        "name",
        "seconds",
        "shortest",
        "spent",
    )

    def __init__(self, name: str, clock: Callable[[], float], shelf: Shelf | None = None) -> None:
        self.name = name
        self._shelf = shelf
        self._clock = clock
        self._rate: tuple[float, float] | None = None
        self._limiter: RateLimiter | None = None
        self._places: Semaphore | None = None
        self._waiting = 0
        self.cache: ResultCache | None = None
        self.concurrency: int | None = None
        self.seconds: float | None = None
        self.calls = self.failures = 0
        self.spent = self.longest = 0.0
        self.shortest: float | None = None

    def configure(self, config: Mapping[str, Any], engine: str, function: str) -> None:
        """Takes `cache`, `rate_limit`, `max_concurrency`, `timeout`. Raises `InvalidInput`."""
        cache = config.get("cache")
        if cache is not None and cache is not False:
            made = ResultCache.of(cache, engine, self._clock, function, self._shelf)
            self.drop_cache()
            self.cache = made
        elif cache is False:
            self.drop_cache()
        if config.get("rate_limit") is not None:
            self._rate = _rate(config["rate_limit"], function)
            self._limiter = None
        most = config.get("max_concurrency", config.get("concurrency"))
        if most is not None:
            if type(most) not in (int, float) or not 1 <= most <= CONCURRENCY_MAX:
                raise InvalidInput(
                    f"{function}: max_concurrency must be from 1 to {CONCURRENCY_MAX}"
                )
            self.concurrency, self._places = int(most), None
        if config.get("timeout") is not None:
            self.seconds = seconds(config["timeout"], engine, f"{function}: timeout")
            if not 0 < self.seconds <= SECONDS_MAX:
                raise InvalidInput(f"{function}: timeout is over 0 and at most {SECONDS_MAX:g} s")

    def drop_cache(self) -> None:
        """Forgets what is kept, and that anything is."""
        if self.cache is not None:
            self.cache.clear()
        self.cache = None

    def take(self) -> None:
        """One call against the rate. Raises `LimitExceeded` 6006."""
        if self._rate is None:
            return
        now = self._clock()
        if self._limiter is None:
            self._limiter = RateLimiter.per_minute(*self._rate, now)
        if not self._limiter.take(now):
            wait = self._limiter.wait(now)
            raise LimitExceeded(
                "tool_rate",
                f"the tool {self.name} takes {self._rate[0]:g} calls a minute",
                hint=f"wait {wait:.1f} s",
            )

    async def enter(self) -> None:
        """Waits for a place. Raises `LimitExceeded` when too many wait already."""
        if self.concurrency is None:
            return
        if self._places is None:
            import asyncio

            self._places = asyncio.Semaphore(self.concurrency)
        if self._waiting >= QUEUE_MAX:
            raise LimitExceeded(
                "tool_queue", f"{QUEUE_MAX} calls wait for the tool {self.name} already"
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Gives the place back."""
        if self._places is not None:
            self._places.release()

    def count(self, took: float, failed: bool) -> None:
        """Figures of one call."""
        self.calls += 1
        self.failures += failed
        self.spent += took
        self.longest = max(self.longest, took)
        self.shortest = took if self.shortest is None else min(self.shortest, took)

    def stats(self) -> dict[str, Any]:
        """Its figures, times in milliseconds (TOOL-080)."""
        found: dict[str, Any] = {
            "calls": self.calls,
            "failures": self.failures,
            "avg_time": 0.0 if not self.calls else self.spent * 1000 / self.calls,
            "min_time": (self.shortest or 0.0) * 1000,
            "max_time": self.longest * 1000,
            "total_time": self.spent * 1000,
        }
        if self.cache is not None:
            found["cache"] = self.cache.stats()
        return found


def _rate(given: Any, function: str) -> tuple[float, float]:
    """Calls a minute, and how many of them at once."""
    per_minute: Any
    if isinstance(given, dict):
        per_minute = given.get("requests_per_minute", given.get("per_minute"))
        burst = given.get("burst", given.get("burst_allowance", per_minute))
    else:
        per_minute = burst = given
    for value in (per_minute, burst):
        if type(value) not in (int, float) or not 1 <= value <= RATE_MAX:
            raise InvalidInput(
                f"{function}: rate_limit is calls a minute, or"
                " {requests_per_minute, burst}; numbers from 1"
            )
    return float(per_minute), float(burst)
