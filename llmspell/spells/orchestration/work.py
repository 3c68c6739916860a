"""Asking the agents of a collaboration: time, retries, recovery, records of each step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from llmspell.channel.jsontext import Malformed
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.llm import modeljson
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.orchestration.model import Collaboration, Participant, Step
from llmspell.spells.orchestration.reading import TEXT_MAX, filled
from llmspell.spells.orchestration.recovery import action_for

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.ports import Host

STEP_SECONDS: Final = 120.0
CONCURRENCY: Final = 4
CONCURRENCY_MAX: Final = 16
ANSWER_MAX: Final = 262_144
"""Characters of an agent's answer that other agents are told."""

ASKED_MAX: Final = 500
"""Questions to agents in one execution, whatever strategy asks them."""


class Answer(NamedTuple):
    """What an agent answered: its text; `data` the object somewhere in it, if there is one (for
    votes, bids and plans); `value` what a step's result is: an object where all of it is one."""

    text: str
    data: Any
    value: Any


class Work:
    """One execution of a collaboration."""

    def __init__(self, host: Host, session: Collaboration, origin: str) -> None:
        self.host = host
        self.session = session
        self.origin = origin
        self.asked = 0
        self.done: dict[str, dict[str, Any]] = {}
        self.recoveries: list[dict[str, Any]] = []
        self.failing: Step | None = None
        self._room = asyncio.Semaphore(self.concurrency)

    @property
    def concurrency(self) -> int:
        """How many agents work at a time."""
        limit = self.session.options.get(
            "concurrency_limit", self.session.options.get("max_concurrency", CONCURRENCY)
        )
        if type(limit) is not int or not 1 <= limit <= CONCURRENCY_MAX:
            raise InvalidInput(f"concurrency_limit is from 1 to {CONCURRENCY_MAX}")
        return limit

    def values(self) -> dict[str, Any]:
        """What names in a step's texts mean: the shared context, then earlier steps' results."""
        found: dict[str, Any] = {**self.session.context}
        for result in self.done.values():
            found[result["step_id"]] = found[result["output_name"]] = result["result_data"]
        return found

    async def step(self, step: Step) -> dict[str, Any]:
        """Runs one step to its result; raises where the recovery is to abort."""
        values = self.values()
        action = filled(step.action, values)
        given = filled(step.input, values)
        previous = {
            name: self.done[name]["result_data"] for name in (step.depends_on or tuple(self.done))
        }
        text = action if isinstance(action, str) else shown(action)
        if given is not None:
            text = f"{text}\n\nInput:\n{shown(given)}" if text else shown(given)
        begun = self.host.now()
        attempts, failure = 0, None
        timeout = step.timeout or STEP_SECONDS
        agent, last = step.agent, step.retries + 1
        while attempts < last:
            attempts += 1
            try:
                answer = await self.ask(agent, text, previous=previous, timeout=timeout)
            except LimitExceeded:
                # The run's own limits: no other agent has more of them.
                raise
            except LlmspellError as error:
                failure = error
                if attempts < last:
                    continue
                if step.fallback is not None and agent is step.agent:
                    agent, last = step.fallback, last + 1
                    continue
                recovery = self.recover(agent, error)
                tried = any(one["agent_id"] == agent.name for one in self.recoveries[:-1])
                if recovery["action"].startswith("Retry") and not tried:
                    timeout, last = recovery.get("new_timeout", timeout), last + 1
                    continue
                if recovery["action"] == "SkipAgent":
                    break
                self.failing = step
                raise OperationFailed(
                    f"step {step.id}: {error.message}",
                    code=3004,
                    kind="step_failed",
                    trace_id=error.trace_id,
                ) from error
            else:
                result = self.result(step, agent, answer, begun, attempts)
                self.done[step.id] = result
                return result
        assert failure is not None
        return self.failed(step, agent, failure, begun, attempts)

    async def ask(
        self,
        agent: Participant,
        text: str,
        *,
        previous: Mapping[str, Any] | None = None,
        timeout: float = STEP_SECONDS,
        sender: str = "orchestrator",
    ) -> Answer:
        """One question to one agent. Raises its error, `OperationFailed` 1005 after `timeout`
        seconds, `LimitExceeded` for too many questions."""
        self.asked += 1
        if self.asked > ASKED_MAX:
            raise OperationFailed(f"over {ASKED_MAX} questions in one execution", code=3003)
        self.host.budget.reserve("calls", 1)
        context = {**self.session.context, **({"previous_results": previous} if previous else {})}
        request: dict[str, Any] = {"input": text[:TEXT_MAX]}
        if context:
            request["context"] = context
        self.session.say(sender, agent.name, text, "question")
        async with self._room:
            try:
                async with asyncio.timeout(timeout):
                    output = await self.host.agents.execute(agent.id, request, origin=self.origin)
            except TimeoutError:
                raise OperationFailed(
                    f"agent {agent.name} did not answer within {timeout:g} s",
                    code=1005,
                    kind="timeout",
                    recoverable=True,
                ) from None
        answer = _answer(agent, output)
        self.session.say(agent.name, sender, answer.text, "answer")
        return answer

    async def ask_all(self, questions: Sequence[tuple[Participant, str]]) -> list[Answer | None]:
        """The answers in the order of the questions; None of who failed and is to be skipped."""

        async def one(agent: Participant, text: str) -> Answer | None:
            try:
                return await self.ask(agent, text)
            except LimitExceeded:
                raise
            except LlmspellError as error:
                recovery = self.recover(agent, error)
                if recovery["action"].startswith("Retry"):
                    return await self.ask(agent, text, timeout=recovery.get("new_timeout", 300.0))
                if recovery["action"] == "AbortWorkflow":
                    raise
                return None

        return await together(one(agent, text) for agent, text in questions)

    def recover(self, agent: Participant, error: LlmspellError) -> dict[str, Any]:
        """What to do about a failure; kept for the result and told to listeners."""
        session = self.session
        recovery = action_for(session.strategy, agent.name, error, session.options)
        self.recoveries.append(recovery)
        self.emit("collaboration_agent_failed", {**recovery, "code": error.code})
        return recovery

    def emit(self, name: str, data: Mapping[str, Any]) -> None:
        """An event of this session's."""
        self.host.events.emit(name, {"session_id": self.session.id, **data}, self.origin)

    def progress(self, done: int, total: int) -> None:
        """Tells how far the work is (ORC-005)."""
        self.emit("collaboration_progress", {"completed": done, "total": total})

    def result(
        self, step: Step, agent: Participant, answer: Answer, begun: float, attempts: int
    ) -> dict[str, Any]:
        """A step's good result (ORC-011)."""
        return self._step_result(step, agent.name, True, answer.value, begun, attempts, answer.text)

    def failed(
        self, step: Step, agent: Participant, error: LlmspellError, begun: float, attempts: int
    ) -> dict[str, Any]:
        """The result of a step whose agent was skipped."""
        result = self._step_result(step, agent.name, False, None, begun, attempts, "")
        result["error"] = {"code": error.code, "kind": error.kind, "message": error.message}
        return result

    def _step_result(
        self,
        step: Step,
        agent: str,
        success: bool,
        value: Any,
        begun: float,
        attempts: int,
        text: str,
    ) -> dict[str, Any]:
        return {
            "step_id": step.id,
            "agent_id": agent,
            "success": success,
            "result_data": value,
            "content": text,
            "output_name": step.output or step.id,
            "execution_time": round(self.host.now() - begun, 4),
            "attempts": attempts,
            "metadata": {},
        }


