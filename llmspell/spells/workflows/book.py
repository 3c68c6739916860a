"""The workflows of one run: made, found, changed and looked at. Running them is the service's."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake
from llmspell.spells.plain import Room, footprint
from llmspell.spells.workflows.model import STEPS_MAX, Flow, count_steps, inner_steps
from llmspell.spells.workflows.options import wrong
from llmspell.spells.workflows.ordering import order_of
from llmspell.spells.workflows.reading import CALLBACKS, describe, read_flow
from llmspell.spells.workflows.steps_reading import read_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    from llmspell.policies.breaker import CircuitBreaker
    from llmspell.spells.ports import Host
    from llmspell.spells.workflows.run import Run

WORKFLOWS_MAX: Final = 256
"""Workflows of one run."""

ENDED_MAX: Final = 67_108_864
"""Bytes (about) that the workflows of a run hold together of runs that ended (`get_result`) and of
checkpoints to go on from."""

CALLBACKS_MAX: Final = 16
"""Callbacks of one kind on one workflow."""


class Workflow:
    """One workflow: its definition, who wants to be told, and its runs.

    `pending` is a checkpoint that the next run goes on from; `last` the latest run, and `told`
    where it stood when there was no more room for it.
    """

    __slots__ = ("breakers", "callbacks", "flow", "id", "last", "pending", "runs", "told")

    def __init__(self, identity: str, flow: Flow) -> None:
        self.id = identity
        self.flow = flow
        self.callbacks: dict[str, list[Callback]] = {}
        self.breakers: dict[str, CircuitBreaker] = {}
        self.runs: list[Run] = []
        self.last: Run | None = None
        self.told: dict[str, Any] | None = None
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


class WorkflowBook:
    """Workflows by id and by name; the latest of a name counts."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._workflows: dict[str, Workflow] = {}
        self._names: dict[str, str] = {}
        self._room = Room("the workflows of a run come to")
        self._held: dict[str, int] = {}

    def __iter__(self) -> Iterator[Workflow]:
        return iter(self._workflows.values())

    def clear(self) -> None:
        """Forgets every workflow."""
        self._workflows.clear()
        self._names.clear()
        self._held.clear()

    def find(self, name_or_id: str) -> str | None:
        """The id of a workflow by id or name."""
        if name_or_id in self._workflows:
            return name_or_id
        return self._names.get(name_or_id)

    def get(self, name_or_id: str) -> Workflow:
        """A workflow by id or name. Raises `Missing` 3001."""
        identity = self.find(name_or_id)
        if identity is None:
            raise Missing(f"there is no workflow {name_or_id}", code=3001, kind="not_found")
        return self._workflows[identity]

    def make(self, kind: str, config: Any) -> Workflow:
        """A new workflow. Raises `InvalidInput` 3002, 3006; `LimitExceeded`."""
        if len(self._workflows) >= WORKFLOWS_MAX:
            raise LimitExceeded("workflows", f"a run has at most {WORKFLOWS_MAX} workflows")
        identity = f"workflow-{len(self._workflows) + 1}"
        self._room.take(config)
        flow = read_flow(kind, config, self._host.engine, identity)
        workflow = Workflow(identity, flow)
        if isinstance(config, dict):
            for key, value in config.items():
                if snake(key) in CALLBACKS and isinstance(value, Callback):
                    workflow.listen(snake(key).removeprefix("on_"), value)
        self._workflows[identity] = workflow
        self._names[flow.name] = identity
        self._warn_idle(flow)
        return workflow

    def add_step(self, workflow: Workflow, given: Any) -> None:
        """Adds a step at the end. Raises `InvalidInput` 3002, 3006."""
        flow = workflow.flow
        where = f"workflow {flow.name}"
        if flow.kind in ("conditional", "loop"):
            raise wrong(where, f"a {flow.kind} workflow takes no further steps")
        self._room.take(given)
        step = read_step(given, len(flow.steps) + 1, where, self._host.engine, 0)
        changed = flow._replace(steps=(*flow.steps, step))
        if count_steps(changed) > STEPS_MAX:
            raise wrong(where, f"a workflow has at most {STEPS_MAX} steps")
        order_of(changed.steps, where)
        self.check_circle(workflow, changed)
        workflow.flow = changed

    def remove_step(self, workflow: Workflow, name: str) -> bool:
        """Takes a step out; whether it was there. Raises 3002 when another depends on it."""
        left = tuple(step for step in workflow.flow.steps if name not in (step.name, step.id))
        if len(left) == len(workflow.flow.steps):
            return False
        order_of(left, f"workflow {workflow.flow.name}")
        workflow.flow = workflow.flow._replace(steps=left)
        return True

    def hold(self, workflow: Workflow) -> None:
        """Keeps what a run came to, or a checkpoint; what was kept longest goes where it is too
        much, and only where the run stood is still told.
        """
        if workflow.id not in self._workflows:
            return  # The run of the whole spell is over.
        self._held.pop(workflow.id, None)
        size = footprint(workflow.pending)
        if workflow.last is not None:
            size += workflow.last.footprint()
        self._held[workflow.id] = size
        over = sum(self._held.values()) - ENDED_MAX
        for identity in list(self._held):
            if over <= 0:
                return
            other = self._workflows[identity]
            if not other.runs:
                over -= self._held.pop(identity)
                self._let_go(other)

    def _let_go(self, workflow: Workflow) -> None:
        if workflow.last is not None:
            workflow.told = workflow.last.state()
        workflow.last = workflow.pending = None
        self._host.note(
            "warn",
            f"workflow {workflow.flow.name}: what its last run gave is not kept any longer",
            {"kept_bytes": ENDED_MAX},
        )

    def check_circle(self, workflow: Workflow, flow: Flow) -> None:
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

    def validate(self, workflow: Workflow) -> dict[str, Any]:
        """What is wrong with it: `{valid, errors, warnings}`."""
        flow = workflow.flow
        errors: list[str] = []
        warnings: list[str] = []
        if not inner_steps(flow) and flow.run is None:
            warnings.append("it has no steps")
        try:
            self.check_circle(workflow, flow)
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
        names = _idle(flow)
        if names:
            warnings.append(f"without effect: {', '.join(names[:10])}")
        return {"valid": not errors, "errors": errors, "warnings": warnings}

    def _warn_idle(self, flow: Flow) -> None:
        names = _idle(flow)
        if names:
            idle = ", ".join(names[:10])
            self._host.note(
                "warn", f"workflow {flow.name}: kept as metadata, without effect: {idle}"
            )


_ONLY_DATA: Final = frozenset({"metadata", "tags", "version", "description", "author"})
"""Options that are nothing but data, so that they have no effect is no surprise."""


def _idle(flow: Flow) -> list[str]:
    """Options of a definition that nobody looks at."""
    names = [key[:60] for key in flow.metadata if key not in _ONLY_DATA]
    for step in inner_steps(flow):
        names += [f"{step.name}.{key}"[:60] for key in step.metadata if key not in _ONLY_DATA]
        if step.component.kind == "inline":
            names += _idle(step.component.target)
    return names


def config_of(flow: Flow) -> dict[str, Any]:
    """How a workflow is set up, as a spell may see it. Times in seconds."""
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
