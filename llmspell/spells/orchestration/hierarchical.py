"""A supervisor plans, workers execute, the supervisor puts it together (TRT-029, ORC-015)."""

from __future__ import annotations

from llmspell.errors import InvalidInput, LlmspellError
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.orchestration.model import Step
from llmspell.spells.orchestration.reading import filled, participant
from llmspell.spells.orchestration.strategies import leader
from llmspell.spells.orchestration.work import shown, together

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from llmspell.spells.orchestration.model import Collaboration, Participant
    from llmspell.spells.orchestration.work import Work

DELEGATIONS_MAX: Final = 20
ROUNDS: Final = 2
"""How often the supervisor is asked for a plan before the default one is taken."""

PLAN: Final = (
    'Answer with one JSON object: {"delegations": [{"worker_id": "NAME", "task": "…", '
    '"context": {}}]}.'
)


class Delegation(NamedTuple):
    """One piece of work for one worker."""

    worker: Participant
    task: str
    context: dict[str, Any]


async def hierarchical(work: Work, steps: Sequence[Step], task: str) -> list[dict[str, Any]]:
    """One round of planning, working and synthesis; the last result is the synthesis.

    A plan that can't be read twice becomes the default one: the whole task (or the steps, where
    there are any) for the workers. Raises what the supervisor's own failure raises.
    """
    supervisor, workers = _roles(work.session)
    work.emit("coordination_started", {"input": task[:4096], "supervisor": supervisor.name})
    plan, source = await _plan(work, supervisor, workers, steps, task)
    pieces = [
        Step(f"delegation_{n}", one.worker, one.task, one.context or None)
        for n, one in enumerate(plan, start=1)
    ]

    async def delegated(piece: Step) -> dict[str, Any]:
        result = await work.step(piece)
        if not result["success"]:
            result = await _reassigned(work, piece, workers) or result
        work.emit(
            "delegation_completed",
            {
                "worker_id": result["agent_id"],
                "task": piece.action[:1024],
                "success": result["success"],
            },
        )
        return result

    results = await together(delegated(piece) for piece in pieces)
    told = {f"{result['agent_id']} ({result['step_id']})": result["content"] for result in results}
    begun = work.host.now()
    question = f"{task}\n\nSynthesize these worker results into a final response: {shown(told)}"
    answer = await work.ask(supervisor, question)
    final = work.result(Step("synthesis", supervisor, task), supervisor, answer, begun, 1)
    final["metadata"] = {
        "coordination_type": "hierarchical",
        "workers_used": list(dict.fromkeys(result["agent_id"] for result in results)),
        "delegation_count": len(results),
        "plan_source": source,
    }
    work.done["synthesis"] = final
    return [*results, final]


def read_plan(data: Any, workers: Sequence[Participant]) -> list[Delegation]:
    """The delegations of a plan to workers that exist; empty when it is no plan."""
    listed = data.get("delegations") if isinstance(data, dict) else None
    found = []
    for item in listed[:DELEGATIONS_MAX] if isinstance(listed, list) else ():
        if not isinstance(item, dict):
            continue
        name = item.get("worker_id", item.get("worker", item.get("agent")))
        worker = next((one for one in workers if name in (one.name, one.id)), None)
        task, context = item.get("task"), item.get("context")
        if worker is not None and isinstance(task, str) and task:
            found.append(Delegation(worker, task, context if isinstance(context, dict) else {}))
    return found


async def _plan(
    work: Work,
    supervisor: Participant,
    workers: Sequence[Participant],
    steps: Sequence[Step],
    task: str,
) -> tuple[list[Delegation], str]:
    known = ", ".join(f"{one.name} ({one.about})" if one.about else one.name for one in workers)
    wanted = "".join(f"\n- {step.action}" for step in steps if step.action != task)
    question = (
        f"Analyze this request and create a delegation plan: {task}{wanted}. "
        f"Available workers: {known}\n\n{PLAN}"
    )
    for _ in range(ROUNDS):
        answer = await work.ask(supervisor, question)
        plan = read_plan(answer.data, workers)
        if plan:
            return plan, "supervisor"
        question = f"That was no usable plan. {question}"
    values = work.values()
    own = [step for step in steps if step.action != task]
    if own:
        return [
            Delegation(
                step.agent if step.agent in workers else workers[n % len(workers)],
                str(filled(step.action, values)),
                {},
            )
            for n, step in enumerate(own)
        ], "default"
    return [Delegation(worker, task, {}) for worker in workers], "default"


async def _reassigned(
    work: Work, piece: Step, workers: Sequence[Participant]
) -> dict[str, Any] | None:
    """The piece done by another worker, or None where none can."""
    for other in workers:
        if other.id != piece.agent.id:
            begun = work.host.now()
            try:
                answer = await work.ask(other, piece.action)
            except LlmspellError:
                return None
            result = work.result(piece, other, answer, begun, 2)
            result["metadata"] = {"reassigned_from": piece.agent.name}
            return result
    return None


def _roles(session: Collaboration) -> tuple[Participant, list[Participant]]:
    named = session.options.get("supervisor")
    if named is not None:
        supervisor = participant(named, session)
    else:
        supervisor = leader(session.participants) or session.participants[0]
    workers = [one for one in session.participants if one.id != supervisor.id]
    if not workers:
        raise InvalidInput("a hierarchy needs a supervisor and a worker at least", code=3002)
    return supervisor, workers
