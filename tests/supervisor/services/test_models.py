"""The models' service: units and spellings, streams, what other services get."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.config.provider_table import check_table
from llmspell.config.providers import ProvidersConfig
from llmspell.errors import Denied, InvalidInput, LimitExceeded, LlmspellError
from llmspell.policies.names import NameRules
from llmspell.supervisor.services.models import MOVES_MAX, TEXTS_MAX, ModelService
from tests.spells.fake_host import FakeHost
from tests.spells.models.kit import Context, Played, says

HELLO = {"prompt": "hello"}


class Served:
    """A service over a fake host; its brokered calls come back to it as the broker's would."""

    def __init__(self, engine: str = "lua", **config: Any) -> None:
        providers = {
            "fake": check_table("fake", {}, "test"),
            "openai": check_table("openai", {"model": "gpt", "cost_per_token": 0}, "test"),
        }
        config.setdefault("default", "openai")
        self.host = FakeHost(engine=engine)
        self.service = ModelService(self.host, ProvidersConfig(providers=providers, **config))
        self.ctx = Context()
        self.played = Played()
        self.service._providers["process:openai"] = self.played
        self.service._rates_of = lambda target: None  # type: ignore[method-assign]
        self.service._asking._rates_of = lambda target: None
        for wire, act in self.service.table.items():
            self.host.answers[wire] = lambda args, act=act: act(self.ctx, args)

    def call(self, wire: str, args: dict[str, Any]) -> Any:
        value: Any = self.service.table[wire](self.ctx, args)  # type: ignore[arg-type]
        return asyncio.run(value) if asyncio.iscoroutine(value) else value

    def raised(self, wire: str, args: dict[str, Any]) -> LlmspellError:
        with pytest.raises(LlmspellError) as caught:
            self.call(wire, args)
        return caught.value


@pytest.mark.parametrize(
    ("engine", "timeout", "seconds"),
    [("lua", 30, 30), ("python", 30, 30), ("javascript", 15_000, 15), ("javascript", "30s", 30)],
)
def test_X37_a_bare_time_has_the_languages_unit(engine: str, timeout: Any, seconds: float) -> None:
    served = Served(engine)
    served.call("llm.complete", {**HELLO, "timeout": timeout})
    assert served.played.seconds[0] == pytest.approx(seconds, abs=1)


def test_a_service_says_seconds_whatever_the_language() -> None:
    served = Served("javascript")
    asyncio.run(served.service.complete({**HELLO, "timeout": 30}, origin="agent:a"))
    assert served.played.seconds[0] == pytest.approx(30, abs=1)
    (call,) = served.host.calls
    assert call[0] == "llm.complete" and call[2] == "agent:a", "it goes by the broker"


def test_camel_case_is_understood_and_data_stays_as_it_is() -> None:
    served = Served("javascript")
    schema = {"type": "object", "properties": {"maxTokens": {"type": "integer"}}}
    served.played.acts = [says('{"maxTokens": 1}')]
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "toolCalls": [{"id": "a", "name": "t", "arguments": {"aB": 1}}]},
        {"role": "tool", "toolCallId": "a", "content": "done"},
    ]
    given = {"messages": messages, "options": {"maxTokens": 9, "stopSequences": ["END"]}}
    served.call("llm.complete", {**given, "schema": schema})
    sent = served.played.requests[0]
    assert (sent["max_tokens"], sent["stop"], sent["schema"]) == (9, ["END"], schema)
    assert sent["messages"][1]["tool_calls"][0]["arguments"] == {"aB": 1}
    assert sent["messages"][2]["tool_call_id"] == "a"


def test_an_option_that_is_not_known_is_noted_and_not_an_error() -> None:
    served = Served()
    served.call("llm.complete", {**HELLO, "options": {"creativity": 11}})
    assert served.host.notes == [("warn", "llm: the option creativity is not known")]


