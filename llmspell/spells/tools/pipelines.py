"""Pipelines: tools in a row, each fed from what came before (API-068, TOOL-066, TOOL-071).

Every step is a brokered tool call of its own, judged like one that the spell makes.
"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, Missing
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.api.options import DATA_KEYS, handle_id, normalise, seconds
from llmspell.spells.plain import Room, without_functions
from llmspell.spells.tools.places import filled

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.ports import Host

STEPS_MAX: Final = 64
PIPELINES_MAX: Final = 256
NAME_MAX: Final = 128
FUNCTION_SECONDS: Final = 30.0
"""Time a step's input, condition or error function may take."""


class Step(NamedTuple):
    """One step as it was read."""

    tool: str
    input: Any
    output: str
    condition: Callback | None
    on_error: Any
    timeout: float | None


class Pipelines:
    """The pipelines of one run."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: dict[str, tuple[str, tuple[Step, ...]]] = {}
        self._room = Room("the pipelines of a run come to")

    def create(self, given: Any) -> dict[str, Any]:
        """Reads `{name, steps}`. Raises `InvalidInput`, `LimitExceeded`."""
        config = normalise(given, DATA_KEYS | {"steps"})
        steps = config.get("steps")
        if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS_MAX:
            raise InvalidInput(f"tools.create_pipeline: steps must be a list of 1 to {STEPS_MAX}")
        if len(self._made) >= PIPELINES_MAX:
            raise LimitExceeded("pipelines", f"a run has at most {PIPELINES_MAX} pipelines")
        identity = f"pipeline-{len(self._made) + 1}"
        name = config.get("name", identity)
        if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX:
            raise InvalidInput(f"tools.create_pipeline: name has 1 to {NAME_MAX} characters")
        read = tuple(self._step(step, index) for index, step in enumerate(steps, 1))
        self._room.take(steps)
        self._made[identity] = (name, read)
        return {"handle": "pipeline", "id": identity, "name": name, "steps": [s.tool for s in read]}

    def _step(self, given: Any, number: int) -> Step:
        place = f"tools.create_pipeline: step {number}"
        if isinstance(given, str):
            given = {"tool": given}
        if not isinstance(given, dict):
            raise InvalidInput(f"{place} must be an object with a tool")
        step = normalise(given)
        named = step.get("tool")
        tool = handle_id(named, "tool") or (named.get("name") if isinstance(named, dict) else named)
        if not isinstance(tool, str) or not tool:
            raise InvalidInput(f"{place} names no tool")
        condition = step.get("condition")
        output = step.get("output", step.get("name", f"step_{number}"))
        if condition is not None and not isinstance(condition, Callback):
            raise InvalidInput(f"{place}: condition must be a function of the context")
        if not isinstance(output, str) or not 1 <= len(output) <= NAME_MAX or output == "input":
            raise InvalidInput(f"{place}: output must be a name other than input")
        on_error = step.get("on_error", "stop")
        if not (on_error in ("stop", "continue") or isinstance(on_error, (Callback, dict))):
            raise InvalidInput(
                f"{place}: on_error must be stop, continue, a function, or {{fallback = value}}"
            )
        given_input = step.get("input")
        if not isinstance(given_input, (dict, list, str, Callback, type(None))):
            raise InvalidInput(f"{place}: input must be an object or a function of the context")
        timeout = None
        if step.get("timeout") is not None:
            timeout = seconds(step["timeout"], self._host.engine, f"{place}: timeout")
        return Step(tool, given_input, output, condition, on_error, timeout)

    def steps(self, identity: str) -> list[dict[str, Any]]:
        """The steps of a pipeline. Raises `Missing`."""
        _, steps = self._find(identity)
        return [{"tool": step.tool, "output": step.output} for step in steps]

    async def execute(self, identity: str, given: Any, origin: str) -> dict[str, Any]:
        """Runs every step: `{success, result, outputs, steps}`. Raises the failing step's error."""
        name, steps = self._find(identity)
        context: dict[str, Any] = {"input": without_functions(given)}
        done: list[dict[str, Any]] = []
        # Sixty-four results of a message's size each would be a gigabyte here.
        room = Room("what the steps of a pipeline give comes to")
        last: Any = None
        for step in steps:
            line: dict[str, Any] = {"tool": step.tool, "output": step.output}
            done.append(line)
            if step.condition is not None and not await self._call(step.condition, context):
                line["skipped"] = True
                continue
            began = self._host.now()
            try:
                value = await self._run(step, context, last, origin)
                line["success"] = True
            except LlmspellError as error:
                line["success"], line["error"] = False, error.message
                value = await self._failed(step, error, context)
            line["duration_ms"] = (self._host.now() - began) * 1000
            context[step.output] = last = room.take(value)
        outputs = {key: value for key, value in context.items() if key != "input"}
        return {
            "success": all(line.get("success", True) for line in done),
            "result": last,
            "outputs": outputs,
            "steps": done,
            "name": name,
        }

    def _find(self, identity: str) -> tuple[str, tuple[Step, ...]]:
        found = self._made.get(identity)
        if found is None:
            raise Missing("there is no such pipeline", code=2001)
        return found

    async def _run(self, step: Step, context: dict[str, Any], last: Any, origin: str) -> Any:
        if isinstance(step.input, Callback):
            given = without_functions(await self._call(step.input, context))
        elif step.input is None:
            given = context["input"] if last is None else last
        else:
            given = filled(step.input, context)
        if given is None or given == []:
            given = {}
        if not isinstance(given, dict):
            raise InvalidInput(f"the step {step.output} gives {step.tool} an input, no object")
        call = self._host.tools.execute(step.tool, given, origin=origin)
        if step.timeout is None:
            output = await call
        else:
            import asyncio

            from llmspell.errors import OperationFailed

            try:
                output = await asyncio.wait_for(call, step.timeout)
            except TimeoutError:
                raise OperationFailed(
                    f"the step {step.output} did not end within {step.timeout:g} s",
                    code=2008,
                    kind="timeout",
                ) from None
        # `context.search_results.results`: what the tool found, without its envelope.
        return output["result"] if isinstance(output, dict) and "result" in output else output

    async def _failed(self, step: Step, error: LlmspellError, context: dict[str, Any]) -> Any:
        if step.on_error == "continue":
            return None
        if isinstance(step.on_error, dict):
            return step.on_error.get("fallback")
        if isinstance(step.on_error, Callback):
            told = {"code": error.code, "kind": error.kind, "message": error.message}
            given = self._host.mask([told, context])
            value = await self._host.invoke(step.on_error, given, seconds=FUNCTION_SECONDS)
            return without_functions(value)
        raise error

    async def _call(self, function: Callback, context: dict[str, Any]) -> Any:
        given = self._host.mask(context)
        return await self._host.invoke(function, [given], seconds=FUNCTION_SECONDS)
