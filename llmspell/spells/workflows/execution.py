"""One execution from its hooks to its result: before, the kind's own way, after, events."""

from __future__ import annotations

from llmspell.errors import InvalidInput, LlmspellError, OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.events import names
from llmspell.spells.workflows import failures
from llmspell.spells.workflows.kinds import run_flow
from llmspell.spells.workflows.steps import run_step
from llmspell.spells.workflows.values import check, checked

if TYPE_CHECKING:
    from typing import Any

    from llmspell.spells.workflows.model import Step
    from llmspell.spells.workflows.run import Run


async def execute(run: Run) -> dict[str, Any]:
    """Runs it to its result. Raises what made it fail, after everybody was told.

    Raises 3003 (cancelled, too few branches), 3004 (a step failed), 3007, 3009, 3010, denials and
    limits with their own codes.
    """
    check(run.values.input, f"the input of workflow {run.name}")
    what = f"workflow {run.name}: its"
    try:
        output, is_done = await _before(run)
        if not is_done:
            given = checked(run.flow.input_check, run.values.input, f"{what} input")
            run.values.input = given
            output = await run_flow(run, run.flow, run.values, "")
            output = await _after(run, output)
        output = checked(run.flow.output_check, output, f"{what} output")
        check(output, f"the output of workflow {run.name}")
    except LlmspellError as error:
        is_cancelled = error.kind == "cancelled" and run.is_cancelled
        run.status = "cancelled" if is_cancelled else "failed"
        if run.undoable:
            from llmspell.spells.workflows.compensation import compensate

            await compensate(run)
        await _tell_failed(run, error)
        raise
    except BaseException:
        # The call itself was taken back, or the spell ended: nobody is left to be told.
        run.status = "cancelled"
        raise
    run.current = ""
    failed = any(record.status == "failed" for record in run.done.values())
    run.status = "partial" if failed else "completed"
    run.output = output
    result = run.result()
    await _tell_completed(run, result)
    return result


async def execute_step(run: Run, step: Step) -> Any:
    """One step alone, with the run's input (API-075). Raises its failure."""
    run.values.extra["item"] = run.values.input
    record = await run_step(run, run.flow, step, run.values, step.name)
    run.status = "completed"
    if record.status == "failed":
        raise OperationFailed(
            f"step {step.name}: {(record.error or {}).get('message', '')}",
            code=failures.STEP_FAILED,
            kind="step_failed",
        )
    return record.output


async def _before(run: Run) -> tuple[Any, bool]:
    """Hooks before it: the output they gave instead of a run, and whether they did."""
    host = run.host
    run.emit(names.WORKFLOW_STARTED, type=run.flow.kind, resumed=bool(run.restored))
    if not host.hooks.any("before_workflow_execution"):
        return None, False
    context = {"workflow_name": run.name, "type": run.flow.kind, "input": run.values.input}
    outcome = await host.hooks.run("before_workflow_execution", context)
    if outcome.action == "cancel":
        raise OperationFailed(
            f"a hook cancelled workflow {run.name}: {outcome.reason}",
            code=failures.EXECUTION_FAILED,
            kind="hook_cancelled",
        )
    if outcome.action == "skip":
        return outcome.value, True
    if outcome.action == "redirect":
        target = (outcome.context or {}).get("workflow", (outcome.context or {}).get("target"))
        identity = host.workflows.find(target) if isinstance(target, str) else None
        if identity is None:
            raise InvalidInput("a hook redirected a workflow to one that is not there", code=3001)
        call = {"id": identity, "input": (outcome.context or {}).get("input")}
        found = await host.call("workflow.execute", call, origin=run.origin)
        return found.get("output") if isinstance(found, dict) else found, True
    run.values.input = (outcome.context or context).get("input", run.values.input)
    check(run.values.input, "the input, as a hook left it")
    return None, False


async def _after(run: Run, output: Any) -> Any:
    if not run.host.hooks.any("after_workflow_execution"):
        return output
    context = {
        "workflow_name": run.name,
        "type": run.flow.kind,
        "success": True,
        "output": output,
    }
    outcome = await run.host.hooks.run("after_workflow_execution", context)
    if outcome.action == "cancel":
        raise OperationFailed(
            f"a hook refused the output of workflow {run.name}: {outcome.reason}",
            code=failures.EXECUTION_FAILED,
            kind="hook_cancelled",
        )
    if outcome.action == "skip":
        return outcome.value
    return (outcome.context or context).get("output", output)


async def _tell_completed(run: Run, result: dict[str, Any]) -> None:
    metadata = result["metadata"]
    await run.tell("complete", result)
    run.emit(
        names.WORKFLOW_COMPLETE,
        duration=metadata["execution_time_ms"] / 1000,
        success_rate=metadata["success_rate"],
        status=run.status,
    )


async def _tell_failed(run: Run, error: LlmspellError) -> None:
    shown = failures.show(error)
    run.emit(
        names.WORKFLOW_CANCELLED if run.status == "cancelled" else names.WORKFLOW_ERROR,
        step=run.current,
        error=error.message,
        error_type=error.kind,
        code=error.code,
        duration=round(run.host.now() - run.began, 3),
    )
    context = {
        "workflow_name": run.name,
        "type": run.flow.kind,
        "step_name": run.current,
        "success": False,
        "error": shown,
    }
    await run.hook_on_failure("workflow_error", context)
    if error.kind != "hook_cancelled":
        await run.hook_on_failure("after_workflow_execution", context)
