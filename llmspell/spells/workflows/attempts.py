"""Tries a step: attempts with backoff, circuit breaker, what stands in (ERR-008, ERR-009)."""

from __future__ import annotations

import random

from llmspell.channel.jsontext import Callback
from llmspell.errors import LlmspellError, OperationFailed
from llmspell.policies.breaker import CircuitBreaker
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.workflows import failures
from llmspell.spells.workflows.conditions import true_in
from llmspell.spells.workflows.model import ONCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Final

    from llmspell.spells.workflows.model import Breaking, Component, Retry, Step, Strategy
    from llmspell.spells.workflows.run import Run

    Act = Callable[[Component], Awaitable[Any]]

JITTER: Final = 0.1
"""Largest share of a delay that is added at random, so that retries do not come together."""

BREAKERS_MAX: Final = 512

TRIAL_SECONDS: Final = 3_600.0
"""A trial call of a half-open breaker that says nothing for so long counts as failed."""

RETRYABLE_SECONDS: Final = 10.0


class Outcome(NamedTuple):
    """A component's value, the attempts it took, and what stood in ("" for nobody)."""

    value: Any
    attempts: int
    recovered: str


class AttemptsFailed(Exception):
    """Every attempt failed; `error` is the last failure."""

    def __init__(self, error: LlmspellError, attempts: int) -> None:
        super().__init__(error.message)
        self.error = error
        self.attempts = attempts


async def attempt_step(
    run: Run, step: Step, strategy: Strategy, seconds: float | None, act: Act
) -> Outcome:
    """Runs the step's component, then what stands in for it. Raises `AttemptsFailed`."""
    retry = step.retry or strategy.retry or ONCE
    try:
        value, attempts = await _attempts(
            run, step, step.component, retry, strategy.breaker, seconds, act
        )
        return Outcome(value, attempts, "")
    except AttemptsFailed as failed:
        stand_in = _fallback(step, strategy)
        if stand_in is None and strategy.kind == "fallback":
            run.warn(f"workflow {run.name}: nothing is named to stand in for step {step.name}")
        if stand_in is None or failed.error.code in failures.LIMITS:
            raise
        run.warn(
            f"workflow {run.name}, step {step.name}: {stand_in.shown} stands in: "
            f"{failed.error.message}"
        )
        try:
            value, more = await _attempts(run, step, stand_in, ONCE, None, seconds, act)
        except AttemptsFailed as again:
            raise AttemptsFailed(again.error, failed.attempts + again.attempts) from None
        return Outcome(value, failed.attempts + more, stand_in.shown)


def delay_before(retry: Retry, attempt: int, chance: float) -> float:
    """Seconds between attempt `attempt` (from 1) and the next; `chance` is from 0 to 1.

    The delay is capped, then up to a tenth of it is added (ERR-009).
    """
    if retry.backoff == "fixed":
        delay = retry.base_delay
    elif retry.backoff == "linear":
        delay = retry.base_delay * attempt
    else:
        # A hundred attempts at factor 100 would overflow; beyond the cap nothing changes.
        delay = retry.base_delay * retry.multiplier ** min(attempt - 1, 100)
    delay = min(delay, retry.max_delay)
    return delay + delay * JITTER * chance


async def _attempts(
    run: Run,
    step: Step,
    component: Component,
    retry: Retry,
    breaking: Breaking | None,
    seconds: float | None,
    act: Act,
) -> tuple[Any, int]:
    breaker = _breaker(run, component, breaking)
    attempt = 0
    while True:
        attempt += 1
        if breaker is not None and not breaker.allow(run.host.now()):
            raise AttemptsFailed(_open_circuit(component), attempt - 1)
        try:
            value = await run.within(act(component), seconds, f"step {step.name}")
        except LlmspellError as error:
            if breaker is not None:
                breaker.failed(run.host.now())
            if error.kind == "cancelled" and run.is_cancelled:
                raise
            if attempt >= retry.attempts or not await _is_retryable(run, retry, error):
                raise AttemptsFailed(error, attempt) from None
        else:
            if breaker is not None:
                breaker.succeeded(run.host.now())
            return value, attempt
        run.retries += 1
        # Only the spread of retries depends on it, nothing that anybody could gain from guessing.
        await run.sleep(delay_before(retry, attempt, random.random()))
        await run.gate()


async def _is_retryable(run: Run, retry: Retry, error: LlmspellError) -> bool:
    if error.code in failures.DENIED | failures.LIMITS:
        return False
    if isinstance(retry.retryable, Callback):
        run.host.budget.reserve("calls", 1)
        asked = run.host.invoke(retry.retryable, [failures.show(error)], seconds=RETRYABLE_SECONDS)
        try:
            return true_in(run.host.engine, await run.within(asked, None, "retryable"))
        except LlmspellError as failed:
            run.warn(f"workflow {run.name}: retryable failed: {failed.message}")
            return False
    if retry.retryable is not None:
        return error.kind in retry.retryable or str(error.code) in retry.retryable
    return error.code not in failures.FINAL


def _fallback(step: Step, strategy: Strategy) -> Component | None:
    if step.fallback is not None:
        return step.fallback
    for name in (step.component.shown, step.component.target, step.name):
        if isinstance(name, str) and name in strategy.fallbacks:
            return strategy.fallbacks[name]
    return strategy.fallback if strategy.kind in ("fallback", "cascade") else None


def _breaker(run: Run, component: Component, breaking: Breaking | None) -> CircuitBreaker | None:
    if breaking is None:
        return None
    key = f"{component.kind}:{component.shown}"
    breaker = run.breakers.get(key)
    if breaker is None:
        if len(run.breakers) >= BREAKERS_MAX:
            run.breakers.clear()
        breaker = CircuitBreaker(breaking.failure_threshold, TRIAL_SECONDS, breaking.reset_timeout)
        run.breakers[key] = breaker
    return breaker


def _open_circuit(component: Component) -> LlmspellError:
    return OperationFailed(
        f"the circuit of {component.kind} {component.shown} is open after several failures",
        code=failures.EXECUTION_FAILED,
        kind="circuit_open",
        recoverable=True,
    )
