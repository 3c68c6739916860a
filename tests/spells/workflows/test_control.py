"""Pause, resume, cancel, status, callbacks, hooks, events, checkpoints (WF-014, 015, 018)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from llmspell.errors import LlmspellError, OperationFailed
from llmspell.spells.ports import HookOutcome
from tests.spells.workflows.kit import Kit, State, failing, play


def error_of(act: Any) -> LlmspellError:
    with pytest.raises(LlmspellError) as caught:
        play(act)
    return caught.value


class Hooks:
    """Answers by point; keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def any(self, *points: str) -> bool:
        return bool(self.answers)

    async def run(self, point: str, context: Mapping[str, Any]) -> HookOutcome:
        self.asked.append(point)
        answer = self.answers.get(point)
        if callable(answer):
            answer = answer(dict(context))
        return answer or HookOutcome(context=context)


def slow_steps(kit: Kit, ran: list[str]) -> list[dict[str, Any]]:
    async def act(name: str) -> str:
        ran.append(name)
        await asyncio.sleep(0.01)
        return name.upper()

    return [
        {"name": n, "run": kit.host.function(lambda *a, n=n: act(n)), "output": f"{n}_out"}
        for n in "abcd"
    ]


def test_WF_015_pause_waits_at_the_next_step_and_resume_goes_on() -> None:
    kit, ran = Kit(), []  # type: tuple[Kit, list[str]]

    async def spell() -> Any:
        identity = await kit.make("sequential", {"steps": slow_steps(kit, ran), "timeout": 0.3})
        running = asyncio.ensure_future(kit.call("workflow.execute", id=identity))
        await asyncio.sleep(0.005)
        assert (await kit.call("workflow.pause", id=identity))["status"] == "paused"
        # Longer than the workflow may take: time stands still while it is paused.
        await asyncio.sleep(0.35)
        assert ran == ["a"]
        assert (await kit.call("workflow.get_status", id=identity))["status"] == "paused"
        await kit.call("workflow.resume", id=identity)
        return await running

    assert play(spell())["output"] == "D" and ran == list("abcd")


def test_WF_015_cancel_ends_the_running_step() -> None:
    kit = Kit()
    ended: list[str] = []

    async def slow(*args: Any) -> None:
        await asyncio.sleep(5)
        ended.append("x")

    async def spell(kind: str) -> Any:
        step = {"name": "slow", "run": kit.host.function(slow)}
        identity = await kit.make(kind, [step, step | {"name": "more"}])
        running = asyncio.ensure_future(kit.call("workflow.execute", id=identity))
        await asyncio.sleep(0.01)
        await kit.call("workflow.cancel", id=identity, reason="enough")
        try:
            await running
        finally:
            status = await kit.call("workflow.get_status", id=identity)
            assert status["status"] == "cancelled" and status["completed_steps"] == []

    for kind in ("sequential", "parallel"):
        error = error_of(spell(kind))
        assert (error.code, error.kind) == (3003, "cancelled") and "enough" in error.message
    assert ended == []
    assert [name for name, _, _ in kit.host.events.emitted].count("workflow_cancelled") == 2


def test_what_does_not_run_can_not_be_paused() -> None:
    kit = Kit()

    async def spell(act: str) -> None:
        identity = await kit.make("sequential", [{"tool": "t"}])
        assert (await kit.call("workflow.get_status", id=identity))["status"] == "created"
        await kit.call(f"workflow.{act}", id=identity)

    for act in ("pause", "cancel", "resume", "save_checkpoint"):
        assert error_of(spell(act)).code == 3008
    assert error_of(kit.call("workflow.get_status", id="none")).code == 3001


