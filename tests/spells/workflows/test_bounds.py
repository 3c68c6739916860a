"""What a hostile or mistaken workflow can't do: sizes, numbers, schemas, budgets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.errors import LlmspellError
from llmspell.policies.budget import Budget
from llmspell.policies.limits import Limits
from llmspell.spells.workflows import book, model, run
from llmspell.supervisor.services import workflows as service
from tests.spells.workflows.kit import Kit, play


def error_of(act: Any) -> LlmspellError:
    with pytest.raises(LlmspellError) as caught:
        play(act)
    return caught.value


def test_a_run_has_so_many_workflows_and_no_more() -> None:
    kit = Kit()

    async def spell() -> None:
        for _ in range(book.WORKFLOWS_MAX + 1):
            await kit.make("sequential", [])

    error = error_of(spell())
    assert (error.code, error.rule) == (4009, "limit.workflows")


def test_a_workflow_has_so_many_callbacks_and_no_more() -> None:
    kit = Kit()

    async def spell() -> None:
        identity = await kit.make("sequential", [])
        callback = kit.host.function(lambda *args: None)
        for _ in range(book.CALLBACKS_MAX + 1):
            await kit.call("workflow.on_complete", id=identity, callback=callback)

    assert error_of(spell()).rule == "limit.callbacks"


def test_a_function_that_runs_its_own_workflow_comes_to_an_end() -> None:
    kit = Kit()
    started: list[int] = []

    async def spell() -> Any:
        made: dict[str, Any] = {}

        async def again(*args: Any) -> Any:
            started.append(1)
            return await kit.call("workflow.execute", id=made["id"])

        step = {"run": kit.host.function(again)}
        made["id"] = await kit.make("sequential", [step])
        return await kit.call("workflow.execute", id=made["id"])

    error = error_of(spell())
    assert (error.code, error.rule) == (4009, "limit.workflow_runs")
    assert len(started) == service.RUNS_MAX


def test_functions_and_rounds_are_charged_to_the_runs_calls() -> None:
    kit = Kit()
    kit.host.budget = Budget(Limits()._replace(calls=20))
    ran: list[int] = []
    body = {"run": kit.host.function(lambda *args: ran.append(1))}
    error = error_of(kit.run("loop", {"condition": "true", "body": body}))
    assert (error.code, error.rule) == (4009, "limit.calls") and len(ran) == 10


def test_a_limit_is_never_gone_on_from(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = Kit()
    kit.host.budget = Budget(Limits()._replace(calls=2))
    steps = [{"name": n, "run": kit.host.function(lambda *args: 1)} for n in "abcd"]
    for strategy in ("continue", {"type": "retry", "max_retries": 50, "base_delay": 0}):
        error = error_of(kit.run("sequential", {"steps": steps, "error_strategy": strategy}))
        assert (error.code, error.rule) == (4009, "limit.calls")
    monkeypatch.setattr(run, "KEPT_MAX", 1_000)
    large = Kit()
    steps = [{"name": n, "run": large.host.function(lambda *args: "x" * 400)} for n in "abcd"]
    error = error_of(large.run("sequential", {"steps": steps, "error_strategy": "continue"}))
    assert error.rule == "limit.workflow_memory"


def test_definitions_within_each_other_have_a_depth() -> None:
    inner: Any = {"name": "x", "tool": "t"}
    for _ in range(model.NESTING_MAX + 1):
        inner = {"name": "x", "type": "sequential", "steps": [inner]}
    error = error_of(Kit().make("sequential", [inner]))
    assert error.code == 3002 and "deep" in error.message


def test_items_have_a_number() -> None:
    kit = Kit()
    flow: dict[str, Any] = {
        "items": [0] * (model.ITEMS_MAX + 1),
        "step": kit.host.function(lambda *args: 1),
    }
    assert error_of(kit.run("fan_out", flow)).rule == "limit.items"
    flow["items"] = "{{x}}"
    assert error_of(kit.run("fan_out", flow, {"x": "no list"})).code == 3002


def test_a_template_that_costs_too_much_fails_its_step() -> None:
    kit = Kit()
    step = {"run": kit.host.function(lambda *args: 1), "input": "{{#each l}}" * 6 + "{{/each}}" * 6}
    error = error_of(kit.run("sequential", [step], {"l": [*range(100)]}))
    assert error.code == 3004 and "steps" in error.message


def test_TRT_038_schemas_of_input_and_output() -> None:
    kit = Kit()
    number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    double = kit.host.function(lambda given, context: {"n": given["n"] * 2})
    step = {"name": "s", "run": double, "input": {"n": "{{n}}"},
            "input_schema": number, "output_schema": number}  # fmt: skip
    flow = {"name": "typed", "steps": [step], "input_schema": number, "output_schema": number}
    assert play(kit.run("sequential", flow, {"n": 2}))["output"] == {"n": 4}
    error = error_of(kit.run("sequential", flow, {"n": "two"}))
    assert (error.code, error.kind) == (2009, "validation") and "typed" in error.message
    step["run"] = kit.host.function(lambda given, context: {"n": "four"})
    assert error_of(kit.run("sequential", flow, {"n": 2})).code == 3004
    step["output_schema"] = {"type": "string", "pattern": "(a+)+$"}
    assert error_of(kit.make("sequential", flow)).code == 2010


def test_an_agent_answers_in_the_form_that_its_step_asks_for() -> None:
    kit = Kit()
    kit.agents.acts["a"] = lambda text: "never asked this way"
    schema = {"type": "object", "properties": {"score": {"type": "number"}}}
    kit.host.answers["agent.structured_output"] = lambda args: {"score": 0.5, **args["schema"]}
    step = {"agent": "a", "prompt": "Rate {{x}}", "schema": schema, "output": "rating"}
    result = play(kit.run("sequential", [step], {"x": "it"}))
    assert result["rating"]["score"] == 0.5
    assert kit.host.calls[0][1]["prompt"] == "Rate it"


def test_closing_ends_what_runs() -> None:
    kit = Kit()

    async def spell() -> Any:
        step = {"run": kit.host.function(lambda *args: asyncio.sleep(5))}
        identity = await kit.make("sequential", [step])
        running = asyncio.ensure_future(kit.call("workflow.execute", id=identity))
        await asyncio.sleep(0.01)
        kit.service.close()
        kit.service.close()
        return await running

    assert error_of(spell()).kind == "cancelled"


def test_the_callers_own_end_ends_every_branch() -> None:
    kit = Kit()
    ended: list[str] = []

    async def slow(*args: Any) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.append("x")

    async def spell() -> None:
        steps = [{"name": n, "run": kit.host.function(slow)} for n in "ab"]
        identity = await kit.make("parallel", steps)
        running = asyncio.ensure_future(kit.call("workflow.execute", id=identity))
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        status = await kit.call("workflow.get_status", id=identity)
        assert status["status"] == "cancelled"

    play(spell())
    assert ended == ["x", "x"]


@pytest.mark.parametrize("depth", [0, 3])
def test_other_services_run_a_workflow_by_name(depth: int) -> None:
    kit = Kit()

    async def spell() -> Any:
        await kit.make("sequential", {"name": "w", "steps": [{"run": kit.fn(lambda c: c["x"])}]})
        assert kit.service.find("w") == "workflow-1" and kit.service.find("v") is None
        given = {"x": 4} if depth else {"input": {"x": 4}}
        return await kit.service.execute("w", given, origin="agent:a")

    assert play(spell())["output"] == 4
    assert kit.host.calls[-1][2] == "agent:a"
