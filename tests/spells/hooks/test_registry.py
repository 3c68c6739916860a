"""Points and their spellings; order, dependencies and conflicts of hooks."""

from __future__ import annotations

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError
from llmspell.spells.hooks.definition import Hook, from_config, matches
from llmspell.spells.hooks.points import POINTS, point_of
from llmspell.spells.hooks.registry import PER_POINT_MAX, Registry


@pytest.mark.parametrize(
    ("spelled", "point"),
    [
        ("before_tool_execution", "before_tool_execution"),
        ("beforeToolExecution", "before_tool_execution"),
        ("BeforeToolExecution", "before_tool_execution"),
        ("BeforeLLMCall", "before_llm_call"),
        ("beforeLlmCall", "before_llm_call"),
        ("pre-llm", "before_llm_call"),
        ("post-workflow", "after_workflow_execution"),
        ("tool_execution_start", "before_tool_execution"),
        ("tool_execution_complete", "after_tool_execution"),
        ("agent_execution_complete", "after_agent_execution"),
        ("before_execution", "before_agent_execution"),
        ("onError", "agent_error"),
        ("WorkflowStepComplete", "workflow_step_complete"),
        ("SystemShutdown", "system_shutdown"),
        ("scheduled_analysis", "scheduled_analysis"),
        ("Mine-1", "Mine-1"),
    ],
)
def test_X22_every_spelling_of_a_point(spelled: str, point: str) -> None:
    assert point_of(spelled) == point


def test_HOOK_001_019_all_points_are_there() -> None:
    assert len(POINTS) == 19
    assert all(point_of(name) == name for name in POINTS)


@pytest.mark.parametrize("name", ["", "x" * 129, 3, None, "a\nb"])
def test_what_is_no_point(name: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        point_of(name)
    assert caught.value.code == 5008


def hook(name: str, **fields: object) -> Hook:
    return Hook(f"id-{name}", name, Callback(1), **fields)  # type: ignore[arg-type]


def order(*hooks: Hook) -> list[str]:
    registry = Registry()
    for one in hooks:
        registry.register("p", one)
    return [one.name for one in registry.at("p")]


def test_X24_higher_priority_runs_first_and_equals_in_order_of_registration() -> None:
    assert order(hook("a", priority=1), hook("b", priority=9), hook("c"), hook("d")) == [
        *("c", "d", "b", "a")
    ]


def test_HOOK_026_a_hook_runs_after_those_it_depends_on() -> None:
    first = hook("first", priority=900, dependencies=("second",))
    assert order(first, hook("second", priority=1)) == ["second", "first"]


def test_a_hook_waits_while_a_dependency_is_missing_or_disabled() -> None:
    registry = Registry()
    needing, needed = hook("needing", dependencies=("needed",)), hook("needed")
    registry.register("p", needing)
    assert registry.at("p") == () and registry.waiting("p") == [needing]
    assert not registry.any(("p",))
    registry.register("p", needed)
    assert registry.at("p") == (needed, needing)
    needed.enabled = False
    registry.reorder(needed)
    assert registry.at("p") == ()
    needed.enabled = True
    registry.reorder(needed)
    assert registry.unregister("p", needed) and registry.at("p") == ()
    assert not registry.unregister("p", needed)


def test_HOOK_026_a_circle_of_dependencies_is_5009() -> None:
    registry = Registry()
    registry.register("p", hook("a", dependencies=("b",)))
    registry.register("p", hook("b", dependencies=("c",)))
    with pytest.raises(InvalidInput, match="depend on each other") as caught:
        registry.register("p", hook("c", dependencies=("a",)))
    assert caught.value.code == 5009
    registry.register("p", hook("c"))
    assert [one.name for one in registry.at("p")] == ["c", "b", "a"]


@pytest.mark.parametrize("says", ["old", "new"])
def test_HOOK_026_hooks_that_exclude_each_other_are_5010(says: str) -> None:
    registry = Registry()
    registry.register("p", hook("old", conflicts=("new",) if says == "old" else ()))
    with pytest.raises(InvalidInput) as caught:
        registry.register("p", hook("new", conflicts=("old",) if says == "new" else ()))
    assert caught.value.code == 5010
    registry.register("q", hook("new", conflicts=("old",)))


def test_HOOK_030_ten_hooks_at_a_point() -> None:
    registry = Registry()
    for number in range(PER_POINT_MAX):
        registry.register("p", hook(str(number)))
    with pytest.raises(LimitExceeded):
        registry.register("p", hook("more"))
    registry.register("q", hook("more"))


def config(**fields: object) -> tuple[Hook, list[str]]:
    return from_config({"handler": Callback(1), **fields}, "hook-1", "lua", "hooks.register")


def test_a_hook_from_a_table_with_either_spelling() -> None:
    one, unknown = config(
        name="n", priority=7.0, timeout="100ms", onFailure="stop", mode="parallel", odd=1
    )
    assert (one.name, one.priority, one.seconds, one.on_failure) == ("n", 7, 0.1, "stop")
    assert (one.mode, unknown) == ("parallel", ["odd"])
    assert config()[0].priority == 50 and config()[0].seconds == 5.0


@pytest.mark.parametrize("priority", [-1, 1001, 1.5, "high", True])
def test_HOOK_030_a_wrong_priority_is_5004(priority: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        config(priority=priority)
    assert caught.value.code == 5004
    assert config(priority=0)[0].priority == 0 and config(priority=1000)[0].priority == 1000


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": 0},
        {"timeout": 5.1},
        {"timeout": "x"},
        {"on_failure": "explode"},
        {"mode": "random"},
        {"dependencies": "a"},
        {"dependencies": [1]},
        {"conflicts": ["x"] * 33},
        {"condition": "x > 1"},
        {"condition": {"a": {"b": 1}}},
        {"name": ""},
        {"handler": None},
    ],
)
def test_wrong_options_are_typed_errors(fields: dict[str, object]) -> None:
    with pytest.raises(LlmspellError, match=r"hooks\.register"):
        config(**fields)


def test_a_filter_of_fields() -> None:
    context = {"tool_name": "calc", "agent": {"name": "a"}}
    assert matches({"tool_name": "calc", "agent.name": "a"}, context)
    assert not matches({"agent.name": "b"}, context)
    assert not matches({"agent.name.x": "a"}, context)
