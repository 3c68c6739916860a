"""Changing a workflow of agents while it runs (ORC-010, ORC-014). Pure: facts in, change out.

How much changes follows from how severe the facts are; each of the four kinds is plain data, and
`applied` is what the workflow becomes by it.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

SEVERITIES: Final = ("none", "minor", "major", "critical")
LONGER: Final = 2.0
"""By how much a step's time grows when steps take too long."""

TIMEOUT: Final = 120.0
TIMEOUT_MAX: Final = 300.0
RETRIES: Final = 2
REQUIREMENTS_MAX: Final = 20


def severity_of(steps: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any]) -> str:
    """How much has changed.

    What is said in `severity` counts. Else *critical*: the goal changed, no agent is left, or over
    half of the steps failed; *major*: a step failed for good, an agent that a step needs is gone,
    or something new is required; *minor*: it is slow or unreliable; else *none*.
    Raises `InvalidInput` for an unknown severity.
    """
    said = conditions.get("severity")
    if said is not None:
        if not isinstance(said, str) or said.lower() not in SEVERITIES:
            raise InvalidInput(f"a severity is one of {', '.join(SEVERITIES)}")
        return said.lower()
    failed = _names(conditions, "failed_steps")
    gone = set(_names(conditions, "unavailable_agents"))
    used = {str(step.get("agent_id")) for step in steps}
    left = conditions.get("available_agents")
    if conditions.get("new_goal") or left == [] or len(failed) * 2 > len(steps) > 1:
        return "critical"
    if failed or gone & used or conditions.get("new_requirements"):
        return "major"
    if conditions.get("performance_impact") or conditions.get("reliability_impact"):
        return "minor"
    return "none"


def adapt(
    workflow: Mapping[str, Any], conditions: Mapping[str, Any], agents: Sequence[str]
) -> dict[str, Any]:
    """The change: `{type, severity, …}` with `type` NoChangeNeeded, MinorAdjustments,
    MajorRestructure or CompleteRegeneration, and the resulting `workflow`.

    `workflow` has `steps` with `step_id` and `agent_id`; `agents` are the names that may be used.
    """
    steps = [dict(step) for step in workflow.get("steps", [])]
    severity = severity_of(steps, conditions)
    usable = [name for name in agents if name not in _names(conditions, "unavailable_agents")]
    if severity == "none":
        change: dict[str, Any] = {"type": "NoChangeNeeded"}
    elif severity == "minor":
        change = {"type": "MinorAdjustments", "modifications": _minor(steps, conditions, usable)}
    elif severity == "major":
        change = {"type": "MajorRestructure", **_major(steps, conditions, usable)}
    else:
        change = {"type": "CompleteRegeneration", "workflow": _again(workflow, conditions, usable)}
    change["severity"] = severity
    change["workflow"] = applied(workflow, change)
    return change


