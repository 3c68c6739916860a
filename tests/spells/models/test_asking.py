"""A completion's way: verdict, reservation, again, elsewhere, hooks, structure."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from llmspell.errors import (
    ConfigurationError,
    Denied,
    InvalidInput,
    LimitExceeded,
)
from llmspell.llm.failures import ModelFailure
from llmspell.policies.names import NameRules
from llmspell.policies.rate import RateLimiter
from llmspell.spells.models.asking import Settings
from llmspell.spells.models.rates import Rates

from .kit import TABLES, Context, Desk, Played, fails, says

HELLO = {"prompt": "hello"}


def used(desk: Desk) -> tuple[float, float]:
    usage = desk.host.budget.usage()
    return usage["model_tokens"], round(usage["model_cost"], 6)


# -- the plain way -------------------------------------------------------------------------------


def test_a_reply_is_judged_charged_and_recorded() -> None:
    desk = Desk({"openai": Played()})
    reply = desk.ask(HELLO)
    assert (reply["content"], reply["provider"], reply["model"]) == ("fine", "openai", "gpt")
    assert desk.ctx.verdicts == [("model", "openai/gpt", True)]
    assert used(desk) == (15, 0.015) and reply["cost"] == pytest.approx(0.015)
    ((event, fields),) = desk.host.records
    assert event == "model" and fields["target"] == "openai/gpt"
    assert (fields["input_tokens"], fields["origin"]) == (10, "agent:writer")


def test_a_denied_model_is_not_asked() -> None:
    provider = Played()
    desk = Desk({"openai": provider})
    desk.ctx = Context(NameRules("high", "models", "allow-llm", "listed", ("openai/other",)))
    with pytest.raises(Denied) as caught:
        desk.ask(HELLO)
    assert caught.value.code == 4008 and provider.requests == []
    assert used(desk) == (0, 0)
    assert desk.ask({**HELLO, "model": "other"})["content"] == "fine"


def test_no_provider_and_no_default_names_the_key_to_set() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Desk({}, default=None).ask(HELLO)
    assert caught.value.code == 6001 and "providers.default" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, "openai/gpt"),
        ({"model": "x"}, "openai/x"),
        ({"provider": "anthropic"}, "anthropic/claude"),
        ({"model": "anthropic/opus"}, "anthropic/opus"),
        ({"provider": "anthropic", "model": "anthropic/opus"}, "anthropic/opus"),
        ({"model": "claude"}, "anthropic/claude"),
        ({"model": "org/model"}, "openai/org/model"),
        ({"model": "test-model"}, "fake/test-model"),
        ({"provider": "mock"}, "fake/echo"),
    ],
)
def test_whom_a_request_means(given: dict[str, Any], target: str) -> None:
    assert Desk({}).targets.primary(given).name == target


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"provider": "groq"}, "Provider not found: groq"),
        ({"provider": "nobody"}, "Provider not found: nobody"),
        ({"provider": "off"}, "switched off"),
        ({"provider": "bare"}, "no model is named"),
    ],
)
def test_LLM_002_a_provider_that_is_not_there(given: dict[str, Any], words: str) -> None:
    tables = {**TABLES, "off": {"type": "openai", "enabled": False}, "bare": {"type": "openai"}}
    with pytest.raises(ConfigurationError, match=words) as caught:
        Desk({}, tables=tables).targets.primary(given)
    assert caught.value.hint


@pytest.mark.parametrize(
    "model",
    ["../../v1/files", "a//b", "gpt 4", "gpt-4?key=x", "gpt#", "/gpt", "*", "gpt\u200b", "é"],
)
def test_a_model_that_would_lead_elsewhere_has_no_name(model: str) -> None:
    provider = Played()
    desk = Desk({"openai": provider, "anthropic": provider})
    for given in ({"model": model}, {"model": f"anthropic/{model}"}):
        with pytest.raises(InvalidInput):
            desk.ask({**HELLO, **given})
    with pytest.raises(InvalidInput):
        desk.ask(HELLO, Settings(fallback=[f"anthropic/{model}"]))
    assert provider.requests == []


def test_when_mocking_every_name_leads_to_fake_and_stays_in_the_answer() -> None:
    desk = Desk({"fake": Played()}, mock=True, default=None)
    for provider, model in (("openai", "gpt-4"), ("nobody", "strange")):
        reply = desk.ask({**HELLO, "provider": provider, "model": model})
        assert (reply["provider"], reply["model"]) == (provider, model)
    assert used(desk)[1] == 0


# -- again and elsewhere -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rate_limit", "unavailable", "network"])
def test_LLM_010_a_passing_failure_is_tried_again(kind: str) -> None:
    provider = Played(fails(kind), fails(kind), says())
    desk = Desk({"openai": provider})
    assert desk.ask(HELLO)["content"] == "fine"
    assert len(provider.requests) == 3 and used(desk) == (15, 0.015)


def test_X58_tries_are_one_and_the_retries() -> None:
    provider = Played(fails("unavailable"))
    desk = Desk({"openai": provider})
    with pytest.raises(ModelFailure) as caught:
        desk.ask(HELLO)
    assert (len(provider.requests), caught.value.code, caught.value.kind) == (
        3, 6008, "unavailable",
    )  # fmt: skip
    assert used(desk) == (0, 0), "what failed has used nothing"


@pytest.mark.parametrize("kind", ["bad_request", "content_filter", "authentication", "malformed"])
def test_a_lasting_failure_is_not_tried_again(kind: str) -> None:
    provider = Played(fails(kind))
    with pytest.raises(ModelFailure):
        Desk({"openai": provider}).ask(HELLO)
    assert len(provider.requests) == 1


def test_LLM_010_retry_after_is_waited_or_not_begun() -> None:
    patient = Played(fails("rate_limit", retry_after=0.05), says())
    desk = Desk({"openai": patient})
    begun = asyncio.new_event_loop().time()
    desk.ask(HELLO)
    assert asyncio.new_event_loop().time() - begun >= 0.05
    hurried = Played(fails("rate_limit", retry_after=600), says())
    with pytest.raises(ModelFailure) as caught:
        Desk({"openai": hurried}).ask(HELLO, Settings(seconds=1))
    assert (caught.value.code, caught.value.retry_after) == (6006, 600)
    assert len(hurried.requests) == 1


def test_LLM_009_the_next_provider_is_asked_in_order() -> None:
    first, second = Played(fails("authentication")), Played(says("second"))
    desk = Desk({"openai": first, "anthropic": second})
    reply = desk.ask(HELLO, Settings(fallback=["anthropic"]))
    assert (reply["content"], reply["provider"]) == ("second", "anthropic")
    assert [target for _, target, _ in desk.ctx.verdicts] == ["openai/gpt", "anthropic/claude"]
    assert used(desk) == (15, 0.03)
    assert "openai/gpt failed" in desk.host.notes[0][1]


def test_LLM_009_a_fallback_that_is_denied_is_passed_over_and_the_first_failure_told() -> None:
    first, second = Played(fails("authentication")), Played()
    desk = Desk({"openai": first, "anthropic": second}, fallback=("anthropic",))
    desk.ctx = Context(NameRules("high", "models", "allow-llm", "listed", ("openai",)))
    with pytest.raises(ModelFailure) as caught:
        desk.ask(HELLO)
    assert caught.value.code == 6004 and second.requests == []
    assert desk.ctx.verdicts[-1] == ("model", "anthropic/claude", False)
    desk.ctx = Context()
    assert desk.ask(HELLO)["provider"] == "anthropic"


def test_a_request_that_is_wrong_is_not_carried_to_the_next_provider() -> None:
    second = Played()
    desk = Desk({"openai": Played(fails("bad_request")), "anthropic": second})
    with pytest.raises(ModelFailure):
        desk.ask(HELLO, Settings(fallback=["anthropic"]))
    assert second.requests == []


def test_LLM_024_a_call_ends_with_its_time_and_the_input_is_charged() -> None:
    async def sleeps() -> Any:
        await asyncio.sleep(30)

    desk = Desk({"openai": Played(lambda request: sleeps())})
    with pytest.raises(ModelFailure) as caught:
        desk.ask(HELLO, Settings(seconds=0.05))
    assert caught.value.kind == "timeout"
    assert 0 < used(desk)[0] < 100


def test_LLM_024_a_cancelled_call_gives_back_what_its_answer_had_reserved() -> None:
    stopped = []

    async def sleeps() -> Any:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.append(True)

    desk = Desk({"openai": Played(lambda request: sleeps())})

    async def cancel() -> None:
        task = asyncio.ensure_future(desk.asking.complete(desk.ctx, HELLO, Settings()))
        await asyncio.sleep(0.02)
        reserved = used(desk)[0]
        assert reserved > 1_000
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert stopped and used(desk)[0] < 100


def test_X34_a_providers_rate_is_waited_for_and_refused_when_it_takes_too_long() -> None:
    rates = Rates(RateLimiter(20, 1, 0.0))
    desk = Desk({"openai": Played()}, rates=rates)
    desk.ask(HELLO)
    desk.ask(HELLO)
    desk = Desk({"openai": Played()}, rates=Rates(RateLimiter(0.01, 1, 0.0)))
    desk.ask(HELLO)
    with pytest.raises(LimitExceeded) as caught:
        desk.ask(HELLO, Settings(seconds=0.1))
    assert (caught.value.code, caught.value.rule) == (6006, "limit.model_rate")


def test_LLM_009_a_rate_that_is_used_up_leads_to_the_next_provider() -> None:
    desk = Desk({"openai": Played(), "anthropic": Played()})
    desk.asking._rates_of = _used_up("openai")
    reply = desk.ask(HELLO, Settings(seconds=0.1, fallback=["anthropic"]))
    assert reply["provider"] == "anthropic"


def test_LLM_008_auto_passes_over_a_provider_whose_rate_is_used_up() -> None:
    desk = Desk({"openai": Played(), "anthropic": Played()})
    assert desk.ask({**HELLO, "provider": "auto"})["provider"] == "openai", "the cheaper one"
    desk.asking._rates_of = _used_up("openai")
    assert desk.ask({**HELLO, "provider": "auto"})["provider"] == "anthropic"


def test_LLM_008_auto_without_a_provider_is_fake_where_everything_is() -> None:
    auto = {**HELLO, "provider": "auto"}
    with pytest.raises(ConfigurationError):
        Desk({"fake": Played()}, tables={"fake": {}}, default=None).ask(auto)
    desk = Desk({"fake": Played()}, tables={"fake": {}}, default=None, mock=True)
    assert desk.ask(auto)["content"] == "fine"


def _used_up(name: str) -> Any:
    now = time.monotonic()
    limiter = RateLimiter(0.001, 1, now)
    limiter.take(now)
    return lambda target: Rates(limiter) if target.provider.name == name else None


def test_LLM_003_tokens_a_minute_are_taken_before_and_settled_after() -> None:
    rates = Rates(None, RateLimiter(0.001, 1_000, time.monotonic()))
    desk = Desk({"openai": Played()}, rates=rates)
    for _ in range(10):
        # Each takes over 500 of the 1000 before, and 15 are used.
        desk.ask({**HELLO, "max_tokens": 500})
    with pytest.raises(LimitExceeded) as caught:
        desk.ask({**HELLO, "max_tokens": 900}, Settings(seconds=0.1))
    assert (caught.value.code, caught.value.rule) == (6006, "limit.model_rate")
    assert "tokens a minute" in str(caught.value) and used(desk)[0] == 150
    assert desk.ask({**HELLO, "max_tokens": 500})["content"] == "fine"


def test_LLM_003_tokens_that_a_refusing_provider_did_not_use_are_given_back() -> None:
    rates = Rates(None, RateLimiter(0.001, 1_000, time.monotonic()))
    desk = Desk({"openai": Played(fails("unavailable"), fails("rate_limit"), says())}, rates=rates)
    assert desk.ask({**HELLO, "max_tokens": 900})["content"] == "fine"


def test_a_stream_that_was_heard_is_never_heard_twice() -> None:
    pieces: list[str] = []

    async def hear(piece: str) -> None:
        pieces.append(piece)

    def break_off(request: dict[str, Any]) -> Any:
        raise ModelFailure("unavailable", "gone")

    provider = Played(says("half", then=break_off), says("whole"))
    with pytest.raises(ModelFailure):
        Desk({"openai": provider}).ask(HELLO, on_chunk=hear)
    assert pieces == ["half"] and len(provider.requests) == 1
    pieces.clear()
    provider = Played(fails("unavailable"), says("whole"))
    assert Desk({"openai": provider}).ask(HELLO, on_chunk=hear)["content"] == "whole"
    assert pieces == ["whole"]
