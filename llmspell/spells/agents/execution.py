"""A request to an agent from its first hook to its last event (CON-012, 001:375-500).

hooks before → event → turn of model and tools, tried again as the error strategy says → hooks
after, or on error → event. A handoff goes on with the next agent, at most `HANDOFFS_MAX` times.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.spells.agents import handoff, inputs, values
from llmspell.spells.agents.book import recursion
from llmspell.spells.agents.memory import FACT_CHARACTERS_MAX
from llmspell.spells.agents.recovery import decide
from llmspell.spells.agents.request_hooks import RequestHooks
from llmspell.spells.agents.turns import Told, Turn, Wanted
from llmspell.spells.events import names
from llmspell.spells.ports import DEPTH_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.agents.book import AgentBook
    from llmspell.spells.agents.inputs import Asked
    from llmspell.spells.agents.streaming import Stream
    from llmspell.spells.agents.toolbox import Toolbox
    from llmspell.spells.ports import HookOutcome, Host

HOOK_RETRIES_MAX: Final = 3
"""How often hooks after a request may ask for it to be done again."""

SHOWN_INPUT_MAX: Final = 4_096
"""Characters of an input that an event carries."""

_chain: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("agents", default=())
"""Keys and names of the agents that wait for each other in this task, outermost first."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a request is to be answered, beside the request itself."""

    schema: dict[str, Any] | None = None
    toolbox: Toolbox | None = None
    stream: Stream | None = None
    functions: list[dict[str, Any]] | None = None


PLAIN: Final = Way()


class Runner:
    """Runs the agents of one book."""

    def __init__(self, host: Host, book: AgentBook) -> None:
        self._host = host
        self._book = book

    async def run(self, agent: Agent, asked: Asked, way: Way = PLAIN) -> dict[str, Any]:
        """The output of an agent, and of those it hands over to (API-037, ORC-001).

        Raises the typed error of what failed, if the agent's strategy has no answer to it.
        """
        rounds: list[dict[str, str]] = []
        while True:
            output, request = await self._once(agent, asked, way)
            if request is None:
                break
            if len(rounds) >= handoff.HANDOFFS_MAX:
                path = " → ".join([*(one["from"] for one in rounds), agent.name])
                raise OperationFailed(
                    f"agents handed over {handoff.HANDOFFS_MAX} times without an answer: {path}",
                    code=1003,
                    kind="handoff_loop",
                )
            follower = self._book.get(request.target)
            rounds.append({"from": agent.name, "to": follower.name, "reason": request.reason})
            self._host.events.emit(
                names.AGENT_HANDOFF,
                {"from_agent": agent.name, "to_agent": follower.name, "reason": request.reason},
                agent.origin,
            )
            asked = passed_on(agent, follower, request, asked)
            agent, way = follower, replace(way, toolbox=None)
        if rounds:
            output["metadata"]["handoffs"] = rounds
            output["metadata"]["handled_by"] = agent.name
        return output

    # -- one agent -----------------------------------------------------------------------------

    async def _once(
        self, agent: Agent, asked: Asked, way: Way
    ) -> tuple[dict[str, Any], handoff.HandoffRequest | None]:
        chain = _chain.get()
        if any(key == agent.key for key, _ in chain):
            raise recursion([*(name for _, name in chain), agent.name])
        if len(chain) >= DEPTH_MAX:
            raise LimitExceeded("depth", f"agents call each other over {DEPTH_MAX} deep")
        agent.enter(self._host.now())
        token = _chain.set((*chain, (agent.key, agent.name)))
        failed: LlmspellError | None = None
        ended = False
        try:
            async with asyncio.timeout(agent.settings.limits.timeout):
                answer = await _Request(self, self._host, self._book, agent, way).answer(asked)
            ended = True
            return answer
        except TimeoutError:
            failed = timed_out(agent)
            raise failed from None
        except LlmspellError as error:
            failed = error
            raise
        finally:
            _chain.reset(token)
            agent.leave(self._host.now(), failed, ended or failed is not None)


