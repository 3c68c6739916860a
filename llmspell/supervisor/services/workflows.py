"""The workflows of one run: made, found, run and steered by wire calls (API-018, 070 … 079)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, snake
from llmspell.spells.events import names
from llmspell.spells.workflows import checkpoints, failures, keeping
from llmspell.spells.workflows.book import Workflow, WorkflowBook, config_of
from llmspell.spells.workflows.execution import execute, execute_step
from llmspell.spells.workflows.model import KINDS, inner_steps
from llmspell.spells.workflows.options import wrong
from llmspell.spells.workflows.overlays import overlay
from llmspell.spells.workflows.reading import CALLBACKS, describe
from llmspell.spells.workflows.run import Run, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.supervisor.broker import CallContext

    Args = dict[str, Any]

RUNS_MAX: Final = 32
"""Executions of one workflow at the same time."""


class WorkflowService:
    """Implements `ports.Workflows` and the wire calls `workflow.*`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._book = WorkflowBook(host)
        self._turn = Turn()
        self.table: dict[str, Callable[[CallContext, Args], Any]] = {
            "workflow.create": self._create,
            "workflow.conditional": self._conditional,
            "workflow.loop": self._loop,
            "workflow.get": lambda ctx, args: self._book.get(args["name"]).show(),
            "workflow.list": lambda ctx, args: [one.show() for one in self._book],
            "workflow.execute": self._execute,
            "workflow.run_with_progress": self._run_with_progress,
            "workflow.execute_step": self._execute_step,
            "workflow.pause": self._pause,
            "workflow.resume": self._resume,
            "workflow.cancel": self._cancel,
            "workflow.get_status": self._status,
            "workflow.get_result": self._result,
            "workflow.save_checkpoint": self._save_checkpoint,
            "workflow.restore_from_checkpoint": self._restore,
            "workflow.add_step": self._add_step,
            "workflow.remove_step": self._remove_step,
            "workflow.get_steps": lambda ctx, args: describe(self._of(args).flow),
            "workflow.validate": lambda ctx, args: self._book.validate(self._of(args)),
            "workflow.get_config": lambda ctx, args: config_of(self._of(args).flow),
        }
        for kind in ("sequential", "parallel", "fan_out", "map_reduce", "pipeline", "custom"):
            self.table[f"workflow.{kind}"] = self._maker(kind)
        for name in CALLBACKS:
            self.table[f"workflow.{name}"] = self._listener(name.removeprefix("on_"))

    def close(self) -> None:
        """Ends what runs. Idempotent."""
        for workflow in self._book:
            for run in workflow.runs:
                run.cancel("the spell ended")
        self._book.clear()

    # -- ports.Workflows -------------------------------------------------------------------------

    def find(self, name_or_id: str) -> str | None:
        """The id of a workflow by id or name; the latest of a name counts."""
        return self._book.find(name_or_id)

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        """Runs a workflow by a brokered call; `given` is `{input, options?}` or the input."""
        is_call = "input" in given and given.keys() <= {"input", "options"}
        call: dict[str, Any] = {"id": name_or_id, **(given if is_call else {"input": dict(given)})}
        result: dict[str, Any] = await self._host.call("workflow.execute", call, origin=origin)
        return result

    # -- making ----------------------------------------------------------------------------------

    def _maker(self, kind: str) -> Callable[[CallContext, Args], Any]:
        def create(context: CallContext, args: Args) -> dict[str, Any]:
            return self._book.make(kind, _config(args["definition"], args.get("options"))).show()

        return create

    def _create(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _config(args["definition"], args.get("options"))
        kind = config.get("type", config.get("kind", "sequential"))
        if not isinstance(kind, str) or snake(kind) not in KINDS:
            raise wrong("Workflow.create", "there is no such type", ", ".join(KINDS))
        return self._book.make(snake(kind), config).show()

    def _conditional(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _of_condition(args["definition"], "true_branch" in args)
        config.update((key, args[key]) for key in ("true_branch", "false_branch") if key in args)
        return self._book.make("conditional", config).show()

    def _loop(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _of_condition(args["definition"], "body" in args)
        config = {**(args.get("options") or {}), **config}
        if "body" in args:
            config["body"] = args["body"]
        return self._book.make("loop", config).show()

    # -- running ---------------------------------------------------------------------------------

    async def _execute(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._of(args)
        return await self._run(workflow, args.get("input"), args.get("options") or {})

    async def _run_with_progress(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._of(args)
        return await self._run(workflow, args.get("input"), {"on_progress": args["callback"]})

    async def _run(self, workflow: Workflow, given: Any, options: dict[str, Any]) -> dict[str, Any]:
        run = self._begin(workflow, given, options)
        pending, workflow.pending = workflow.pending, None
        if pending is not None:
            checkpoints.restore(run, pending)
            if given is not None and given != run.values.input:
                run.warn(f"workflow {run.name} goes on with the checkpoint's input, not another")
        workflow.runs.append(run)
        workflow.last = run
        try:
            result = await execute(run)
        finally:
            workflow.runs.remove(run)
            self._book.hold(workflow)
        if run.flow.save_checkpoints and run.status == "completed":
            # Done is done: the next process begins anew.
            await keeping.forget(self._host.state, checkpoints.key_of(run.name))
        return result

    def _begin(self, workflow: Workflow, given: Any, options: dict[str, Any]) -> Run:
        if len(workflow.runs) >= RUNS_MAX:
            raise LimitExceeded(
                "workflow_runs", f"workflow {workflow.flow.name} runs {RUNS_MAX} times already"
            )
        callbacks = {kind: list(known) for kind, known in workflow.callbacks.items()}
        for key, value in options.items():
            if snake(key) in CALLBACKS and isinstance(value, Callback):
                callbacks.setdefault(snake(key).removeprefix("on_"), []).append(value)
        flow, idle = overlay(workflow.flow, options, self._host.engine)
        if idle:
            self._host.note("warn", f"workflow {flow.name}: options without effect: {idle}")
        return Run(
            self._host,
            flow,
            given,
            identity=workflow.id,
            callbacks=callbacks,
            breakers=workflow.breakers,
            save=self._save,
            turn=self._turn,
        )

    async def _execute_step(self, context: CallContext, args: Args) -> Any:
        workflow = self._of(args)
        wanted = args["step"]
        for step in inner_steps(workflow.flow):
            if wanted in (step.name, step.id):
                return await execute_step(self._begin(workflow, args.get("input"), {}), step)
        raise Missing(f"{workflow.flow.name} has no step {wanted}", code=3001, kind="not_found")

    # -- control ---------------------------------------------------------------------------------

    def _pause(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._running(args, "paused")
        for run in workflow.runs:
            run.pause()
            run.emit(names.WORKFLOW_PAUSED)
        return self._status(context, args)

    async def _resume(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._of(args)
        if workflow.runs and "checkpoint" not in args:
            for run in workflow.runs:
                run.resume()
                run.emit(names.WORKFLOW_RESUMED)
            return self._status(context, args)
        if workflow.runs:
            raise failures.state_invalid(f"workflow {workflow.flow.name} is running")
        if "checkpoint" in args:
            workflow.pending = args["checkpoint"]
        elif workflow.pending is None:
            if workflow.last is None or workflow.last.status in ("completed", "partial"):
                raise failures.state_invalid(
                    f"workflow {workflow.flow.name} has nothing to go on from",
                    hint="call restore_from_checkpoint first, or execute",
                )
            workflow.pending = checkpoints.make(workflow.last, self._host.mask)
        return await self._run(workflow, None, {})

    def _cancel(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._running(args, "cancelled")
        for run in workflow.runs:
            run.cancel(args.get("reason", ""))
            run.status = "cancelled"
        return self._status(context, args)

    def _status(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._of(args)
        if workflow.last is not None:
            return workflow.last.state()
        if workflow.told is not None and workflow.pending is None:
            return workflow.told
        run = Run(self._host, workflow.flow, None)
        run.status = "created" if workflow.pending is None else "restored"
        return run.state()

    def _result(self, context: CallContext, args: Args) -> dict[str, Any] | None:
        last = self._of(args).last
        return None if last is None else last.result()

    # -- checkpoints -----------------------------------------------------------------------------

    async def _save(self, run: Run, label: str = checkpoints.LATEST) -> dict[str, Any]:
        checkpoint = checkpoints.make(run, self._host.mask)
        await keeping.save(self._host.state, checkpoints.key_of(run.name, label), checkpoint)
        run.emit(names.CHECKPOINT_CREATED, label=label, completed=len(run.done))
        return checkpoint

    async def _save_checkpoint(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._of(args)
        if workflow.last is None:
            raise failures.state_invalid(
                f"workflow {workflow.flow.name} has not run: there is nothing to save"
            )
        return await self._save(workflow.last, args.get("label") or checkpoints.LATEST)

    async def _restore(self, context: CallContext, args: Args) -> bool:
        workflow = self._of(args)
        given = args.get("checkpoint")
        if not isinstance(given, dict):
            label = given or checkpoints.LATEST
            key = checkpoints.key_of(workflow.flow.name, label)
            found = await keeping.load(self._host.state, key)
            if found is None and given is not None:
                raise Missing(
                    f"workflow {workflow.flow.name} has no checkpoint {label}",
                    code=3001,
                    kind="not_found",
                )
            if found is None:
                return False
            given = found
        # A trial: what does not fit is refused here and now, not at the next execute.
        checkpoints.restore(Run(self._host, workflow.flow, None), given)
        workflow.pending = given
        self._book.hold(workflow)
        return True

    # -- the definition --------------------------------------------------------------------------

    def _listener(self, kind: str) -> Callable[[CallContext, Args], Any]:
        def listen(context: CallContext, args: Args) -> None:
            self._of(args).listen(kind, args["callback"])

        return listen

    def _add_step(self, context: CallContext, args: Args) -> None:
        self._book.add_step(self._of(args), args["step"])

    def _remove_step(self, context: CallContext, args: Args) -> bool:
        return self._book.remove_step(self._of(args), args["step"])

    # -- inside ----------------------------------------------------------------------------------

    def _of(self, args: Args) -> Workflow:
        return self._book.get(args["id"])

    def _running(self, args: Args, what: str) -> Workflow:
        workflow = self._of(args)
        if not workflow.runs:
            raise failures.state_invalid(
                f"workflow {workflow.flow.name} does not run, so it can't be {what}"
            )
        return workflow


_CONDITION: Final = frozenset(
    {"expression", "function", "evaluate", "check", "predicate", "all", "any", "not", "step",
     "field", "variable", "path", "type", "kind"}
)  # fmt: skip
_WHOLE: Final = frozenset({"condition", "when", "if", "name", "config"})
"""Fields that a StepCondition has, and those that only a whole configuration has."""


def _config(definition: Any, options: Any) -> dict[str, Any]:
    if isinstance(definition, list):
        definition = {"steps": definition}
    elif handle_id(definition, "workflow") is not None:
        raise wrong("a workflow", "it is made of steps, not of a workflow: put it in a list")
    return {**(options or {}), **definition}


def _of_condition(given: Any, has_branch: bool) -> dict[str, Any]:
    """The first argument: a whole configuration, or, with a branch beside it, the condition."""
    if not isinstance(given, dict):
        return {"condition": given}
    names = set(map(snake, given))
    if has_branch and names & _CONDITION and not names & _WHOLE:
        return {"condition": given}
    return dict(given)
