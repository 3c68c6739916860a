"""Tokens and money of one call: reserved before it, settled after it (LLM-011)."""

from __future__ import annotations

from llmspell.errors import ConfigurationError, LimitExceeded
from llmspell.llm import counting
from llmspell.policies.limits import Unlimited
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.llm.port import ModelInfo
    from llmspell.policies.budget import Budget
    from llmspell.spells.models.targets import Target

OUTPUT_DEFAULT: Final = 1_024
"""Tokens an answer may have where neither request nor configuration says it; less when less is
left. It is sent to the provider, so that the reservation holds."""


class Spending:
    """What one call reserved. Exactly one of `settle` and `give_back` ends it."""

    def __init__(self, budget: Budget, target: Target, info: ModelInfo) -> None:
        self._budget = budget
        self._target = target
        self._info = info
        self._tokens = 0
        self._money = 0.0
        self._input = 0

    def reserve(self, request: Mapping[str, Any]) -> int:
        """Charges the most that a request can use; the tokens its answer may have.

        Raises `LimitExceeded` 6007 of kind `model_tokens` or `model_cost`, and `ConfigurationError`
        where a price is not known and a limit on money could not be held.
        """
        tokens_in = counting.reserved_input(request)
        tokens_out = request.get("max_tokens") or self._target.provider.max_tokens
        if tokens_out is None:
            tokens_out = OUTPUT_DEFAULT
            if self._info.output_max is not None:
                tokens_out = min(tokens_out, self._info.output_max)
            tokens_out = max(1, min(tokens_out, self._affordable(tokens_in)))
        money = self._price(tokens_in, tokens_out)
        self._budget.reserve("model_tokens", tokens_in + tokens_out)
        try:
            if money:
                self._budget.reserve("model_cost", money)
        except LimitExceeded:
            self._budget.give_back("model_tokens", tokens_in + tokens_out)
            raise
        self._tokens, self._money, self._input = tokens_in + tokens_out, money, tokens_in
        return int(tokens_out)

    def settle(self, reply: Mapping[str, Any]) -> float:
        """Charges what was used instead; its cost in US dollars. Raises `LimitExceeded` where that
        is over a limit."""
        usage = reply["usage"]
        cost = self._cost(usage, reply.get("cost"))
        return self._settle(usage["total_tokens"], cost)

    def settle_broken_off(self, text: str) -> None:
        """Charges what a call that was broken off has used as far as is known: its input, and what
        had come of its answer."""
        tokens_out = counting.estimate(text)
        cost = counting.price(self._info, self._input, tokens_out) or 0.0
        try:
            self._settle(self._input + tokens_out, min(cost, self._money))
        except LimitExceeded:
            # The call has an error of its own already, and the budget now says no to the next.
            return

    @property
    def tokens(self) -> int:
        """Tokens that are reserved now."""
        return self._tokens

    def give_back(self) -> None:
        """Nothing was used."""
        self._settle(0, 0.0)

    def _settle(self, tokens: int, cost: float) -> float:
        reserved, money = self._tokens, self._money
        self._tokens, self._money = 0, 0.0
        try:
            self._budget.settle("model_tokens", reserved, tokens)
        finally:
            self._budget.settle("model_cost", money, cost)
        return cost

    def _cost(self, usage: Mapping[str, Any], told: Any) -> float:
        """What the configuration says, else what the provider or its price list says."""
        per_token = self._target.provider.cost_per_token
        if per_token is not None and self._target.stand_in is None:
            return float(per_token * usage["total_tokens"])
        if isinstance(told, (int, float)) and not isinstance(told, bool) and 0 <= told < 1e9:
            return float(told)
        if self._target.stand_in is not None:
            return 0.0
        known = counting.price(self._info, usage["input_tokens"], usage["output_tokens"])
        return 0.0 if known is None else known

    def _affordable(self, tokens_in: int) -> int:
        """Tokens of an answer that what is left of both budgets allows."""
        tokens = self._budget.left("model_tokens")
        most = OUTPUT_DEFAULT if isinstance(tokens, Unlimited) else int(tokens) - tokens_in
        money = self._budget.left("model_cost")
        one = self._price(0, 1)
        if not isinstance(money, Unlimited) and one > 0:
            most = min(most, int((money - self._price(tokens_in, 0)) / one))
        return most

    def _price(self, tokens_in: int, tokens_out: int) -> float:
        if self._target.stand_in is not None:
            return 0.0
        provider = self._target.provider
        if provider.cost_per_token is not None:
            return float(provider.cost_per_token * (tokens_in + tokens_out))
        known = counting.price(self._info, tokens_in, tokens_out)
        if known is None:
            if provider.local or isinstance(self._budget.left("model_cost"), Unlimited):
                return 0.0
            raise ConfigurationError(
                f"the price of {self._target.name} is not known, so the limit model_cost "
                "can't be held",
                hint=f"set providers.{provider.name}.cost_per_token, or --limit "
                "model_cost=unlimited",
            )
        return known
