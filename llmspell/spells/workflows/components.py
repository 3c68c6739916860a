"""What running a step's component is: a brokered call or an invoke, never anything else."""

from __future__ import annotations

from llmspell.errors import InvalidInput, Missing, OperationFailed, from_wire
from llmspell.records import TYPE_CHECKING
from llmspell.spells.templating import render
from llmspell.spells.templating.values import text_of

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.workflows.model import Component, Step
    from llmspell.spells.workflows.run import Run
    from llmspell.spells.workflows.values import Values

PROMPT_MAX: Final = 1_048_576
"""Characters of an agent's input."""


async def perform(run: Run, step: Step, component: Component, given: Any, values: Values) -> Any:
    """The output of the component for this input. Raises what the call raises."""
    kind = component.kind
    if kind == "function":
        return await _function(run, step, component, given, values)
    if kind == "tool":
        data = given if isinstance(given, dict) else {} if given is None else {"input": given}
        return _opened(await run.host.tools.execute(component.target, data, origin=run.origin))
    if kind == "agent":
        return await _agent(run, step, component, given, values)
    if kind == "workflow":
        return await _workflow(run, component, given)
    if kind == "spell":
        params = given if isinstance(given, dict) else {} if given is None else {"input": given}
        call = {"path": component.target, "params": params}
        found = await run.host.call("spell.run_file", call, origin=run.origin)
        return found["value"]
    raise InvalidInput(f"step {step.name} has nothing to run", code=3002)


def _opened(found: Any) -> Any:
    """A tool's output whose `result` is an object: that object's fields lie at the top as well."""
    inner = found.get("result") if isinstance(found, dict) else None
    return {**inner, **found} if isinstance(inner, dict) else found


async def _function(run: Run, step: Step, component: Component, given: Any, values: Values) -> Any:
    # An invoke is no brokered call: it is charged here, so that no loop of them is free.
    run.host.budget.reserve("calls", 1)
    context = values.context()
    takes_value = step.has_input or values.piped or "item" in values.extra
    return await run.host.invoke(component.target, [given if takes_value else context, context])


async def _agent(run: Run, step: Step, component: Component, given: Any, values: Values) -> Any:
    call = _agent_input(step, given, values)
    host = run.host
    if step.tools:
        # Tools for this step alone: the agent's own stay what they are.
        asked = {"prompt": call["input"], "tools": list(step.tools)}
        found = await _ask(run, component, "agent.generate_with_tools", asked)
    elif step.schema is not None:
        asked = {"prompt": call["input"], "schema": dict(step.schema)}
        return await _ask(run, component, "agent.structured_output", asked)
    else:
        found = await host.agents.execute(component.target, call, origin=run.origin)
    if not isinstance(found, dict):
        return found
    if found.get("success") is False:
        info = found.get("error_info")
        if isinstance(info, dict):
            raise from_wire(info)
        message = f"agent {component.shown} failed: {text_of(found.get('error'))}"
        raise OperationFailed(message, code=1003, kind="agent_failed")
    return _answer(found)


async def _ask(run: Run, component: Component, method: str, asked: dict[str, Any]) -> Any:
    identity = run.host.agents.find(component.target)
    if identity is None:
        # A built-in template's name makes its agent.
        made = await run.host.call("agent.get", {"agent": component.target}, origin=run.origin)
        identity = made["id"]
    return await run.host.call(method, {"id": identity, **asked}, origin=run.origin)


def _answer(found: dict[str, Any]) -> Any:
    """What an agent answered: its structured answer, the object its text is, or the text."""
    if found.get("structured") is not None:
        return found["structured"]
    data = found.get("data")
    if isinstance(data, dict) and data.keys() - {"content"}:
        return data
    return found["output"] if found.get("output") is not None else found.get("content")


def _agent_input(step: Step, given: Any, values: Values) -> dict[str, Any]:
    """An agent's input: the prompt, the action in words, and the mapped input as text or JSON."""
    call: dict[str, Any] = {}
    parts: list[str] = []
    if step.prompt:
        parts.append(render(step.prompt, values.scope()))
    if step.action:
        parts.append("Task: " + step.action.replace("_", " "))
    if isinstance(given, dict) and isinstance(given.get("input"), str) and step.has_input:
        # Already in the agent's own shape.
        call.update({key: value for key, value in given.items() if key in _AGENT_KEYS})
        parts.append(given["input"])
    elif (
        given is not None
        and (step.has_input or not step.prompt)
        # An empty table says nothing beside a task; it would be `[]` in Lua, `{}` elsewhere.
        and (given not in ({}, []) or not parts)
    ):
        parts.append(text_of(given))
    text = "\n\n".join(part for part in parts if part)
    if len(text) > PROMPT_MAX:
        raise InvalidInput(
            f"step {step.name}: an agent's input has at most {PROMPT_MAX} characters"
        )
    call["input"] = text
    return call


_AGENT_KEYS: Final = frozenset({"context", "metadata", "images"})


async def _workflow(run: Run, component: Component, given: Any) -> Any:
    identity = run.host.workflows.find(component.target)
    if identity is None:
        raise Missing(f"there is no workflow {component.target}", code=3001, kind="not_found")
    call = {"id": identity, "input": given}
    found = await run.host.call("workflow.execute", call, origin=run.origin)
    return found.get("output") if isinstance(found, dict) else found