def test_tools_by_name_get_their_definition() -> None:
    described = {"name": "calculator", "description": "computes", "parameters": {"type": "object"}}

    class Tools:
        def describe(self, name: str) -> dict[str, Any]:
            return {**described, "name": name, "category": "util"}

    served = Served()
    served.host.tools = Tools()
    held = {"handle": "tool", "id": "t", "name": "mine"}
    served.call("llm.complete", {**HELLO, "tools": ["calculator", held]})
    sent = served.played.requests[0]["tools"]
    assert [tool["name"] for tool in sent] == ["calculator", "mine"] and "category" not in sent[0]


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [False, True], ids=["beside", "inside"])
def test_a_stream_calls_the_spells_function(inside: bool) -> None:
    served = Served()
    served.played.acts = [says("ab", pieces=["a", "b"])]
    heard: list[str] = []
    listener = served.host.function(heard.append)
    args: dict[str, Any] = {"request": dict(HELLO), "on_chunk": listener}
    if inside:
        args = {"request": {**HELLO, "onChunk": listener}}
    assert served.call("llm.stream", args)["content"] == "ab"
    assert heard == ["a", "b"]


@pytest.mark.parametrize("given", [{}, {"on_chunk": "print"}])
def test_a_stream_needs_a_function(given: dict[str, Any]) -> None:
    error = Served().raised("llm.stream", {"request": "hello", **given})
    assert isinstance(error, InvalidInput) and "on_chunk" in error.message


def test_a_stream_of_another_services_is_its_own_and_no_other_calls() -> None:
    served = Served()
    served.played.acts = [says("ab", pieces=["a", "b"])]
    heard: dict[str, list[str]] = {"one": [], "two": []}

    async def both() -> None:
        async def ask(name: str) -> None:
            async def hear(piece: str) -> None:
                heard[name].append(piece)

            await served.service.complete(HELLO, origin=name, on_chunk=hear)

        silent = served.service.complete(HELLO, origin="silent")
        await asyncio.gather(ask("one"), silent, ask("two"))

    asyncio.run(both())
    assert heard == {"one": ["a", "b"], "two": ["a", "b"]}


# -- the other functions -------------------------------------------------------------------------


def test_embeddings_are_judged_bounded_and_charged() -> None:
    served = Served()
    reply = served.call("llm.embed", {"texts": ["a", "b"]})
    assert (len(reply["vectors"]), reply["provider"]) == (2, "openai")
    assert served.host.budget.usage()["model_tokens"] == 2
    for texts in ([], ["x"] * (TEXTS_MAX + 1), [3], ["x" * 5_000_000]):
        assert isinstance(served.raised("llm.embed", {"texts": texts}), InvalidInput)
    served.ctx = Context(NameRules("high", "models", "allow-llm", "listed"))
    assert isinstance(served.raised("llm.embed", {"texts": ["a"]}), Denied)


def test_counting_asks_only_a_provider_that_is_allowed() -> None:
    served = Served()
    assert served.call("llm.count_tokens", {"text": "hello world"}) == 7
    served.ctx = Context(NameRules("high", "models", "allow-llm", "listed"))
    assert served.call("llm.count_tokens", {"text": "hello world"}) == 3, "an estimate"
    assert Served(default=None).call("llm.count_tokens", {"text": "hello world"}) == 3


def test_what_there_is_says_no_more_than_a_spell_may_know() -> None:
    served = Served()
    listed = served.call("llm.providers", {})
    assert [(each["name"], each["default"]) for each in listed] == [
        ("fake", False),
        ("openai", True),
    ]
    assert not {"api_key_env", "api_key_file", "base_url", "headers"} & set(listed[0])
    assert served.call("llm.models", {"provider": "openai"}) == ["openai/gpt"]
    info = served.call("llm.info", {})
    assert (info["provider"], info["model"], info["tools"]) == ("openai", "gpt", True)


def test_a_provider_is_moved_a_bounded_number_of_times() -> None:
    served = Served()
    for number in range(MOVES_MAX):
        served.service.narrow("openai", {"base_url": f"https://m{number}.example.com"})()
    assert served.service.config.providers["openai"].foreign
    with pytest.raises(LimitExceeded):
        served.service.narrow("openai", {"base_url": "https://one.more.example.com"})
    served.service.narrow("openai", {"max_tokens": 5})()
