"""Agents and workflows as tools of agents (TRT-026 … TRT-028)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell.errors import InvalidInput, LlmspellError, OperationFailed
from llmspell.spells.agents import inputs, values
from llmspell.spells.agents.toolbox import MESSAGE_SCHEMA
from llmspell.spells.events import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.agents.book import AgentBook
    from llmspell.spells.agents.execution import Runner
    from llmspell.spells.agents.toolbox import AgentTool
    from llmspell.spells.ports import HookOutcome, Host


def as_tool(agent: Agent, named: Mapping[str, Any]) -> dict[str, Any]:
    """The handle of an agent as a tool."""
    about = named.get("description") or agent.settings.description
    return {
        "handle": "agent_tool",
        "id": agent.id,
        "name": values.text(named.get("name") or agent.name, "a tool's name", 128),
        "description": values.text(about or f"Asks the agent {agent.name}.", "description", 4_096),
        "schema": dict(MESSAGE_SCHEMA),
    }


async def ask_wrapped(runner: Runner, agent: Agent, given: Mapping[str, Any]) -> dict[str, Any]:
    """An agent's answer to a tool call `{message, context}`: `{response, metadata}` (TRT-027)."""
    message = given.get("message", given.get("input"))
    if not isinstance(message, (str, dict)) or not message:
        raise InvalidInput(f"{agent.name} as a tool needs a message")
    context = values.table(given.get("context"), "context")
    output = await runner.run(agent, inputs.asked(message, {"context": context}))
    made = output["metadata"]
    return {
        "response": output["content"],
        "metadata": {
            "agent_id": agent.id,
            "agent_type": "wrapped_agent",
            "tool_type": "agent_wrapper",
            "wrapped_agent_id": agent.id,
            "execution_time_ms": made["execution_time_ms"],
            "token_usage": made["token_usage"],
            "tools_used": made["tools_used"],
        },
    }


async def call_wrapped(
    host: Host,
    book: AgentBook,
    runner: Runner,
    owner: Agent,
    tool: AgentTool,
    given: Mapping[str, Any],
) -> Any:
    """Runs an agent or a workflow that is a tool of `owner`, with the hooks of every tool call.

    The caller has judged it. A hook that redirects names another tool, judged by itself.
    """
    hooks = host.hooks
    context: dict[str, Any] = {
        "tool_name": tool.name,
        "tool": {"name": tool.name, "category": tool.kind},
        "input": dict(given),
        "origin": owner.origin,
        "agent": {"name": owner.name, "id": owner.id},
    }
    if hooks.any("before_tool_execution"):
        outcome = await hooks.run("before_tool_execution", context)
        if outcome.action == "cancel":
            raise _cancelled(outcome, tool.name)
        if outcome.action == "skip":
            return outcome.value
        left = outcome.context or context
        if outcome.modified and isinstance(left.get("input"), dict):
            given = values.plain(left["input"], "a tool's input", inputs.MESSAGE_MAX)
        target = left.get("target", left.get("tool_name"))
        if outcome.modified and isinstance(target, str) and target != tool.name:
            return await host.tools.execute(target, given, origin=owner.origin)
    began = host.now()
    try:
        result = await _act(host, book, runner, owner, tool, given)
    except LlmspellError as error:
        told = {"message": error.message, "code": error.code, "kind": error.kind}
        _emit(host, owner, tool, names.TOOL_ERROR, {"error": error.message, "code": error.code})
        if hooks.any("tool_error"):
            outcome = await hooks.run("tool_error", {**context, "error": told, "success": False})
            if outcome.action == "skip":
                return outcome.value
        raise
    took = host.now() - began
    told = {"origin": owner.origin, "duration_ms": round(took * 1000)}
    _emit(host, owner, tool, names.TOOL_USED, {"execution_context": told})
    if hooks.any("after_tool_execution"):
        outcome = await hooks.run(
            "after_tool_execution",
            {
                **context,
                "output": result,
                "success": True,
                "duration_ms": took * 1000,
                "timing": {"duration": took},
            },
        )
        if outcome.action == "skip":
            return outcome.value
        if outcome.modified and outcome.context is not None and "output" in outcome.context:
            return outcome.context["output"]
    return result


def _emit(host: Host, owner: Agent, tool: AgentTool, name: str, more: Mapping[str, Any]) -> None:
    about = {
        "tool_name": tool.name,
        "origin": owner.origin,
        "agent": owner.name,
        "agent_id": owner.id,
        **more,
    }
    host.events.emit(name, about, f"tool:{tool.name}")


async def _act(
    host: Host,
    book: AgentBook,
    runner: Runner,
    owner: Agent,
    tool: AgentTool,
    given: Mapping[str, Any],
) -> Any:
    if tool.kind == "agent":
        return await ask_wrapped(runner, book.get(tool.target), given)
    inner = given.get("input", given)
    output = await host.workflows.execute(
        tool.target, inner if isinstance(inner, dict) else {"input": inner}, origin=owner.origin
    )
    if output.get("success") is False:
        raise OperationFailed(
            f"the workflow {tool.name} failed: {str(output.get('error'))[:500]}", code=3003
        )
    return output


def _cancelled(outcome: HookOutcome, name: str) -> LlmspellError:
    from llmspell.spells.hooks.outcomes import cancelled

    return cancelled(outcome, name)
