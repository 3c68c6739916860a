"""One answer of one agent: the loop of model calls and tool calls (LLM-012, 001:425-500).

Every model call goes through `host.models`, every tool call through `host.tools` (agents and
workflows that are tools through the brokered `agent.execute_tool`), all of them with the agent's
origin: judged, counted and recorded like the spell's own. A tool that is denied or fails is told
to the model as an error and stands in the result; the run goes on.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, Missing, OperationFailed
from llmspell.spells.agents import handoff, values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.agents.book import AgentBook
    from llmspell.spells.agents.inputs import Asked
    from llmspell.spells.agents.streaming import Stream
    from llmspell.spells.agents.toolbox import AgentTool, Toolbox
    from llmspell.spells.ports import Host

RESULT_MAX: Final = 65_536
"""Characters of one tool result that the model and the agent's output get."""

CALLS_A_TURN_MAX: Final = 32
"""Tool calls of one model answer that are done; the rest are answered with an error."""

FOUND_MAX: Final = 20
"""Agents that the agent finder tells of."""

USED_MAX: Final = 256
SHOWN_RESULTS_MAX: Final = 1_048_576
"""Tool calls that an output lists, and the characters of their results together."""


@dataclass(slots=True)
class Wanted:
    """How one request is to be answered."""

    schema: dict[str, Any] | None = None
    toolbox: Toolbox | None = None
    stream: Stream | None = None
    provider: str | None = None
    shorter: bool = False
    without: set[str] = field(default_factory=set)
    functions: list[dict[str, Any]] | None = None
    """Definitions to choose from: what the model calls is told, and not done."""


