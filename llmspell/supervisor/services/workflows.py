"""The workflows of one run: made, found, run and steered by wire calls (API-018, 070 … 079)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, snake
from llmspell.spells.events import names
from llmspell.spells.workflows import checkpoints, failures
from llmspell.spells.workflows.execution import execute, execute_step
from llmspell.spells.workflows.model import KINDS, STEPS_MAX, Flow, count_steps, inner_steps
from llmspell.spells.workflows.options import wrong
from llmspell.spells.workflows.reading import CALLBACKS, describe, order_of, overlay, read_flow
from llmspell.spells.workflows.run import Run
from llmspell.spells.workflows.steps_reading import read_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.supervisor.broker import CallContext

    Args = dict[str, Any]

WORKFLOWS_MAX: Final = 256
"""Workflows of one run."""

CALLBACKS_MAX: Final = 16
"""Callbacks of one kind on one workflow."""

RUNS_MAX: Final = 32
"""Executions of one workflow at the same time."""

SCOPE: Final = "spell"
"""Whose state the checkpoints are: the spell's own, which outlives the process."""


class Workflow:
    """One workflow: its definition, who wants to be told, and its runs."""

    __slots__ = ("breakers", "callbacks", "flow", "id", "last", "pending", "runs")

    def __init__(self, identity: str, flow: Flow) -> None:
        self.id = identity
        self.flow = flow
        self.callbacks: dict[str, list[Callback]] = {}
        self.breakers: dict[str, Any] = {}
        self.runs: list[Run] = []
        self.last: Run | None = None
        self.pending: Mapping[str, Any] | None = None

    def show(self) -> dict[str, Any]:
        """What becomes the spell's object."""
        return {
            "handle": "workflow",
            "id": self.id,
            "name": self.flow.name,
            "type": self.flow.kind,
            "description": self.flow.description,
        }

    def listen(self, kind: str, callback: Callback) -> None:
        """Adds a callback. Raises `LimitExceeded`."""
        known = self.callbacks.setdefault(kind, [])
        if len(known) >= CALLBACKS_MAX:
            raise LimitExceeded("callbacks", f"a workflow has at most {CALLBACKS_MAX} on_{kind}")
        known.append(callback)


