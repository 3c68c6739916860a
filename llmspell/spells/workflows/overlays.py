"""Options laid over each other: nested ones of a definition, those of one run over a definition."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.workflows.model import CONCURRENCY_MAX, Flow, Step
from llmspell.spells.workflows.options import Options
from llmspell.spells.workflows.strategies import read_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final


def merged(config: dict[str, Any]) -> dict[str, Any]:
    """Options of a nested `config`, `options` or `resources` beside the others, which win."""
    result: dict[str, Any] = {}
    for key in ("resources", "options", "config"):
        inner = config.get(key)
        if isinstance(inner, dict):
            result.update(inner)
    result.update({key: value for key, value in config.items() if key not in _NESTED})
    return result


_NESTED: Final = ("resources", "options", "config")


_OF_RUNS: Final = frozenset(
    {"on_step_complete", "on_error", "on_complete", "on_progress", "memory_limit", "max_memory"}
)
"""Options of a run that somebody else looks at."""


def overlay(flow: Flow, given: Mapping[str, Any], engine: str) -> tuple[Flow, str]:
    """The flow with the options of one run laid over it; inner definitions get them too.

    Beside it the names of options that have no effect, for a warning.
    """
    if not given:
        return flow, ""
    options = Options(merged(dict(given)), f"workflow {flow.name}", engine)
    changes: dict[str, Any] = {}
    timeout = options.seconds("timeout", "max_execution_time")
    if timeout is not None:
        changes["timeout"] = timeout
    strategy = options.take("error_strategy", "error_handling")
    inner: dict[str, Any] = {}
    if strategy is not None:
        inner["strategy"] = read_strategy(strategy, options.where, engine)
    per_step = options.seconds("timeout_per_step", "timeout_per_phase", "step_timeout")
    if per_step is not None:
        inner["timeout_per_step"] = per_step
    concurrency = options.number(
        "max_concurrency", "max_parallel", "concurrency", "max_parallel_agents", low=1, high=1_000
    )
    if concurrency is not None:
        inner["max_concurrency"] = min(concurrency, CONCURRENCY_MAX)
    options.asked(_OF_RUNS)
    idle = ", ".join(name[:60] for name in list(options.rest())[:10])
    return _laid(flow, inner)._replace(**changes), idle


def _laid(flow: Flow, changes: dict[str, Any]) -> Flow:
    def step_of(step: Step | None) -> Step | None:
        if step is None or step.component.kind != "inline":
            return step
        inner = step.component._replace(target=_laid(step.component.target, changes))
        return step._replace(component=inner)

    return flow._replace(
        steps=tuple(step for step in map(step_of, flow.steps) if step is not None),
        body=step_of(flow.body),
        then=step_of(flow.then),
        other=step_of(flow.other),
        reduce=step_of(flow.reduce),
        **changes,
    )
