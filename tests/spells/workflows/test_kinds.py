"""Each kind of workflow, by every spelling of the seeds (WF-001 … WF-009, X19, X20)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from llmspell.errors import LlmspellError
from tests.spells.workflows.kit import Kit, play


def code_of(act: Any) -> LlmspellError:
    with pytest.raises(LlmspellError) as caught:
        play(act)
    return caught.value


def test_WF_001_steps_run_in_order_and_name_their_outputs() -> None:
    kit = Kit()
    kit.tools.acts["mock_tool"] = lambda given: {"value": given["value"] * 2}
    definition = {
        "name": "test_workflow",
        "steps": [
            {
                "name": "step1",
                "tool": "mock_tool",
                "input": {"value": 10},
                "output": "step1_result",
            },
            {
                "name": "step2",
                "component": {"handle": "tool", "id": "tool-1", "name": "mock_tool"},
                "input": kit.fn(lambda context: {"value": context["step1_result"]["value"] * 2}),
                "output": "step2_result",
            },
        ],
    }
    result = play(kit.run("sequential", definition, {"initial_value": 10}))
    assert result["step2_result"] == {"value": 80} == result["output"]
    assert result["success"] is True and result["status"] == "completed"
    assert {name: step["status"] for name, step in result["steps"].items()} == {
        "step1": "completed",
        "step2": "completed",
    }
    assert [origin for _, _, origin in kit.tools.calls] == ["workflow:test_workflow"] * 2


def test_API_018_a_workflow_is_filled_step_by_step_with_prompts() -> None:
    kit = Kit()
    for name in ("r", "s"):
        kit.agents.acts[name] = lambda text: f"<{text}>"

    async def spell() -> Any:
        identity = await kit.make("sequential", {"name": "comprehensive_research"})
        for step in (
            {"name": "research", "agent": "r", "prompt": "Research {{topic}}"},
            {"name": "summarize", "agent": "s", "prompt": "Summarize: {{research.output}}"},
        ):
            await kit.call("workflow.add_step", id=identity, step=step)
        return await kit.call("workflow.execute", id=identity, input={"topic": "quantum"})

    result = play(spell())
    assert result["steps"]["research"]["status"] == "completed"
    assert result["output"] == "<Summarize: <Research quantum>>"


def test_steps_without_a_mapping_are_given_what_came_before() -> None:
    kit = Kit()
    kit.agents.acts["deep"] = lambda text: f"deep({text})"
    kit.agents.acts["quick"] = lambda text: f"quick({text})"
    steps = [{"name": "a", "component": {"handle": "agent", "id": "deep"}}, {"agent": "quick"}]
    result = play(kit.run("sequential", steps, "the text"))
    assert result["output"] == "quick(deep(the text))"
    assert list(result["steps"]) == ["a", "quick"]


def test_an_agent_step_says_action_input_and_tools() -> None:
    kit = Kit()
    kit.agents.acts["writer"] = lambda text: {"text": text}
    step = {
        "name": "write",
        "agent": "writer",
        "action": "write_report",
        "input": {"research": "{{research_data}}", "format": "markdown"},
        "tools": ["calculator"],
        "output": "final_report",
    }
    kit.host.answers["agent.generate_with_tools"] = lambda args: {
        "success": True, "output": "text", "data": {"content": "text", "text": args["prompt"]},
    }  # fmt: skip
    result = play(kit.run("sequential", [step], {"research_data": [1, 2]}))
    text = 'Task: write report\n\n{"research": [1, 2], "format": "markdown"}'
    assert result["final_report"] == {"content": "text", "text": text}
    method, args, origin = kit.host.calls[0]
    assert (method, origin) == ("agent.generate_with_tools", "workflow:workflow-1")
    assert args["tools"] == ["calculator"] and args["id"] == "writer"


@pytest.mark.parametrize("empty", [{}, []])
def test_an_empty_input_adds_nothing_to_a_task(empty: Any) -> None:
    kit = Kit()
    kit.agents.acts["writer"] = lambda text: text
    steps = [{"agent": "writer", "task": "gather_data"}]
    assert play(kit.run("sequential", steps, empty))["output"] == "Task: gather data"


def test_WF_002_parallel_steps_run_at_once_and_no_more_than_allowed() -> None:
    kit = Kit()
    running, most = 0, 0

    async def act(given: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return given["n"]

    kit.tools.acts["t"] = act
    branches = [{"name": f"b{n}", "tool": "t", "input": {"n": n}} for n in range(6)]
    result = play(kit.run("parallel", {"branches": branches, "config": {"maxConcurrency": 2}}))
    assert most == 2
    assert result["output"] == {f"b{n}": n for n in range(6)}


@pytest.mark.parametrize(
    ("strategy", "values", "wanted"),
    [
        ("merge", [1, 2], {"a": 1, "b": 2}),
        ("combine_results", [1, 2], {"a": 1, "b": 2}),
        ("concat", ["x", "y"], "x\ny"),
        ("concat", [[1], [2]], [1, 2]),
        ("first", [1, 2], 1),
        ("list", [1, 2], [1, 2]),
        ("vote", ["yes", "Yes "], "yes"),
        ("sum", [1, 2], 3),
        ("deep_merge", [{"a": {"x": 1}}, {"a": {"y": 2}}], {"a": {"x": 1, "y": 2}}),
    ],
)
def test_API_071_merge_strategies(strategy: str, values: list[Any], wanted: Any) -> None:
    kit = Kit()
    steps = [
        {"name": name, "run": kit.fn(lambda context, value=value: value)}
        for name, value in zip("ab", values, strict=True)
    ]
    for step, value in zip(steps, values, strict=True):
        step["run"] = kit.host.function(lambda *args, value=value: value)
    result = play(kit.run("parallel", {"steps": steps, "merge_strategy": strategy}))
    assert result["output"] == wanted


@pytest.mark.parametrize(
    ("strategy", "values"),
    [("concat", ["x", [1]]), ("vote", ["x", "y"]), ("sum", ["x", 1]),
     ("deep_merge", [{"a": 1}, {"a": 2}])],
)  # fmt: skip
def test_what_can_not_be_merged_is_3010(strategy: str, values: list[Any]) -> None:
    kit = Kit()
    steps = [
        {"name": name, "run": kit.host.function(lambda *args, value=value: value)}
        for name, value in zip("ab", values, strict=True)
    ]
    error = code_of(kit.run("parallel", {"steps": steps, "merge_strategy": strategy}))
    assert (error.code, error.kind) == (3010, "merge_failed")


def test_WF_011_an_aggregate_function_sees_every_branch() -> None:
    kit = Kit()
    kit.tools.acts["good"] = lambda given: {"confidence": 0.5, "x": 1}
    steps = [
        {"name": "technical", "tool": "good", "input": {}},
        {"name": "business", "tool": "good", "input": {}},
        {"name": "user", "tool": "good", "input": {}},
        {"name": "risk", "tool": "denied", "input": {}},
    ]
    seen = []

    def aggregate(results: Any) -> Any:
        seen.append(results)
        return {"confidence": sum(r["confidence"] for r in results.values() if r["success"])}

    config = {
        "max_concurrency": 4,
        "fail_fast": False,
        "timeout_per_step": 180,
        "aggregation": {
            "strategy": "comprehensive_merge",
            "require_minimum": 3,
            "aggregate": kit.fn(aggregate),
        },
    }
    result = play(kit.run("parallel", {"name": "multi", "steps": steps, "config": config}))
    assert result["output"] == {"confidence": 1.5} and result["status"] == "partial"
    assert seen[0]["risk"]["success"] is False and seen[0]["risk"]["error"]["code"] == 2006
    config["aggregation"]["require_minimum"] = 4  # type: ignore[index]
    error = code_of(kit.run("parallel", {"name": "multi", "steps": steps, "config": config}))
    assert (error.code, error.kind) == (3003, "parallel_step_failures")


def test_an_aggregate_function_that_fails_is_3010() -> None:
    kit = Kit()
    kit.tools.acts["good"] = lambda given: 1
    broken = kit.fn(lambda results: results["none"])
    kit.host.functions[broken.number] = lambda *args: (_ for _ in ()).throw(
        LlmspellError("no such field", code=4002, kind="runtime")
    )
    error = code_of(kit.run("parallel", {"steps": [{"tool": "good"}], "aggregate": broken}))
    assert error.code == 3010


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (lambda yes, no, f: {"condition": f, "true_branch": yes, "false_branch": no}, "big"),
        (lambda yes, no, f: {"condition": f, "if_true": yes, "if_false": no}, "big"),
        (lambda yes, no, f: {"condition": f, "ifTrue": yes, "ifFalse": no}, "big"),
        (lambda yes, no, f: {"condition": "{{size}} > 3", "then": yes, "else": no}, "big"),
        (lambda yes, no, f: {"condition": "size > 30", "then": yes, "else": no}, "small"),
        (lambda yes, no, f: {"condition": "size > 30", "then": yes}, None),
        (lambda yes, no, f: {"condition": {"field": "size", "gt": 3}, "then": yes}, "big"),
    ],
)
def test_API_072_conditional_in_every_spelling(config: Any, wanted: Any) -> None:
    kit = Kit()
    yes = {"name": "yes", "run": kit.fn(lambda context: "big")}
    no = [{"name": "no", "run": kit.fn(lambda context: "small")}]
    decide = kit.fn(lambda context: context["size"] > 3)
    result = play(kit.run("conditional", config(yes, no, decide), {"size": 5}))
    assert result["output"] == wanted and result["success"] is True


def test_a_conditional_takes_its_parts_by_position() -> None:
    kit = Kit()

    async def spell() -> Any:
        branch = await kit.call("workflow.sequential", definition=[{"run": kit.fn(lambda c: "y")}])
        made = await kit.call(
            "workflow.conditional", definition=kit.fn(lambda c: True), true_branch=branch
        )
        return await kit.call("workflow.execute", id=made["id"])

    assert play(spell())["output"] == "y"


def test_a_condition_that_fails_is_3009() -> None:
    kit = Kit()
    branch = {"run": kit.fn(lambda context: 1)}
    error = code_of(kit.run("conditional", {"condition": "x >", "true_branch": branch}))
    assert error.code == 3009


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"times": 3}, 3),
        ({"condition": "iteration <= 4"}, 4),
        ({"condition": {"type": "until", "expression": "iteration > 2"}}, 2),
        ({"condition": {"type": "count", "count": 2}}, 2),
        ({"items": [7, 8, 9]}, [1, 2, 3]),
        ({"condition": "true", "max_iterations": 5}, 5),
    ],
)
def test_WF_004_loops(config: dict[str, Any], wanted: Any) -> None:
    kit = Kit()
    body = {"name": "body", "run": kit.host.function(lambda first, context: context["iteration"])}
    assert play(kit.run("loop", {**config, "body": body}))["output"] == wanted


def test_a_loop_without_a_bound_ends_in_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmspell.spells.workflows.kinds.LOOP_DEFAULT", 5)
    kit = Kit()
    body = {"run": kit.fn(lambda context: 1)}
    error = code_of(kit.run("loop", {"condition": "true", "body": body}))
    assert (error.code, error.rule) == (4009, "limit.iterations")


def test_WF_005_fan_out_runs_one_step_per_item() -> None:
    kit = Kit()
    double = kit.fn(lambda item: item * 2)
    result = play(kit.run("fan_out", {"items": "{{numbers}}", "step": double}, {"numbers": [1, 2]}))
    assert result["output"] == [2, 4]
    many = {"steps": [{"name": n, "run": kit.fn(lambda context: context["input"])} for n in "ab"]}
    assert play(kit.run("fan_out", many, 5))["output"] == [5, 5]


def test_WF_006_map_reduce() -> None:
    kit = Kit()
    config = {
        "items": [1, 2, 3],
        "map": kit.fn(lambda item: item * 10),
        "reduce": kit.fn(lambda outputs: sum(outputs)),
    }
    assert play(kit.run("map_reduce", config))["output"] == 60
    assert play(kit.run("map_reduce", {**config, "reduce": "sum"}))["output"] == 60
    chunks = {**config, "map": kit.fn(lambda items: len(items)), "chunk_size": 2, "reduce": "list"}
    assert play(kit.run("map_reduce", chunks))["output"] == [2, 1]


def test_WF_007_a_pipeline_hands_on_each_output() -> None:
    kit = Kit()
    steps = [kit.fn(lambda value: value + 1), kit.fn(lambda value: value * 10)]
    assert play(kit.run("pipeline", steps, 4))["output"] == 50


def test_WF_008_custom_workflows_decide_themselves() -> None:
    kit = Kit()
    kit.tools.acts["t"] = lambda given: given["x"] + 1

    async def spell() -> Any:
        made: dict[str, Any] = {}

        async def run(context: Any) -> Any:
            return await kit.call(
                "workflow.execute_step", id=made["id"], step="one", input={"x": context["x"]}
            )

        definition = {"name": "mine", "execute": kit.host.function(run),
                      "steps": [{"name": "one", "tool": "t"}]}  # fmt: skip
        made.update(await kit.call("workflow.custom", definition=definition))
        return await kit.call("workflow.execute", id=made["id"], input={"x": 41})

    assert play(spell())["output"] == 42


def test_WF_009_workflows_within_workflows() -> None:
    kit = Kit()

    async def spell() -> Any:
        inner = await kit.call(
            "workflow.sequential",
            definition={"name": "inner", "steps": [{"run": kit.fn(lambda c: c["input"] + 1)}]},
        )
        steps = [{"name": "once", "workflow": inner}, {"name": "again", "workflow": "inner"}]
        outer = await kit.call("workflow.sequential", definition=steps)
        return await kit.call("workflow.execute", id=outer["id"], input=1)

    assert play(spell())["output"] == 3
    assert [call[2] for call in kit.host.calls] == ["workflow:workflow-2"] * 2


def test_WF_021_a_phase_of_parallel_agents_within_a_sequence() -> None:
    kit = Kit()
    for name in ("AcademicResearcher", "NewsAnalyst", "SynthesisExpert"):
        kit.agents.acts[name] = partial("{}: {}".format, name)
    steps = [
        {
            "name": "research_phase",
            "type": "parallel",
            "agents": [
                {"agent": "AcademicResearcher", "query": "{{input.topic}} papers"},
                {"agent": "NewsAnalyst", "query": "{{input.topic}} news"},
            ],
            "output": "research_data",
        },
        {
            "name": "synthesis_phase",
            "agent": "SynthesisExpert",
            "input": "{{research_data}}",
            "action": "create_analysis",
            "output": "synthesis_report",
        },
    ]
    result = play(kit.run("sequential", steps, {"topic": "AI"}))
    assert result["research_data"] == {
        "AcademicResearcher": "AcademicResearcher: AI papers",
        "NewsAnalyst": "NewsAnalyst: AI news",
    }
    assert result["synthesis_report"].startswith("SynthesisExpert: Task: create analysis")
    assert set(result["steps"]) == {
        "research_phase",
        "research_phase/AcademicResearcher",
        "research_phase/NewsAnalyst",
        "synthesis_phase",
    }


def test_parallel_steps_wait_for_what_they_depend_on() -> None:
    kit = Kit()
    order: list[str] = []
    steps = [
        {"name": n, "run": kit.host.function(lambda *a, n=n: order.append(n)), "depends_on": needs}
        for n, needs in (("c", ["b"]), ("b", ["a"]), ("a", []))
    ]
    play(kit.run("parallel", steps))
    assert order == ["a", "b", "c"]
    order.clear()
    play(kit.run("sequential", steps))
    assert order == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("definition", "code", "word"),
    [
        ([{"name": "a", "depends_on": ["b"], "tool": "t"},
          {"name": "b", "depends_on": ["a"], "tool": "t"}], 3006, "wait for each other"),
        ([{"name": "a", "tool": "t"}, {"name": "a", "tool": "t"}], 3002, "two steps"),
        ([{"name": "a"}], 3002, "nothing to run"),
        ([{"name": "a", "tool": "t", "depends_on": ["x"]}], 3002, "is no step"),
        ({"steps": [{"tool": "t"}], "error_strategy": "hope"}, 3002, "error strategy"),
        ({"steps": [{"tool": "t"}], "merge_strategy": "stir"}, 3002, "merge strategy"),
        ({"steps": 5}, 3002, "must be a list"),
        ([{"name": "x", "type": "spiral", "steps": []}], 3002, "step type"),
        ([{"tool": "t"}] * 300, 3002, "at most"),
    ],
)  # fmt: skip
def test_wrong_definitions_name_what_is_wrong(definition: Any, code: int, word: str) -> None:
    error = code_of(Kit().make("sequential", definition))
    assert error.code == code and word in error.message


def test_a_workflow_that_would_run_itself_is_3006() -> None:
    kit = Kit()

    async def spell() -> Any:
        identity = await kit.make("sequential", {"name": "snake"})
        step = {"name": "tail", "workflow": {"handle": "workflow", "id": identity}}
        await kit.call("workflow.add_step", id=identity, step=step)

    assert code_of(spell()).code == 3006


def test_unknown_options_are_metadata_and_said_once() -> None:
    kit = Kit()

    async def spell() -> Any:
        identity = await kit.make("sequential", {"steps": [{"tool": "t"}], "colour": "blue"})
        return await kit.call("workflow.get_config", id=identity)

    assert play(spell())["metadata"] == {"colour": "blue"}
    assert [level for level, message in kit.host.notes if "colour" in message] == ["warn"]


def test_the_same_agent_twice_makes_two_steps() -> None:
    kit = Kit()
    kit.tools.acts["t"] = lambda given: given["n"]
    steps = [{"tool": "t", "input": {"n": 1}}, {"tool": "t", "input": {"n": 2}}]
    result = play(kit.run("parallel", {"steps": steps}))
    assert result["output"] == {"t": 1, "t_2": 2}
    with pytest.raises(LlmspellError, match="two steps are named a"):
        play(kit.run("parallel", {"steps": [{"name": "a", **step} for step in steps]}))
