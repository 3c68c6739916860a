"""Doing what a strategy says, for one error (API-104, ERR-009 … ERR-011).

The operation is a function of the spell's, invoked in its worker; tools and agents are reached by
the session's services and judged there. Attempts, waits and kept results are bounded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from llmspell.errors import InvalidInput, LlmspellError
from llmspell.policies.breaker import CircuitBreaker
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id
from llmspell.spells.recovery.parsing import parse_error
from llmspell.spells.recovery.strategies import DELAY_MAX, delay_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.spells.recovery.stats import ErrorStats

Operation = Callable[[dict[str, "Any"]], Awaitable["Any"]]
"""Runs what failed once more; it is told which attempt it is and what to do otherwise."""

KEPT_MAX: Final = 64
"""Results kept for `use_cached_results`, and circuit breakers, of one run."""

KEPT_CHARACTERS: Final = 65_536
"""A longer result, as it is written by `repr`, is not kept."""

ORIGIN: Final = "recovery"

HOPELESS: Final = frozenset({"permission_denied", "security_violation", "cancelled"})
"""Types that another attempt can't change; `retryable_errors` of a strategy says otherwise."""


class Recovery:
    """One run's attempts: its breakers and kept results."""

    def __init__(self, host: Host, stats: ErrorStats) -> None:
        self._host = host
        self._stats = stats
        self._breakers: dict[str, CircuitBreaker] = {}
        self._kept: dict[str, tuple[float, Any]] = {}

    async def attempt(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        """`{success, data, result, action, attempts, strategy, …}`; an operation's own failure is
        in it under `error`, never raised. `key` names what failed, for breaker and kept result.
        """
        kind = strategy["type"]
        act = {
            "exponential_backoff": self._retry,
            "retry_with_shorter_context": self._retry,
            "switch_to_fallback_provider": self._switch,
            "fallback": self._fallback,
            "continue_degraded": self._degraded,
            "circuit_breaker": self._breaker,
        }.get(kind)
        if act is not None:
            outcome = await act(parsed, strategy, operation, key)
        elif kind == "skip_tool_and_continue":
            outcome = _outcome(True, "skip", None, 0, degraded=True)
        else:
            outcome = _outcome(False, "fail", None, 0, reason=parsed["message"])
        end = "recovered" if outcome["success"] else "failed"
        if not outcome["success"] and outcome["attempts"] > 0 and outcome["action"] == "fail":
            end = "exhausted"
        self._stats.attempted(outcome["attempts"], end)
        return {**outcome, "strategy": kind}

    async def _retry(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        shorter = strategy["type"] == "retry_with_shorter_context"
        if operation is None:
            # The caller runs it: it is told how, as ERR-010's manager tells its executor.
            told: dict[str, Any] = {"context_fraction": 0.5} if shorter else {}
            return _outcome(
                False, "retry", None, 0, delay=_wait(parsed, strategy, 1), reason="no operation",
                **told,
            )  # fmt: skip
        failure: LlmspellError | None = None
        for attempt in range(1, strategy["max_retries"] + 1):
            await _pause(_wait(parsed, strategy, attempt))
            told = {"attempt": attempt}
            if shorter:
                told["context_fraction"] = 0.5**attempt
            try:
                value = await operation(told)
            except LlmspellError as error:
                failure = error
                if not _retryable(strategy, error):
                    return _failed(error, attempt, parsed)
                continue
            self._keep(key, value)
            return _outcome(True, "retry", value, attempt)
        return _failed(failure, strategy["max_retries"], parsed)

    async def _switch(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        providers = strategy["providers"]
        if not providers:
            return _outcome(False, "fail", None, 0, reason="no fallback providers are named")
        if operation is None:
            return _outcome(False, "retry", None, 0, provider=providers[0], reason="no operation")
        failure: LlmspellError | None = None
        for attempt, provider in enumerate(providers, start=1):
            try:
                value = await operation({"attempt": attempt, "provider": provider})
            except LlmspellError as error:
                failure = error
                continue
            self._keep(key, value)
            return _outcome(True, "switch_provider", value, attempt, provider=provider)
        return _failed(failure, len(providers), parsed)

    async def _fallback(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        tool, agent = strategy.get("tool"), strategy.get("agent")
        given = strategy.get("input")
        given = {} if given is None else given if isinstance(given, dict) else {"input": given}
        try:
            if tool is not None:
                name = tool if isinstance(tool, str) else tool.get("name")
                if not isinstance(name, str):
                    raise InvalidInput("the strategy's tool is a name or a tool")
                value = await self._host.tools.execute(name, given, origin=ORIGIN)
            elif agent is not None:
                found = handle_id(agent, "agent") or agent
                if not isinstance(found, str):
                    raise InvalidInput("the strategy's agent is a name or an agent")
                value = await self._host.agents.execute(found, given, origin=ORIGIN)
            elif operation is not None:
                value = await operation({"attempt": 1, "fallback": True})
            else:
                return self._cached(strategy, key)
        except LlmspellError as error:
            return _failed(error, 1, parsed)
        return _outcome(True, "fallback", value, 1)

    async def _degraded(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        attempts = 0
        if operation is not None:
            attempts = 1
            try:
                value = await operation({"attempt": 1, "degraded": True})
            except LlmspellError:
                # What is kept, or going on without it, is what this strategy is for.
                attempts = 1
            else:
                self._keep(key, value)
                return _outcome(True, "retry", value, 1, degraded=True)
        if strategy["use_cached_results"]:
            cached = self._cached(strategy, key)
            if cached["success"] or not strategy["skip_failed_tools"]:
                return {**cached, "attempts": attempts}
        if strategy["skip_failed_tools"]:
            return _outcome(True, "skip", None, attempts, degraded=True)
        return _outcome(False, "fail", None, attempts, reason=parsed["message"])

    async def _breaker(
        self,
        parsed: Mapping[str, Any],
        strategy: Mapping[str, Any],
        operation: Operation | None,
        key: str,
    ) -> dict[str, Any]:
        breaker = self._breakers.get(key)
        if breaker is None:
            if len(self._breakers) >= KEPT_MAX:
                del self._breakers[next(iter(self._breakers))]
            breaker = self._breakers[key] = CircuitBreaker(
                strategy["failure_threshold"], strategy["timeout"], strategy["recovery_timeout"]
            )
        if operation is None:
            # The error that is being recovered from is itself a failure of what is behind it.
            breaker.failed(self._host.now())
            state = breaker.state(self._host.now()).value
            return _outcome(False, "fail", None, 0, circuit=state, reason=parsed["message"])
        if not breaker.allow(self._host.now()):
            return _outcome(False, "circuit_open", None, 0, circuit="open", reason="it rests")
        try:
            value = await operation({"attempt": 1})
        except LlmspellError as error:
            breaker.failed(self._host.now())
            state = breaker.state(self._host.now()).value
            return {**_failed(error, 1, parsed), "circuit": state}
        breaker.succeeded(self._host.now())
        self._keep(key, value)
        return _outcome(True, "retry", value, 1, circuit="closed")

    def _keep(self, key: str, value: Any) -> None:
        if value is None or len(repr(value)) > KEPT_CHARACTERS:
            return
        self._kept.pop(key, None)
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._host.now(), value)

    def _cached(self, strategy: Mapping[str, Any], key: str) -> dict[str, Any]:
        kept = self._kept.get(key)
        age = None if kept is None else self._host.now() - kept[0]
        if kept is not None and age is not None and age <= strategy.get("cache_timeout", 0):
            return _outcome(True, "cached", kept[1], 0, degraded=True, age=round(age, 3))
        if strategy.get("default") is not None:
            return _outcome(True, "default", strategy["default"], 0, degraded=True)
        return _outcome(False, "fail", None, 0, reason="no earlier result is kept")


def _retryable(strategy: Mapping[str, Any], error: LlmspellError) -> bool:
    found = parse_error(error.to_wire())["type"]
    named = strategy.get("retryable_errors")
    return found in named if isinstance(named, list) else found not in HOPELESS


def _wait(parsed: Mapping[str, Any], strategy: Mapping[str, Any], attempt: int) -> float:
    asked = parsed.get("retry_after")
    return min(max(delay_of(strategy, attempt), 0 if asked is None else asked), DELAY_MAX)


async def _pause(seconds: float) -> None:
    # Up to a tenth more, so that many runs that failed together do not come back together.
    await asyncio.sleep(seconds + random.uniform(0, seconds / 10))


def _outcome(success: bool, action: str, value: Any, attempts: int, **more: Any) -> dict[str, Any]:
    return {
        "success": success,
        "action": action,
        "data": value,
        "result": value,
        "attempts": attempts,
        **more,
    }


def _failed(
    failure: LlmspellError | None, attempts: int, parsed: Mapping[str, Any]
) -> dict[str, Any]:
    reason = parsed["message"] if failure is None else failure.message
    told = _outcome(False, "fail", None, attempts, reason=reason)
    if failure is not None:
        told["error"] = parse_error(failure.to_wire())
    return told
