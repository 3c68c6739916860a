"""An agent's settings in every spelling; wrong ones name the option (API-032 … 035, X17, X18)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import Denied, InvalidInput
from llmspell.spells.agents import settings
from tests.spells.agents.kit import Desk


def read(engine: str = "lua", **given: Any) -> settings.Settings:
    return settings.read(settings.merged(given), "agent_1", engine)


def test_X18_top_level_wins_over_config_over_base_config() -> None:
    found = read(
        temperature=0.1,
        config={"temperature": 0.2, "max_tokens": 20, "timeout": 2},
        base_config={"temperature": 0.3, "max_tokens": 30, "model": "m"},
    )
    assert (found.temperature, found.limits.max_tokens, found.model) == (0.1, 20, "m")
    assert found.limits.timeout == 2


@pytest.mark.parametrize("key", ["system_prompt", "systemPrompt", "system", "instructions"])
def test_X17_spellings_of_the_system_prompt(key: str) -> None:
    assert read(**{key: "be brief"}).system_prompt == "be brief"


def test_LLM_022_the_tests_variant() -> None:
    found = read(name="t", llm_provider="mock_provider", max_iterations=5, timeout=30)
    assert (found.provider, found.limits.max_iterations, found.limits.timeout) == (
        "mock_provider",
        5,
        30,
    )


def test_X37_times_have_the_language_s_unit() -> None:
    assert read(timeout=30).limits.timeout == 30
    assert read("javascript", timeout=15_000).limits.timeout == 15
    assert read("javascript", timeout="15s").limits.timeout == 15


def test_API_033_nested_config_of_lua() -> None:
    found = read(
        config={
            "retry_count": 2,
            "circuit_breaker": {"failure_threshold": 5, "reset_timeout": 300},
            "rate_limit": {"requests_per_minute": 30, "burst_allowance": 5},
            "resources": {"max_memory": "512MB", "max_execution_time": 100,
                          "max_concurrent_tools": 3},
            "error_strategy": {"retry_count": 3, "retry_delay": 5,
                               "fallback_behavior": "use_cached_data"},
        }
    )  # fmt: skip
    limits, strategy = found.limits, found.strategy
    assert (limits.requests_per_minute, limits.burst) == (30, 5)
    assert (limits.timeout, limits.max_concurrent_tools) == (100, 3)
    assert (strategy.kind, strategy.retries, strategy.initial_delay) == ("retry", 3, 5)
    assert strategy.use_cached_results and strategy.breaker is not None
    assert (strategy.breaker.failure_threshold, strategy.breaker.recovery_timeout) == (5, 300)


@pytest.mark.parametrize("key", ["retry_count", "retries", "maxRetries"])
def test_retries_of_an_agent_by_any_of_its_names(key: str) -> None:
    given: dict[str, Any] = {key: 2}
    found = read(**given)
    assert (found.strategy.kind, found.strategy.retries, found.unknown) == ("retry", 2, ())


def test_API_034_memory() -> None:
    memory = read(memory={"type": "conversation", "max_entries": 100, "persistence": True}).memory
    assert (memory.max_entries, memory.persistence, memory.summarize_after) == (100, True, None)
    assert read(memory_config={"summarizeAfter": 20}).memory.summarize_after == 20
    assert not read(memory=False).memory.enabled


def test_the_later_of_two_spellings_counts() -> None:
    assert read(system_prompt="old", systemPrompt="new").system_prompt == "new"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 7}, "name"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_iterations": 1000}, "max_iterations"),
        ({"max_concurrent_tools": 99}, "max_concurrent_tools"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"system_prompt": 5}, "system_prompt"),
        ({"system_prompt": "x" * 300_000}, "system_prompt"),
        ({"tools": ["t"] * 200}, "tools"),
        ({"rate_limit": {"requests_per_minute": 0}}, "requests_per_minute"),
        ({"rate_limit": {}}, "requests_per_minute"),
        ({"memory": {"max_entries": 0}}, "max_entries"),
        ({"memory": "long"}, "memory"),
        ({"hooks": {"before_lunch": Callback(1)}}, "before_lunch"),
        ({"error_strategy": "pray"}, "error_strategy"),
        ({"error_strategy": {"on_timeout": "pray"}}, "on_timeout"),
        ({"error_strategy": {"max_retries": 1000}}, "max_retries"),
        ({"circuit_breaker": {"failure_threshold": 0}}, "failure_threshold"),
        ({"state": {"f": Callback(1)}}, "state"),
        ({"output_schema": "object"}, "output_schema"),
        ({"config": 5}, "config"),
        ({f"k{n}": n for n in range(300)}, "options"),
        ({"notes": "x" * 1_100_000}, "options"),
        ({"notes": {"inner": [b"x"]}}, "bytes"),
    ],
)
def test_wrong_settings_name_the_option(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(**given)
    assert named in refused.value.message
    assert refused.value.kind == "validation"


def test_unknown_options_are_kept_and_warned_of_once() -> None:
    async def go() -> None:
        desk = Desk()
        agent = await desk.agent(name="a", mood="sunny", memory={"storage_path": "./x"})
        assert desk.host.notes == [("warn", "Agent.create: mood, memory.storage_path: kept, but "
                                    "nothing uses it")]  # fmt: skip
        assert agent.settings.raw["mood"] == "sunny"

    asyncio.run(go())


def test_update_config_only_tightens_what_is_limited() -> None:
    async def go() -> None:
        desk = Desk()
        agent = await desk.agent(name="a", timeout=10, max_tokens=100)
        await desk.book.update(agent, {"timeout": 5, "system_prompt": "new", "temperature": 1})
        assert agent.settings.limits.timeout == 5
        assert agent.settings.system_prompt == "new"
        for looser in ({"timeout": 6}, {"max_tokens": 101}, {"max_iterations": 11}):
            with pytest.raises(Denied) as refused:
                await desk.book.update(agent, looser)
            assert refused.value.rule == "agent.tighten-only"
        assert agent.settings.limits.timeout == 5
        await desk.book.update(agent, {"max_tokens": 50})

    asyncio.run(go())
