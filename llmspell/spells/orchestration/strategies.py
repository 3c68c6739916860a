"""The strategies that only order steps: sequential and parallel; and the choice by `dynamic`."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.orchestration.adapting import words
from llmspell.spells.orchestration.reading import groups
from llmspell.spells.orchestration.work import together

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from llmspell.spells.orchestration.model import Participant, Step
    from llmspell.spells.orchestration.work import Work


async def sequential(work: Work, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """One step after another, in the order that their dependencies allow (ORC-005)."""
    ordered = [step for group in groups(steps) for step in group]
    results = []
    for step in ordered:
        if step.id in work.done:
            results.append(work.done[step.id])
            continue
        results.append(await work.step(step))
        work.progress(len(results), len(ordered))
    return results


async def parallel(work: Work, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps that wait for no other run at once, at most `concurrency_limit`; after each group
    all participants know its results (ORC-006)."""
    results: dict[str, dict[str, Any]] = {}
    for group in groups(steps):
        waiting = [step for step in group if step.id not in work.done]
        found = await together(work.step(step) for step in waiting)
        results.update({result["step_id"]: result for result in found})
        results.update({step.id: work.done[step.id] for step in group if step.id in work.done})
        work.session.move("Synchronizing")
        work.emit("synchronization_completed", {"steps": [step.id for step in group]})
        work.session.move("Active")
        work.progress(len(results), len(steps))
    return [results[step.id] for step in steps]


_DECIDES: Final = words(
    "decide choose select agree agreement vote consensus approve whether prefer"
)
_SPREADS: Final = words(
    "each compare independent independently perspectives brainstorm every review"
)
_LEADS: Final = words("supervisor coordinator manager orchestrator leader planner")


def choose(
    task: str, participants: Sequence[Participant], steps: Sequence[Step], options: dict[str, Any]
) -> str:
    """The strategy for a task (ORC-008), by the first of these that holds:

    1. one agent: sequential;
    2. a step that depends on another: parallel (its groups keep the order);
    3. steps of its own without dependencies: sequential;
    4. a `supervisor` in the options, or an agent named or described as one: hierarchical;
    5. words of deciding in the task (decide, choose, vote, agree, …): consensus;
    6. words of spreading out (each, compare, independently, …): parallel;
    7. otherwise sequential.
    """
    if len(participants) == 1:
        return "sequential"
    if any(step.depends_on for step in steps):
        return "parallel"
    if any(step.action != task for step in steps):
        return "sequential"
    if options.get("supervisor") is not None or leader(participants) is not None:
        return "hierarchical"
    wanted = words(task)
    if wanted & _DECIDES:
        return "consensus"
    return "parallel" if wanted & _SPREADS else "sequential"


def leader(participants: Sequence[Participant]) -> Participant | None:
    """The participant that is named or described as the one who leads."""
    return next((one for one in participants if words(f"{one.name} {one.about}") & _LEADS), None)
