"""What a provider's account takes a minute: requests, and tokens (LLM-002 … 004)."""

from __future__ import annotations

import asyncio
from time import monotonic

from llmspell.errors import LimitExceeded
from llmspell.policies.rate import RateLimiter
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from llmspell.config.provider_table import ProviderConfig


class Rates:
    """Both rates of one provider; None holds nothing. Shared by the runs that share an account."""

    def __init__(self, requests: RateLimiter | None, tokens: RateLimiter | None = None) -> None:
        self._requests = requests
        self._tokens = tokens

    @classmethod
    def of(cls, provider: ProviderConfig) -> Rates:
        """The rates that its configuration says, each with a burst of one minute's worth."""
        requests, tokens = provider.requests_per_minute, provider.tokens_per_minute
        now = monotonic()
        return cls(
            None if requests is None else RateLimiter.per_minute(requests, max(1, requests), now),
            None if tokens is None else RateLimiter.per_minute(tokens, tokens, now),
        )

    def is_used_up(self) -> bool:
        """Whether even a small request would have to wait."""
        now = monotonic()
        limiters = (self._requests, self._tokens)
        return any(limiter is not None and limiter.wait(now, 1) > 0 for limiter in limiters)

    async def take(self, provider: ProviderConfig, tokens: int, deadline: float) -> float:
        """Waits until one request of so many tokens may be sent; the tokens that were taken.

        One that is larger than a minute's worth waits for a whole minute's worth. Raises
        `LimitExceeded` 6006 of kind `model_rate` where that is after the deadline.
        """
        taken = 0.0
        if self._tokens is not None and tokens > 0:
            taken = min(float(tokens), self._tokens.burst)
            await _wait(self._tokens, taken, provider, "tokens", deadline)
        try:
            if self._requests is not None:
                await _wait(self._requests, 1, provider, "requests", deadline)
        except BaseException:
            self.settle(taken, 0)
            raise
        return taken

    def settle(self, taken: float, used: float) -> None:
        """Replaces the tokens that were taken by those that were used."""
        if self._tokens is not None:
            self._tokens.correct(monotonic(), used - taken)


async def _wait(
    limiter: RateLimiter, amount: float, provider: Any, what: str, deadline: float
) -> None:
    while not limiter.take(monotonic(), amount):
        pause = limiter.wait(monotonic(), amount)
        if monotonic() + pause >= deadline:
            most = getattr(provider, f"{what}_per_minute") or 0
            raise LimitExceeded(
                "model_rate",
                f"{provider.name} takes {most:g} {what} a minute",
                hint=f"wait {pause:.0f} s, or set providers.{provider.name}.{what}_per_minute",
            )
        await asyncio.sleep(pause + 0.001)
