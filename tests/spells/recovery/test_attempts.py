"""Recovery as it is done: operations run again, tools and agents instead, results kept."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, LlmspellError, OperationFailed
from llmspell.supervisor.services.errors import ErrorService, shortened
from tests.spells.fake_host import FakeHost


class Others:
    """Tools and agents that say what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, str]] = []
        self.failures = 0

    async def execute(self, name: str, given: Any, *, origin: str) -> Any:
        self.asked.append((name, dict(given), origin))
        if self.failures:
            self.failures -= 1
            raise OperationFailed("still down", code=1009, kind="provider")
        return {"content": f"{name} did it", "given": dict(given)}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("llmspell.spells.recovery.attempts.asyncio.sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    return waits


def recover(service: ErrorService, **args: Any) -> Any:
    args.setdefault("error", {"message": "m", "code": 6006})
    return asyncio.run(service.attempt_recovery(None, args))  # type: ignore[arg-type]


def failing(times: int, error: LlmspellError | None = None) -> Any:
    state = {"left": times}

    def operation(told: dict[str, Any]) -> Any:
        if state["left"] > 0:
            state["left"] -= 1
            raise error or OperationFailed("not yet")
        return {"told": told["attempt"], **told}

    return operation


def test_an_operation_is_run_again_with_growing_waits(no_waiting: list[float]) -> None:
    host = FakeHost()
    service = ErrorService(host)
    outcome = recover(
        service, strategy={"type": "retry", "delay": 1}, operation=host.function(failing(2))
    )
    assert outcome["success"] is True
    assert (outcome["action"], outcome["attempts"]) == ("retry", 3)
    assert outcome["data"] == outcome["result"]
    assert no_waiting == pytest.approx([1.1, 2.2, 4.4]), "err_009: at most a tenth is jitter"
    assert service.stats(None, {})["recovered"] == 1  # type: ignore[arg-type]


def test_retry_after_is_kept(no_waiting: list[float]) -> None:
    host = FakeHost()
    error = {"message": "wait", "code": 6006, "retry_after": 7}
    recover(ErrorService(host), error=error, operation=host.function(failing(0)))
    assert no_waiting == pytest.approx([7.7])


def test_an_operation_that_never_works_is_told_not_raised() -> None:
    host = FakeHost()
    service = ErrorService(host)
    outcome = recover(
        service,
        strategy={"type": "retry", "max_retries": 2},
        operation=host.function(failing(9)),
    )
    assert (outcome["success"], outcome["action"], outcome["attempts"]) == (False, "fail", 2)
    assert outcome["error"]["message"] == "not yet"
    assert service.stats(None, {})["retries_exhausted"] == 1  # type: ignore[arg-type]


def test_what_another_attempt_cant_change_is_not_tried_again() -> None:
    host = FakeHost()
    denied = Denied("denied x", rule="r")
    outcome = recover(ErrorService(host), operation=host.function(failing(9, denied)))
    assert (outcome["success"], outcome["attempts"]) == (False, 1)


def test_err_010_without_an_operation_the_caller_is_told_what_to_do() -> None:
    outcome = recover(ErrorService(FakeHost()), strategy="exponential_backoff")
    assert (outcome["success"], outcome["action"], outcome["delay"]) == (False, "retry", 1.0)
    outcome = recover(ErrorService(FakeHost()), error={"message": "m", "code": 4008})
    assert (outcome["success"], outcome["action"]) == (False, "fail")


def test_providers_are_tried_in_turn() -> None:
    host = FakeHost()
    outcome = recover(
        ErrorService(host),
        strategy={"type": "switch_to_fallback_provider", "providers": ["a", "b"]},
        operation=host.function(failing(1)),
    )
    assert (outcome["success"], outcome["provider"]) == (True, "b")
    assert recover(ErrorService(host), strategy="fallback_provider")["action"] == "fail"


def test_a_tool_or_an_agent_does_it_instead_and_is_judged_as_recovery() -> None:
    tools, agents = Others(), Others()
    service = ErrorService(FakeHost(tools=tools, agents=agents))
    outcome = recover(service, strategy={"strategy": "fallback_to_echo", "input": {"a": 1}})
    assert outcome["data"]["content"] == "echo did it"
    assert tools.asked == [("echo", {"a": 1}, "recovery")]
    handle = {"handle": "agent", "id": "agent-1"}
    recover(service, strategy={"type": "fallback", "agent": handle, "input": "x"})
    assert agents.asked == [("agent-1", {"input": "x"}, "recovery")]


def test_a_denied_fallback_is_a_failure() -> None:
    class Closed(Others):
        async def execute(self, name: str, given: Any, *, origin: str) -> Any:
            raise Denied(f"denied tool {name}", code=2006, rule="medium.tools")

    outcome = recover(ErrorService(FakeHost(tools=Closed())), strategy="fallback_to_rm")
    assert (outcome["success"], outcome["error"]["code"]) == (False, 2006)


def test_earlier_results_are_kept_for_a_while() -> None:
    host = FakeHost()
    service = ErrorService(host)
    cached = {"type": "fallback_to_cached", "cache_timeout": 10}
    assert recover(service, strategy=cached, key="page")["success"] is False
    recover(service, strategy="retry", key="page", operation=host.function(failing(0)))
    found = recover(service, strategy=cached, key="page")
    assert (found["success"], found["action"], found["degraded"]) == (True, "cached", True)
    assert found["data"]["told"] == 1
    assert recover(service, strategy=cached, key="other")["success"] is False
    now = host.now()
    host.now = lambda: now + 11  # type: ignore[method-assign]
    assert recover(service, strategy=cached, key="page")["success"] is False
    assert recover(service, strategy={**cached, "default": 5}, key="page")["data"] == 5


def test_a_breaker_rests_and_tries_again() -> None:
    host = FakeHost()
    service = ErrorService(host)
    strategy = {"type": "circuit_breaker", "failure_threshold": 2, "recovery_timeout": 60}
    bad, good = host.function(failing(99)), host.function(failing(0))
    states = [
        recover(service, strategy=strategy, operation=bad, key="k")["circuit"] for _ in range(2)
    ]
    assert states == ["closed", "open"]
    refused = recover(service, strategy=strategy, operation=good, key="k")
    assert (refused["action"], refused["success"]) == ("circuit_open", False)
    assert recover(service, strategy=strategy, operation=good, key="other")["success"] is True
    now = host.now()
    host.now = lambda: now + 61  # type: ignore[method-assign]
    assert recover(service, strategy=strategy, operation=good, key="k")["circuit"] == "closed"


def test_skipping_and_degrading() -> None:
    service = ErrorService(FakeHost())
    error = {"message": "m", "code": 2003}
    assert recover(service, error=error)["action"] == "skip"
    strategy = {"type": "continue_degraded", "skip_failed_tools": True}
    assert recover(service, strategy=strategy)["success"] is True
    assert recover(service, strategy="continue_degraded")["success"] is False


def test_x54_an_agent_is_asked_again_and_its_text_given() -> None:
    agents = Others()
    agents.failures = 1
    service = ErrorService(FakeHost(agents=agents))
    info = service.parse(None, {"error": {"message": "slow", "code": 1005}})  # type: ignore[arg-type]
    agent = {"handle": "agent", "id": "agent-7"}
    question = "word " * 400
    text = recover(service, error=agent, strategy=question, operation=info)
    assert text == "agent-7 did it"
    sizes = [len(asked["input"]) for _, asked, _ in agents.asked]
    assert sizes[0] > sizes[1] < len(question) / 3
    agents.failures = 99
    with pytest.raises(LlmspellError, match="the recovery failed"):
        recover(service, error=agent, strategy=question, operation=info)
    with pytest.raises(InvalidInput):
        recover(service, error=agent, strategy=None)


def test_errors_count_once_by_their_trace() -> None:
    host = FakeHost()
    service = ErrorService(host)
    info = service.parse(None, {"error": "x"})  # type: ignore[arg-type]
    assert info["trace_id"] == "test-e1"
    recover(service, error=info, strategy="fail_fast")
    service.report(None, {"error": info, "context": {"componentId": "c"}})  # type: ignore[arg-type]
    told = service.stats(None, {})  # type: ignore[arg-type]
    assert (told["total_errors"], told["by_code"]) == (1, {"4002": 1})
    assert host.events.emitted[0][0] == "error_reported"
    assert host.records[0][0] == "error_report"
    assert host.records[0][1]["component"] == "c"
    assert "message" not in host.records[0][1]


def test_shortened_keeps_both_ends() -> None:
    text = "a" * 900 + "z" * 900
    short = shortened(text, 0.5)
    assert len(short) < 920
    assert short[0] == "a" and short[-1] == "z"
    assert shortened("short", 0.1) == "short"
