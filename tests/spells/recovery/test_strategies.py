"""Strategies in every spelling of the seeds (API-104, ERR-008, ERR-012, X54, X57)."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.spells.recovery.strategies import DELAY_MAX, choose, create, delay_of, told


def test_names_and_objects_mean_the_same() -> None:
    assert create("retry", "lua") == create({"type": "exponential_backoff"}, "lua")
    assert create({"strategy": "retry"}, "lua") == create({"name": "retry"}, "lua")


def test_err_008_defaults() -> None:
    retry = create("retry_with_backoff", "lua")
    assert (retry["max_retries"], retry["initial_delay"], retry["multiplier"]) == (3, 1.0, 2.0)
    breaker = create("circuit_breaker", "lua")
    assert (breaker["failure_threshold"], breaker["recovery_timeout"]) == (5, 60.0)
    assert create("continue_degraded", "lua")["use_cached_results"] is True
    assert create("fail_fast", "lua") == {"type": "fail_fast"}


def test_x57_both_spellings_of_a_breaker() -> None:
    first = create({"type": "circuit_breaker", "failure_threshold": 3, "reset_timeout": 9}, "lua")
    second = create(
        {"type": "circuit_breaker", "failureThreshold": 3, "recoveryTimeout": 9000}, "javascript"
    )
    assert first["recovery_timeout"] == second["recovery_timeout"] == 9


def test_times_have_the_units_of_the_language() -> None:
    assert create({"type": "retry", "base_delay": 2}, "lua")["initial_delay"] == 2
    assert create({"type": "retry", "baseDelay": 2000}, "javascript")["initial_delay"] == 2
    assert create({"type": "retry", "delay": "1500ms"}, "python")["initial_delay"] == 1.5
    assert create({"type": "retry", "max_delay": "1h"}, "lua")["max_delay"] == DELAY_MAX


def test_a_strategy_read_again_means_the_same() -> None:
    first = create({"type": "retry", "delay": 2000, "maxDelay": 4000}, "javascript")
    assert told(first)["initial_delay"] == "2s"
    assert create(told(first), "javascript") == first == create(told(first), "lua")


def test_s38_fallback_to_a_tool_with_options_one_level_down() -> None:
    found = create(
        {"strategy": "fallback_to_web_search",
         "fallbackConfig": {"maxRetries": 3, "timeoutMs": 30000}},
        "javascript",
    )  # fmt: skip
    assert (found["type"], found["tool"], found["timeout"]) == ("fallback", "web_search", 30)


def test_the_seeds_cached_strategy() -> None:
    found = create({"type": "fallback_to_cached", "cache_timeout": 3600}, "lua")
    assert (found["type"], found["cache_timeout"]) == ("continue_degraded", 3600)


def test_err_012_by_error() -> None:
    config = {
        "on_timeout": "retry_with_shorter_context",
        "on_rate_limit": {"type": "exponential_backoff", "max_retries": 5},
        "on_provider_error": "switch_to_fallback_provider",
        "on_tool_error": "skip_tool_and_continue",
        "max_retries": 1,
        "providers": ["anthropic"],
    }
    strategy = create(config, "lua")
    assert strategy["on_timeout"] == "retry_with_shorter_context"
    assert choose(strategy, "timeout", "lua")["max_retries"] == 1
    assert choose(strategy, "rate_limit", "lua")["max_retries"] == 5
    assert choose(strategy, "provider_error", "lua")["providers"] == ["anthropic"]
    assert choose(strategy, "tool_error", "lua")["type"] == "skip_tool_and_continue"
    assert choose(strategy, "syntax_error", "lua")["type"] == "fail_fast"
    assert create(told(strategy), "lua") == strategy, "a strategy is one of its own"
    assert "type" not in told(strategy)


def test_the_information_of_parse_error_is_a_strategy() -> None:
    info = {"type": "timeout", "recovery_strategy": "exponential_backoff", "message": "m"}
    with pytest.raises(InvalidInput):
        create(info, "lua")
    assert create({**info, "type": None}, "lua")["type"] == "exponential_backoff"


@pytest.mark.parametrize(
    "config",
    [
        "nothing", {}, 5, {"type": "retry", "max_retries": 21},
        {"type": "retry", "max_retries": -1},
        {"type": "retry", "multiplier": 0}, {"type": "retry", "delay": -1},
        {"type": "circuit_breaker", "failure_threshold": 0}, {"on_moon": "retry"},
        {"on_timeout": "nothing"}, {"type": "switch_to_fallback_provider", "providers": [1]},
        {"type": "retry", "operation": Callback(1)}, {"type": "retry", "delay": float("inf")},
    ],
)  # fmt: skip
def test_what_is_no_strategy(config: Any) -> None:
    with pytest.raises(InvalidInput):
        create(config, "lua")


def test_delays_double_up_to_their_bound() -> None:
    strategy = create({"type": "retry", "delay": 1, "max_delay": 5}, "lua")
    assert [delay_of(strategy, n) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]
