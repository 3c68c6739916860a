"""A token bucket (SEC-041): so many acts per second on average, with a burst. Pure arithmetic."""

from __future__ import annotations

from llmspell.errors import InternalError, UsageError


class RateLimiter:
    """Allows `per_second` acts on average and at most `burst` at once.

    Times are handed in, in seconds of one clock. A clock that goes back gives nothing.
    Raises `UsageError` unless both are positive and finite.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        if not (0 < per_second < float("inf") and 1 <= burst < float("inf")):
            raise UsageError("a rate is positive, and its burst at least 1")
        self._rate = per_second
        self._burst = burst
        self._tokens = burst
        self._at = now

    @classmethod
    def per_minute(cls, requests: float, burst: float, now: float) -> RateLimiter:
        """As the seeds write it: requests a minute, and a burst."""
        return cls(requests / 60, burst, now)

    def take(self, now: float, amount: float = 1) -> bool:
        """Takes `amount` if it is there; otherwise takes nothing and says False."""
        if not 0 < amount < float("inf"):
            raise InternalError(f"{amount!r} can't be taken from a rate limit")
        self._refill(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    @property
    def burst(self) -> float:
        """The most that can be taken at once."""
        return self._burst

    def correct(self, now: float, amount: float) -> None:
        """Takes so much more, or gives it back (below 0), for an act whose size was only guessed.

        What is taken so may be owed: the next acts wait until it has come in.
        """
        if not -float("inf") < amount < float("inf"):
            raise InternalError(f"{amount!r} can't be taken from a rate limit")
        self._refill(now)
        self._tokens = min(self._burst, self._tokens - amount)

    def wait(self, now: float, amount: float = 1) -> float:
        """Seconds until `amount` will be there; infinite when it is more than the burst."""
        self._refill(now)
        if amount > self._burst:
            return float("inf")
        return max(0.0, (amount - self._tokens) / self._rate)

    def _refill(self, now: float) -> None:
        elapsed = now - self._at
        if elapsed > 0:
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
            self._at = now
