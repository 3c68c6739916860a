"""One step of a run: boundary, condition, hooks, input, attempts, output, record (WF-001)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LlmspellError, OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.events import names
from llmspell.spells.templating import Scope, fill
from llmspell.spells.templating.values import MISSING
from llmspell.spells.workflows import failures
from llmspell.spells.workflows.attempts import AttemptsFailed, attempt_step
from llmspell.spells.workflows.components import perform
from llmspell.spells.workflows.references import read_component
from llmspell.spells.workflows.values import Record, check, checked

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.workflows.model import Component, Flow, Step, Strategy
    from llmspell.spells.workflows.run import Run
    from llmspell.spells.workflows.values import Values

HOOK_RETRIES_MAX: Final = 3
"""Times that a hook may ask for the step again."""

MAPPING_SECONDS: Final = 30.0
"""Time that a function for a step's input or output may take."""


async def run_step(run: Run, flow: Flow, step: Step, values: Values, path: str) -> Record:
    """Runs a step to its record. Raises the step's failure unless its strategy goes on."""
    before = run.finished_before(path)
    if before is not None:
        values.keep(before)
        run.may_undo(step, before, values)
        return before
    await run.gate()
    run.current = step.name
    if step.condition is not None and not await run.decide(f"{path}?", values, step.condition):
        record = Record(step.name, "skipped")
        await run.keep(path, record, values)
        await run.progress(step, "skipped")
        return record
    began = run.host.now()
    run.emit(names.WORKFLOW_STEP_STARTED, step_name=step.name, path=path)
    strategy = flow.strategies.get(step.name, step.strategy or flow.strategy)
    try:
        _check_dependencies(run, step, values)
        record = await _ended_well(run, flow, step, values, path, strategy)
    except AttemptsFailed as failed:
        return await _failed(
            run, step, values, path, strategy, failed.error, failed.attempts, began
        )
    except LlmspellError as error:
        if error.kind == "cancelled" and run.is_cancelled:
            raise
        return await _failed(run, step, values, path, strategy, error, 0, began)
    record = record._replace(duration_ms=round((run.host.now() - began) * 1000))
    await run.keep(path, record, values)
    run.may_undo(step, record, values)
    await _tell_completed(run, step, record)
    return record


async def _ended_well(
    run: Run, flow: Flow, step: Step, values: Values, path: str, strategy: Strategy
) -> Record:
    given = await resolve_input(run, step, values)
    component = step.component
    hooked = await _before(run, step, component, given)
    if hooked is not None and hooked[0] == "skip":
        return await _mapped(run, step, hooked[1], values, 0, "")
    if hooked is not None:
        component, given = hooked[1], hooked[2]
        step = step._replace(component=component)
    given = checked(step.input_check, given, f"the input of step {step.name}")

    async def act(one: Component) -> Any:
        if one.kind == "inline":
            from llmspell.spells.workflows.kinds import run_flow

            value = await run_flow(run, one.target, values, f"{path}/")
        else:
            value = await perform(run, step, one, given, values)
        return checked(step.output_check, value, f"the output of step {step.name}")

    seconds = flow.timeout_per_step if step.timeout is None else step.timeout
    for again in range(HOOK_RETRIES_MAX + 1):
        outcome = await attempt_step(run, step, strategy, seconds, act)
        value, retried = await _after(run, step, outcome.value)
        if not retried or again == HOOK_RETRIES_MAX:
            break
    return await _mapped(run, step, value, values, outcome.attempts, outcome.recovered)


async def resolve_input(run: Run, step: Step, values: Values) -> Any:
    """What the step's component is given: its mapping filled in, or what lies nearest."""
    if not step.has_input:
        return values.default_input()
    if isinstance(step.input, Callback):
        run.host.budget.reserve("calls", 1)
        call = run.host.invoke(step.input, [values.context()], seconds=MAPPING_SECONDS)
        given = await run.within(call, None, "an input function")
        check(given, f"the input of step {step.name}")
        return given
    scope = values.scope()
    given = fill(step.input, scope)
    _warn_missing(run, step, scope)
    return given


def _warn_missing(run: Run, step: Step, scope: Scope) -> None:
    if scope.missing:
        names = ", ".join(name[:60] for name in scope.missing[:5])
        run.warn(f"workflow {run.name}, step {step.name}: nothing is called {names}")


def _check_dependencies(run: Run, step: Step, values: Values) -> None:
    for needed in step.depends_on:
        record = values.records.get(needed)
        if record is not None and record.status == "failed":
            raise OperationFailed(
                f"it needs step {needed}, which failed",
                code=failures.DEPENDENCY_FAILED,
                kind="dependency_failed",
            )