def test_API_078_callbacks_and_progress() -> None:
    kit = Kit()
    told: list[Any] = []

    async def spell() -> Any:
        identity = await kit.make(
            "sequential",
            {
                "steps": [
                    {"name": "a", "run": kit.host.function(lambda *args: 1)},
                    {"name": "b", "run": kit.host.function(failing(9))},
                ],
                "error_strategy": "continue",
                "onError": kit.host.function(lambda e, s: told.append(("e", e["kind"], s["name"]))),
            },
        )
        step_done = kit.host.function(lambda s, output: told.append(("s", s["name"], output)))
        await kit.call("workflow.on_step_complete", id=identity, callback=step_done)
        done = kit.host.function(lambda result: told.append(("c", result["status"])))
        await kit.call("workflow.on_complete", id=identity, callback=done)
        progress = kit.host.function(lambda p: told.append(("p", p["step"], p["progress"])))
        return await kit.call("workflow.run_with_progress", id=identity, callback=progress)

    play(spell())
    assert told == [
        ("s", "a", 1),
        ("p", "a", 0.5),
        ("e", "failed", "b"),
        ("p", "b", 1.0),
        ("c", "partial"),
    ]


def test_a_callback_that_fails_is_a_warning() -> None:
    kit = Kit()
    step = {"run": kit.host.function(lambda *args: 1)}
    broken = kit.host.function(failing(9))
    result = play(kit.run("sequential", {"steps": [step], "on_step_complete": broken}))
    assert result["success"] is True and "step_complete failed" in result["metadata"]["warnings"][0]


def test_EVT_011_events_tell_the_end() -> None:
    kit = Kit()
    play(kit.run("sequential", {"name": "w", "steps": [{"run": kit.fn(lambda c: 1)}]}))
    error_of(
        kit.run("sequential", {"name": "x", "steps": [{"run": kit.host.function(failing(1))}]})
    )
    emitted = {(name, source): data for name, data, source in kit.host.events.emitted}
    done = emitted["workflow_complete", "workflow:w"]
    assert done["workflow_name"] == "w" and done["success_rate"] == 100.0
    assert done["duration"] >= 0
    failed = emitted["workflow_error", "workflow:x"]
    assert (failed["code"], failed["error_type"]) == (3004, "step_failed")


def test_hooks_see_change_skip_redirect_and_cancel() -> None:
    kit = Kit()
    kit.tools.acts["t"] = lambda given: given["n"]
    kit.tools.acts["other"] = lambda given: -given["n"]
    definition = {"steps": [{"name": "s", "tool": "t", "input": {"n": "{{n}}"}}]}

    def with_hooks(**answers: Any) -> Any:
        kit.host.hooks = Hooks(**answers)
        return kit.run("sequential", definition, {"n": 1})

    assert play(with_hooks(none=None))["output"] == 1
    assert kit.host.hooks.asked == [
        "before_workflow_execution",
        "before_workflow_step",
        "after_workflow_step",
        "workflow_step_complete",
        "after_workflow_execution",
    ]
    changed = HookOutcome("continue", {"input": {"n": 7}}, modified=True)
    assert play(with_hooks(before_workflow_execution=changed))["output"] == 7
    assert play(with_hooks(before_workflow_step=changed))["output"] == 7
    assert play(with_hooks(before_workflow_step=HookOutcome("skip", None, "s")))["output"] == "s"
    redirect = HookOutcome("redirect", {"tool": "other", "input": {"n": 2}})
    assert play(with_hooks(before_workflow_step=redirect))["output"] == -2
    forbidden = HookOutcome("redirect", {"tool": "denied", "input": {}})
    assert error_of(with_hooks(before_workflow_step=forbidden)).code == 2006
    refused = HookOutcome("cancel", None, None, "not today")
    for point in ("before_workflow_execution", "before_workflow_step", "after_workflow_execution"):
        error = error_of(with_hooks(**{point: refused}))
        assert "not today" in error.message and error.code in (3003, 3004)
    again = HookOutcome("retry", None)
    kit.tools.calls.clear()
    play(with_hooks(after_workflow_step=again))
    assert len(kit.tools.calls) == 4
    with_output = HookOutcome("continue", {"output": "changed"})
    assert play(with_hooks(after_workflow_execution=with_output))["output"] == "changed"


