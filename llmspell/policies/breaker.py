"""A circuit breaker (SEC-037): after several failures, no more calls for a while. Pure.

Times are handed in (seconds of any clock that never goes back), so there is nothing to wait for.
"""

from __future__ import annotations

import enum

from llmspell.errors import UsageError


class BreakerState(enum.Enum):
    """`CLOSED` lets calls through, `OPEN` refuses them, `HALF_OPEN` tries a single one."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after `failure_threshold` failures in a row, tries again after `recovery_timeout`.

    A trial call that says nothing for `timeout` seconds counts as failed. Seconds; all positive.
    Raises `UsageError` for other bounds.
    """

    __slots__ = ("_failures", "_opened", "_recovery", "_state", "_threshold", "_timeout", "_trial")

    def __init__(self, failure_threshold: int, timeout: float, recovery_timeout: float) -> None:
        if isinstance(failure_threshold, bool) or not failure_threshold >= 1:
            raise UsageError("a circuit breaker's failure_threshold is at least 1")
        if not (0 < timeout < float("inf") and 0 < recovery_timeout < float("inf")):
            raise UsageError("a circuit breaker's times are positive seconds")
        self._threshold = failure_threshold
        self._timeout = timeout
        self._recovery = recovery_timeout
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._opened = 0.0
        self._trial: float | None = None

    def state(self, now: float) -> BreakerState:
        """The state at this moment."""
        if self._trial is not None and now - self._trial >= self._timeout:
            self._open(now)
        if self._state is BreakerState.OPEN and now - self._opened >= self._recovery:
            self._state = BreakerState.HALF_OPEN
        return self._state

    def allow(self, now: float) -> bool:
        """Whether a call may start now; a half-open breaker lets exactly one through."""
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return True
        if state is BreakerState.HALF_OPEN and self._trial is None:
            self._trial = now
            return True
        return False

    def succeeded(self, now: float) -> None:
        """A call ended well. One that was started before the breaker opened changes nothing."""
        if self.state(now) is BreakerState.OPEN:
            return
        if self._state is BreakerState.HALF_OPEN and self._trial is None:
            return
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._trial = None

    def failed(self, now: float) -> None:
        """A call failed."""
        if self.state(now) is BreakerState.HALF_OPEN:
            self._open(now)
            return
        self._failures += 1
        if self._state is BreakerState.CLOSED and self._failures >= self._threshold:
            self._open(now)

    def _open(self, now: float) -> None:
        self._state = BreakerState.OPEN
        self._opened = now
        self._failures = 0
        self._trial = None