async def _mapped(
    run: Run, step: Step, value: Any, values: Values, attempts: int, recovered: str
) -> Record:
    """The record of a step that ended well, with the outputs that it names."""
    outputs: dict[str, Any] = {}
    check(value, f"the output of step {step.name}")
    if isinstance(step.output, Callback):
        run.host.budget.reserve("calls", 1)
        call = run.host.invoke(step.output, [value, values.context()], seconds=MAPPING_SECONDS)
        value = await run.within(call, None, "an output function")
    elif isinstance(step.output, str):
        outputs[step.output] = value
    elif isinstance(step.output, dict):
        scope = Scope(value, {"output": value, "result": value}, values.scope())
        for name, wanted in step.output.items():
            if "{{" in wanted:
                outputs[name] = fill(wanted, scope)
                continue
            found = scope.find(0, tuple(wanted.split(".")))
            outputs[name] = None if found is MISSING else found
    return Record(step.name, "completed", value, None, attempts, 0, outputs, recovered)


async def _failed(
    run: Run,
    step: Step,
    values: Values,
    path: str,
    strategy: Strategy,
    error: LlmspellError,
    attempts: int,
    began: float,
) -> Record:
    """Records a failure and tells of it; raises it unless the strategy goes on."""
    shown = failures.show(error)
    duration = round((run.host.now() - began) * 1000)
    record = Record(step.name, "failed", None, shown, attempts, duration)
    run.errors.append({"step": step.name, **shown})
    await run.keep(path, record, values)
    about = {"name": step.name, "id": step.id or step.name, "status": "failed"}
    await run.tell("error", shown, about)
    await run.progress(step, "failed")
    run.emit(
        names.WORKFLOW_STEP_COMPLETED,
        step_name=step.name,
        status="failed",
        duration=duration / 1000,
        attempts=attempts,
        error=error.message,
        error_type=error.kind,
        code=error.code,
    )
    if error.kind != "hook_cancelled":
        context = {
            "workflow_name": run.name,
            "step_name": step.name,
            "success": False,
            "error": shown,
        }
        await run.hook_on_failure("after_workflow_step", context)
    if strategy.kind != "continue" or error.code in failures.LIMITS:
        raise failures.of_step(run.name, step.name, error)
    run.warn(f"workflow {run.name} goes on without step {step.name}: {error.message}")
    return record


async def _tell_completed(run: Run, step: Step, record: Record) -> None:
    about = {"name": step.name, "id": step.id or step.name, "status": record.status,
             "attempts": record.attempts, "duration_ms": record.duration_ms}  # fmt: skip
    if run.callbacks.get("step_complete"):
        await run.tell("step_complete", about, record.output)
    await run.progress(step, record.status)
    run.emit(
        names.WORKFLOW_STEP_COMPLETED,
        step_name=step.name,
        status=record.status,
        duration=record.duration_ms / 1000,
        attempts=record.attempts,
    )
    if run.host.hooks.any("workflow_step_complete"):
        context = {"workflow_name": run.name, "step": about, "output": record.output}
        await run.host.hooks.run("workflow_step_complete", context)


# -- hooks -------------------------------------------------------------------------------------


async def _before(run: Run, step: Step, component: Component, given: Any) -> tuple[Any, ...] | None:
    """What before_workflow_step decided: None, ("skip", value), or ("go", component, input)."""
    if not run.host.hooks.any("before_workflow_step"):
        return None
    context = {
        "workflow_name": run.name,
        "step": {"name": step.name, "kind": component.kind, "component": component.shown},
        "step_name": step.name,
        "input": given,
    }
    outcome = await run.host.hooks.run("before_workflow_step", context)
    if outcome.action == "cancel":
        raise OperationFailed(
            f"a hook cancelled it: {outcome.reason}",
            code=failures.EXECUTION_FAILED,
            kind="hook_cancelled",
        )
    if outcome.action == "skip":
        return "skip", outcome.value
    changed = outcome.context or context
    if outcome.action == "redirect":
        component = _redirected(component, changed)
    given = changed.get("input", given)
    check(given, f"the input of step {step.name}, as a hook left it")
    return "go", component, given


def _redirected(component: Component, changed: Any) -> Component:
    """The component that a hook named instead; it is judged when it is called, like any other."""
    for kind in ("tool", "agent", "workflow"):
        if isinstance(changed.get(kind), (str, dict)):
            return read_component(changed[kind], "redirect", kind)
    target = changed.get("target")
    if isinstance(target, (str, dict)):
        return read_component(target, "redirect", component.kind)
    raise InvalidInput("a hook that redirects a step must name a tool, agent, workflow or target")


async def _after(run: Run, step: Step, value: Any) -> tuple[Any, bool]:
    """The output as after_workflow_step left it, and whether the step is to be done again."""
    if not run.host.hooks.any("after_workflow_step"):
        return value, False
    context = {
        "workflow_name": run.name,
        "step_name": step.name,
        "success": True,
        "output": value,
    }
    outcome = await run.host.hooks.run("after_workflow_step", context)
    if outcome.action == "cancel":
        raise OperationFailed(
            f"a hook refused its output: {outcome.reason}",
            code=failures.EXECUTION_FAILED,
            kind="hook_cancelled",
        )
    if outcome.action == "skip":
        return outcome.value, False
    return (outcome.context or context).get("output", value), outcome.action == "retry"
