"""What an agent does when a request fails: its error strategy, as one decision at a time.

Sources: ERR-008, ERR-012, API-033 (`error_strategy`). Denials, limits of the run and wrong input
are never tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import Denied, InvalidInput, LimitExceeded, LlmspellError
from llmspell.spells.agents import values
from llmspell.spells.api.options import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRIES_MAX: Final = 10
DELAY_MAX: Final = 300.0
KINDS: Final = ("fail_fast", "retry", "fallback", "continue_degraded", "circuit_breaker")
_SPELLINGS: Final = {
    "retry_with_backoff": "retry",
    "exponential_backoff": "retry",
    "retry_with_shorter_context": "retry",
    "fallback_to_cached": "continue_degraded",
    "use_cached_data": "continue_degraded",
    "use_cached_results": "continue_degraded",
    "skip_tool_and_continue": "continue_degraded",
    "fallback_provider": "fallback",
    "switch_to_fallback_provider": "fallback",
    "fallback_agent": "fallback",
    "stop": "fail_fast",
    "none": "fail_fast",
}

ON: Final = {
    "on_network_error": frozenset({"network"}),
    "on_context_length": frozenset({"context_length"}),
    "on_timeout": frozenset({"timeout"}),
    "on_rate_limit": frozenset({"rate_limit"}),
    "on_provider_error": frozenset({"provider", "network", "context_length", "setup"}),
}
"""Branches of a strategy by the kind of failure, the narrow ones first."""

ELSEWHERE: Final = frozenset(
    {"on_validation_error", "on_permission_denied", "on_agent_error", "on_workflow_error"}
)
"""Branches that `ErrorHandler` knows and an agent has no use for: such failures are final here."""

ACTIONS: Final = frozenset(
    {
        "retry",
        "exponential_backoff",
        "retry_with_backoff",
        "retry_with_shorter_context",
        "switch_to_fallback_provider",
        "skip_tool_and_continue",
        "use_cached_results",
        "fail_fast",
    }
)
"""What `on_timeout` and its like may name (ERR-012)."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker's numbers; seconds."""

    failure_threshold: int
    timeout: float
    recovery_timeout: float


@dataclass(frozen=True, slots=True)
class Strategy:
    """An agent's error strategy. Delays in seconds."""

    kind: str = "fail_fast"
    retries: int = 0
    initial_delay: float = 1.0
    max_delay: float = 30.0
    multiplier: float = 2.0
    shorter: bool = False
    agent: Any = None
    tool: str | None = None
    tool_input: Any = None
    providers: tuple[str, ...] = ()
    skip_failed_tools: bool = False
    use_cached_results: bool = False
    breaker: Breaker | None = None
    actions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one failure: `action` is raise, retry, agent, tool or cached."""

    action: str
    delay: float = 0.0
    shorter: bool = False
    provider: str | None = None


def read_strategy(raw: Mapping[str, Any], engine: str) -> Strategy:
    """The strategy of an agent's merged settings. Raises `InvalidInput` 1004."""
    given = raw.get("error_strategy")
    if isinstance(given, str):
        given = {"type": given}
    table = values.table(given, "error_strategy")
    kind = _kind(table)
    count = table.get("max_retries", table.get("retry_count", raw.get("retry_count")))
    if count is None:
        count = 3 if kind == "retry" else 0
    elif kind == "fail_fast" and "type" not in table:
        kind = "retry"
    delay = table.get("initial_delay", table.get("retry_delay", raw.get("retry_delay")))
    initial = 1.0 if delay is None else _delay(delay, engine, "retry_delay")
    most = table.get("max_delay")
    cached = kind == "continue_degraded" and table.get("use_cached_results") is not False
    return Strategy(
        kind=kind,
        retries=values.integer(count, "error_strategy.max_retries", 0, RETRIES_MAX),
        initial_delay=initial,
        max_delay=max(initial, 30.0) if most is None else _delay(most, engine, "max_delay"),
        multiplier=values.number(table.get("multiplier", 2), "error_strategy.multiplier", 1, 100),
        shorter=table.get("type") == "retry_with_shorter_context",
        agent=table.get("agent", table.get("fallback_agent")),
        tool=_name(table.get("tool", table.get("fallback_tool")), "error_strategy.tool"),
        tool_input=table.get("tool_input"),
        providers=_providers(table, raw),
        skip_failed_tools=table.get("skip_failed_tools") is True
        or "skip_tool_and_continue" in (table.get("type"), _word(table.get("on_tool_error"))),
        use_cached_results=cached or table.get("fallback_behavior") in _CACHED,
        breaker=_breaker(raw.get("circuit_breaker"), table, kind, engine),
        actions=_actions(table),
    )


_CACHED: Final = ("use_cached_data", "use_cached_results", "fallback_to_cached")


def _kind(table: Mapping[str, Any]) -> str:
    word = table.get("type", table.get("strategy", "fail_fast"))
    if word == "by_error":
        word = _word(table.get("default_strategy", "fail_fast"))
    kind = _SPELLINGS.get(word, word) if isinstance(word, str) else None
    if kind not in KINDS:
        raise InvalidInput(
            f"error_strategy.type {str(word)[:60]!r} is not known",
            code=1004,
            hint=f"known are {', '.join(KINDS)}",
        )
    return str(kind)


def _word(given: Any) -> Any:
    """A strategy is named by a word, or is a table that has it as its type."""
    return given.get("type") if isinstance(given, dict) else given


