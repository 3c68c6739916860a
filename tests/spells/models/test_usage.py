"""What a provider tells of its usage, and what is charged where it tells nothing."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import LimitExceeded
from llmspell.policies.limits import Limits
from tests.spells.models.kit import Desk, Played, says

HELLO = {"prompt": "hello " * 100}


@pytest.mark.parametrize(
    "told", [None, {}, {"input_tokens": -5, "output_tokens": -5}, {"input_tokens": 2**60}, "many"]
)
def test_LLM_011_a_provider_that_does_not_say_is_charged_by_the_estimate(told: Any) -> None:
    desk = Desk({"openai": Played(says("word " * 400, usage=told, cost=0.0))})
    reply = desk.ask({**HELLO, "max_tokens": 600})
    assert reply["usage"] == {"input_tokens": 154, "output_tokens": 500, "total_tokens": 654}
    assert desk.host.budget.usage()["model_tokens"] == 654
    assert reply["cost"] == pytest.approx(0.654), "by the configured price, not by what it told"


def test_LLM_011_silence_does_not_make_the_limit_endless() -> None:
    played = Played(says("word " * 400, usage={}))
    desk = Desk({"openai": played}, limits=Limits(model_cost=100, model_tokens=3_000))
    with pytest.raises(LimitExceeded, match="model_tokens"):
        for _ in range(20):
            desk.ask({**HELLO, "max_tokens": 600})
    assert len(played.requests) < 6


def test_LLM_011_what_a_provider_says_counts_and_the_fake_may_say_nothing() -> None:
    desk = Desk({"openai": Played(says("word " * 400))})
    assert desk.ask(HELLO)["usage"]["total_tokens"] == 15
    free = Desk({"fake": Played(says("word", usage={}))})
    assert free.ask({**HELLO, "provider": "fake"})["usage"]["total_tokens"] == 0
