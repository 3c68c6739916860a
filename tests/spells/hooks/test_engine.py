"""Running hooks: answers, failures, time, modes; with functions of the test's as the spell's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.config.hooks import HookSettings
from llmspell.errors import InvalidInput, LimitExceeded, Missing, OperationFailed, SpellError
from llmspell.spells.hooks.engine import HookEngine
from llmspell.spells.ports import HookOutcome
from tests.spells.fake_host import FakeHost

Act = Callable[..., Any]


class Hooked:
    """An engine with hooks at the point `p`."""

    def __init__(self, *acts: Act, **fields: Any) -> None:
        self.host = FakeHost()
        self.engine = HookEngine(self.host)
        for act in acts:
            self.add(act, **fields)

    def add(self, act: Act, **fields: Any) -> None:
        given = {"handler": self.host.function(act), **fields}
        self.engine.registry.register("p", self.engine.make(given, "hooks.register"))

    def run(self, **context: Any) -> HookOutcome:
        return asyncio.run(self.engine.run("p", context))


def settled(**settings: Any) -> Hooked:
    hooked = Hooked()
    hooked.engine = HookEngine(hooked.host, HookSettings(**settings))
    return hooked


def test_HOOK_030_the_users_configuration_holds_for_every_hook() -> None:
    hooked = settled(seconds=0.05, on_failure="stop", per_point=1)
    hooked.add(lambda seen: asyncio.sleep(5))
    with pytest.raises(OperationFailed) as caught:
        hooked.run(a=1)
    assert caught.value.code == 5003
    with pytest.raises(LimitExceeded):
        hooked.add(lambda seen: None)
    hooked = settled(on_failure="stop")
    hooked.add(failing, on_failure="continue")
    assert hooked.run(a=1).action == "continue", "what a hook says itself counts"
    with pytest.raises(InvalidInput) as wrong:
        settled(highest=100).add(failing, priority=101)
    assert wrong.value.code == 5004
    hooked = settled(parallel=False)
    hooked.add(lambda seen: {"a": 2}, mode="parallel")
    hooked.add(lambda seen: {"b": seen["a"]}, mode="parallel")
    assert hooked.run(a=1).context == {"a": 2, "b": 2}, "one after the other"


def test_HOOK_030_hooks_that_are_switched_off_never_run() -> None:
    hooked = settled(enabled=False)
    hooked.add(failing, on_failure="stop")
    assert not hooked.engine.any("p") and hooked.run(a=1).context == {"a": 1}


def failing(seen: Any) -> Any:
    raise SpellError("no")


def test_nothing_registered_costs_nothing_and_changes_nothing() -> None:
    hooked = Hooked()
    assert not hooked.engine.any("p", "q")
    assert hooked.run(a=1) == HookOutcome(context={"a": 1})


@pytest.mark.parametrize("answer", [None, True, 3, "text", [1], {}, {"action": "continue"}])
def test_answers_that_go_on(answer: Any) -> None:
    context = {"a": 1}
    hooked = Hooked(lambda seen: answer)
    outcome = asyncio.run(hooked.engine.run("p", context))
    assert outcome == HookOutcome(context=context) and outcome.context is context
    assert hooked.host.records == []


@pytest.mark.parametrize(
    "answer",
    [
        {"a": 2},
        {"a": 2, "b": 3},
        {"action": "modify", "context": {"a": 2}},
        {"action": "modify", "a": 2},
    ],
)
def test_HOOK_028_a_changed_context_reaches_the_next_hook_and_the_caller(answer: Any) -> None:
    seen: list[Any] = []
    hooked = Hooked(lambda context: answer, seen.append)
    outcome = hooked.run(a=1, b=3)
    assert (outcome.action, outcome.modified) == ("continue", True)
    assert outcome.context == {"a": 2, "b": 3}
    assert seen == [{"a": 2, "b": 3, "hook_point": "p"}]
    assert hooked.host.records[0][1]["action"] == "modify"


@pytest.mark.parametrize(
    ("answer", "action", "value"),
    [
        ({"action": "skip", "value": 7}, "skip", 7),
        ({"action": "skip", "result": {"x": 1}}, "skip", {"x": 1}),
        ({"action": "retry"}, "retry", None),
        ({"action": "cancel", "reason": "no"}, "cancel", None),
        (False, "cancel", None),
        ({"action": "redirect", "target": "other"}, "redirect", None),
    ],
)
def test_decisions_end_the_point(answer: Any, action: str, value: Any) -> None:
    later: list[Any] = []
    outcome = Hooked(lambda context: answer, later.append).run(a=1)
    assert (outcome.action, outcome.value) == (action, value)
    assert later == []
    if action == "redirect":
        assert outcome.context == {"a": 1, "target": "other"}


def test_stop_keeps_later_hooks_from_running_and_goes_on() -> None:
    later: list[Any] = []
    outcome = Hooked(lambda context: {"action": "stop"}, later.append).run(a=1)
    assert (outcome.action, later) == ("continue", [])


@pytest.mark.parametrize(
    "answer", [{"action": "explode"}, {"action": 3}, {"action": "modify", "context": 1}]
)
def test_a_hostile_answer_is_a_failure_of_the_hook(answer: Any) -> None:
    hooked = Hooked(lambda context: answer)
    assert hooked.run(a=1) == HookOutcome(context={"a": 1})
    assert hooked.engine.failures == 1
    with pytest.raises(OperationFailed) as caught:
        Hooked(lambda context: answer, on_failure="stop").run(a=1)
    assert caught.value.code == 5002


def fails(context: Any) -> Any:
    raise SpellError("broken")


def test_X26_a_failure_goes_on_by_default_and_is_logged_a_few_times() -> None:
    seen: list[Any] = []
    hooked = Hooked(fails, seen.append)
    for _ in range(5):
        assert hooked.run(a=1).action == "continue"
    assert len(seen) == 5
    assert [level for level, _ in hooked.host.notes] == ["warn"] * 3
    assert hooked.engine.registry.at("p")[0].stats(0.0)["failures"] == 5


def test_X26_stop_raises_5002() -> None:
    with pytest.raises(OperationFailed, match="broken") as caught:
        Hooked(fails, on_failure="stop").run(a=1)
    assert (caught.value.code, caught.value.kind) == (5002, "hook_failed")


def test_X26_rollback_gives_the_context_as_it_was_before_the_point() -> None:
    later: list[Any] = []
    hooked = Hooked(lambda context: {"a": 2})
    hooked.add(fails, on_failure="rollback")
    hooked.add(later.append)
    outcome = hooked.run(a=1)
    assert (outcome.context, outcome.modified, later) == ({"a": 1}, False, [])


async def slow(context: Any) -> Any:
    await asyncio.sleep(5)


def test_X25_a_slow_hook_is_5003_and_counted() -> None:
    hooked = Hooked(slow, timeout=0.02)
    assert hooked.run(a=1).action == "continue"
    assert (hooked.engine.timeouts, hooked.engine.failures) == (1, 1)
    with pytest.raises(OperationFailed) as caught:
        Hooked(slow, timeout=0.02, on_failure="stop").run(a=1)
    assert (caught.value.code, caught.value.kind) == (5003, "timeout")


def test_conditions_by_function_and_by_field() -> None:
    seen: list[int] = []
    hooked = Hooked()
    condition = hooked.host.function(lambda context: context["a"] > 1)
    hooked.add(lambda context: seen.append(1), condition=condition)
    hooked.add(lambda context: seen.append(2), filter={"a": 1})
    hooked.run(a=1)
    hooked.run(a=2)
    assert seen == [2, 1]
    assert [hook.skipped for hook in hooked.engine.registry.at("p")] == [1, 1]
    assert hooked.engine.executions == 2


def test_X27_parallel_hooks_see_copies_and_the_higher_priority_counts() -> None:
    order: list[str] = []

    def changer(name: str, changes: dict[str, Any], pause: float) -> Act:
        async def act(context: Any) -> Any:
            order.append(name)
            assert context["a"] == 0
            await asyncio.sleep(pause)
            order.append(name)
            return changes

        return act

    hooked = Hooked()
    hooked.add(changer("high", {"a": 1, "x": 1}, 0.02), priority=90, mode="parallel")
    hooked.add(changer("low", {"a": 2, "y": 2}, 0.0), priority=10, mode="parallel")
    outcome = hooked.run(a=0)
    assert order == ["high", "low", "low", "high"]
    assert outcome.context == {"a": 1, "x": 1, "y": 2}


def test_HOOK_021_parallel_errors_follow_the_policy_and_time_outs_only_warn() -> None:
    with pytest.raises(OperationFailed):
        Hooked(fails, mode="parallel", on_failure="stop").run(a=1)
    hooked = Hooked(slow, mode="parallel_with_timeout", timeout=0.02, on_failure="stop")
    assert hooked.run(a=1).action == "continue"
    assert hooked.host.notes[0][0] == "warn"
    with pytest.raises(OperationFailed):
        Hooked(fails, mode="parallel_with_timeout", on_failure="stop").run(a=1)


def test_asynchronous_hooks_are_told_and_not_waited_for() -> None:
    told: list[int] = []

    async def act(context: Any) -> Any:
        await asyncio.sleep(0.01)
        told.append(context["a"])
        return False

    hooked = Hooked(act, mode="asynchronous")
    hooked.add(fails, mode="asynchronous", on_failure="stop")

    async def runs() -> list[str]:
        outcomes = [await hooked.engine.run("p", {"a": number}) for number in range(20)]
        assert told == []
        await asyncio.sleep(0.05)
        return [outcome.action for outcome in outcomes]

    assert asyncio.run(runs()) == ["continue"] * 20
    observing, failing = hooked.engine.registry.at("p")
    assert sorted(told) == list(range(len(told))) and 0 < len(told) <= 16
    assert observing.skipped == 20 - len(told)
    assert failing.failures + failing.skipped == 20
    hooked.engine.close()


def test_no_function_and_no_secret_reaches_a_hook() -> None:
    seen: list[Any] = []
    hooked = Hooked(seen.append)
    hooked.host.mask = lambda value: {**value, "key": "•••"}  # type: ignore[method-assign]
    context = {"key": "secret", "f": Callback(9), "in": {"f": Callback(9), "l": [Callback(9)]}}
    outcome = asyncio.run(hooked.engine.run("p", context))
    assert seen == [{"key": "•••", "in": {"l": []}, "hook_point": "p"}]
    assert outcome.context is context, "what a hook only saw stays as it was"


def test_a_hook_that_changes_one_field_leaves_the_masked_ones_alone() -> None:
    hooked = Hooked(lambda context: {**context, "a": 2})
    hooked.host.mask = lambda value: {**value, "key": "•••"}  # type: ignore[method-assign]
    assert hooked.run(a=1, key="secret").context == {"a": 2, "key": "secret"}


def test_inline_hooks_of_an_agent_run_by_the_same_engine() -> None:
    hooked = Hooked()
    prepared = hooked.engine.prepare(
        [
            {"execute": hooked.host.function(lambda c: {"a": c["a"] * 10}), "priority": 1},
            hooked.host.function(lambda c: {"a": c["a"] + 1}),
        ],
        "agent.create",
    )
    outcome = asyncio.run(hooked.engine.run_inline("before_execution", {"a": 1}, prepared))
    assert outcome.context == {"a": 20}
    with pytest.raises(InvalidInput, match=r"agent\.create"):
        hooked.engine.prepare([3], "agent.create")
    with pytest.raises(InvalidInput):
        hooked.engine.prepare([hooked.host.function(fails)] * 11, "agent.create")
    with pytest.raises(Missing) as caught:
        hooked.engine.prepare({"handle": "hook", "id": "hook-99"}, "agent.create")
    assert caught.value.code == 5001