class WorkflowService:
    """Implements `ports.Workflows` and the wire calls `workflow.*`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._workflows: dict[str, Workflow] = {}
        self._names: dict[str, str] = {}
        self._last = 0
        self.table: dict[str, Callable[[CallContext, Args], Any]] = {
            "workflow.create": self._create,
            "workflow.conditional": self._conditional,
            "workflow.loop": self._loop,
            "workflow.get": lambda ctx, args: self._named(args["name"]).show(),
            "workflow.list": lambda ctx, args: [one.show() for one in self._workflows.values()],
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
            "workflow.get_steps": lambda ctx, args: describe(self._named(args["id"]).flow),
            "workflow.validate": self._validate,
            "workflow.get_config": self._config,
        }
        for kind in ("sequential", "parallel", "fan_out", "map_reduce", "pipeline", "custom"):
            self.table[f"workflow.{kind}"] = self._maker(kind)
        for name in CALLBACKS:
            self.table[f"workflow.{name}"] = self._listener(name.removeprefix("on_"))

    def close(self) -> None:
        """Ends what runs. Idempotent."""
        for workflow in self._workflows.values():
            for run in workflow.runs:
                run.cancel("the spell ended")
        self._workflows.clear()
        self._names.clear()

    # -- ports.Workflows -------------------------------------------------------------------------

    def find(self, name_or_id: str) -> str | None:
        """The id of a workflow by id or name; the latest of a name counts."""
        if name_or_id in self._workflows:
            return name_or_id
        return self._names.get(name_or_id)

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        """Runs a workflow by a brokered call; `given` is `{input, options?}` or the input."""
        is_call = "input" in given and given.keys() <= {"input", "options"}
        call: dict[str, Any] = {"id": name_or_id, **(given if is_call else {"input": dict(given)})}
        result: dict[str, Any] = await self._host.call("workflow.execute", call, origin=origin)
        return result

    # -- making ----------------------------------------------------------------------------------

    def make(self, kind: str, config: Any) -> Workflow:
        """A workflow of this run. Raises `InvalidInput` 3002, 3006; `LimitExceeded`."""
        if len(self._workflows) >= WORKFLOWS_MAX:
            raise LimitExceeded("workflows", f"a run has at most {WORKFLOWS_MAX} workflows")
        identity = f"workflow-{self._last + 1}"
        flow = read_flow(kind, config, self._host.engine, identity)
        workflow = Workflow(identity, flow)
        if isinstance(config, dict):
            for key, value in config.items():
                if snake(key) in CALLBACKS and isinstance(value, Callback):
                    workflow.listen(snake(key).removeprefix("on_"), value)
        self._last += 1
        self._workflows[identity] = workflow
        self._names[flow.name] = identity
        if flow.metadata:
            idle = ", ".join(key[:60] for key in list(flow.metadata)[:10])
            self._host.note(
                "warn", f"workflow {flow.name}: kept as metadata, without effect: {idle}"
            )
        return workflow

    def _maker(self, kind: str) -> Callable[[CallContext, Args], Any]:
        def create(context: CallContext, args: Args) -> dict[str, Any]:
            return self.make(kind, _config(args["definition"], args.get("options"))).show()

        return create

    def _create(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _config(args["definition"], args.get("options"))
        kind = config.get("type", config.get("kind", "sequential"))
        if not isinstance(kind, str) or snake(kind) not in KINDS:
            raise wrong("Workflow.create", "there is no such type", ", ".join(KINDS))
        return self.make(snake(kind), config).show()

    def _conditional(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _of_condition(args["condition"], _CONDITIONAL, "true_branch" in args)
        config.update((key, args[key]) for key in ("true_branch", "false_branch") if key in args)
        return self.make("conditional", config).show()

    def _loop(self, context: CallContext, args: Args) -> dict[str, Any]:
        config = _of_condition(args["condition"], _LOOP, "body" in args)
        config = {**(args.get("options") or {}), **config}
        if "body" in args:
            config["body"] = args["body"]
        return self.make("loop", config).show()

    # -- running ---------------------------------------------------------------------------------

    async def _execute(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
        return await self._run(workflow, args.get("input"), args.get("options") or {})

    async def _run_with_progress(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
        return await self._run(workflow, args.get("input"), {"on_progress": args["callback"]})

    async def _run(self, workflow: Workflow, given: Any, options: dict[str, Any]) -> dict[str, Any]:
        run = self._begin(workflow, given, options)
        pending, workflow.pending = workflow.pending, None
        if pending is not None:
            checkpoints.restore(run, pending)
            if given is not None:
                run.values.input = given
        workflow.runs.append(run)
        workflow.last = run
        try:
            result = await execute(run)
        finally:
            workflow.runs.remove(run)
        if run.flow.save_checkpoints and run.status == "completed":
            # Done is done: the next process begins anew.
            await self._host.state.delete(SCOPE, checkpoints.key_of(run.name))
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
        return Run(
            self._host,
            overlay(workflow.flow, options, self._host.engine),
            given,
            identity=workflow.id,
            callbacks=callbacks,
            breakers=workflow.breakers,
            save=self._save,
        )

    async def _execute_step(self, context: CallContext, args: Args) -> Any:
        workflow = self._named(args["id"])
        wanted = args["step"]
        for step in inner_steps(workflow.flow):
            if wanted in (step.name, step.id):
                return await execute_step(self._begin(workflow, args.get("input"), {}), step)
        raise Missing(f"{workflow.flow.name} has no step {wanted}", code=3001, kind="not_found")

    # -- control ---------------------------------------------------------------------------------

    def _pause(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._running(args["id"], "paused")
        for run in workflow.runs:
            run.pause()
            run.emit(names.WORKFLOW_PAUSED)
        return self._status(context, args)

    async def _resume(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
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
        workflow = self._running(args["id"], "cancelled")
        for run in workflow.runs:
            run.cancel(args.get("reason", ""))
            run.status = "cancelled"
        return self._status(context, args)

    def _status(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
        if workflow.last is not None:
            return workflow.last.state()
        run = Run(self._host, workflow.flow, None)
        run.status = "created" if workflow.pending is None else "restored"
        return run.state()

    def _result(self, context: CallContext, args: Args) -> dict[str, Any] | None:
        last = self._named(args["id"]).last
        return None if last is None else last.result(last.values.extra.get("previous"))

    # -- checkpoints -----------------------------------------------------------------------------

    async def _save(self, run: Run, label: str = checkpoints.LATEST) -> dict[str, Any]:
        checkpoint = checkpoints.make(run, self._host.mask)
        await self._host.state.set(SCOPE, checkpoints.key_of(run.name, label), checkpoint)
        run.emit(names.CHECKPOINT_CREATED, label=label, completed=len(run.done))
        return checkpoint

    async def _save_checkpoint(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
        if workflow.last is None:
            raise failures.state_invalid(
                f"workflow {workflow.flow.name} has not run: there is nothing to save"
            )
        return await self._save(workflow.last, args.get("label") or checkpoints.LATEST)

    async def _restore(self, context: CallContext, args: Args) -> bool:
        workflow = self._named(args["id"])
        given = args.get("checkpoint")
        if not isinstance(given, dict):
            label = given or checkpoints.LATEST
            key = checkpoints.key_of(workflow.flow.name, label)
            found = await self._host.state.get(SCOPE, key)
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
        return True

    # -- the definition --------------------------------------------------------------------------

    def _listener(self, kind: str) -> Callable[[CallContext, Args], Any]:
        def listen(context: CallContext, args: Args) -> None:
            self._named(args["id"]).listen(kind, args["callback"])

        return listen

    def _add_step(self, context: CallContext, args: Args) -> None:
        workflow = self._named(args["id"])
        flow = workflow.flow
        where = f"workflow {flow.name}"
        if flow.kind in ("conditional", "loop"):
            raise wrong(where, f"a {flow.kind} workflow takes no further steps")
        step = read_step(args["step"], len(flow.steps) + 1, where, self._host.engine, 0)
        changed = flow._replace(steps=(*flow.steps, step))
        if count_steps(changed) > STEPS_MAX:
            raise wrong(where, f"a workflow has at most {STEPS_MAX} steps")
        order_of(changed.steps, where)
        self._check_circle(workflow, changed)
        workflow.flow = changed

    def _remove_step(self, context: CallContext, args: Args) -> bool:
        workflow = self._named(args["id"])
        wanted = args["step"]
        left = tuple(s for s in workflow.flow.steps if wanted not in (s.name, s.id))
        if len(left) == len(workflow.flow.steps):
            return False
        order_of(left, f"workflow {workflow.flow.name}")
        workflow.flow = workflow.flow._replace(steps=left)
        return True

    def _check_circle(self, workflow: Workflow, flow: Flow) -> None:
        """Raises 3006 when running the flow would run the workflow itself again."""
        seen: set[str] = set()
        left = [flow]
        while left:
            for step in inner_steps(left.pop()):
                component = step.component
                if component.kind == "inline":
                    left.append(component.target)
                if component.kind != "workflow":
                    continue
                identity = self.find(component.target)
                if identity == workflow.id:
                    raise InvalidInput(
                        f"workflow {flow.name} would run itself by step {step.name}", code=3006
                    )
                if identity is not None and identity not in seen:
                    seen.add(identity)
                    left.append(self._workflows[identity].flow)

    def _validate(self, context: CallContext, args: Args) -> dict[str, Any]:
        workflow = self._named(args["id"])
        flow, errors, warnings = workflow.flow, [], []
        if not inner_steps(flow) and flow.run is None:
            warnings.append("it has no steps")
        try:
            self._check_circle(workflow, flow)
        except InvalidInput as error:
            errors.append(error.message)
        for step in inner_steps(flow):
            component = step.component
            if component.kind == "workflow" and self.find(component.target) is None:
                errors.append(f"step {step.name}: there is no workflow {component.shown}")
            if component.kind == "tool" and component.target not in self._host.tools.names():
                errors.append(f"step {step.name}: there is no tool {component.shown}")
            if component.kind == "agent" and self._host.agents.find(component.target) is None:
                warnings.append(f"step {step.name}: there is no agent {component.shown} yet")
        if flow.metadata:
            warnings.append(f"without effect: {', '.join(list(flow.metadata)[:10])}")
        return {"valid": not errors, "errors": errors, "warnings": warnings}

    def _config(self, context: CallContext, args: Args) -> dict[str, Any]:
        flow = self._named(args["id"]).flow
        return {
            "name": flow.name,
            "type": flow.kind,
            "description": flow.description,
            "error_strategy": flow.strategy.kind,
            "timeout": flow.timeout,
            "timeout_per_step": flow.timeout_per_step,
            "max_concurrency": flow.max_concurrency,
            "fail_fast": flow.fail_fast,
            "require_minimum": flow.require_minimum,
            "merge_strategy": flow.merge,
            "save_checkpoints": flow.save_checkpoints,
            "checkpoint_interval": flow.checkpoint_interval,
            "steps": describe(flow),
            "metadata": {
                key: value for key, value in flow.metadata.items() if not _has_function(value)
            },
        }

    # -- inside ----------------------------------------------------------------------------------

    def _named(self, name_or_id: str) -> Workflow:
        identity = self.find(name_or_id)
        if identity is None:
            raise Missing(f"there is no workflow {name_or_id}", code=3001, kind="not_found")
        return self._workflows[identity]

    def _running(self, name_or_id: str, what: str) -> Workflow:
        workflow = self._named(name_or_id)
        if not workflow.runs:
            raise failures.state_invalid(
                f"workflow {workflow.flow.name} does not run, so it can't be {what}"
            )
        return workflow


_CONDITIONAL: Final = frozenset(
    {"condition", "when", "if", "true_branch", "if_true", "then", "on_true", "steps", "name"}
)
_LOOP: Final = frozenset(
    {"condition", "while", "until", "items", "for_each", "over", "times", "count", "iterations",
     "body", "step", "steps", "name"}
)  # fmt: skip


def _config(definition: Any, options: Any) -> dict[str, Any]:
    if isinstance(definition, list):
        definition = {"steps": definition}
    elif handle_id(definition, "workflow") is not None:
        raise wrong("a workflow", "it is made of steps, not of a workflow: put it in a list")
    return {**(options or {}), **definition}


def _of_condition(given: Any, keys: frozenset[str], has_more: bool) -> dict[str, Any]:
    """The first argument: a whole configuration, or the condition alone."""
    if not isinstance(given, dict) or not keys.intersection(map(snake, given)):
        return {"condition": given}
    # With a branch beside it, an object that says only how to decide is the condition.
    if has_more and not any(snake(key) in ("name", "condition", "config") for key in given):
        return {"condition": given}
    return dict(given)


def _has_function(value: Any) -> bool:
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, Callback):
            return True
        if isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False