def applied(workflow: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow as it is after a change."""
    kind = change["type"]
    if kind == "CompleteRegeneration":
        return dict(change["workflow"])
    steps = [dict(step) for step in workflow.get("steps", [])]
    if kind == "MinorAdjustments":
        for one in change["modifications"]:
            _modify(steps, one)
    if kind == "MajorRestructure":
        modified = {step["step_id"]: step for step in change["modified_steps"]}
        removed = set(change["removed_steps"])
        steps = [modified.get(step["step_id"], step) for step in steps]
        steps = [step for step in steps if step["step_id"] not in removed]
        steps += [dict(step) for step in change["new_steps"]]
        known = {step["step_id"] for step in steps}
        for step in steps:
            step["depends_on"] = [one for one in step.get("depends_on", []) if one in known]
        strategy = change["new_coordination_strategy"]
        return {**workflow, "steps": steps, **({"strategy": strategy} if strategy else {})}
    return {**workflow, "steps": steps}


def _minor(
    steps: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any], usable: Sequence[str]
) -> list[dict[str, Any]]:
    affected = _affected(steps, conditions)
    found: list[dict[str, Any]] = []
    performance, reliability = (
        conditions.get("performance_impact"),
        conditions.get("reliability_impact"),
    )
    if performance:
        parameters = performance if isinstance(performance, dict) else {"concise": True}
        found.append(
            {"type": "ParameterAdjustment", "step_ids": affected, "new_parameters": parameters}
        )
        longest = max((_timeout(step) for step in steps if step["step_id"] in affected), default=0)
        found.append(
            {
                "type": "ChangeTimeout",
                "step_ids": affected,
                "new_timeout": min(longest * LONGER, TIMEOUT_MAX),
            }
        )
    if reliability:
        retry = {"max_retries": RETRIES, "initial_delay": 1.0, "multiplier": 2.0}
        found.append({"type": "AddRetryLogic", "step_ids": affected, "retry_config": retry})
        for step in steps:
            other = next((name for name in usable if name != step.get("agent_id")), None)
            if step["step_id"] in affected and other is not None:
                again = {**step, "step_id": f"{step['step_id']}_fallback", "agent_id": other}
                found.append(
                    {
                        "type": "AddFallbackStrategy",
                        "step_id": step["step_id"],
                        "fallback_steps": [again],
                    }
                )
    return found


def _major(
    steps: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any], usable: Sequence[str]
) -> dict[str, Any]:
    failed = set(_names(conditions, "failed_steps"))
    gone = set(_names(conditions, "unavailable_agents"))
    optional = {step["step_id"] for step in steps if step.get("optional") is True}
    modified, removed = [], []
    for index, step in enumerate(steps):
        name, agent = step["step_id"], step.get("agent_id")
        if name not in failed and agent not in gone:
            continue
        others = [one for one in usable if one != agent]
        if others:
            modified.append({**step, "agent_id": others[index % len(others)]})
        elif name in optional or name in failed:
            removed.append(name)
    required = conditions.get("new_requirements") or []
    required = [required] if isinstance(required, str) else list(required)[:REQUIREMENTS_MAX]
    last = steps[-1]["step_id"] if steps else None
    new = [
        {
            "step_id": f"requirement_{index + 1}",
            "agent_id": usable[index % len(usable)],
            "action": str(text),
            "depends_on": [] if last is None or last in removed else [last],
        }
        for index, text in enumerate(required if usable else [])
    ]
    strategy = conditions.get("new_strategy")
    return {
        "new_steps": new,
        "removed_steps": removed,
        "modified_steps": modified,
        "new_coordination_strategy": strategy if isinstance(strategy, str) else None,
    }


def _again(
    workflow: Mapping[str, Any], conditions: Mapping[str, Any], usable: Sequence[str]
) -> dict[str, Any]:
    if not usable:
        raise InvalidInput("no agent is left to do the work", code=1001, kind="not_found")
    goal = conditions.get("new_goal") or workflow.get("task") or ""
    listed = conditions.get("new_requirements") or [
        step.get("action") or goal for step in workflow.get("steps", [])
    ]
    listed = [listed] if isinstance(listed, str) else list(listed)[:REQUIREMENTS_MAX]
    if conditions.get("new_goal") and not conditions.get("new_requirements"):
        listed = [goal]
    return generate({"task": goal, "steps": listed}, [{"name": name} for name in usable])


def generate(
    requirements: Mapping[str, Any], agents: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A workflow for requirements (ORC-010): a step for each thing to be done, in order, each by
    the agent whose name, description and capabilities share most words with it.

    `requirements`: `task`, `steps` or `capabilities` (texts), `parallel` (no order).
    Raises `InvalidInput` where there is nothing to do or nobody to do it.
    """
    listed = requirements.get("steps") or requirements.get("capabilities")
    listed = listed or [requirements.get("task")]
    listed = [listed] if isinstance(listed, str) else listed
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise InvalidInput("requirements need a task, or steps as texts", code=3002)
    if not agents:
        raise InvalidInput("a workflow needs an agent at least", code=3002)
    steps: list[dict[str, Any]] = []
    for index, action in enumerate(listed[:REQUIREMENTS_MAX]):
        before = [steps[-1]["step_id"]] if steps and not requirements.get("parallel") else []
        steps.append(
            {
                "step_id": f"step_{index + 1}",
                "agent_id": fitting(action, agents, index),
                "action": action,
                "depends_on": before,
            }
        )
    return {
        "task": requirements.get("task") or "",
        "strategy": "parallel" if requirements.get("parallel") else "sequential",
        "steps": steps,
    }


def fitting(action: str, agents: Sequence[Mapping[str, Any]], turn: int) -> str:
    """The agent that fits an action best; in turn where none fits."""
    wanted = words(action)

    def score(agent: Mapping[str, Any]) -> int:
        told = [agent.get("name"), agent.get("description"), agent.get("capabilities")]
        return len(wanted & words(" ".join(str(one) for one in told if one)))

    scores = [score(agent) for agent in agents]
    best = max(scores)
    index = scores.index(best) if best > 0 else turn % len(agents)
    return str(agents[index].get("name"))


def words(text: str) -> frozenset[str]:
    """The words of a text that tell something, without their endings."""
    letters = "".join(one.lower() if one.isalnum() else " " for one in text[:4096])
    return frozenset(word[:6] for word in letters.split() if len(word) > 3)


def _modify(steps: list[dict[str, Any]], change: Mapping[str, Any]) -> None:
    kind = change["type"]
    chosen = change.get("step_ids", [change.get("step_id")])
    for step in steps:
        if step["step_id"] not in chosen:
            continue
        if kind == "ParameterAdjustment":
            step["parameters"] = {**step.get("parameters", {}), **change["new_parameters"]}
        elif kind == "AddRetryLogic":
            step["retry"] = change["retry_config"]
        elif kind == "ChangeTimeout":
            step["timeout"] = f"{change['new_timeout']:g}s"
        elif kind == "AddFallbackStrategy":
            step["fallback"] = change["fallback_steps"][0]["agent_id"]


def _affected(steps: Sequence[Mapping[str, Any]], conditions: Mapping[str, Any]) -> list[str]:
    named = _names(conditions, "affected_steps")
    return [step["step_id"] for step in steps if not named or step["step_id"] in named]


def _names(conditions: Mapping[str, Any], key: str) -> list[str]:
    found = conditions.get(key) or []
    found = [found] if isinstance(found, str) else found
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _timeout(step: Mapping[str, Any]) -> float:
    timeout = step.get("timeout_seconds", TIMEOUT)
    return float(timeout) if type(timeout) in (int, float) else TIMEOUT
