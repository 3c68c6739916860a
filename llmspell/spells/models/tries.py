"""Another try of what a provider did not take: as often and as late as it may make sense."""

from __future__ import annotations

import asyncio
from time import monotonic

from llmspell.llm import backoff
from llmspell.llm.failures import AGAIN, ModelFailure
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from llmspell.config.provider_table import ProviderConfig


async def tried(
    provider: ProviderConfig,
    deadline: float,
    random: Callable[[], float],
    once: Callable[[], Awaitable[dict[str, Any]]],
    begun: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """What `once` gives, with as many tries as the provider's configuration allows (LLM-010).

    No further try after the deadline (`monotonic`), nor once an answer has `begun` to be heard:
    its pieces would come twice. Raises what the last try raised.
    """
    attempts = 1 + provider.retries
    for attempt in range(1, attempts + 1):
        try:
            return await once()
        except ModelFailure as error:
            if error.kind not in AGAIN or attempt == attempts or begun():
                raise
            pause = backoff.delay(attempt, provider.retry_delay, error.retry_after, random())
            if monotonic() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
    raise AssertionError("every try either answers or raises")
