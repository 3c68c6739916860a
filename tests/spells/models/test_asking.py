"""A completion's way: verdict, reservation, again, elsewhere, hooks, structure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from llmspell.errors import (
    ConfigurationError,
    Denied,
    InvalidInput,
    LimitExceeded,
    LlmspellError,
)
from llmspell.llm.failures import ModelFailure
from llmspell.llm.port import ModelInfo
from llmspell.policies.limits import Limits
from llmspell.policies.names import NameRules
from llmspell.policies.rate import RateLimiter
from llmspell.spells.models.asking import Settings
from llmspell.spells.models.rates import Rates
from llmspell.spells.ports import HookOutcome

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


def test_a_hook_cannot_have_a_stream_heard_twice_nor_does_a_repaired_answer() -> None:
    pieces: list[str] = []

    async def hear(piece: str) -> None:
        pieces.append(piece)

    provider = Played(says("no JSON"), says('{"a": 1}'))
    desk = Desk({"openai": provider})
    schema = {"type": "object", "required": ["a"]}
    reply = desk.ask({**HELLO, "schema": schema}, on_chunk=hear)
    assert reply["structured"] == {"a": 1} and pieces == ["no JSON"]
    pieces.clear()
    desk = hooked(Played(), after_llm_call=HookOutcome("retry"))
    assert desk.ask(HELLO, on_chunk=hear)["content"] == "fine" and pieces == ["fine"]


# -- budgets -------------------------------------------------------------------------------------


def test_LLM_011_tokens_are_reserved_before_and_6007_says_which_ran_out() -> None:
    provider = Played()
    desk = Desk({"openai": provider}, limits=Limits(model_tokens=2_000, model_cost=10))
    with pytest.raises(LimitExceeded) as caught:
        desk.ask({**HELLO, "max_tokens": 5_000})
    assert (caught.value.code, caught.value.limit) == (6007, "model_tokens")
    assert provider.requests == [] and used(desk) == (0, 0)
    assert desk.ask({**HELLO, "max_tokens": 500})["content"] == "fine"


def test_LLM_011_money_is_reserved_before_and_6007_says_which_ran_out() -> None:
    provider = Played()
    desk = Desk({"openai": provider}, limits=Limits(model_tokens=10_000, model_cost=0.1))
    with pytest.raises(LimitExceeded) as caught:
        desk.ask({**HELLO, "max_tokens": 500})
    assert (caught.value.code, caught.value.limit) == (6007, "model_cost")
    assert provider.requests == [] and used(desk) == (0, 0), "the tokens are given back"
    assert desk.ask({**HELLO, "max_tokens": 50})["cost"] == pytest.approx(0.015)


def test_an_answer_without_a_bound_of_its_own_gets_what_is_left() -> None:
    provider = Played()
    desk = Desk({"openai": provider}, limits=Limits(model_tokens=300, model_cost=10))
    desk.ask(HELLO)
    assert 200 < provider.requests[0]["max_tokens"] < 300
    with pytest.raises(LimitExceeded):
        for _ in range(30):
            desk.ask(HELLO)


def test_what_was_used_beyond_the_reservation_ends_the_call() -> None:
    greedy = says(usage={"input_tokens": 10, "output_tokens": 90_000, "total_tokens": 90_010})
    desk = Desk({"openai": Played(greedy)}, limits=Limits(model_tokens=2_000, model_cost=1_000))
    with pytest.raises(LimitExceeded) as caught:
        desk.ask(HELLO)
    assert caught.value.code == 6007
    assert used(desk)[0] == 90_010, "it has happened"


def test_a_price_that_is_not_known_is_no_price_of_nothing() -> None:
    tables = {"openai": {"model": "gpt"}, "ollama": {"model": "llama"}, "fake": {}}
    unknown = Played(info=ModelInfo())
    desk = Desk({"openai": unknown, "ollama": unknown}, tables=tables)
    with pytest.raises(ConfigurationError, match="price of openai/gpt is not known") as caught:
        desk.ask(HELLO)
    assert "cost_per_token" in str(caught.value.hint)
    assert desk.ask({**HELLO, "provider": "ollama"})["cost"] == 0


# -- streams -------------------------------------------------------------------------------------


def test_LLM_014_pieces_are_heard_in_order() -> None:
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    desk = Desk({"openai": Played(says("ab", pieces=["a", "", "b"]))})
    assert desk.ask(HELLO, on_chunk=hear)["content"] == "ab"
    assert heard == ["a", "b"]


def test_what_was_heard_is_not_said_again_by_a_retry() -> None:
    def breaks(request: Mapping[str, Any]) -> None:
        raise ModelFailure("unavailable", "it broke off")

    async def hear(piece: str) -> None:
        pass

    provider = Played(says("ab", pieces=["a"], then=breaks))
    desk = Desk({"openai": provider, "anthropic": Played()})
    with pytest.raises(ModelFailure):
        desk.ask(HELLO, Settings(fallback=["anthropic"]), hear)
    assert len(provider.requests) == 1


def test_a_listener_that_raises_ends_the_call_with_its_error() -> None:
    async def hear(piece: str) -> None:
        raise InvalidInput("I do not listen")

    with pytest.raises(InvalidInput, match="I do not listen"):
        Desk({"openai": Played()}).ask(HELLO, on_chunk=hear)


# -- structured answers --------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
}


@pytest.mark.parametrize(
    "text", ['{"answer": 42}', '```json\n{"answer": 42}\n```', ' {"answer":42} ']
)
def test_LLM_013_a_structured_answer_is_found_and_checked(text: str) -> None:
    reply = Desk({"openai": Played(says(text))}).ask({**HELLO, "schema": SCHEMA})
    assert reply["structured"] == {"answer": 42}


@pytest.mark.parametrize("wrong", ["not json", '{"answer": "x"}', "[]", '{"answer": 1', "{}"])
def test_LLM_013_an_answer_that_does_not_fit_has_one_more_chance(wrong: str) -> None:
    provider = Played(says(wrong), says('{"answer": 1}'))
    desk = Desk({"openai": provider}, limits=Limits(model_cost=10))
    reply = desk.ask({**HELLO, "schema": SCHEMA})
    assert reply["structured"] == {"answer": 1}
    assert reply["usage"]["total_tokens"] == 30 and used(desk)[0] == 30, "both are paid"
    last = provider.requests[1]["messages"]
    assert last[-2] == {"role": "assistant", "content": wrong}
    assert "does not fit" in last[-1]["content"]
    stubborn = Played(says(wrong))
    with pytest.raises(ModelFailure) as caught:
        Desk({"openai": stubborn}, limits=Limits(model_cost=10)).ask({**HELLO, "schema": SCHEMA})
    assert caught.value.kind == "structured" and len(stubborn.requests) == 2


def test_patterns_of_a_schema_are_checked_in_a_tool_worker() -> None:
    asked: list[dict[str, Any]] = []

    class Tools:
        async def execute(self, name: str, given: Mapping[str, Any], *, origin: str) -> Any:
            asked.append({"name": name, "origin": origin, **given})
            return {"result": True, "metadata": {"errors": []}}

    for schema in (
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "string", "$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
        {"enum": ["x" * 30_000]},
    ):
        desk = Desk({"openai": Played(says(structured="y" * 200, content='"y"'))})
        desk.host.tools = Tools()
        desk.ask({**HELLO, "schema": schema})
    assert [each["operation"] for each in asked] == ["validate"] * 3
    assert {each["origin"] for each in asked} == {"agent:writer"}


# -- images --------------------------------------------------------------------------------------


def test_an_image_by_url_needs_its_host_granted() -> None:
    provider = Played()
    desk = Desk({"openai": provider})
    image = {"type": "image", "url": "https://pictures.example.com/a.png"}
    with pytest.raises(Denied) as caught:
        desk.ask({"prompt": [image]})
    assert caught.value.code == 4008 and provider.requests == []
    desk.ctx = Context(hosts=("pictures.example.com",))
    desk.ask({"prompt": [image]})
    desk.ctx = Context()
    desk.ask({"prompt": [{"type": "image", "data": b"x"}]})
    assert len(provider.requests) == 2


# -- hooks ---------------------------------------------------------------------------------------


class Hooks:
    """Hooks that answer as told, by point."""

    def __init__(self, **acts: Any) -> None:
        self.acts = acts
        self.contexts: list[dict[str, Any]] = []

    def any(self, *points: str) -> bool:
        return any(point in self.acts for point in points)

    async def run(self, point: str, context: Mapping[str, Any]) -> HookOutcome:
        self.contexts.append(dict(context))
        act = self.acts[point]
        outcome = act(dict(context)) if callable(act) else act
        assert isinstance(outcome, HookOutcome)
        return outcome


def hooked(provider: Played, **acts: Any) -> Desk:
    desk = Desk({"openai": provider, "anthropic": Played(says("other"))})
    desk.host.hooks = Hooks(**acts)
    return desk


def test_a_hook_that_rewrites_a_prompt() -> None:
    provider = Played()
    desk = hooked(
        provider,
        before_llm_call=lambda ctx: HookOutcome(context={**ctx, "prompt": "better"}, modified=True),
    )
    desk.ask({"prompt": "worse", "system": "be kind"})
    assert provider.requests[0]["messages"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "better"},
    ]


def test_a_hook_that_names_another_model_is_judged_for_it() -> None:
    provider = Played()
    elsewhere = HookOutcome("redirect", {"provider": "anthropic", "model": "claude"})
    desk = hooked(provider, before_llm_call=elsewhere)
    desk.ctx = Context(NameRules("high", "models", "allow-llm", "listed", ("openai",)))
    with pytest.raises(Denied):
        desk.ask(HELLO)
    assert desk.ctx.verdicts == [("model", "anthropic/claude", False)] and not provider.requests
    desk.ctx = Context()
    assert desk.ask(HELLO)["content"] == "other"


def test_a_hook_that_writes_nonsense_is_refused_like_a_spell() -> None:
    wrong = HookOutcome(context={"messages": "x" * 5_000_000}, modified=True)
    desk = hooked(Played(), before_llm_call=wrong)
    with pytest.raises(InvalidInput):
        desk.ask(HELLO)


def test_hooks_skip_cancel_and_retry() -> None:
    provider = Played()
    desk = hooked(provider, before_llm_call=HookOutcome("skip", value="instead"))
    reply = desk.ask(HELLO)
    assert (reply["content"], reply["finish_reason"]) == ("instead", "skipped")
    desk = hooked(provider, before_llm_call=HookOutcome("cancel", reason="not now"))
    with pytest.raises(ModelFailure, match="not now"):
        desk.ask(HELLO)
    assert provider.requests == []
    desk = hooked(provider, after_llm_call=HookOutcome("retry"))
    desk.ask(HELLO)
    assert len(provider.requests) == 4, "once and three times more, then it is enough"


def test_a_hook_that_changes_an_answer() -> None:
    def change(context: dict[str, Any]) -> HookOutcome:
        response = {**context["response"], "content": "changed"}
        return HookOutcome(context={**context, "response": response}, modified=True)

    desk = hooked(Played(), after_llm_call=change)
    assert desk.ask(HELLO)["content"] == "changed"


# -- by choice -----------------------------------------------------------------------------------


def test_LLM_008_the_cheapest_that_can_or_the_fastest_is_chosen() -> None:
    plain = Played(says("cheap"), info=ModelInfo(tools=False))
    able = Played(says("able"), info=ModelInfo(tools=True))
    desk = Desk({"openai": plain, "anthropic": able})
    auto = {**HELLO, "provider": "auto"}
    assert desk.ask(auto)["provider"] == "openai"
    assert desk.ask(auto, Settings(needs=("tools",)))["provider"] == "anthropic"
    desk.asking.latencies.update({"openai/gpt": 2.0, "anthropic/claude": 1.0})
    assert desk.ask(auto, Settings(prefer="fastest"))["provider"] == "anthropic"
    desk.ctx = Context(NameRules("high", "models", "allow-llm", "listed", ("openai",)))
    assert desk.ask(auto, Settings(prefer="fastest"))["provider"] == "openai"
    with pytest.raises(ConfigurationError, match="no configured model"):
        desk.ask(auto, Settings(needs=("tools",)))


@pytest.mark.parametrize(
    "settings", [Settings(prefer="prettiest"), Settings(needs=("magic",))], ids=str
)
def test_LLM_008_a_wish_that_is_not_known_is_an_error(settings: Settings) -> None:
    with pytest.raises(LlmspellError):
        Desk({"openai": Played()}).ask({**HELLO, "provider": "auto"}, settings)


@pytest.mark.parametrize(
    "reply",
    [
        {"content": None},
        {"content": "x" * 5_000_000},
        {"tool_calls": [{"name": "a", "arguments": "{"}]},
        {"tool_calls": [{"name": 3}]},
    ],
    ids=["no text", "endless", "no json", "no name"],
)
def test_what_a_provider_answers_is_a_strangers(reply: dict[str, Any]) -> None:
    provider = Played(says(**{"text": "fine", **reply}) if "content" not in reply else _raw(reply))
    with pytest.raises(ModelFailure) as caught:
        Desk({"openai": provider}).ask(HELLO)
    assert caught.value.kind == "malformed"


def _raw(reply: dict[str, Any]) -> Any:
    return lambda request: {**says()(request), **reply}
