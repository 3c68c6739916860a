"""Collaboration sessions and what is done in them: the engine behind `orchestrator.*`."""

from __future__ import annotations

import asyncio

from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, normalise, seconds
from llmspell.spells.orchestration import adapting, consensus, hierarchical, strategies
from llmspell.spells.orchestration.model import STRATEGIES, Collaboration, Participant, Step
from llmspell.spells.orchestration.negotiation import ACCEPTED, ROUNDS, negotiate
from llmspell.spells.orchestration.reading import canonical, participant, read_steps, task_of
from llmspell.spells.orchestration.recovery import action_for
from llmspell.spells.orchestration.work import Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from llmspell.spells.ports import Host

SESSIONS_MAX: Final = 100
"""Sessions of one run that are remembered; the oldest that is not at work goes first."""

EXECUTION_SECONDS: Final = 600.0
ADAPTATIONS_MAX: Final = 3
"""How often one execution is changed after a failure (`adaptive = true`)."""

WEIGHT_MAX: Final = 1_000.0


class Orchestra:
    """The collaborations of one run."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sessions: dict[str, Collaboration] = {}
        self._registered: dict[str, str] = {}
        self._made = 0

    # -- sessions ------------------------------------------------------------------------------

    def register(self, name: str, agent: Any) -> None:
        """Another name for an agent in collaborations of this run (000:11725)."""
        if name not in self._registered and len(self._registered) >= SESSIONS_MAX:
            raise LimitExceeded("agents", f"over {SESSIONS_MAX} registered agents")
        self._registered[name] = self._agent(agent)[0]

    def start(
        self, agents: Sequence[Any], strategy: str, context: Mapping[str, Any], options: Any
    ) -> Collaboration:
        """A new session, Active. Raises `InvalidInput` 3002 for an unknown strategy, 1001 for an
        unknown agent."""
        self._forget()
        self._made += 1
        found = tuple(self._participant(agent) for agent in agents)
        if len({one.id for one in found}) != len(found):
            raise InvalidInput("an agent takes part twice", code=3002)
        session = Collaboration(
            f"collaboration-{self._made}", strategy, found, normalise(options), context
        )
        session.move("Active")
        self._sessions[session.id] = session
        told = {
            "session_id": session.id,
            "strategy": strategy,
            "agents": [one.name for one in found],
        }
        self._host.events.emit("collaboration_started", told, _origin(session))
        return session

    def session(self, identity: str) -> Collaboration:
        """A session. Raises `InvalidInput` 3001."""
        found = self._sessions.get(identity)
        if found is None:
            raise InvalidInput(
                f"there is no collaboration {identity[:100]!r}", code=3001, kind="not_found"
            )
        return found

    # -- work ----------------------------------------------------------------------------------

    async def execute(self, session: Collaboration, definition: Any) -> dict[str, Any]:
        """Runs a workflow of agents to its result (ORC-011). Raises what makes it fail; the
        session is then Failed and says why."""
        if session.state in ("Completed", "Failed"):
            session.move("Active")
        if session.state != "Active":
            raise OperationFailed(f"the collaboration is {session.state}", code=3008, kind="state")
        session.executions += 1
        given = normalise(definition) if isinstance(definition, dict) else definition
        work = Work(self._host, session, _origin(session))
        begun = self._host.now()
        timeout = session.options.get("timeout", f"{EXECUTION_SECONDS:g}s")
        limit = seconds(timeout, self._host.engine, "timeout")
        try:
            async with asyncio.timeout(limit):
                result = await self._run(work, given, begun)
        except TimeoutError:
            raise self._failed(
                session,
                OperationFailed(f"not done within {limit:g} s", code=3007, kind="timeout"),
            ) from None
        except LlmspellError as error:
            raise self._failed(session, error) from error.__cause__
        except asyncio.CancelledError:
            self._failed(session, OperationFailed("it was called off", kind="cancelled"))
            raise
        session.move("Completed")
        work.emit("collaboration_completed", {"steps": len(result["step_results"])})
        return result

    async def _run(self, work: Work, definition: Any, begun: float) -> dict[str, Any]:
        session = work.session
        if isinstance(definition, dict) and isinstance(definition.get("context"), dict):
            session.share(definition["context"])
        steps = read_steps(definition, session, self._host.engine)
        task = task_of(definition)
        strategy = definition.get("strategy") if isinstance(definition, dict) else None
        strategy = strategy if isinstance(strategy, str) else session.strategy
        if strategy not in STRATEGIES:
            raise InvalidInput(f"there is no strategy {strategy[:60]!r}", code=3002)
        chosen = strategy
        if strategy == "dynamic":
            chosen = strategies.choose(task, session.participants, steps, session.options)
        adaptations: list[dict[str, Any]] = []
        results = await self._adaptively(work, chosen, steps, task, adaptations)
        session.move("Completing")
        session.share({step["output_name"]: step["result_data"] for step in results})
        good = [step for step in results if step["success"]]
        last = good[-1] if good else None
        return {
            "session_id": session.id,
            "execution_strategy": strategy,
            "chosen_strategy": chosen,
            "success": len(good) == len(results),
            "output": None if last is None else last["result_data"],
            "content": "" if last is None else last["content"],
            "step_results": results,
            "final_context": {
                **session.context,
                **{step["step_id"]: step["result_data"] for step in results},
            },
            "execution_metrics": {
                "total_time": round(self._host.now() - begun, 4),
                "steps": len(results),
                "successful": len(good),
                "failed": len(results) - len(good),
                "agents_used": list(dict.fromkeys(step["agent_id"] for step in results)),
                "questions": work.asked,
                "recoveries": len(work.recoveries),
            },
            "recoveries": work.recoveries,
            "adaptations": adaptations,
            "metadata": {} if last is None else last["metadata"],
        }

    async def _adaptively(
        self,
        work: Work,
        strategy: str,
        steps: list[Step],
        task: str,
        adaptations: list[dict[str, Any]],
    ) -> list[dict[str, Any]]:
        """The results; with `adaptive` a failure changes the steps that are left (ORC-014): first
        retries and a fallback, then another agent."""
        session = work.session
        while True:
            try:
                return await _strategy(strategy, work, steps, task)
            except LlmspellError as error:
                failing = work.failing
                if (
                    session.options.get("adaptive") is not True
                    or failing is None
                    or len(adaptations) >= ADAPTATIONS_MAX
                ):
                    raise
                conditions: dict[str, Any] = {
                    "reliability_impact": error.message,
                    "affected_steps": [failing.id],
                }
                if any(one["step_id"] == failing.id for one in adaptations):
                    conditions = {"severity": "major", "failed_steps": [failing.id]}
                names = [one.name for one in session.participants]
                change = adapting.adapt(canonical(steps, task), conditions, names)
                if not change["workflow"]["steps"]:
                    # Nobody is left who could do it.
                    raise
                adaptations.append({"step_id": failing.id, **change})
                work.failing = None
                work.recoveries.clear()
                steps = read_steps(change["workflow"], session, self._host.engine)
                if session.state == "Synchronizing":
                    session.move("Active")

    def adapt(self, session: Collaboration, workflow: Any, conditions: Any) -> dict[str, Any]:
        """The change that conditions ask for (ORC-010); nothing is run."""
        steps = read_steps(workflow, session, self._host.engine)
        names = [one.name for one in session.participants]
        changed = normalise(conditions)
        return adapting.adapt(canonical(steps, task_of(workflow)), changed, names)

    def generate(self, requirements: Any, agents: Sequence[Any]) -> dict[str, Any]:
        """A workflow for requirements and agents (ORC-010)."""
        told = [self._participant(agent) for agent in agents]
        return adapting.generate(
            normalise(requirements), [{"name": one.name, "description": one.about} for one in told]
        )

    async def delegate(
        self, session: Collaboration, agent: Any, task: str, sender: Any
    ) -> dict[str, Any]:
        """One task for one agent, in another's name (ORC-012)."""
        work = Work(self._host, session, _origin(session))
        worker = participant(agent, session)
        giver = "orchestrator" if sender is None else participant(sender, session).name
        answer = await work.ask(worker, task, sender=giver)
        work.emit("delegation_completed", {"worker_id": worker.name, "task": task[:1024]})
        return {
            "success": True,
            "agent_id": worker.name,
            "delegated_by": giver,
            "task": task,
            "content": answer.text,
            "result": answer.value,
        }

    async def negotiate(self, session: Collaboration, task: str, options: Any) -> dict[str, Any]:
        """Bids of all participants for a task (ORC-012)."""
        given = normalise(options)
        work = Work(self._host, session, _origin(session))
        return await negotiate(
            work, task, given.get("rounds", ROUNDS), given.get("accepted", ACCEPTED)
        )

    async def vote(
        self, session: Collaboration, question: str, choices: Sequence[Any], options: Any
    ) -> dict[str, Any]:
        """A vote of all participants (ORC-013): `{winner, option, share, reached, counts, …}`."""
        if not all(isinstance(one, str) and one for one in choices):
            raise InvalidInput("what is voted on are texts")
        work = Work(self._host, session, _origin(session))
        merged = {**session.options, **normalise(options)}
        before, session.options = session.options, merged
        try:
            ballots, counted = await consensus.vote(
                work, question, list(choices), session.participants
            )
        finally:
            session.options = before
        return {
            "winner": None if counted.winner is None else counted.winner + 1,
            "option": None if counted.winner is None else choices[counted.winner],
            "share": round(counted.share, 4),
            "reached": counted.reached,
            "counts": list(counted.counts),
            "rounds": counted.rounds,
            "votes": [consensus.shown_ballot(ballot) for ballot in ballots],
        }

    def failure(self, session: Collaboration, agent: Any, error: LlmspellError) -> dict[str, Any]:
        """What would be done about an agent's failure (ORC-004)."""
        one = participant(agent, session)
        return action_for(session.strategy, one.name, error, session.options)

    # -- inside --------------------------------------------------------------------------------

    def _failed(self, session: Collaboration, error: LlmspellError) -> LlmspellError:
        if session.state not in ("Failed", "Completed"):
            session.move("Failed", error.message)
        told = {"session_id": session.id, "code": error.code, "message": error.message}
        self._host.events.emit("collaboration_failed", told, _origin(session))
        return error

    def _forget(self) -> None:
        if len(self._sessions) < SESSIONS_MAX:
            return
        idle = (key for key, one in self._sessions.items() if one.state in ("Completed", "Failed"))
        oldest = next(idle, None)
        if oldest is None:
            raise LimitExceeded("collaborations", f"over {SESSIONS_MAX} collaborations at work")
        del self._sessions[oldest]

    def _participant(self, agent: Any) -> Participant:
        about, weight = "", 1.0
        if isinstance(agent, dict) and "handle" not in agent:
            given = normalise(agent)
            weight = given.get("weight", 1.0)
            if type(weight) not in (int, float) or not 0 < weight <= WEIGHT_MAX:
                raise InvalidInput(f"a weight is above 0 and at most {WEIGHT_MAX:g}")
            told = [given.get(key) for key in ("about", "role", "description", "capabilities")]
            about = " ".join(str(one) for one in told if one)[:1000]
            agent = given.get("agent", given.get("agent_id", given.get("id", given.get("name"))))
        elif isinstance(agent, dict):
            about = str(agent.get("description") or "")[:1000]
        identity, name = self._agent(agent)
        return Participant(identity, name, about, float(weight))

    def _agent(self, agent: Any) -> tuple[str, str]:
        named = agent.get("name") if isinstance(agent, dict) else None
        wanted = handle_id(agent, "agent") or agent
        if not isinstance(wanted, str):
            raise InvalidInput("an agent is a name, an agent, or {agent, weight, about}")
        identity = self._registered.get(wanted) or self._host.agents.find(wanted)
        if identity is None:
            raise InvalidInput(
                f"no agent has the name {wanted[:100]!r}", code=1001, kind="not_found"
            )
        return identity, named if isinstance(named, str) and named else wanted


async def _strategy(
    name: str, work: Work, steps: Sequence[Step], task: str
) -> list[dict[str, Any]]:
    if name == "hierarchical":
        return await hierarchical.hierarchical(work, steps, task)
    if name == "consensus":
        # A task alone is one decision, not one for each participant.
        first = [steps[0]._replace(id="decision", output="decision")]
        return await consensus.consensus(
            work, first if all(step.action == task for step in steps) else steps
        )
    if name == "parallel":
        return await strategies.parallel(work, steps)
    return await strategies.sequential(work, steps)


def _origin(session: Collaboration) -> str:
    return f"orchestrator:{session.id}"