def test_HOOK_025_hooks_after_run_for_what_failed_too_and_change_nothing() -> None:
    kit = Kit()
    seen: list[tuple[str, Any]] = []

    class Told(Hooks):
        async def run(self, point: str, context: Any) -> HookOutcome:
            seen.append((point, context.get("success")))
            if point.startswith("after"):
                raise OperationFailed("a hook's own failure", code=5002, kind="hook_failed")
            return await super().run(point, context)

    kit.host.hooks = Told(none=None)
    steps = [{"name": "s", "run": kit.host.function(failing(1))}]
    error = error_of(kit.run("sequential", {"name": "w", "steps": steps}))
    assert error.code == 3004 and "hook" not in error.message
    assert seen[-3:] == [
        ("after_workflow_step", False),
        ("workflow_error", False),
        ("after_workflow_execution", False),
    ]


def test_a_hook_after_that_refuses_is_not_asked_again() -> None:
    kit = Kit()
    refused = HookOutcome("cancel", None, None, "not today")
    for point in ("after_workflow_step", "after_workflow_execution"):
        kit.host.hooks = Hooks(**{point: refused})
        error_of(kit.run("sequential", {"steps": [{"run": kit.fn(lambda c: 1)}]}))
        assert kit.host.hooks.asked.count(point) == 1


# -- checkpoints -------------------------------------------------------------------------------


def program(kit: Kit, ran: list[str], *, breaks: bool) -> dict[str, Any]:
    def act(name: str) -> Any:
        def run(*args: Any) -> Any:
            ran.append(name)
            if breaks and name == "c":
                failing(1)()
            return {"from": name, "none": None, "half": 0.5, "whole": 2.0, "empty": []}

        return kit.host.function(run)

    return {
        "name": "durable",
        "steps": [
            {"name": "a", "run": act("a"), "output": "a_out"},
            {"name": "skipped", "run": act("skipped"), "condition": "input.n > 5"},
            {
                "name": "phase",
                "type": "parallel",
                "error_strategy": "stop",
                "steps": [{"name": "b1", "run": act("b1")}, {"name": "b2", "run": act("b2")}],
            },
            {"name": "rounds", "type": "loop", "times": 2, "body": {"name": "r", "run": act("r")}},
            {"name": "c", "run": act("c"), "input": "{{a_out.from}}", "output": "c_out"},
        ],
        "config": {"save_checkpoints": True, "checkpoint_interval": 2},
    }


def lua_trip(value: Any) -> Any:
    """What a table loses on its way through Lua: null members, and {} is []."""
    if isinstance(value, dict):
        return {k: lua_trip(v) for k, v in value.items() if v is not None} or []
    if isinstance(value, list):
        return [lua_trip(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("way", ["kept", "label", "object", "lua", "resume"])
def test_WF_014_another_process_goes_on_after_the_completed_steps(way: str) -> None:
    state, ran = State(), []  # type: tuple[State, list[str]]
    first = Kit(state=state)
    error_of(first.run("sequential", program(first, ran, breaks=True), {"n": 1}))
    assert ran == ["a", "b1", "b2", "r", "r", "c"]
    label = {"label": "mine"} if way == "label" else {}
    checkpoint = play(first.call("workflow.save_checkpoint", id="durable", **label))
    assert checkpoint["completed_steps"] == ["a", "b1", "b2", "phase", "r", "r", "rounds"]
    given = json.loads(json.dumps(lua_trip(checkpoint) if way == "lua" else checkpoint))
    ran.clear()
    second = Kit(state=state)

    async def spell() -> Any:
        identity = await second.make("sequential", program(second, ran, breaks=False))
        if way == "resume":
            return await second.call("workflow.resume", id=identity, checkpoint=given)
        args = {"kept": {}, "label": {"checkpoint": "mine"}}.get(way, {"checkpoint": given})
        assert await second.call("workflow.restore_from_checkpoint", id=identity, **args) is True
        assert (await second.call("workflow.get_status", id=identity))["status"] == "restored"
        return await second.call("workflow.execute", id=identity)

    result = play(spell())
    assert ran == ["c"]
    assert result["c_out"]["from"] == "c" and result["a_out"]["from"] == "a"
    assert result["metadata"]["resumed"] is True and result["status"] == "completed"
    assert result["steps"]["skipped"]["status"] == "skipped"
