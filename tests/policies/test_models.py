"""The verdict on a model: by its own name and by its provider's."""

from __future__ import annotations

import pytest

from llmspell.policies.models import judge_model, judge_stand_in
from llmspell.policies.names import NameRules


def rules(
    mode: str = "listed", names: tuple[str, ...] = (), denied: tuple[str, ...] = ()
) -> NameRules:
    return NameRules("high", "models", "allow-llm", mode, names, denied)


@pytest.mark.parametrize("granted", ["openai/gpt-4", "openai", "openai/*", "openai/gpt-*"])
def test_a_grant_names_a_model_or_its_provider(granted: str) -> None:
    assert judge_model(rules(names=(granted,)), "openai", "gpt-4").allowed is True
    assert judge_model(rules(names=(granted,)), "anthropic", "gpt-4").allowed is False


def test_without_a_grant_the_hint_names_the_model() -> None:
    verdict = judge_model(rules(), "openai", "gpt-4")
    assert (verdict.allowed, verdict.hint) == (False, "to allow it: --allow-llm openai/gpt-4")


@pytest.mark.parametrize("denied", ["openai", "openai/*", "openai/gpt-4"])
@pytest.mark.parametrize("granted", ["openai", "openai/gpt-4"])
def test_what_is_denied_by_either_name_is_denied(denied: str, granted: str) -> None:
    for mode in ("listed", "all"):
        verdict = judge_model(rules(mode, (granted,), (denied,)), "openai", "gpt-4")
        assert verdict.allowed is False


def test_a_stand_in_is_granted_by_either_name() -> None:
    assert judge_stand_in(rules(names=("fake",)), "openai", "gpt-4", "fake").allowed is True
    assert judge_stand_in(rules(names=("openai",)), "openai", "gpt-4", "fake").allowed is True
    assert judge_stand_in(rules(names=("fake",)), "openai", "gpt-4", None).allowed is False
    denied = rules(names=("fake",), denied=("openai",))
    assert judge_stand_in(denied, "openai", "gpt-4", "fake").allowed is False
    nothing = judge_stand_in(rules(), "openai", "gpt-4", "fake")
    assert nothing.hint == "to allow it: --allow-llm openai/gpt-4"


@pytest.mark.parametrize("granted", ["mock", "fake", "mock/*", "fake/echo"])
def test_mock_is_another_name_of_fake(granted: str) -> None:
    assert judge_model(rules(names=(granted,)), "fake", "echo").allowed is True
    assert judge_model(rules("all", denied=(granted,)), "fake", "echo").allowed is False
