"""The shapes of a workflow's definition, after it was read and checked (TRT-014, TRT-020)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.channel.jsontext import Callback
    from llmspell.spells.tools.schemas import Check

KINDS: Final = (
    "sequential", "parallel", "conditional", "loop", "fan_out", "map_reduce", "pipeline", "custom",
)  # fmt: skip
"""Kinds of workflows (X20: those of all seeds)."""

STEPS_MAX: Final = 256
"""Steps of one definition, inner ones counted."""

NESTING_MAX: Final = 8
"""Definitions written within each other."""

NAME_MAX: Final = 128
"""Characters of a workflow's or step's name."""

CONCURRENCY_MAX: Final = 32
"""Steps of one workflow that run at once, however many it asks for."""

ITEMS_MAX: Final = 10_000
"""Items of a fan-out or map-reduce."""

ITERATIONS_MAX: Final = 10_000
"""Rounds of a loop."""

ATTEMPTS_MAX: Final = 100
"""Attempts of one step."""

SECONDS: Final[Mapping[str, float]] = {"parallel": 180.0, "fan_out": 180.0, "map_reduce": 600.0}
"""Time a workflow may take unless it says so (WF-016); the other kinds have 300 s."""

SECONDS_OTHERWISE: Final = 300.0


class Retry(NamedTuple):
    """When and how often a step is tried again (WF-013, X58). Delays in seconds.

    `attempts` counts all, the first one too. `retryable`: a function(error) or kinds of errors.
    """

    attempts: int = 1
    base_delay: float = 1.0
    max_delay: float = 30.0
    backoff: str = "exponential"
    multiplier: float = 2.0
    retryable: Callback | tuple[str, ...] | None = None


ONCE: Final = Retry()

WITH_BACKOFF: Final = Retry(attempts=4)
"""What "retry" alone means: three more attempts (X58)."""


class Breaking(NamedTuple):
    """A circuit breaker's bounds (X57): failures in a row, and seconds of rest."""

    failure_threshold: int = 5
    reset_timeout: float = 60.0


class Component(NamedTuple):
    """What a step runs.

    `kind`: agent, tool, workflow, function, spell, inline. `target`: an id or name, a `Callback`,
    a path, or a `Flow`. `shown` is its name for people.
    """

    kind: str
    target: Any
    shown: str


class Strategy(NamedTuple):
    """What a failure leads to: stop, continue, retry, fallback or cascade (WF-017, API-030)."""

    kind: str = "stop"
    retry: Retry | None = None
    fallback: Component | None = None
    fallbacks: Mapping[str, Component] = {}
    breaker: Breaking | None = None


class Step(NamedTuple):
    """One step (TRT-020, API-079). `timeout` in seconds; None takes the workflow's.

    `input` counts only with `has_input`; `output` is a name, a mapping or a function. The checks
    are of its input_schema and output_schema (TRT-038); `schema` is what an agent must answer in.
    `compensate` undoes it where the workflow fails after it (WF-019).
    """

    name: str
    component: Component
    id: str = ""
    input: Any = None
    has_input: bool = False
    output: Any = None
    condition: Any = None
    retry: Retry | None = None
    timeout: float | None = None
    strategy: Strategy | None = None
    fallback: Component | None = None
    depends_on: tuple[str, ...] = ()
    prompt: str = ""
    action: str = ""
    tools: tuple[Any, ...] = ()
    input_check: Check | None = None
    output_check: Check | None = None
    schema: Mapping[str, Any] | None = None
    compensate: Step | None = None
    metadata: Mapping[str, Any] = {}


class Flow(NamedTuple):
    """One definition. What only some kinds use has its default elsewhere. Times in seconds."""

    kind: str
    name: str
    description: str = ""
    steps: tuple[Step, ...] = ()
    strategy: Strategy = Strategy()
    strategies: Mapping[str, Strategy] = {}
    timeout: float | None = None
    timeout_per_step: float | None = None
    max_concurrency: int = 4
    fail_fast: bool = False
    require_minimum: int = 1
    merge: str = "merge"
    aggregate: Callback | None = None
    condition: Any = None
    until: bool = False
    then: Step | None = None
    other: Step | None = None
    body: Step | None = None
    reduce: Step | None = None
    items: Any = None
    times: int | None = None
    max_iterations: int | None = None
    delay: float = 0.0
    collect: bool = False
    chunk_size: int = 1
    run: Callback | None = None
    save_checkpoints: bool = False
    checkpoint_interval: int = 1
    input_check: Check | None = None
    output_check: Check | None = None
    metadata: Mapping[str, Any] = {}


def inner_steps(flow: Flow) -> tuple[Step, ...]:
    """Every step that is written in this definition itself, in order."""
    parts = (flow.body, flow.then, flow.other, flow.reduce)
    return flow.steps + tuple(step for step in parts if step is not None)


def count_steps(flow: Flow) -> int:
    """Steps of a definition, those of definitions within it too."""
    total = 0
    for step in inner_steps(flow):
        total += 1
        if step.component.kind == "inline":
            total += count_steps(step.component.target)
    return total