@dataclass(slots=True)
class Told:
    """What came of it: the answer, what was called, what it used."""

    content: str = ""
    structured: Any = None
    iterations: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    state_updates: dict[str, Any] = field(default_factory=dict)
    handoff: handoff.HandoffRequest | None = None
    hooks: int = 0
    events: int = 0
    tokens: dict[str, int] = field(
        default_factory=lambda: {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    )
    cost: float = 0.0
    provider: str | None = None
    model: str | None = None
    finish_reason: str | None = None

    def tools_used(self) -> list[str]:
        """Names of the tools that were called, each once, in order."""
        return list(dict.fromkeys(call["name"] for call in self.calls))


class Turn:
    """Works on one request of one agent."""

    def __init__(
        self, host: Host, book: AgentBook, agent: Agent, asked: Asked, wanted: Wanted, told: Told
    ) -> None:
        self._host = host
        self._book = book
        self._agent = agent
        self._asked = asked
        self._wanted = wanted
        self._told = told
        self._toolbox = agent.toolbox if wanted.toolbox is None else wanted.toolbox
        self._offered: list[dict[str, Any]] | None = None
        self._shown_left = SHOWN_RESULTS_MAX
        self._messages = [asked.user_message()]

    async def take(self) -> list[dict[str, Any]]:
        """Asks the model until it answers without tools; the turn's messages, to be kept.

        After an error it may be called again: it goes on where it was, so that no tool is used
        twice. Raises the model's error, `OperationFailed` 1003 after `max_iterations`, 6007 over
        the agent's own budget.
        """
        agent, told = self._agent, self._told
        if self._offered is None:
            self._offered = await self._tools()
        most = agent.settings.limits.max_iterations
        while True:
            if told.iterations >= most:
                raise OperationFailed(
                    f"{agent.name} called tools {most} times without an answer",
                    code=1003,
                    kind="max_iterations",
                    hint="raise max_iterations, or give it fewer tools",
                )
            reply = await self._ask()
            content, calls = _content(reply), _calls(reply)
            if calls and self._wanted.functions is not None:
                self._chosen(content, calls)
                break
            if not calls:
                told.content = content
                told.structured = reply.get("structured")
                told.finish_reason = reply.get("finish_reason")
                if self._may_hand_over() and told.structured is None:
                    told.handoff = self._allowed(handoff.in_answer(content, self._asked.message))
                self._messages.append({"role": "assistant", "content": content})
                self._update_state(told.structured or values.json_answer(content))
                break
            self._messages.append(
                {
                    "role": "assistant",
                    "content": content,
                    "tool_calls": [
                        {"id": one["id"], "name": one["name"], "arguments": one["given"]}
                        for one in calls
                    ],
                }
            )
            await self._use(calls)
            if told.handoff is not None:
                told.content = content
                break
        return self._messages

    # -- the model -----------------------------------------------------------------------------

    def _system(self) -> list[dict[str, Any]]:
        agent = self._agent
        parts = [agent.settings.system_prompt]
        if agent.specialists:
            parts.append(handoff.prompt(agent.specialists))
        parts.append(agent.lessons.prompt())
        if agent.memory.summary:
            parts.append(f"Summary of the earlier conversation:\n{agent.memory.summary}")
        text = "\n\n".join(part for part in parts if part)
        return [{"role": "system", "content": text}] if text else []

    async def _ask(self) -> Mapping[str, Any]:
        agent, told, wanted = self._agent, self._told, self._wanted
        agent.check_budget()
        settings = agent.settings
        request: dict[str, Any] = {
            "messages": [
                *self._system(),
                *agent.memory.messages(shorter=wanted.shorter),
                *self._messages,
            ]
        }
        if self._offered:
            request["tools"] = self._offered
        schema = wanted.schema or settings.output_schema
        for key, value in (
            ("provider", wanted.provider or settings.provider),
            ("model", None if wanted.provider else settings.model),
            ("schema", schema),
            ("temperature", settings.temperature),
            ("max_tokens", settings.limits.max_tokens),
            ("stop", list(settings.stop) or None),
            ("fallback", list(settings.fallback) or None),
        ):
            if value is not None:
                request[key] = value
        if wanted.provider is not None and "/" in wanted.provider:
            request["provider"], request["model"] = wanted.provider.split("/", 1)
        told.iterations += 1
        agent.iteration_count += 1
        stream = wanted.stream
        reply = await self._host.models.complete(
            request, origin=agent.origin, on_chunk=None if stream is None else stream.hear
        )
        if stream is not None:
            stream.ended()
        for key, amount in agent.spend(reply).items():
            told.tokens[key] += amount
        told.cost += float(reply.get("cost") or 0)
        told.provider, told.model = reply.get("provider"), reply.get("model")
        return reply

    # -- tools ---------------------------------------------------------------------------------

    def _may_hand_over(self) -> bool:
        return bool(self._agent.specialists) or self._toolbox.finds_agents

    async def _tools(self) -> list[dict[str, Any]]:
        """What the model is offered; hooks before may take tools away, never add any."""
        if self._wanted.functions is not None:
            return self._wanted.functions
        offered = [
            tool.definition() for tool in self._toolbox if tool.name not in self._wanted.without
        ]
        if self._toolbox.finds_agents:
            offered.append(dict(handoff.FINDER_DEFINITION))
        if self._may_hand_over():
            offered.append(handoff.definition(self._agent.specialists))
        if not offered or not self._host.hooks.any("before_tools_available"):
            return offered
        names = [one["name"] for one in offered]
        outcome = await self._host.hooks.run(
            "before_tools_available", {"agent": self._agent.to_wire(), "tools": names}
        )
        self._told.hooks += 1
        if outcome.action in ("cancel", "skip"):
            return []
        left = (outcome.context or {}).get("tools")
        if outcome.modified and isinstance(left, list):
            offered = [one for one in offered if one["name"] in left]
        return offered

    def _chosen(self, content: str, calls: list[dict[str, Any]]) -> None:
        """The model's choice of functions that nobody runs here."""
        keys = ("id", "name", "arguments")
        offered = {one["name"] for one in self._offers()}
        chosen = [{key: call[key] for key in keys} for call in calls if call["name"] in offered]
        self._told.content = content
        self._told.calls = chosen[:CALLS_A_TURN_MAX]
        said = content or f"(calls {values.as_json(self._told.calls)})"
        self._messages.append({"role": "assistant", "content": said[:RESULT_MAX]})

    async def _use(self, calls: list[dict[str, Any]]) -> None:
        gate = asyncio.Semaphore(self._agent.settings.limits.max_concurrent_tools)

        async def one(index: int, call: dict[str, Any]) -> dict[str, Any]:
            if index >= CALLS_A_TURN_MAX:
                refused = InvalidInput(f"only {CALLS_A_TURN_MAX} tool calls are done at a time")
                return _failed(call, refused)
            async with gate:
                return await self._call(call)

        done = await asyncio.gather(
            *(one(index, call) for index, call in enumerate(calls)), return_exceptions=True
        )
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        for call, outcome in zip(calls, done, strict=True):
            assert isinstance(outcome, dict)
            self._messages.append(
                {
                    "role": "tool",
                    "tool_call_id": call["id"],
                    "name": call["name"],
                    "content": outcome.pop("said"),
                }
            )
            if len(self._told.calls) < USED_MAX:
                self._told.calls.append(outcome)
        if self._host.hooks.any("after_tools_used"):
            self._told.hooks += 1
            await self._host.hooks.run(
                "after_tools_used",
                {
                    "agent": self._agent.to_wire(),
                    "tools_used": [call["name"] for call in calls],
                    "tool_calls": [dict(one) for one in done if isinstance(one, dict)],
                },
            )

    async def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        """One tool call of the model's, as the output lists it; `said` is what the model gets."""
        began = self._host.now()
        try:
            result = await self._result(call)
        except LimitExceeded as error:
            if error.limit in ("calls", "wall", "output"):
                raise
            return _failed(call, error)
        except LlmspellError as error:
            if self._agent.settings.strategy.skip_failed_tools:
                self._wanted.without.add(call["name"])
                self._offered = [one for one in self._offers() if one["name"] != call["name"]]
            return _failed(call, error)
        self._update_state(result)
        said = values.as_json(result)
        record: dict[str, Any] = {
            "id": call["id"],
            "name": call["name"],
            "arguments": call["arguments"],
            "success": True,
            "result": values.without_functions(result) if len(said) <= RESULT_MAX else None,
            "duration_ms": round((self._host.now() - began) * 1000),
        }
        if len(said) > RESULT_MAX:
            said = said[:RESULT_MAX] + f"… (cut: {len(said)} characters)"
            record["result"] = said
        self._shown_left -= len(said)
        if self._shown_left < 0:
            record["result"] = None
        record["said"] = said
        return record

    def _offers(self) -> list[dict[str, Any]]:
        return self._offered or []

    def _update_state(self, given: Any) -> None:
        """Takes over the `state_updates` of a tool's result or of the answer (TRT-021)."""
        updates = given.get("state_updates") if isinstance(given, dict) else None
        if not isinstance(updates, dict):
            return
        try:
            self._agent.update_state(updates)
        except LlmspellError as error:
            self._host.note("warn", f"a state update of {self._agent.name}: {error.message}")
            return
        self._told.state_updates |= updates

    async def _result(self, call: dict[str, Any]) -> Any:
        name, arguments = call["name"], call["arguments"]
        if arguments is None:
            raise InvalidInput(f"the arguments for {name} are no object")
        if not any(one["name"] == name for one in self._offers()):
            raise Missing(f"there is no tool {name[:60]!r} here", code=1008)
        if name == handoff.TOOL and self._may_hand_over():
            return self._hand_over(arguments)
        if name == handoff.FINDER and self._toolbox.finds_agents:
            return found_agents(self._book, arguments, self._agent)
        tool = self._toolbox.get(name)
        if tool is None:
            raise Missing(f"there is no tool {name[:60]!r} here", code=1008)
        return await use(self._host, self._agent, tool, arguments)

    def _hand_over(self, arguments: dict[str, Any]) -> dict[str, Any]:
        request = self._allowed(handoff.of_call(arguments, self._asked.message))
        if request is None or self._told.handoff is not None:
            names = ", ".join(one.name for one in self._agent.specialists) or "agent_finder's"
            raise Missing(f"the conversation can't go there; specialists are {names}", code=1001)
        self._told.handoff = request
        return {"handed_over_to": request.target}

    def _allowed(self, request: handoff.HandoffRequest | None) -> handoff.HandoffRequest | None:
        """The request, if its target is one of this agent's specialists, with their filter."""
        if request is None:
            return None
        passing = None
        for one in self._agent.specialists:
            if one.name == request.target:
                passing = one.filter
        if passing is None:
            found = self._book.find(request.target) if self._toolbox.finds_agents else None
            if found is None or found is self._agent:
                return None
            passing = handoff.StateFilter()
        return handoff.HandoffRequest(
            request.target, request.input, request.reason, passing.narrowed(request.filter)
        )


def found_agents(
    book: AgentBook, given: Mapping[str, Any], asking: Agent | None
) -> list[dict[str, Any]]:
    """What the agent finder tells: agents that fit `query`, but for the one that asks."""
    query = given.get("query")
    return [
        {
            "agent_id": agent.id,
            "name": agent.name,
            "description": agent.settings.description,
            "capabilities": list(agent.settings.capabilities),
        }
        for agent in book.discover(query if isinstance(query, str) else "", [])[:FOUND_MAX]
        if agent is not asking
    ]


async def use(host: Host, agent: Agent, tool: AgentTool, given: Mapping[str, Any]) -> Any:
    """Runs one of an agent's tools with the agent's origin, through the broker.

    `tool_overrides` of the agent stand over what the model wrote, where the tool takes them.
    """
    fixed = agent.settings.tool_overrides.get(tool.name)
    if fixed:
        takes = tool.parameters.get("properties") or {}
        given = {**given, **{key: value for key, value in fixed.items() if key in takes}}
    if tool.kind == "tool":
        return await host.tools.execute(tool.target, given, origin=agent.origin)
    return await host.call(
        "agent.execute_tool",
        {"id": agent.id, "name": tool.name, "input": dict(given)},
        origin=agent.origin,
    )


def _content(reply: Mapping[str, Any]) -> str:
    content = reply.get("content")
    return content if isinstance(content, str) else ""


def _calls(reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tool calls of a reply; `arguments` is None where the model wrote no object."""
    found = []
    for number, call in enumerate(reply.get("tool_calls") or ()):
        given = call.get("arguments")
        arguments = given
        if isinstance(given, str):
            try:
                arguments = json.loads(given) if given.strip() else {}
            except (ValueError, RecursionError):
                arguments = None
        if arguments is None and given is None:
            arguments = {}
        good = isinstance(arguments, dict) and values.is_plain(arguments)
        found.append(
            {
                "id": str(call.get("id") or f"call_{number + 1}")[:128],
                "name": str(call.get("name") or "")[:128],
                "arguments": arguments if good else None,
                "given": arguments if good else {},
            }
        )
    return found


def _failed(call: Mapping[str, Any], error: LlmspellError) -> dict[str, Any]:
    told = {"code": error.code, "kind": error.kind, "message": error.message}
    if error.rule is not None:
        told["rule"] = error.rule
    return {
        "id": call["id"],
        "name": call["name"],
        "arguments": call["arguments"],
        "success": False,
        "error": told,
        "said": json.dumps({"error": error.message, "kind": error.kind}, ensure_ascii=False),
    }
