"""Breaker, rate limit, violations and permissions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InternalError, LimitExceeded, UsageError
from llmspell.policies.breaker import BreakerState, CircuitBreaker
from llmspell.policies.rate import RateLimiter
from llmspell.policies.resources import ResourceAmounts, SharedResources
from llmspell.policies.violations import ViolationKind, for_denied, violation


def test_SEC_037_the_breaker_opens_and_recovers() -> None:
    breaker = CircuitBreaker(failure_threshold=2, timeout=5, recovery_timeout=10)
    assert breaker.allow(0)
    breaker.failed(0)
    breaker.succeeded(1)
    breaker.failed(2)
    assert breaker.allow(3)
    breaker.failed(3)
    assert breaker.state(4) is BreakerState.OPEN and not breaker.allow(12)
    assert breaker.allow(13) and not breaker.allow(13)
    breaker.succeeded(14)
    assert breaker.state(14) is BreakerState.CLOSED


def test_SEC_037_a_failed_or_silent_trial_opens_it_again() -> None:
    breaker = CircuitBreaker(1, timeout=5, recovery_timeout=10)
    breaker.failed(0)
    assert breaker.allow(10)
    breaker.failed(11)
    assert not breaker.allow(20) and breaker.allow(21)
    assert breaker.state(26) is BreakerState.OPEN
    breaker.succeeded(27)
    assert breaker.state(27) is BreakerState.OPEN


@pytest.mark.parametrize("bounds", [(0, 1, 1), (1, 0, 1), (1, 1, -1), (1, float("inf"), 1)])
def test_the_breakers_bounds(bounds: tuple[int, float, float]) -> None:
    with pytest.raises(UsageError):
        CircuitBreaker(*bounds)


def test_SEC_041_the_rate_limit_has_a_burst() -> None:
    limiter = RateLimiter.per_minute(60, burst=2, now=0)
    assert [limiter.take(0) for _ in range(3)] == [True, True, False]
    assert limiter.wait(0) == 1 and limiter.take(1) and not limiter.take(0.5)
    assert limiter.wait(1, 5) == float("inf")


@given(st.lists(st.floats(0, 100), max_size=50))
def test_SEC_041_never_more_than_rate_and_burst(times: list[float]) -> None:
    limiter = RateLimiter(2, 3, 0)
    taken = sum(limiter.take(now) for now in times)
    assert taken <= 3 + 2 * max(times, default=0) + 1e-6


def test_SEC_017_violations_carry_exactly_their_details() -> None:
    found = violation(ViolationKind.MEMORY_LIMIT_EXCEEDED, limit=1, actual=2)
    assert found.kind.value == "MemoryLimitExceeded" and found.details == {"limit": 1, "actual": 2}
    with pytest.raises(InternalError):
        violation(ViolationKind.SUSPICIOUS_SYSTEM_CALL, path="x")
    denied = for_denied("fs.write", "a")
    assert denied is not None and denied.kind is ViolationKind.UNAUTHORIZED_FILE_ACCESS
    assert for_denied("tools.execute", "x") is None


def test_RES_001_shared_resources_are_all_or_nothing() -> None:
    shared = SharedResources(ResourceAmounts(100, 2, 10, 100, 100))
    with shared.acquire(ResourceAmounts(memory=60, operations=1)) as guard:
        with pytest.raises(LimitExceeded) as caught:
            shared.acquire(ResourceAmounts(memory=41, operations=1))
        assert caught.value.limit == "total_memory"
        assert shared.available() == (40, 1, 10, 100, 100)
        shared.acquire(ResourceAmounts(memory=40, operations=1)).release()
    guard.release()
    assert shared.available() == shared.total()
    with pytest.raises(InternalError):
        shared.acquire(ResourceAmounts(memory=float("nan")))
    with pytest.raises(UsageError):
        SharedResources(ResourceAmounts(memory=0))