class _Request:
    """One request at one agent."""

    def __init__(self, runner: Runner, host: Host, book: AgentBook, agent: Agent, way: Way) -> None:
        self._runner = runner
        self._host = host
        self._book = book
        self._agent = agent
        self._way = way
        self._around = RequestHooks(host, agent)
        self._events = 0

    async def answer(self, asked: Asked) -> tuple[dict[str, Any], handoff.HandoffRequest | None]:
        """Output and, if there is one, the request to hand over."""
        agent = self._agent
        outcome, asked = await self._around.before(asked)
        if outcome is not None:
            if outcome.action == "skip":
                return self._finish(inputs.replacement(outcome.value), Told()), None
            return await self._redirected(outcome, asked), None
        self._emit(
            names.AGENT_STARTED,
            {"input_hash": sha256(asked.message.encode("utf-8", "replace")).hexdigest()},
        )
        self._emit(
            names.AGENT_EXECUTION_STARTED,
            {"input": asked.message[:SHOWN_INPUT_MAX], "hook_results": self._around.results},
        )
        for left in range(HOOK_RETRIES_MAX, -1, -1):
            try:
                output, told = await self._tried(asked)
            except LlmspellError as error:
                again_asked = await self._heard(asked, error)
                if again_asked is None or not left:
                    return await self._failed(asked, error), None
                asked = again_asked
                continue
            output = self._finish(output, told)
            again, output = await self._around.after(asked, output)
            if not again:
                break
        self._emit(
            names.AGENT_EXECUTION_COMPLETED,
            {
                "success": True,
                "hook_results": self._around.results,
                "execution_time_ms": self._around.elapsed(),
            },
        )
        self._emit(
            names.AGENT_COMPLETED,
            {
                "success": True,
                "duration": self._around.elapsed() / 1000,
                "result": output["content"][:SHOWN_INPUT_MAX],
            },
        )
        output["metadata"] |= {
            "hook_point_executions": self._around.count + told.hooks,
            "events_emitted": self._events + told.events,
        }
        if agent.settings.memory.persistence:
            await self._keep()
        return output, told.handoff

    async def _keep(self) -> None:
        """Saves the agent; an answer that was paid for is not lost when that fails."""
        try:
            await self._book.save(self._agent)
        except LlmspellError as error:
            self._host.note("warn", f"{self._agent.name} could not be saved: {error.message}")

    async def _tried(self, asked: Asked) -> tuple[dict[str, Any], Told]:
        """The answer, by as many tries as the error strategy makes."""
        agent, strategy = self._agent, self._agent.settings.strategy
        way = self._way
        wanted = Wanted(way.schema, way.toolbox, way.stream, functions=way.functions)
        told, failures = Told(), 0
        turn = Turn(self._host, self._book, agent, asked, wanted, told)
        await self._summarise()
        while True:
            try:
                messages = await turn.take()
            except LlmspellError as error:
                failures += 1
                decision = decide(strategy, error, failures)
                if decision.action == "raise" or (decision.action == "retry" and self._begun()):
                    raise
                self._host.note(
                    "warn",
                    f"{agent.name}: {error.message}; {_WORDS[decision.action]}",
                    {"attempt": failures, "code": error.code},
                )
                if decision.action != "retry":
                    return await self._instead(decision.action, asked, error), told
                if decision.delay:
                    await asyncio.sleep(decision.delay)
                wanted.shorter = wanted.shorter or decision.shorter
                wanted.provider = decision.provider or wanted.provider
                continue
            agent.memory.add(messages)
            output = inputs.answer(told.content, told.structured)
            if failures:
                output["metadata"] = {"attempts": failures + 1}
            if told.handoff is None:
                agent.keep_answer(asked.message, dict(output))
            return output, told

    def _begun(self) -> bool:
        """Whether an answer was heard in part: another try would tell its beginning twice."""
        return self._way.stream is not None and self._way.stream.begun

    async def _instead(self, action: str, asked: Asked, error: LlmspellError) -> dict[str, Any]:
        """What the strategy puts in the place of an answer: of another agent, a tool, the past."""
        agent, strategy = self._agent, self._agent.settings.strategy
        if action == "agent":
            other = self._book.get(strategy.agent)
            output = await self._runner.run(other, asked)
            output["metadata"]["fallback_agent"] = other.name
            return output
        if action == "tool":
            assert strategy.tool is not None
            given = values.table(strategy.tool_input, "tool_input") or {"input": asked.message}
            result = await self._host.tools.execute(strategy.tool, given, origin=agent.origin)
            output = inputs.answer(values.as_json(result))
            output["metadata"] = {"fallback_tool": strategy.tool}
            return output
        kept = agent.kept_answer(asked.message)
        if kept is None:
            raise error
        return {**kept, "metadata": {"degraded": True, "cause": error.message}}

    async def _summarise(self) -> None:
        """Makes a summary of the older half of a long conversation (API-034)."""
        agent = self._agent
        older = agent.memory.due()
        if not older:
            return
        text = "\n".join(
            f"{one['role']}: {values.as_json(one.get('content') or '')}" for one in older
        )
        settings = agent.settings
        earlier = f"The summary so far: {agent.memory.summary}\n\n" if agent.memory.summary else ""
        request: dict[str, Any] = {
            "messages": [
                {
                    "role": "user",
                    "content": "Summarise this conversation in a few sentences; keep names, "
                    f"numbers and decisions.\n\n{earlier}{text}",
                }
            ]
        }
        if settings.provider is not None:
            request["provider"] = settings.provider
        if settings.model is not None:
            request["model"] = settings.model
        try:
            reply = await self._host.models.complete(request, origin=agent.origin)
        except LlmspellError as error:
            self._host.note(
                "warn", f"{agent.name}: no summary of the older messages: {error.message}"
            )
            return
        agent.spend(reply)
        agent.memory.fold(str(reply.get("content") or "")[:FACT_CHARACTERS_MAX])

    async def _redirected(self, outcome: HookOutcome, asked: Asked) -> dict[str, Any]:
        context = outcome.context or {}
        target = context.get("target") or context.get("agent")
        if isinstance(target, dict):
            target = target.get("id")
        other = self._book.get(target)
        output = await self._runner.run(other, asked)
        output["metadata"]["redirected_from"] = self._agent.name
        return output

    async def _heard(self, asked: Asked, error: LlmspellError) -> Asked | None:
        """Tells of a failure; what to ask again where a handler of `agent_error` says so (API-080).

        A handler may have put another text in the event's `context` for the next try.
        """
        self._emit(
            names.AGENT_EXECUTION_ERROR,
            {"error": error.message, "execution_time_ms": self._around.elapsed()},
        )
        self._events += 1
        shown = asked.message[:SHOWN_INPUT_MAX]
        agent = self._agent
        told = {"agent_id": agent.id, "agent": agent.name, **_told(error), "context": shown}
        answer = await self._host.events.ask(names.AGENT_ERROR, told, agent.origin)
        if self._begun():
            return None
        if answer["action"] == "retry":
            return asked
        if answer["action"] != "retry_with_modified_context":
            return None
        data = answer["data"]
        context = data.get("context") if isinstance(data, dict) else None
        if not context or context == shown or not isinstance(context, (str, dict)):
            return asked
        try:
            # A summary may come as the agent that made it gave it (S22).
            return replace(asked, message=inputs.asked(context).message)
        except InvalidInput as wrong:
            self._host.note("warn", f"{agent.name}: a handler's context: {wrong.message}")
            return asked

    async def _failed(self, asked: Asked, error: LlmspellError) -> dict[str, Any]:
        """Hooks and events of a failure; gives a replacement or raises the error."""
        told = {"message": error.message, "code": error.code, "kind": error.kind}
        if error.rule is not None:
            told["rule"] = error.rule
        context = self._around.failure(asked, told)
        replaced = await self._around.on_error(context)
        if replaced is not None:
            output = self._finish(replaced, Told())
            output["metadata"] |= {
                "replaced_error": told,
                "hook_point_executions": self._around.count,
                "events_emitted": self._events,
            }
            return output
        await self._around.after_failure(context)
        self._emit(
            names.AGENT_EXECUTION_COMPLETED,
            {
                "success": False,
                "hook_results": self._around.results,
                "execution_time_ms": self._around.elapsed(),
            },
        )
        self._emit(
            names.AGENT_COMPLETED, {"success": False, "duration": self._around.elapsed() / 1000}
        )
        raise error

    # -- what is told --------------------------------------------------------------------------

    def _finish(self, output: dict[str, Any], told: Told) -> dict[str, Any]:
        agent = self._agent
        metadata: dict[str, Any] = {
            "agent_id": agent.id,
            "agent_name": agent.name,
            "execution_time_ms": self._around.elapsed(),
            "iterations": told.iterations,
            "tools_used": told.tools_used(),
            "token_usage": dict(told.tokens),
            "cost": told.cost,
            "provider": told.provider,
            "model": told.model,
            "hook_point_executions": self._around.count + told.hooks,
            "events_emitted": self._events + told.events,
        }
        finished = {
            **output,
            "tool_calls": output.get("tool_calls") or told.calls,
            "state_updates": dict(told.state_updates),
            "metadata": {**metadata, **(output.get("metadata") or {})},
        }
        if told.handoff is not None:
            finished["handoff_request"] = told.handoff.to_json()
        return finished

    def _emit(self, name: str, data: Mapping[str, Any]) -> None:
        self._events += 1
        agent = self._agent
        self._host.events.emit(
            name, {"agent_id": agent.id, "agent": agent.name, **data}, agent.origin
        )


