"""`provider = "auto"`: the model that suits a request best, by a rule that can be told (LLM-008).

Of all configured models that the policy allows and that can do what is needed, `cheapest` (the
default) takes the lowest price of an input and an output token together, unknown prices last;
`fastest` the lowest mean time of this run's calls, untried ones first; ties go by the
configuration's order.
"""

from __future__ import annotations

from llmspell.errors import ConfigurationError, InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from llmspell.llm.port import ModelInfo, Provider
    from llmspell.policies.names import NameRules
    from llmspell.spells.models.targets import Target

PREFERENCES: Final = ("cheapest", "fastest")
ABILITIES: Final = ("tools", "vision", "structured", "streaming")


async def choose(
    targets: Sequence[Target],
    rules: NameRules,
    provider_of: Callable[[Target], Provider],
    latencies: Mapping[str, float],
    prefer: str | None,
    needs: Sequence[str],
    is_busy: Callable[[Target], bool] = lambda target: False,
) -> Target:
    """The best target. Raises `InvalidInput` for an unknown wish, `ConfigurationError` when no
    configured model is allowed and able."""
    wish = prefer or PREFERENCES[0]
    if wish not in PREFERENCES:
        raise InvalidInput(f"llm: prefer is {' or '.join(PREFERENCES)}")
    for need in needs:
        if need not in ABILITIES:
            raise InvalidInput(f"llm: needs is a list of {', '.join(ABILITIES)}")
    best: Target | None = None
    best_score = (True, float("inf"))
    for target in targets:
        if target.provider.name == "fake" or target.judge(rules).allowed is not True:
            continue
        info = await provider_of(target).info(target.model)
        if not all(getattr(info, need) for need in needs):
            continue
        worth = _price(target, info) if wish == "cheapest" else latencies.get(target.name, -1.0)
        # One whose rate is used up comes last: it would have to be waited for.
        score = (is_busy(target), worth)
        if best is None or score < best_score:
            best, best_score = target, score
    if best is None:
        raise ConfigurationError(
            "no configured model is allowed and can do what is needed",
            hint="name models in llmspell.toml: [providers.NAME] model and models",
        )
    return best


def _price(target: Target, info: ModelInfo) -> float:
    if target.provider.cost_per_token is not None:
        return 2 * target.provider.cost_per_token
    if info.input_price is None or info.output_price is None:
        return 0.0 if target.provider.local else 1e9
    return info.input_price + info.output_price
