"""What is done about a failure: the strategies of ERR-008, and what is never tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.errors import (
    ConfigurationError,
    Denied,
    InvalidInput,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
)
from llmspell.llm.failures import ModelFailure
from llmspell.spells.agents.recovery import Decision, Strategy, decide, read_strategy
from llmspell.spells.recovery import strategies
from tests.spells.agents.kit import Desk, call

DOWN = OperationFailed("down", code=6008)


def strategy(**given: Any) -> Strategy:
    return read_strategy({"error_strategy": given}, "python")


@pytest.mark.parametrize(
    "error",
    [
        Denied("no"),
        LimitExceeded("calls", "over"),
        InvalidInput("wrong"),
        LlmspellError("over", code=6007),
        ModelFailure("script", "the conversation departs from the script"),
    ],
)
def test_what_is_never_tried_again(error: LlmspellError) -> None:
    for kind in ("retry", "fallback", "continue_degraded", "circuit_breaker"):
        given = strategy(type=kind, max_retries=3, agent="b", use_cached_results=True)
        assert decide(given, error, 1).action == "raise"


def test_a_provider_that_is_not_set_up_is_not_asked_again_but_another_may_be() -> None:
    missing = ConfigurationError("no provider is named")
    assert decide(strategy(type="retry", use_cached_results=True), missing, 1).action == "raise"
    given = strategy(type="fallback", provider="other")
    assert decide(given, missing, 1) == Decision("retry", provider="other")


def test_retry_backs_off_up_to_the_longest_delay() -> None:
    given = strategy(type="retry", max_retries=4, initial_delay=1, multiplier=3, max_delay=5)
    delays = [decide(given, DOWN, failures).delay for failures in (1, 2, 3, 4)]
    for delay, base in zip(delays, (1, 3, 5, 5), strict=True):
        assert base <= delay <= base * 1.1
    assert decide(given, DOWN, 5).action == "raise"


def test_retry_waits_as_long_as_the_provider_says() -> None:
    failure = ModelFailure("rate_limit", "slow down", retry_after=7)
    assert decide(strategy(type="retry", initial_delay=1), failure, 1).delay == 7


def test_fallback_goes_through_providers_then_agent_or_tool() -> None:
    given = strategy(type="fallback", providers=["one", "two/m"], agent="b")
    assert [decide(given, DOWN, n).provider for n in (1, 2)] == ["one", "two/m"]
    assert decide(given, DOWN, 3).action == "agent"
    assert decide(strategy(type="fallback", tool="t"), DOWN, 1).action == "tool"


def test_ERR_012_actions_by_kind_of_failure() -> None:
    given = strategy(
        on_timeout="retry_with_shorter_context",
        on_rate_limit="exponential_backoff",
        on_provider_error="switch_to_fallback_provider",
        on_tool_error="skip_tool_and_continue",
        providers=["other"],
    )
    assert decide(given, ModelFailure("timeout", "late"), 1).shorter
    assert decide(given, ModelFailure("rate_limit", "slow"), 1).delay >= 1
    assert decide(given, ModelFailure("unavailable", "down"), 1).provider == "other"
    assert given.skip_failed_tools


@pytest.mark.parametrize(
    "config",
    [
        "exponential_backoff",
        "retry_with_shorter_context",
        "switch_to_fallback_provider",
        "skip_tool_and_continue",
        "fallback_to_cached",
        {"type": "fallback", "agent": "b"},
        {"type": "circuit_breaker", "failure_threshold": 2},
        {"on_timeout": "retry_with_shorter_context", "on_permission_denied": "fail_fast"},
        {"on_network_error": {"type": "exponential_backoff", "max_retries": 2}},
    ],
)
def test_what_ErrorHandler_makes_is_an_agent_s_strategy(config: Any) -> None:
    made = strategies.create(config, "python")
    given = read_strategy({"error_strategy": made}, "python")
    action = decide(given, OperationFailed("net", code=6003), 1).action
    assert action in ("retry", "raise", "cached", "agent")
    if config == "retry_with_shorter_context":
        assert decide(given, DOWN, 1).shorter
    if config == {"on_network_error": {"type": "exponential_backoff", "max_retries": 2}}:
        assert action == "retry" and decide(given, DOWN, 1).action == "raise"


def test_a_retry_goes_on_where_it_was_and_uses_no_tool_twice() -> None:
    async def go() -> None:
        desk = Desk(call("pay"), DOWN, "paid", pay=lambda given: "ok")
        agent = await desk.agent(
            tools=["pay"], error_strategy={"type": "retry", "initial_delay": 0}
        )
        output = await desk.run(agent, "pay")
        assert output["content"] == "paid" and output["metadata"]["attempts"] == 2
        assert len(desk.tools.calls) == 1
        assert desk.host.notes[0][0] == "warn"

    asyncio.run(go())


def test_a_fallback_agent_answers() -> None:
    async def go() -> None:
        desk = Desk(DOWN, "from b")
        await desk.agent(name="b")
        agent = await desk.agent(name="a", error_strategy={"type": "fallback", "agent": "b"})
        output = await desk.run(agent, "go")
        assert output["content"] == "from b"
        assert output["metadata"]["fallback_agent"] == "b"

    asyncio.run(go())


def test_a_fallback_tool_answers_with_the_agent_s_origin() -> None:
    async def go() -> None:
        desk = Desk(DOWN, search=lambda given: {"result": given["input"]})
        agent = await desk.agent(name="a", error_strategy={"type": "fallback", "tool": "search"})
        output = await desk.run(agent, "go")
        assert output["data"]["result"] == "go"
        assert desk.tools.calls == [("search", {"input": "go"}, "agent:a")]

    asyncio.run(go())


def test_continue_degraded_gives_the_last_good_answer() -> None:
    async def go() -> None:
        desk = Desk(DOWN, "good", DOWN)
        agent = await desk.agent(error_strategy="continue_degraded")
        with pytest.raises(OperationFailed):
            await desk.run(agent, "q")
        await desk.run(agent, "q")
        output = await desk.run(agent, "q")
        assert output["content"] == "good" and output["metadata"]["degraded"] is True

    asyncio.run(go())


def test_a_failed_tool_is_not_offered_again_when_it_is_to_be_skipped() -> None:
    def broken(given: dict[str, Any]) -> Any:
        raise OperationFailed("broken")

    async def go() -> None:
        desk = Desk(call("bad"), call("bad"), "done", bad=broken, good=lambda given: 1)
        agent = await desk.agent(
            tools=["bad", "good"],
            error_strategy={"type": "continue_degraded", "skip_failed_tools": True},
        )
        await desk.run(agent, "go")
        offered = [[tool["name"] for tool in one["tools"]] for one in desk.models.requests]
        assert offered == [["bad", "good"], ["good"], ["good"]]
        assert len(desk.tools.calls) == 1

    asyncio.run(go())


def test_the_circuit_breaker_opens_and_tries_again() -> None:
    async def go() -> None:
        desk = Desk(DOWN, DOWN, "back")
        now = 0.0
        desk.host.now = lambda: now
        agent = await desk.agent(
            circuit_breaker={"failure_threshold": 2, "reset_timeout": 300}, name="a"
        )
        for _ in range(2):
            with pytest.raises(OperationFailed):
                await desk.run(agent, "go")
        with pytest.raises(OperationFailed) as refused:
            await desk.run(agent, "go")
        assert refused.value.kind == "circuit_open" and len(desk.models.requests) == 2
        assert agent.health(now)["status"] == "degraded"
        now = 301.0
        assert (await desk.run(agent, "go"))["content"] == "back"

    asyncio.run(go())
