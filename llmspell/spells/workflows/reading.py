"""From what a spell wrote to a `Flow`: list form, config form, every spelling of the seeds (X19).

Raises `InvalidInput` with code 3002 that names workflow, step and option; 3006 for a circle.
"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake
from llmspell.spells.workflows.merging import read_merge
from llmspell.spells.workflows.model import (
    CONCURRENCY_MAX,
    ITEMS_MAX,
    ITERATIONS_MAX,
    KINDS,
    NAME_MAX,
    NESTING_MAX,
    SECONDS,
    SECONDS_OTHERWISE,
    STEPS_MAX,
    WITH_BACKOFF,
    Component,
    Flow,
    Step,
    Strategy,
    count_steps,
    inner_steps,
)
from llmspell.spells.workflows.options import Options, items, mapping, wrong
from llmspell.spells.workflows.ordering import order_of
from llmspell.spells.workflows.overlays import merged
from llmspell.spells.workflows.references import RUNS, read_component
from llmspell.spells.workflows.steps_reading import read_step
from llmspell.spells.workflows.strategies import read_fallbacks, read_retry, read_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

CALLBACKS: Final = ("on_step_complete", "on_error", "on_complete", "on_progress")

_SINGLE: Final = ("step", "body", "worker", "map", "mapper", "do", "component", "agent", "tool")


def read_flow(kind: str, given: Any, engine: str, name: str = "", depth: int = 0) -> Flow:
    """The definition. `given` is a list of steps or an object; `name` is used unless it has one."""
    if depth > NESTING_MAX:
        raise wrong(
            name or kind, f"workflows are written within each other over {NESTING_MAX} deep"
        )
    config = {"steps": given} if isinstance(given, list) else mapping(given, kind, "a workflow")
    config = merged(config)
    options = Options(config, name or kind, engine)
    name = options.text("name", "id", maximum=NAME_MAX) or name or kind
    options.where = f"workflow {name}"
    options.asked(set(CALLBACKS))
    reader = _Reader(options, engine, depth)
    flow = reader.read(kind, name)
    if count_steps(flow) > STEPS_MAX:
        raise wrong(options.where, f"a workflow has at most {STEPS_MAX} steps")
    order_of(flow.steps, options.where)
    return flow._replace(metadata=options.rest())


class _Reader:
    def __init__(self, options: Options, engine: str, depth: int) -> None:
        self._options = options
        self._engine = engine
        self._depth = depth

    def read(self, kind: str, name: str) -> Flow:
        if kind not in KINDS:
            raise wrong(name, f"there is no workflow type {kind[:60]!r}", ", ".join(KINDS))
        flow = self._general(kind, name)
        if kind == "conditional":
            return self._conditional(flow)
        if kind == "loop":
            return self._loop(flow)
        if kind in ("fan_out", "map_reduce"):
            return self._mapped(flow)
        if kind == "custom":
            return self._custom(flow)
        return flow

    # -- what every kind has ---------------------------------------------------------------------

    def _general(self, kind: str, name: str) -> Flow:
        options, engine = self._options, self._engine
        options.take("type")
        where = options.where
        steps = self._steps()
        strategy, strategies = self._strategies(kind, steps)
        aggregation = options.take("aggregation")
        merge, aggregate = read_merge(options, aggregation)
        minimum = options.number("require_minimum", "minimum", "min_success", low=0, high=STEPS_MAX)
        if minimum is None and isinstance(aggregation, dict):
            inner = Options(aggregation, where, engine)
            minimum = inner.number("require_minimum", "minimum", low=0, high=STEPS_MAX)
        concurrency = options.number(
            "max_concurrency",
            "max_parallel",
            "concurrency",
            "max_parallel_agents",
            low=1,
            high=1_000,
        )
        timeout = options.seconds("timeout", "max_execution_time")
        if timeout is None and self._depth == 0:
            timeout = SECONDS.get(kind, SECONDS_OTHERWISE)
        per_step = options.seconds("timeout_per_step", "timeout_per_phase", "step_timeout")
        interval = options.number("checkpoint_interval", low=1, high=STEPS_MAX)
        saves = options.flag("save_checkpoints", "checkpoints", "checkpointing")
        return Flow(
            kind,
            name,
            options.text("description"),
            steps,
            strategy,
            strategies,
            timeout,
            per_step,
            min(concurrency or 4, CONCURRENCY_MAX),
            options.flag("fail_fast") or False,
            1 if minimum is None else minimum,
            merge,
            aggregate,
            save_checkpoints=saves or (saves is None and interval is not None),
            checkpoint_interval=interval or 1,
            input_check=options.schema("input_schema")[1],
            output_check=options.schema("output_schema")[1],
        )

    def _steps(self) -> tuple[Step, ...]:
        options = self._options
        given = options.take("steps", "branches", "agents", "phases", "tasks")
        if isinstance(given, dict) and given:
            # Branches by name: {left: step, right: step}.
            named = []
            for name, value in given.items():
                described = isinstance(value, dict) and value and "handle" not in value
                named.append({"name": name, **(value if described else {"component": value})})
            given = named
        steps = items(given, options.where, "steps")
        if len(steps) > STEPS_MAX:
            raise wrong(options.where, f"a workflow has at most {STEPS_MAX} steps")
        found: list[Step] = []
        names: set[str] = set()
        for number, value in enumerate(steps, 1):
            step = read_step(value, number, options.where, self._engine, self._depth)
            if step.name in names and not _has_name(value):
                # The same agent or tool twice: what was named after it is told apart.
                step = step._replace(name=f"{step.name[: NAME_MAX - 4]}_{number}")
            names.add(step.name)
            found.append(step)
        return tuple(found)

    def _strategies(
        self, kind: str, steps: tuple[Step, ...]
    ) -> tuple[Strategy, dict[str, Strategy]]:
        options, where = self._options, self._options.where
        given = options.take("error_strategy", "error_handling", "on_failure")
        if given is None and isinstance(options.take("on_error"), str):
            # A name there is a strategy, a function is a callback.
            given = options.take("on_error")
        going_on = options.flag("continue_on_error")
        default = Strategy(
            "retry" if kind == "map_reduce" else
            "continue" if kind in ("parallel", "fan_out") else "stop",
            WITH_BACKOFF if kind == "map_reduce" else None,
        )  # fmt: skip
        if going_on is not None:
            default = Strategy("continue" if going_on else "stop")
        by_step: dict[str, Strategy] = {}
        names = {step.name for step in steps}
        if isinstance(given, dict) and given and names.issuperset(given):
            by_step = {
                step: read_strategy(value, f"{where}: {step}", self._engine)
                for step, value in given.items()
            }
        elif given is not None:
            default = read_strategy(given, where, self._engine)
        fallbacks = read_fallbacks(options, where)
        if fallbacks:
            default = default._replace(fallbacks={**fallbacks, **default.fallbacks})
            by_step = {
                name: one._replace(fallbacks={**fallbacks, **one.fallbacks})
                for name, one in by_step.items()
            }
        retry = read_retry(options.take("retry", "retry_policy"), where, self._engine)
        if retry is not None:
            default = default._replace(retry=retry)
        return default, by_step

    # -- what single kinds have ------------------------------------------------------------------

    def _conditional(self, flow: Flow) -> Flow:
        options = self._options
        if not options.has("condition", "when", "if"):
            raise wrong(options.where, "a conditional workflow needs a condition")
        condition = options.take("condition", "when", "if")
        then = options.take("true_branch", "if_true", "then", "on_true")
        other = options.take("false_branch", "if_false", "else", "otherwise", "on_false")
        if then is None and flow.steps:
            then, flow = {"type": "sequential", "steps": flow.steps}, flow._replace(steps=())
        if then is None:
            raise wrong(options.where, "a conditional workflow needs a true_branch")
        return flow._replace(
            condition=condition,
            then=self._branch(then, "true_branch"),
            other=None if other is None else self._branch(other, "false_branch"),
        )

    def _loop(self, flow: Flow) -> Flow:
        options = self._options
        condition = options.take("condition", "while", "until")
        until = options.has("until")
        given = options.take("items", "for_each", "over")
        times = options.number("times", "count", "iterations", low=0, high=ITERATIONS_MAX)
        if isinstance(condition, dict) and condition:
            inner = Options(condition, options.where, self._engine)
            kind = snake(inner.text("type", "kind"))
            until = kind == "until" or inner.has("until")
            given = inner.take("items", "for_each", "over") if given is None else given
            found = inner.number("times", "count", "iterations", low=0, high=ITERATIONS_MAX)
            times = found if times is None else times
            condition = inner.take("condition", "while", "until", "expression", "predicate")
        elif isinstance(condition, list):
            given, condition = condition, None
        elif type(condition) in (int, float):
            times, condition = options.number("condition", low=0, high=ITERATIONS_MAX), None
        if condition is None and given is None and times is None:
            raise wrong(options.where, "a loop needs a condition, items, or times")
        bound = options.number("max_iterations", "limit", low=1, high=ITERATIONS_MAX)
        flow = self._with_body(flow, "body")
        return flow._replace(
            condition=condition,
            until=until,
            items=given,
            times=times,
            max_iterations=bound,
            delay=options.pause("delay", "interval") or 0.0,
            collect=options.flag("collect", "collect_results") or given is not None,
        )

    def _mapped(self, flow: Flow) -> Flow:
        options = self._options
        given = options.take("items", "data", "inputs", "over")
        if not flow.steps or any(options.has(name) for name in _SINGLE):
            flow = self._with_body(flow, "item")
        elif flow.kind == "map_reduce":
            raise wrong(options.where, "a map-reduce workflow needs a map step")
        if flow.body is None and given is None:
            flow = flow._replace(merge="list" if flow.merge == "merge" else flow.merge)
        reduce = options.take("reduce", "reducer", "combine")
        chunk = options.number("chunk_size", "batch_size", low=1, high=ITEMS_MAX)
        if isinstance(reduce, str) and snake(reduce) in _REDUCTIONS:
            flow, reduce = flow._replace(merge=_REDUCTIONS[snake(reduce)]), None
        elif flow.kind == "map_reduce" and flow.merge == "merge":
            flow = flow._replace(merge="list")
        return flow._replace(
            items=given,
            reduce=None if reduce is None else self._branch(reduce, "reduce"),
            chunk_size=chunk or 1,
        )

    def _custom(self, flow: Flow) -> Flow:
        run = self._options.function("execute", "run", "handler", "fn", "function", "logic")
        if run is None:
            raise wrong(self._options.where, "a custom workflow needs an execute function")
        return flow._replace(run=run)

    def _with_body(self, flow: Flow, name: str) -> Flow:
        body = self._options.take(*_SINGLE)
        if body is None and flow.steps:
            body, flow = {"type": "sequential", "steps": flow.steps}, flow._replace(steps=())
        if body is None:
            raise wrong(self._options.where, "there is no step to repeat: give body or steps")
        if self._options.has("agent", "tool") and isinstance(body, str):
            body = {"agent" if self._options.has("agent") else "tool": body}
        return flow._replace(body=self._branch(body, name))

    def _branch(self, value: Any, name: str) -> Step:
        """A branch: a step, a list of steps, or a component."""
        where, engine, depth = self._options.where, self._engine, self._depth
        if isinstance(value, list) and value:
            value = {"type": "sequential", "steps": value}
        if isinstance(value, dict) and "handle" not in value and not _is_function(value):
            if isinstance(value.get("steps"), tuple):
                inner = Flow("sequential", name, steps=value["steps"])
                return Step(name, Component("inline", inner, name))
            return read_step({"name": name, **value}, 1, where, engine, depth)
        return Step(name, read_component(value, where))


def _is_function(value: Mapping[str, Any]) -> bool:
    return any(isinstance(value.get(key), Callback) for key in RUNS) and "schema" in value


_REDUCTIONS: Final = {
    "list": "list", "concat": "concat", "first": "first", "vote": "vote", "sum": "sum",
    "merge": "deep_merge", "deep_merge": "deep_merge", "count": "count",
}  # fmt: skip


def describe(flow: Flow) -> list[dict[str, Any]]:
    """The steps as a spell may see them."""
    return [
        {
            "name": step.name,
            "id": step.id or step.name,
            "kind": step.component.kind,
            "component": step.component.shown,
            "depends_on": list(step.depends_on),
            **({"output": step.output} if isinstance(step.output, str) else {}),
        }
        for step in inner_steps(flow)
    ]


def _has_name(value: Any) -> bool:
    """Whether a step was given a name of its own."""
    if isinstance(value, Step):
        return True
    return isinstance(value, dict) and "handle" not in value and ("name" in value or "id" in value)
