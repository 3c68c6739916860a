"""One tool call from request to result: the steps around every tool of a run.

Hooks before → schema → verdict → rate and cache → act → output schema → hooks after. A request that
a hook changed or redirected starts again from the schema, under the verdict of its new name, so no
hook leads to a tool that the spell may not use. Errors are typed: 2001 no such tool, 2002 input,
2003 the tool failed, 2006 denied, 2008 time, 2009 output, 6006 rate.
"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback, Place
from llmspell.errors import Denied, InvalidInput, LlmspellError, OperationFailed, SpellError
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol
from llmspell.spells.plain import functions_in, without_functions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence
    from typing import Any, Final

    from llmspell.policies.policy import Policy
    from llmspell.policies.verdict import Verdict
    from llmspell.spells.ports import HookOutcome, Host
    from llmspell.spells.tools.definition import ScriptTool
    from llmspell.spells.tools.guards import Guard
    from llmspell.spells.tools.registry import Registry

RETRIES_MAX: Final = 3
"""Times a hook may have one call done again or sent to another tool after an error."""

BEFORE: Final = "before_tool_execution"
AFTER: Final = "after_tool_execution"
ERROR: Final = "tool_error"


class Call(Protocol):
    """The brokered call that is being performed; see `supervisor.services.context`."""

    policy: Policy
    origin: str

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        """Records a verdict; raises `Denied` unless it allows."""


class Bench(Protocol):
    """Runs a built-in tool, after a verdict of its own."""

    def __call__(
        self, context: Any, name: str, given: Mapping[str, Any]
    ) -> Awaitable[dict[str, Any]]: ...


class Request(NamedTuple):
    """What is to be run. The input is plain; functions in it come beside it, by their places."""

    name: str
    given: dict[str, Any]
    functions: Sequence[Place] = ()


class Execution:
    """Tool calls of one run."""

    __slots__ = ("_bench", "_host", "_registry")

    def __init__(self, host: Host, registry: Registry, bench: Bench) -> None:
        self._host = host
        self._registry = registry
        self._bench = bench

    async def run(self, call: Call, request: Request) -> Any:
        """The result of a call: `{result, …}`. Raises typed errors."""
        hooks = self._host.hooks
        request = Request(
            self._registry.known_name(request.name),
            without_functions(request.given),
            functions_in(request.given, "a tool's input"),
        )
        if hooks.any(BEFORE):
            outcome = await hooks.run(BEFORE, self._context(call, request))
            if outcome.action == "cancel":
                raise self._cancelled(outcome, request)
            request = self._renamed(request, outcome)
            if outcome.action == "skip":
                # What is left out must have been allowed all the same.
                self._judge(call, request.name)
                return _with(shaped(request.name, outcome.value), skipped=True)
        for _ in range(RETRIES_MAX + 1):
            began = self._host.now()
            try:
                output = await self._act(call, request)
            except LlmspellError as error:
                answer = await self._failed(call, request, error, self._host.now() - began)
                if isinstance(answer, Request):
                    request = answer
                    continue
                return answer
            took = self._host.now() - began
            self._emit(call, request.name, took, None)
            if not hooks.any(AFTER):
                return output
            outcome = await hooks.run(AFTER, self._context(call, request, output, took))
            if outcome.action == "cancel":
                raise self._cancelled(outcome, request)
            if outcome.action == "retry":
                continue
            if outcome.action == "redirect":
                request = self._renamed(request, outcome)
                continue
            return self._after(request, output, outcome)
        raise OperationFailed(
            f"hooks had the tool {request.name} done again over {RETRIES_MAX} times",
            kind="retries",
            rule="hook.retries",
        )

    # -- the act -------------------------------------------------------------------------------

    async def _act(self, call: Call, request: Request) -> Any:
        tool = self._registry.script(request.name)
        guard = self._registry.guard(request.name)
        given = request.given
        if tool is not None:
            given = tool.check_input(given, "input")
        elif request.functions:
            raise InvalidInput(f"the tool {request.name} is built in and takes no functions")
        if tool is not None or guard.cache is not None:
            # A built-in tool is judged where it runs; a kept result must be judged here.
            self._judge(call, request.name)
        # What a function would answer is in no key.
        cache = None if request.functions else guard.cache
        if cache is not None:
            kept = cache.get(request.name, given)
            if kept is not None:
                return _with(kept, cached=True)
        guard.take()
        began, failed = self._host.now(), True
        await guard.enter()
        try:
            if tool is None:
                output = await self._built_in(call, request.name, given, guard)
            else:
                output = await self._script(call, tool, given, guard, request.functions)
            failed = False
        finally:
            guard.leave()
            guard.count(self._host.now() - began, failed)
        if cache is not None:
            cache.put(request.name, given, output)
            return _with(output, cached=False)
        return output

    async def _built_in(self, call: Call, name: str, given: Mapping[str, Any], guard: Guard) -> Any:
        if guard.seconds is None:
            return await self._bench(call, name, given)
        import asyncio

        try:
            return await asyncio.wait_for(self._bench(call, name, given), guard.seconds)
        except TimeoutError:
            raise _late(name, guard.seconds) from None

    async def _script(
        self,
        call: Call,
        tool: ScriptTool,
        given: dict[str, Any],
        guard: Guard,
        functions: Sequence[Place],
    ) -> Any:
        from llmspell.spells.tools.guards import SECONDS

        time = SECONDS if guard.seconds is None else guard.seconds
        args: list[Any] = [given]
        if self._host.engine != "python":
            # Lua and JavaScript leave out what a function does not take; Python would refuse it.
            args.append({"tool": tool.name, "origin": call.origin})
        try:
            places = [Place((0, *path), found) for path, found in functions]
            value = await self._host.invoke(tool.act, args, seconds=time, functions=places)
        except OperationFailed as error:
            if error.kind == "timeout":
                raise _late(tool.name, time) from None
            raise
        except SpellError as error:
            if error.code != SpellError.default_code:
                raise
            raise OperationFailed(
                f"the tool {tool.name} failed: {error.message}",
                hint=error.hint,
                line=error.line,
                stack=error.stack,
            ) from None
        output = shaped(tool.name, value)
        return _checked(tool, output)

    def _judge(self, call: Call, name: str) -> None:
        needs, category = self._registry.needs(name)
        verdict = call.policy.tools.judge(name, needs, category)
        call.judge(verdict, action="tool", target=name)

    # -- hooks ---------------------------------------------------------------------------------

    async def _failed(self, call: Call, request: Request, error: LlmspellError, took: float) -> Any:
        """What hooks make of an error: another request, a result, or the error raised."""
        self._emit(call, request.name, took, error)
        hooks = self._host.hooks
        context = None
        answer: Any = None
        if hooks.any(ERROR):
            context = self._context(call, request, None, took, error)
            outcome = await hooks.run(ERROR, context)
            if not isinstance(error, Denied) and error.kind != "denied":
                if outcome.action == "retry":
                    answer = request
                elif outcome.action == "redirect":
                    answer = self._renamed(request, outcome)
                elif outcome.action == "skip":
                    answer = _with(shaped(request.name, outcome.value), recovered=True)
        if hooks.any(AFTER):
            context = context or self._context(call, request, None, took, error)
            await hooks.run(AFTER, context)
        if answer is None:
            raise error
        return answer

    def _renamed(self, request: Request, outcome: HookOutcome) -> Request:
        """The request as the hooks left it. Raises `InvalidInput`, `Missing` 2001."""
        context = outcome.context
        if context is None or not outcome.modified:
            return request
        name: Any = request.name
        tool = context.get("tool")
        inner = tool.get("name") if isinstance(tool, dict) else tool
        for found in (context.get("target"), context.get("tool_name"), inner):
            if isinstance(found, str) and found != request.name:
                name = found
                break
        given = context.get("input", request.given)
        if given is None or given == []:
            given = {}
        if not isinstance(given, dict):
            raise InvalidInput(f"a hook gave the tool {str(name)[:64]} an input that is no object")
        return Request(self._registry.known_name(name), given, request.functions)

    def _after(self, request: Request, output: Any, outcome: HookOutcome) -> Any:
        if outcome.action == "skip":
            output = shaped(request.name, outcome.value)
        elif outcome.modified and outcome.context is not None:
            changed = outcome.context
            if changed.get("output") != output:
                output = shaped(request.name, changed.get("output"))
            elif isinstance(output, dict) and changed.get("result") != output.get("result"):
                output = {**output, "result": changed.get("result")}
        else:
            return output
        tool = self._registry.script(request.name)
        return output if tool is None else _checked(tool, output)

    def _cancelled(self, outcome: HookOutcome, request: Request) -> LlmspellError:
        from llmspell.spells.hooks.outcomes import cancelled

        return cancelled(outcome, f"the tool {request.name}")

    def _context(
        self,
        call: Call,
        request: Request,
        output: Any = None,
        took: float | None = None,
        error: LlmspellError | None = None,
    ) -> dict[str, Any]:
        context: dict[str, Any] = {
            "tool_name": request.name,
            "tool": {"name": request.name},
            "input": request.given,
            "origin": call.origin,
        }
        kind, _, name = call.origin.partition(":")
        if kind in ("agent", "workflow"):
            context[kind] = {"name": name}
        if took is None:
            return context
        context["success"] = error is None
        context["duration_ms"] = took * 1000
        context["timing"] = {"duration": took}
        if error is None:
            context["output"] = output
            context["result"] = output.get("result") if isinstance(output, dict) else output
        else:
            context["error"] = {
                "code": error.code,
                "kind": error.kind,
                "message": error.message,
                "rule": error.rule,
            }
        return context

    def _emit(self, call: Call, name: str, took: float, error: LlmspellError | None) -> None:
        """Tells of a call that was done or failed (EVT-007)."""
        about = {"origin": call.origin, "duration_ms": round(took * 1000)}
        data: dict[str, Any] = {
            "tool_name": name,
            "origin": call.origin,
            "execution_context": about,
        }
        if call.origin.startswith("agent:"):
            agent = call.origin[6:]
            data |= {"agent": agent, "agent_id": self._host.agents.find(agent) or agent}
        if error is None:
            self._host.events.emit("tool_used", data, f"tool:{name}")
        else:
            data |= {"error": error.message[:512], "code": error.code}
            self._host.events.emit("tool_error", data, f"tool:{name}")


def shaped(name: str, value: Any) -> dict[str, Any]:
    """What a tool's function gave, as `{result, …}` (API-058).

    An object that has `result` or `error` already stays; an `error` is raised as 2003.
    """
    if isinstance(value, Callback):
        raise OperationFailed(f"the tool {name} answered with a function")
    value = without_functions(value)
    if not isinstance(value, dict) or not ("result" in value or "error" in value):
        return {"result": value}
    error = value.get("error")
    if error is not None and error is not False and error != "":
        shown = error.get("message", "no message") if isinstance(error, dict) else error
        raise OperationFailed(f"the tool {name} failed: {str(shown)[:1024]}")
    return value


def _checked(tool: ScriptTool, output: dict[str, Any]) -> dict[str, Any]:
    if tool.check_output is None:
        return output
    try:
        result = tool.check_output(output.get("result"), "result")
    except InvalidInput as wrong:
        raise InvalidInput(
            f"the tool {tool.name} answered what it must not: {wrong.message}",
            code=2009,
            kind="output",
        ) from None
    return {**output, "result": result}


def _with(output: Any, **metadata: bool) -> Any:
    if not isinstance(output, dict):
        return output
    before = output.get("metadata")
    return {**output, "metadata": {**(before if isinstance(before, dict) else {}), **metadata}}


def _late(name: str, seconds: float) -> OperationFailed:
    return OperationFailed(
        f"the tool {name} did not end within {seconds:g} s",
        code=2008,
        kind="timeout",
        rule="tool.seconds",
    )
