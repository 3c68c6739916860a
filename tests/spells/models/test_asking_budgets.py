"""Asking a model: what an answer may cost, how it streams, what hooks may do to it."""

from __future__ import annotations

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
from llmspell.spells.models.asking import Settings
from llmspell.spells.ports import HookOutcome
from tests.spells.models.test_asking import HELLO, used

from .kit import Context, Desk, Played, says


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
