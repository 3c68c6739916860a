"""Retries and error strategies as spells write them (X58, WF-010, WF-013, WF-017, API-030)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake
from llmspell.spells.workflows.model import (
    ATTEMPTS_MAX,
    WITH_BACKOFF,
    Breaking,
    Component,
    Retry,
    Strategy,
)
from llmspell.spells.workflows.options import Options, mapping, wrong
from llmspell.spells.workflows.references import read_component

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

SPELLINGS: Final[Mapping[str, str]] = {
    "stop": "stop", "stop_on_error": "stop", "fail": "stop", "fail_fast": "stop", "abort": "stop",
    "continue": "continue", "continue_on_error": "continue", "ignore": "continue",
    "skip": "continue", "skip_and_continue": "continue", "continue_with_warning": "continue",
    "continue_degraded": "continue",
    "retry": "retry", "retry_with_backoff": "retry", "exponential_backoff": "retry",
    "fallback": "fallback", "use_fallback": "fallback", "use_fallback_agent": "fallback",
    "retry_with_different_tool": "fallback", "cascade": "cascade", "circuit_breaker": "cascade",
}  # fmt: skip
"""The seeds' names for the five strategies."""

BACKOFFS: Final[Mapping[str, str]] = {
    "exponential": "exponential", "exponential_backoff": "exponential", "linear": "linear",
    "fixed": "fixed", "constant": "fixed", "none": "fixed",
}  # fmt: skip

FALLBACKS_MAX: Final = 64


def read_retry(value: Any, where: str, engine: str, default: Retry = WITH_BACKOFF) -> Retry | None:
    """A retry policy: a number of retries, true, or an object. Raises `InvalidInput` 3002.

    `max_retries` comes after the first attempt; `max_attempts` counts it.
    """
    if value is None or value is False:
        return None
    if value is True:
        return default
    if type(value) in (int, float):
        value = {"max_retries": value}
    options = Options(mapping(value, where, "retry"), f"{where}: retry", engine)
    retries = options.number("max_retries", "retries", "retry_count", low=0, high=ATTEMPTS_MAX - 1)
    attempts = options.number("max_attempts", "attempts", low=1, high=ATTEMPTS_MAX)
    if attempts is None:
        attempts = default.attempts if retries is None else retries + 1
    backoff = options.take("backoff", "backoff_strategy", "strategy")
    if backoff is True or backoff is None:
        backoff = "exponential"
    elif backoff is False:
        backoff = "fixed"
    if not isinstance(backoff, str) or snake(backoff) not in BACKOFFS:
        raise wrong(where, f"backoff must be one of {', '.join(sorted(set(BACKOFFS.values())))}")
    base = options.pause("base_delay", "initial_delay", "delay", "retry_delay")
    largest = options.pause("max_delay", "maximum_delay")
    factor = options.fraction("multiplier", "backoff_multiplier", "factor", low=1, high=100)
    retryable = options.take("retryable", "retryable_errors", "should_retry", "retry_if")
    if isinstance(retryable, list):
        if not all(isinstance(kind, str) for kind in retryable):
            raise wrong(where, "retryable must be a function or a list of error kinds")
        retryable = tuple(retryable)
    elif retryable is not None and not isinstance(retryable, Callback):
        raise wrong(where, "retryable must be a function or a list of error kinds")
    return Retry(
        attempts,
        default.base_delay if base is None else base,
        default.max_delay if largest is None else largest,
        BACKOFFS[snake(backoff)],
        default.multiplier if factor is None else factor,
        retryable,
    )


def read_breaker(value: Any, where: str, engine: str) -> Breaking | None:
    """A circuit breaker's bounds; `recovery_timeout` and `timeout` spell `reset_timeout` (X57)."""
    if value is None or value is False:
        return None
    given = {} if value is True else mapping(value, where, "circuit_breaker")
    options = Options(given, f"{where}: circuit_breaker", engine)
    threshold = options.number("failure_threshold", "threshold", low=1, high=1_000)
    rest = options.seconds("reset_timeout", "recovery_timeout", "timeout")
    return Breaking(
        Breaking().failure_threshold if threshold is None else threshold,
        Breaking().reset_timeout if rest is None else rest,
    )


def read_strategy(value: Any, where: str, engine: str) -> Strategy:
    """An error strategy: a name, or an object with `type` and its bounds. Raises 3002."""
    if isinstance(value, str):
        return Strategy(
            _kind(value, where), WITH_BACKOFF if _kind(value, where) == "retry" else None
        )
    options = Options(mapping(value, where, "error_strategy"), f"{where}: error_strategy", engine)
    fallbacks = read_fallbacks(options, where)
    breaker = read_breaker(options.take("circuit_breaker"), where, engine)
    named = options.take("type", "strategy", "kind", "name")
    single = options.take("fallback", "fallback_agent", "agent", "fallback_tool", "tool")
    fallback = None
    if single is not None:
        kind = "tool" if options.has("fallback_tool", "tool") else "agent"
        fallback = read_component(single, where, kind)
    if named is None:
        named = "cascade" if fallbacks or breaker or fallback else "retry"
    if not isinstance(named, str):
        raise wrong(where, "the type of an error strategy must be text")
    kind = _kind(named, where)
    if kind == "cascade" and snake(named) == "circuit_breaker" and breaker is None:
        breaker = read_breaker(value, where, engine)
    retry = None
    if kind in ("retry", "cascade"):
        begins = WITH_BACKOFF if kind == "retry" else Retry()
        retry = read_retry(value, where, engine, begins)
    return Strategy(kind, retry, fallback, fallbacks, breaker)


def read_fallbacks(options: Options, where: str) -> dict[str, Component]:
    """`fallback_agents` and `fallback_tools`: what stands in for which agent, tool or step."""
    result: dict[str, Component] = {}
    for name, kind in (("fallback_agents", "agent"), ("fallback_tools", "tool")):
        for failed, stand_in in mapping(options.take(name), where, name).items():
            result[failed] = read_component(stand_in, where, kind)
    if len(result) > FALLBACKS_MAX:
        raise wrong(where, f"at most {FALLBACKS_MAX} fallbacks can be named")
    return result


def _kind(name: str, where: str) -> str:
    kind = SPELLINGS.get(snake(name))
    if kind is None:
        raise wrong(where, f"there is no error strategy {name[:60]!r}", f"take one of {_ALL}")
    return kind


_ALL: Final = ", ".join(dict.fromkeys(SPELLINGS.values()))
