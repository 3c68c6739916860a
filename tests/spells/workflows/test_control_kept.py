"""Control of workflows: what is kept and restored."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from llmspell.errors import LlmspellError
from tests.spells.workflows.kit import Kit, State, failing, play
from tests.spells.workflows.test_control import error_of, program


def test_a_restored_run_keeps_the_input_of_its_completed_steps() -> None:
    state, ran = State(), []  # type: tuple[State, list[str]]
    first = Kit(state=state)
    error_of(first.run("sequential", program(first, ran, breaks=True), {"n": 1}))
    second = Kit(state=state)

    async def spell() -> Any:
        identity = await second.make("sequential", program(second, ran, breaks=False))
        await second.call("workflow.restore_from_checkpoint", id=identity)
        return await second.call("workflow.execute", id=identity, input={"n": 9})

    result = play(spell())
    assert result["steps"]["skipped"]["status"] == "skipped"
    assert "checkpoint's input" in result["metadata"]["warnings"][0]


def test_pausing_while_the_last_callbacks_run_does_no_harm() -> None:
    kit = Kit()

    async def spell() -> Any:
        identity = await kit.make("sequential", [{"run": kit.host.function(lambda *args: 1)}])

        async def pause(result: Any) -> None:
            await kit.call("workflow.pause", id=identity)

        callback = kit.host.function(pause)
        await kit.call("workflow.on_complete", id=identity, callback=callback)
        return await kit.call("workflow.execute", id=identity)

    assert play(spell())["status"] == "completed"


def test_in_the_same_process_resume_goes_on_after_a_failure() -> None:
    kit, ran = Kit(), []  # type: tuple[Kit, list[str]]
    definition = program(kit, ran, breaks=False)
    definition["steps"][4]["run"] = kit.host.function(failing(1, "done"))

    async def spell() -> Any:
        identity = await kit.make("sequential", definition)
        with pytest.raises(LlmspellError):
            await kit.call("workflow.execute", id=identity, input={"n": 1})
        ran.clear()
        return await kit.call("workflow.resume", id=identity)

    assert play(spell())["c_out"] == "done" and ran == []


def test_without_a_checkpoint_restore_says_so() -> None:
    kit = Kit()

    async def spell(**args: Any) -> Any:
        identity = await kit.make("sequential", [{"tool": "t"}])
        return await kit.call("workflow.restore_from_checkpoint", id=identity, **args)

    assert play(spell()) is False
    assert error_of(spell(checkpoint="mine")).code == 3001


def test_a_finished_run_leaves_no_checkpoint_of_its_own() -> None:
    kit, ran = Kit(), []  # type: tuple[Kit, list[str]]
    play(kit.run("sequential", program(kit, ran, breaks=False), {"n": 1}))
    assert kit.state.kept == {}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda c: c.update(workflow="other"), "another workflow"),
        (lambda c: c.update(version=2), "version"),
        (lambda c: c["records"]["a"].update(output="forged"), "checksum"),
        (lambda c: c["records"].pop("a"), "checksum"),
        (lambda c: c.clear(), "version"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_3008(change: Any, word: str) -> None:
    state, ran = State(), []  # type: tuple[State, list[str]]
    first = Kit(state=state)
    error_of(first.run("sequential", program(first, ran, breaks=True), {"n": 1}))
    checkpoint = play(first.call("workflow.save_checkpoint", id="durable"))
    change(checkpoint)
    second = Kit(state=state)

    async def spell() -> Any:
        identity = await second.make("sequential", program(second, ran, breaks=False))
        return await second.call(
            "workflow.restore_from_checkpoint", id=identity, checkpoint=checkpoint
        )

    error = error_of(spell())
    assert error.code == 3008 and word in error.message


def test_a_large_checkpoint_is_kept_in_parts() -> None:
    state = State()
    large = 'é"\\\n' * 150_000

    def flow(kit: Kit, last: Any) -> dict[str, Any]:
        steps = [
            {"name": n, "run": kit.host.function(lambda *args, n=n: large + n)} for n in "abcdef"
        ]
        steps.append({"name": "last", "run": kit.host.function(last)})
        return {"name": "large", "steps": steps, "config": {"save_checkpoints": True}}

    first = Kit(state=state)
    error_of(first.run("sequential", flow(first, failing(1))))
    sizes = [len(json.dumps(value, ensure_ascii=False).encode()) for value in state.kept.values()]
    assert max(sizes) < 2**20 and len(sizes) > 10
    second = Kit(state=state)

    async def spell() -> Any:
        identity = await second.make("sequential", flow(second, lambda *args: "done"))
        assert await second.call("workflow.restore_from_checkpoint", id=identity) is True
        return await second.call("workflow.execute", id=identity)

    result = play(spell())
    assert result["output"] == "done" and result["steps"]["f"]["output"] == large + "f"
    assert state.kept == {}


def test_a_checkpoint_with_a_missing_part_is_3008() -> None:
    state = State()
    kit = Kit(state=state)
    steps = [
        {"name": "a", "run": kit.host.function(lambda *args: "x" * 300_000)},
        {"name": "b", "run": kit.host.function(failing(1))},
    ]
    error_of(kit.run("sequential", {"name": "w", "steps": steps}))
    play(kit.call("workflow.save_checkpoint", id="w"))
    part = next(key for key in state.kept if key[1].endswith("/1"))
    kept = state.kept.pop(part)
    assert error_of(kit.call("workflow.restore_from_checkpoint", id="w")).code == 3008
    state.kept[part] = kept[:-5]
    assert error_of(kit.call("workflow.restore_from_checkpoint", id="w")).code == 3008
    state.kept[part] = kept
    assert play(kit.call("workflow.restore_from_checkpoint", id="w")) is True


def test_a_changed_definition_does_not_take_an_old_checkpoint() -> None:
    state, ran = State(), []  # type: tuple[State, list[str]]
    first = Kit(state=state)
    error_of(first.run("sequential", program(first, ran, breaks=True), {"n": 1}))
    second = Kit(state=state)
    changed = program(second, ran, breaks=False)
    changed["steps"][0]["name"] = "renamed"

    async def spell() -> Any:
        identity = await second.make("sequential", changed)
        return await second.call("workflow.restore_from_checkpoint", id=identity)

    assert error_of(spell()).code == 3008


def test_a_checkpoint_holds_no_secret() -> None:
    kit, ran = Kit(), []  # type: tuple[Kit, list[str]]
    kit.host.mask = lambda value: json.loads(json.dumps(value).replace("hunter2", "***"))  # type: ignore[method-assign]
    definition = program(kit, ran, breaks=True)
    error_of(kit.run("sequential", definition, {"n": 1, "key": "hunter2"}))
    assert "hunter2" not in str(kit.state.kept) and "***" in str(kit.state.kept)


def test_a_storage_that_refuses_does_not_end_the_run() -> None:
    kit, ran = Kit(), []  # type: tuple[Kit, list[str]]

    async def refuse(*args: Any) -> None:
        raise LlmspellError("the disk is full", code=6002, kind="storage")

    kit.state.set = refuse  # type: ignore[method-assign, assignment]
    result = play(kit.run("sequential", program(kit, ran, breaks=False), {"n": 1}))
    assert result["success"] and "disk is full" in result["metadata"]["warnings"][0]


# -- spells ------------------------------------------------------------------------------------


def test_API_028_a_spell_is_created_and_cast() -> None:
    kit = Kit()
    for name in ("Academic", "Synthesis"):
        kit.agents.acts[name] = partial("{}: {}".format, name)
    kit.agents.acts["News"] = failing(99)
    kit.agents.acts["General"] = lambda text: f"General: {text}"

    async def spell() -> Any:
        workflow = await kit.call(
            "workflow.sequential",
            definition=[
                {"name": "research", "type": "parallel", "output": "research_data",
                 "agents": [{"agent": "Academic", "query": "{{input.topic}}"},
                            {"agent": "News", "query": "{{input.topic}}"}]},
                {"name": "synthesis", "agent": "Synthesis", "input": "{{research_data}}",
                 "output": "final_report"},
            ],
        )  # fmt: skip
        strategy = await kit.call(
            "spell.strategy_cascade",
            config={"retry_count": 0, "fallback_agents": {"News": "General"},
                    "circuit_breaker": {"failure_threshold": 5, "reset_timeout": 60}},
        )  # fmt: skip
        made = await kit.call(
            "spell.create",
            config={
                "name": "research",
                "workflow": workflow,
                "error_strategy": strategy,
                "resources": {"max_parallel_agents": 3, "timeout_per_phase": 300,
                              "memory_limit": "2GB"},
            },
        )  # fmt: skip
        assert made["handle"] == "spell"
        return await kit.call("spell.cast", id=made["id"], input={"topic": "AI"})

    result = play(spell())
    assert result["research_data"] == {"Academic": "Academic: AI", "News": "General: AI"}
    assert result["final_report"].startswith('Synthesis: {"Academic"')
    assert any("memory_limit" in message for _, message in kit.host.notes)


def test_a_spell_needs_a_workflow_that_exists() -> None:
    kit = Kit()
    assert error_of(kit.call("spell.create", config={"name": "x"})).code == 3002
    assert error_of(kit.call("spell.create", config={"workflow": "none"})).code == 3001
    assert error_of(kit.call("spell.cast", id="spell-9")).code == 3001
    wrong = kit.call("spell.strategy_cascade", config={"retry_count": "many"})
    assert error_of(wrong).code == 3002