def _delay(value: Any, engine: str, what: str) -> float:
    delay = seconds(value, engine, f"error_strategy.{what}")
    return min(delay, DELAY_MAX)


def _name(value: Any, what: str) -> str | None:
    if isinstance(value, dict):
        value = value.get("name")
    return None if value is None else values.text(value, what, 128)


def _providers(table: Mapping[str, Any], raw: Mapping[str, Any]) -> tuple[str, ...]:
    given = table.get("provider", table.get("providers", raw.get("fallback")))
    found = values.items(given, "error_strategy.provider", 8)
    return tuple(values.text(item, "error_strategy.provider", 256) for item in found)


def _breaker(given: Any, table: Mapping[str, Any], kind: str, engine: str) -> Breaker | None:
    if given is None and kind == "circuit_breaker":
        given = table
    if given is None or given is False:
        return None
    numbers = {} if given is True else values.table(given, "circuit_breaker")
    rest = numbers.get("reset_timeout", numbers.get("recovery_timeout"))
    trial = numbers.get("timeout")
    return Breaker(
        values.integer(
            numbers.get("failure_threshold", 5), "circuit_breaker.failure_threshold", 1, 1000
        ),
        60.0 if trial is None else max(seconds(trial, engine, "circuit_breaker.timeout"), 0.001),
        60.0 if rest is None else max(seconds(rest, engine, "circuit_breaker.timeout"), 0.001),
    )


def _actions(table: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for key in table:
        if key.startswith("on_") and key not in ON and key not in ("on_tool_error", *ELSEWHERE):
            known = ", ".join((*ON, "on_tool_error"))
            raise InvalidInput(
                f"error_strategy.{key[:60]} is not known", code=1004, hint=f"known are {known}"
            )
    for key in (*ON, "on_tool_error"):
        action = _word(table.get(key))
        if action is None:
            continue
        if action not in ACTIONS:
            raise InvalidInput(
                f"error_strategy.{key} {str(action)[:60]!r} is not known",
                code=1004,
                hint=f"known are {', '.join(sorted(ACTIONS))}",
            )
        found.append((key, action))
    return tuple(found)


_FINAL: Final = frozenset(
    {"denied", "limit", "validation", "script", "replay", "bad_request", "content_filter",
     "recursion", "handoff_loop", "circuit_open", "state", "cancelled"}
)  # fmt: skip
"""Kinds that another try can't mend, or (a departure from a script) must not hide."""


def kind_of(error: LlmspellError) -> str:
    """`timeout`, `rate_limit`, `network`, `context_length`, `provider`, `setup` (a provider that is
    not set up: another one may be), `other`, or `final`.
    """
    if isinstance(error, (Denied, LimitExceeded, InvalidInput)):
        return "final"
    if error.code in (2002, 2006, 4008, 6007) or error.kind in _FINAL:
        return "final"
    if error.kind == "timeout" or error.code == 1005:
        return "timeout"
    if error.code == 6006:
        return "rate_limit"
    if error.code == 6003:
        return "network"
    if error.kind == "context_length":
        return "context_length"
    if error.code == 6001:
        return "setup"
    if error.code in (1009, 6004, 6005, 6008):
        return "provider"
    return "other"


def decide(strategy: Strategy, error: LlmspellError, failures: int) -> Decision:
    """What to do after so many failures (1 for the first) of one request."""
    kind = kind_of(error)
    if kind == "final":
        return Decision("raise")
    decision = _decided(strategy, kind, failures)
    wait = getattr(error, "retry_after", None)
    if decision.action == "retry" and decision.provider is None and wait:
        return replace(decision, delay=max(decision.delay, min(float(wait), DELAY_MAX)))
    return decision


def _decided(strategy: Strategy, kind: str, failures: int) -> Decision:
    for point, action in strategy.actions:
        if kind in ON.get(point, ()):
            return _by_action(strategy, action, failures)
    if strategy.kind in ("retry", "circuit_breaker") and failures <= strategy.retries:
        if kind == "setup":
            return Decision("raise")
        return Decision("retry", _backoff(strategy, failures), strategy.shorter)
    if strategy.kind == "fallback":
        if failures <= strategy.retries:
            return Decision("retry", _backoff(strategy, failures))
        step = failures - strategy.retries
        if step <= len(strategy.providers):
            return Decision("retry", provider=strategy.providers[step - 1])
        if strategy.agent is not None:
            return Decision("agent")
        if strategy.tool is not None:
            return Decision("tool")
    if strategy.use_cached_results:
        return Decision("cached")
    return Decision("raise")


def _by_action(strategy: Strategy, action: str, failures: int) -> Decision:
    most = strategy.retries or 3
    if action in ("retry", "exponential_backoff", "retry_with_backoff") and failures <= most:
        return Decision("retry", _backoff(strategy, failures))
    if action == "retry_with_shorter_context" and failures <= most:
        return Decision("retry", shorter=True)
    if action == "switch_to_fallback_provider" and failures <= len(strategy.providers):
        return Decision("retry", provider=strategy.providers[failures - 1])
    if action == "use_cached_results" or strategy.use_cached_results:
        return Decision("cached")
    return Decision("raise")


def _backoff(strategy: Strategy, failures: int) -> float:
    from random import random

    delay = strategy.initial_delay * strategy.multiplier ** (failures - 1)
    # A little apart from each other, so that many agents don't all come back at once.
    return min(delay, strategy.max_delay) * (1 + random() / 10)