async def together(works: Any) -> list[Any]:
    """The values of coroutines in order. The first error takes the others back and is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _answer(agent: Participant, output: Any) -> Answer:
    if not isinstance(output, dict):
        text = output if isinstance(output, str) else shown(output)
        return Answer(text[:ANSWER_MAX], object_in(text), output)
    if output.get("success") is False:
        error = output.get("error")
        told = error.get("message") if isinstance(error, dict) else error
        raise OperationFailed(f"agent {agent.name} failed: {told}", code=1003, kind="agent_failed")
    content = output.get("content", output.get("output"))
    text = content if isinstance(content, str) else shown(content)
    text = text[:ANSWER_MAX]
    data = output.get("structured")
    if data is not None:
        return Answer(text, data, data)
    found = object_in(text)
    return Answer(text, found, text if found is None or not _is_all(text) else found)


def _is_all(text: str) -> bool:
    """Whether a text is one object and nothing else, a code fence around it at most."""
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare.strip("`").removeprefix("json").strip()
    return bare.startswith("{") and bare.endswith("}")


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, also within a code fence or between other words."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start or end - start > ANSWER_MAX:
        return None
    try:
        # A model's words: nothing too deep, no number that is none, no forged function.
        found = modeljson.decode(text[start : end + 1])
    except Malformed:
        return None
    return found if isinstance(found, dict) else None


def shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:TEXT_MAX]
    except (ValueError, RecursionError):
        return repr(value)[:TEXT_MAX]
