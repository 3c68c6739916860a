"""Failures: strategies, retries, stand-ins, circuit breakers, time (WF-010, 013, 016, ERR-008)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import LlmspellError
from llmspell.spells.workflows.attempts import delay_before
from llmspell.spells.workflows.model import Retry
from llmspell.spells.workflows.strategies import read_breaker, read_retry, read_strategy
from tests.spells.workflows.kit import Kit, failing, play

FAST = {"base_delay": 0.001, "max_delay": 0.002}


def code_of(act: Any) -> LlmspellError:
    with pytest.raises(LlmspellError) as caught:
        play(act)
    return caught.value


def steps_of(kit: Kit, *, fails: int = 99, **options: Any) -> list[dict[str, Any]]:
    broken = {"name": "b", "run": kit.host.function(failing(fails)), **options}
    return [
        {"name": "a", "run": kit.host.function(lambda *args: "A")},
        broken,
        {"name": "c", "run": kit.host.function(lambda *args: "C")},
    ]


def test_WF_016_sequential_stops_at_the_first_failure() -> None:
    kit = Kit()
    error = code_of(kit.run("sequential", {"name": "w", "steps": steps_of(kit)}))
    assert (error.code, error.kind) == (3004, "step_failed")
    assert error.message == "workflow w, step b: it broke"
    status = play(kit.call("workflow.get_status", id="workflow-1"))
    assert status["status"] == "failed" and status["completed_steps"] == ["a"]
    assert status["errors"][0]["step"] == "b" and status["remaining_steps"] == ["c"]


def test_WF_019_a_saga_undoes_completed_steps_last_first() -> None:
    kit = Kit()
    undone: list[Any] = []

    def step(name: str, undo: Any) -> dict[str, Any]:
        act = kit.host.function(lambda *args: name.upper())
        return {"name": name, "run": act, "compensate": undo}

    def undo(output: Any, context: Any = None) -> None:
        undone.append(output)

    kit.tools.acts["refund"] = lambda given: undone.append(given)
    failing_undo = kit.host.function(failing(9))
    steps = [
        step("book", kit.host.function(undo)),
        step("pay", {"tool": "refund", "input": {"what": "{{pay.output}}"}}),
        step("odd", failing_undo),
        step("mail", {"tool": "denied"}),
        {"name": "b", "run": kit.host.function(failing(9)), "compensate": failing_undo},
    ]
    error = code_of(kit.run("sequential", {"name": "w", "steps": steps}))
    assert (error.code, error.message) == (3004, "workflow w, step b: it broke")
    assert undone == [{"what": "PAY"}, "BOOK"]
    status = play(kit.call("workflow.get_status", id="workflow-1"))
    assert status["compensated"] == ["pay", "book"]
    assert kit.tools.calls[0][0] == "denied" and kit.tools.calls[0][2] == "workflow:w"
    steps.pop()
    assert play(kit.run("sequential", {"name": "fine", "steps": steps}))["success"]
    assert len(undone) == 2


def test_WF_019_a_definition_of_undoing_is_checked() -> None:
    kit = Kit()
    act = kit.host.function(lambda *args: 1)
    for undo in ({"steps": [act]}, {"name": "nothing"}):
        steps = [{"name": "a", "run": act, "compensate": undo}]
        error = code_of(kit.run("sequential", {"name": "w", "steps": steps}))
        assert error.code == 3002


def test_WF_016_parallel_goes_on() -> None:
    kit = Kit()
    result = play(kit.run("parallel", {"steps": steps_of(kit)}))
    assert (result["success"], result["status"]) == (True, "partial")
    assert result["output"] == {"a": "A", "c": "C"}
    assert result["steps"]["b"]["status"] == "failed"
    assert result["steps"]["b"]["error"]["message"] == "it broke"
    assert result["metadata"]["success_rate"] == 66.67


@pytest.mark.parametrize("kind", ["sequential", "parallel"])
@pytest.mark.parametrize(
    ("strategy", "ends"),
    [
        ("continue", {"a": "A", "c": "C"}),
        ("skip_and_continue", {"a": "A", "c": "C"}),
        ("stop", 3004),
        ("fail_fast", 3004),
        ({"type": "retry", "max_retries": 2, **FAST}, {"a": "A", "b": "ok", "c": "C"}),
        ({"type": "retry", "max_retries": 1, **FAST}, 3004),
        ({"type": "fallback", "agent": "stand_in"}, {"a": "A", "b": "agent", "c": "C"}),
        (
            {"retry_count": 1, **FAST, "fallback_agents": {"b": "stand_in"}},
            {"a": "A", "b": "agent", "c": "C"},
        ),
        ({"retry_count": 2, **FAST, "circuit_breaker": {}}, {"a": "A", "b": "ok", "c": "C"}),
    ],
)
def test_a_branch_that_fails_twice_under_each_strategy(kind: str, strategy: Any, ends: Any) -> None:
    kit = Kit()
    kit.agents.acts["stand_in"] = lambda text: "agent"
    definition = {"steps": steps_of(kit, fails=2), "error_strategy": strategy}
    if isinstance(ends, int):
        assert code_of(kit.run(kind, definition)).code == ends
        return
    result = play(kit.run(kind, definition))
    found = {n: s["output"] for n, s in result["steps"].items() if s["status"] == "completed"}
    assert found == ends
    assert result["status"] == ("completed" if "b" in ends else "partial")


def test_fail_fast_cancels_the_others() -> None:
    kit = Kit()
    ended: list[str] = []

    async def slow(*args: Any) -> None:
        await asyncio.sleep(5)
        ended.append("slow")

    steps = [
        {"name": "slow", "run": kit.host.function(slow)},
        {"name": "b", "run": kit.host.function(failing(9))},
    ]
    error = code_of(kit.run("parallel", {"steps": steps, "config": {"fail_fast": True}}))
    assert error.code == 3004 and "step b" in error.message and ended == []


def test_WF_010_a_strategy_for_each_step() -> None:
    kit = Kit()
    kit.agents.acts["spare"] = lambda text: "spare"
    steps = [
        {"name": "one", "run": kit.host.function(failing(9)), "fallback": "spare"},
        {"name": "two", "run": kit.host.function(failing(9))},
        {"name": "three", "run": kit.host.function(failing(9))},
    ]
    config = {
        "continue_on_error": False,
        "error_strategy": {
            "one": "use_fallback_agent",
            "two": "skip_and_continue",
            "three": "continue_with_warning",
        },
    }
    result = play(kit.run("sequential", {"steps": steps, "config": config}))
    assert [step["status"] for step in result["steps"].values()] == [
        "completed",
        "failed",
        "failed",
    ]
    assert result["steps"]["one"]["recovered_by"] == "spare"
    assert len(result["metadata"]["warnings"]) == 3


@pytest.mark.parametrize(
    ("retry", "attempts"),
    [
        (2, 3),
        ({"max_retries": 2, **FAST}, 3),
        ({"max_attempts": 2, **FAST}, 2),
        ({"maxAttempts": 4, "baseDelay": 0.001}, 4),
        (True, 4),
    ],
)
def test_X58_retries_come_after_the_first_attempt(
    retry: Any, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmspell.spells.workflows.attempts.delay_before", lambda *args: 0.0)
    kit = Kit()
    calls: list[int] = []

    def act(*args: Any) -> Any:
        calls.append(1)
        return failing(1)()

    code_of(kit.run("sequential", [{"name": "x", "run": kit.host.function(act), "retry": retry}]))
    assert len(calls) == attempts


def test_what_can_not_get_better_is_not_tried_again() -> None:
    kit = Kit()
    retry = {"max_retries": 5, **FAST}
    error = code_of(kit.run("sequential", [{"name": "x", "tool": "denied", "retry": retry}]))
    assert (error.code, error.rule) == (2006, "tools.deny") and len(kit.tools.calls) == 1
    error = code_of(kit.run("sequential", [{"name": "x", "tool": "absent", "retry": retry}]))
    assert error.code == 3004 and len(kit.tools.calls) == 2


def test_a_denied_tool_stays_denied_by_every_way_of_a_workflow() -> None:
    kit = Kit()
    kit.tools.acts["allowed"] = lambda given: "done"
    for name, code in (("allowed", None), ("denied", 2006)):
        ways: list[tuple[str, Any]] = [
            ("sequential", [{"tool": name}]),
            ("pipeline", [{"component": {"handle": "tool", "id": name, "name": name}}]),
            ("parallel", {"steps": [{"tool": name}], "error_strategy": "stop"}),
            ("parallel", {"steps": [{"name": "x", "tool": name}, {"name": "y", "tool": name}]}),
            ("conditional", {"condition": True, "true_branch": {"tool": name}}),
            ("loop", {"times": 1, "body": {"tool": name}}),
            ("fan_out", {"items": [1], "step": {"tool": name}, "error_strategy": "stop"}),
            ("sequential", [{"run": kit.host.function(failing(1)), "fallback_tool": name}]),
            ("sequential", [{"name": "p", "type": "parallel", "error_strategy": "stop",
                             "steps": [{"tool": name}]}]),
        ]  # fmt: skip
        for kind, definition in ways:
            kit.tools.calls.clear()
            if code is None:
                assert play(kit.run(kind, definition))["success"] is True
            else:
                assert code_of(kit.run(kind, definition)).code == code, kind
            assert all(origin.startswith("workflow:") for _, _, origin in kit.tools.calls)


def test_retryable_decides_by_function_or_kind() -> None:
    kit = Kit()
    seen: list[Any] = []

    def retryable(error: Any) -> bool:
        seen.append(error)
        return bool(error["kind"] == "network")

    for kinds, tries in ((kit.fn(retryable), 2), (["network"], 2), (["other"], 1)):
        act = kit.host.function(failing(1, kind="network"))
        steps = [{"run": act, "retry": {"max_retries": 3, **FAST, "retryable": kinds}}]
        if tries == 1:
            code_of(kit.run("sequential", steps))
        else:
            result = play(kit.run("sequential", steps))
            assert result["steps"]["step_1"]["attempts"] == tries
    assert seen[0]["message"] == "it broke"


def test_API_030_an_open_circuit_lets_the_stand_in_work_at_once() -> None:
    kit = Kit()
    kit.agents.acts["main"] = failing(99)
    kit.agents.acts["spare"] = lambda text: "spare"

    async def spell() -> list[Any]:
        strategy = await kit.call(
            "spell.strategy_cascade",
            config={
                "retry_count": 0,
                "fallback_agents": {"main": "spare"},
                "circuit_breaker": {"failure_threshold": 2, "reset_timeout": 60},
            },
        )
        identity = await kit.make(
            "sequential", {"steps": [{"agent": "main"}], "error_strategy": strategy}
        )
        return [await kit.call("workflow.execute", id=identity, input="x") for _ in range(4)]

    results = play(spell())
    assert [result["output"] for result in results] == ["spare"] * 4
    assert [name for name, _, _ in kit.agents.calls].count("main") == 2
    assert "circuit" in results[-1]["metadata"]["warnings"][0]


def test_a_step_that_takes_too_long_is_3007_and_taken_back() -> None:
    kit = Kit()
    ended: list[str] = []

    async def slow(*args: Any) -> None:
        await asyncio.sleep(5)
        ended.append("slow")

    step = {"name": "slow", "run": kit.host.function(slow), "timeout": 0.02}
    error = code_of(kit.run("sequential", [step]))
    assert error.code == 3004 and "took longer than 0.02 s" in error.message
    error = code_of(kit.run("sequential", [step | {"timeout": None}], timeout=0.02))
    assert (error.code, error.kind) == (3007, "timeout")
    javascript = Kit("javascript")
    step["run"] = javascript.host.function(slow)
    error = code_of(javascript.run("sequential", [step | {"timeout": 20}]))
    assert "took longer than 0.02 s" in error.message and ended == []


def test_a_failed_dependency_fails_what_needs_it() -> None:
    kit = Kit()
    for kind in ("sequential", "parallel"):
        steps = steps_of(kit)
        steps[2]["depends_on"] = ["b"]
        definition = {"steps": steps, "error_strategy": "continue"}
        result = play(kit.run(kind, definition))
        assert result["steps"]["c"]["error"]["code"] == 3005


def test_what_a_function_gives_is_plain_data_or_an_error() -> None:
    kit = Kit()
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    for value, code in (
        (kit.fn(lambda: 1), 3004),
        ({"a": kit.fn(lambda: 1)}, 3004),
        (deep, 3004),
        ("x" * 9_000_000, 4009),
    ):
        step = {"run": kit.host.function(lambda *args, value=value: value)}
        assert code_of(kit.run("sequential", [step])).code == code


@given(
    attempt=st.integers(1, 200),
    base=st.floats(0, 1e6),
    most=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    chance=st.floats(0, 1),
    backoff=st.sampled_from(["fixed", "linear", "exponential"]),
)
def test_ERR_009_delays_are_capped_and_spread_by_a_tenth(
    attempt: int, base: float, most: float, factor: float, chance: float, backoff: str
) -> None:
    retry = Retry(200, base, most, backoff, factor)
    delay = delay_before(retry, attempt, chance)
    assert 0 <= delay <= most * 1.1 + 1e-6
    assert delay >= min(base, most)


def test_delays_double_from_the_base() -> None:
    retry = Retry(9, 1.0, 5.0)
    assert [delay_before(retry, n, 0.0) for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 5, 5]
    assert delay_before(retry, 2, 1.0) == pytest.approx(2.2)


def test_X57_breakers_and_strategies_in_every_spelling() -> None:
    for key in ("reset_timeout", "recovery_timeout", "timeout"):
        breaker = read_breaker({"failure_threshold": 2, key: "30s"}, "w", "lua")
        assert breaker is not None and tuple(breaker) == (2, 30.0)
    assert read_strategy("stop_on_error", "w", "lua").kind == "stop"
    assert read_strategy({"type": "RetryWithBackoff"}, "w", "lua").kind == "retry"
    retry = read_retry({"initialDelay": 500, "backoffMultiplier": 3}, "w", "javascript")
    assert retry is not None and (retry.base_delay, retry.multiplier) == (0.5, 3.0)
    for wrong in (
        {"max_retries": -1},
        {"max_attempts": 0},
        {"backoff": "wild"},
        {"base_delay": -1},
    ):
        with pytest.raises(LlmspellError):
            read_retry(wrong, "w", "lua")
