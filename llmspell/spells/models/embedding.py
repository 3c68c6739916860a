"""Vectors of texts: the same reservation, rates, tries and record as a completion (LLM-001)."""

from __future__ import annotations

import asyncio
from time import monotonic

from llmspell.llm.failures import ModelFailure
from llmspell.records import TYPE_CHECKING
from llmspell.spells.models.spending import Spending
from llmspell.spells.models.tries import tried

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from llmspell.llm.port import Provider
    from llmspell.spells.models.rates import Rates
    from llmspell.spells.models.targets import Target
    from llmspell.spells.ports import Host


class Embedding:
    """One request for the vectors of texts, judged already."""

    def __init__(
        self,
        host: Host,
        target: Target,
        provider: Provider,
        rates: Rates | None,
        random: Callable[[], float],
    ) -> None:
        self._host = host
        self._target = target
        self._provider = provider
        self._rates = rates
        self._random = random

    async def vectors(self, texts: list[str], seconds: float, origin: str) -> dict[str, Any]:
        """`{vectors, usage, cost, provider, model}`. Raises `ModelFailure`, `LimitExceeded`."""
        target, deadline = self._target, monotonic() + seconds
        reply = await tried(
            target.provider, deadline, self._random, lambda: self._once(texts, deadline)
        )
        used = reply["usage"]
        self._host.record(
            "model",
            {
                "origin": origin,
                "target": target.name,
                "stand_in": target.stand_in,
                "input_tokens": used["input_tokens"],
                "output_tokens": used["output_tokens"],
                "cost": reply["cost"],
            },
        )
        return {**reply, "provider": target.provider.name, "model": target.model}

    async def _once(self, texts: list[str], deadline: float) -> dict[str, Any]:
        target = self._target
        spending = Spending(self._host.budget, target, await self._provider.info(target.model))
        spending.reserve({"messages": [{"content": text} for text in texts], "max_tokens": 1})
        taken = 0.0
        try:
            if self._rates is not None:
                taken = await self._rates.take(target.provider, spending.tokens, deadline)
        except BaseException:
            spending.give_back()
            raise
        used = taken
        try:
            left = max(0.001, deadline - monotonic())
            reply = await asyncio.wait_for(self._provider.embed(target.model, texts, left), left)
            used = float(reply["usage"]["total_tokens"])
        except TimeoutError:
            spending.settle_broken_off("")
            raise ModelFailure("timeout", f"{target.name} did not answer in time") from None
        except ModelFailure as error:
            if error.kind in ("timeout", "malformed"):
                spending.settle_broken_off("")
            else:
                spending.give_back()
                used = 0.0
            raise
        except BaseException:
            spending.settle_broken_off("")
            raise
        finally:
            if self._rates is not None:
                self._rates.settle(taken, used)
        return {**reply, "cost": spending.settle(reply)}
