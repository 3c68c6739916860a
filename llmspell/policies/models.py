"""The verdict on one model: by its own name, `provider/model`, and by its provider's."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from llmspell.policies.names import NameRules
    from llmspell.policies.verdict import Verdict


def judge_model(rules: NameRules, provider: str, model: str) -> Verdict:
    """Whether a run may ask this model. A rule for the provider holds for all its models.

    Whatever a rule denies, by either name, is denied.
    """
    whole = rules.judge(f"{provider}/{model}")
    whose = rules.judge(provider)
    for verdict in (whole, whose):
        if verdict.rule.endswith(".denied"):
            return verdict
    return whose if whole.allowed is not True and whose.allowed is True else whole


def judge_stand_in(rules: NameRules, provider: str, model: str, stand_in: str | None) -> Verdict:
    """As `judge_model` where `stand_in` (`fake`, `replay`) answers for the model.

    What it says costs nothing and leaves nowhere, so a grant of either is enough.
    """
    asked = judge_model(rules, provider, model)
    if stand_in is None or asked.allowed is True or asked.rule.endswith(".denied"):
        return asked
    instead = judge_model(rules, stand_in, model)
    return instead if instead.allowed is True else asked
