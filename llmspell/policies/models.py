"""The verdict on one model: by its own name, `provider/model`, and by its provider's."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from llmspell.policies.names import NameRules
    from llmspell.policies.verdict import Verdict


_SAME: Final[Mapping[str, tuple[str, ...]]] = {"fake": ("fake", "mock")}
"""Providers with two names: a rule for either holds."""


def judge_model(rules: NameRules, provider: str, model: str) -> Verdict:
    """Whether a run may ask this model. A rule for the provider holds for all its models.

    Whatever a rule denies, by either name, is denied.
    """
    names = _SAME.get(provider, (provider,))
    verdicts = [rules.judge(f"{name}/{model}") for name in names]
    verdicts += [rules.judge(name) for name in names]
    for verdict in verdicts:
        if verdict.rule.endswith(".denied"):
            return verdict
    return next((verdict for verdict in verdicts if verdict.allowed is True), verdicts[0])


def judge_stand_in(rules: NameRules, provider: str, model: str, stand_in: str | None) -> Verdict:
    """As `judge_model` where `stand_in` (`fake`, `replay`) answers for the model.

    What it says costs nothing and leaves nowhere, so a grant of either is enough.
    """
    asked = judge_model(rules, provider, model)
    if stand_in is None or asked.allowed is True or asked.rule.endswith(".denied"):
        return asked
    instead = judge_model(rules, stand_in, model)
    return instead if instead.allowed is True else asked
