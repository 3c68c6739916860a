from __future__ import annotations

import pytest

from llmspell.platform import EFFECTS, REQUIRED_EFFECTS, achieved_level, advice, missing_effects
from llmspell.platform.linux.effects import CHANGES
from llmspell.platform.linux.plan import LAYERS

ALL = dict.fromkeys(EFFECTS, True)


def test_nothing_is_missing_when_everything_is_held() -> None:
    assert all(missing_effects(level, ALL) == frozenset() for level in REQUIRED_EFFECTS)


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("value", [False, None, 1, "true"])
def test_EN_08_only_a_literal_true_counts(effect: str, value: object) -> None:
    claimed = {**ALL, effect: value}
    assert missing_effects("high", claimed) == {effect}  # type: ignore[arg-type]
    assert achieved_level(claimed) == "low"  # type: ignore[arg-type]


def test_EN_07_an_empty_report_holds_nothing() -> None:
    assert missing_effects("medium", {}) == set(EFFECTS)
    assert missing_effects("none", {}) == frozenset()
    assert achieved_level({}) == "none"
    with pytest.raises(KeyError):
        missing_effects("", ALL)


def test_EN_03_advice_names_what_to_change() -> None:
    assert "seccomp" in advice(["network"]) and "doctor" in advice(["network"])
    assert "sysctl kernel.apparmor_restrict_unprivileged_userns" in CHANGES["userns"]
    assert CHANGES.keys() <= set(LAYERS)
