"""Adaptive workflows: the four kinds of change by severity (ORC-010, ORC-014)."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import InvalidInput
from llmspell.spells.orchestration.adapting import adapt, fitting, generate, severity_of

STEPS = [
    {"step_id": "find", "agent_id": "ann", "action": "find", "depends_on": []},
    {"step_id": "write", "agent_id": "bob", "action": "write", "depends_on": ["find"]},
    {"step_id": "check", "agent_id": "ann", "action": "check", "depends_on": ["write"]},
]
WORKFLOW = {"task": "an article", "steps": STEPS}
AGENTS = ["ann", "bob", "cid"]


@pytest.mark.parametrize(
    ("conditions", "severity"),
    [
        ({}, "none"),
        ({"performance_impact": True}, "minor"),
        ({"reliability_impact": "flaky"}, "minor"),
        ({"failed_steps": ["write"]}, "major"),
        ({"unavailable_agents": ["bob"]}, "major"),
        ({"unavailable_agents": ["zoe"]}, "none"),
        ({"new_requirements": ["pictures"]}, "major"),
        ({"new_goal": "a poem"}, "critical"),
        ({"available_agents": []}, "critical"),
        ({"failed_steps": ["find", "write"]}, "critical"),
        ({"severity": "Minor", "new_goal": "x"}, "minor"),
    ],
)
def test_severity(conditions: dict[str, Any], severity: str) -> None:
    assert severity_of(STEPS, conditions) == severity
    with pytest.raises(InvalidInput):
        severity_of(STEPS, {"severity": "awful"})


def test_nothing_changes() -> None:
    change = adapt(WORKFLOW, {}, AGENTS)
    assert (change["type"], change["workflow"]) == ("NoChangeNeeded", WORKFLOW)


def test_minor_adjustments_have_all_four_modifications() -> None:
    conditions = {
        "performance_impact": {"concise": True}, "reliability_impact": 1, "affected_steps": "write",
    }  # fmt: skip
    change = adapt(WORKFLOW, conditions, AGENTS)
    assert change["type"] == "MinorAdjustments"
    assert [one["type"] for one in change["modifications"]] == [
        "ParameterAdjustment", "ChangeTimeout", "AddRetryLogic", "AddFallbackStrategy",
    ]  # fmt: skip
    find, write, check = change["workflow"]["steps"]
    assert (find, check) == (STEPS[0], STEPS[2])
    assert write["parameters"] == {"concise": True}
    assert write["retry"]["max_retries"] == 2
    assert (write["timeout"], write["fallback"]) == ("240s", "ann")


def test_a_major_restructure_moves_work_and_adds_steps() -> None:
    conditions = {"unavailable_agents": ["bob"], "new_requirements": ["add pictures"]}
    change = adapt(WORKFLOW, conditions, AGENTS)
    assert change["type"] == "MajorRestructure"
    assert [step["step_id"] for step in change["modified_steps"]] == ["write"]
    steps = change["workflow"]["steps"]
    assert [step["step_id"] for step in steps] == ["find", "write", "check", "requirement_1"]
    assert steps[1]["agent_id"] in ("ann", "cid")
    assert steps[3]["depends_on"] == ["check"]


def test_a_failed_step_that_nobody_else_can_do_is_removed() -> None:
    workflow = {"steps": STEPS[:2]}
    change = adapt(workflow, {"severity": "major", "failed_steps": ["find"]}, ["ann"])
    assert change["removed_steps"] == ["find"]
    assert change["workflow"]["steps"][0]["depends_on"] == [], "nothing waits for what is gone"


def test_complete_regeneration() -> None:
    change = adapt(WORKFLOW, {"new_goal": "a poem"}, AGENTS)
    assert change["type"] == "CompleteRegeneration"
    assert [step["action"] for step in change["workflow"]["steps"]] == ["a poem"]
    with pytest.raises(InvalidInput):
        adapt(WORKFLOW, {"new_goal": "x", "unavailable_agents": AGENTS}, AGENTS)


def test_generated_workflows_choose_who_fits() -> None:
    agents = [
        {"name": "ann", "description": "researches sources"},
        {"name": "bob", "description": "writes articles"},
    ]
    workflow = generate({"task": "t", "steps": ["write the article", "research it"]}, agents)
    assert [step["agent_id"] for step in workflow["steps"]] == ["bob", "ann"]
    assert workflow["steps"][1]["depends_on"] == ["step_1"]
    spread = generate({"steps": ["one", "two"], "parallel": True}, agents)
    assert [step["depends_on"] for step in spread["steps"]] == [[], []]
    assert [step["agent_id"] for step in spread["steps"]] == ["ann", "bob"], "in turn"
    assert fitting("xyz", agents, 3) == "bob"
    for requirements, some in (({}, agents), ({"steps": [1]}, agents), ({"task": "t"}, [])):
        with pytest.raises(InvalidInput):
            generate(requirements, some)