_WORDS: Final = {
    "retry": "it is tried again",
    "agent": "another agent answers",
    "tool": "a tool answers",
    "cached": "an earlier answer is given",
}


def _told(error: LlmspellError) -> dict[str, Any]:
    """What `agent_error` says of a failure; its type is what `parse_error` gives (EVT-010)."""
    from llmspell.spells.recovery.parsing import parse_error

    told: dict[str, Any] = {"message": error.message, "code": error.code, "kind": error.kind}
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        told["retry_after"] = wait
    return {"error_type": parse_error(told)["type"], **told}


def timed_out(agent: Agent) -> OperationFailed:
    """The error of a request that took too long: 1005."""
    return OperationFailed(
        f"the agent {agent.name} did not answer within {agent.settings.limits.timeout:g} s",
        code=1005,
        kind="timeout",
        recoverable=True,
    )


def passed_on(
    agent: Agent, follower: Agent, request: handoff.HandoffRequest, asked: Asked
) -> Asked:
    """The next agent's request: its input, and of state and messages what the filter lets by."""
    fresh = inputs.asked(request.input)
    context: dict[str, Any] = {**asked.context, **fresh.context}
    state = request.filter.state(agent.state)
    if state:
        context["state"] = state
        follower.update_state(state)
    if request.filter.messages == "last":
        context["request"] = asked.message
    elif request.filter.messages == "all":
        context["conversation"] = [
            {"role": one["role"], "content": values.as_json(one.get("content") or "")}
            for one in agent.memory.messages()
            if one["role"] in ("user", "assistant") and one.get("content")
        ]
    context["handed_over_by"] = agent.name
    return replace(fresh, context=context, images=asked.images, metadata=asked.metadata)


def failure(agent: Agent | None, error: LlmspellError) -> dict[str, Any]:
    """The output of a run that failed, for `execute` (X16): `success` false and what went wrong."""
    told = error.to_wire()
    output: dict[str, Any] = {
        "success": False,
        "content": "",
        "output": None,
        "data": None,
        "error": error.message,
        "error_info": told,
        "tool_calls": [],
        "state_updates": {},
        "metadata": {},
    }
    if agent is not None:
        output["metadata"] = {"agent_id": agent.id, "agent_name": agent.name}
    return output
