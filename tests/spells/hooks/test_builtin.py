"""The built-in hooks: logger, metrics, validator, transformer, rate limiter, cache, tracer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.errors import InvalidInput
from llmspell.spells.hooks import builtin
from llmspell.spells.hooks.definition import Hook
from llmspell.spells.hooks.engine import HookEngine
from llmspell.spells.ports import HookOutcome
from tests.spells.fake_host import FakeHost


class Built:
    """One built-in hook at the points `before_tool_execution` and `after_tool_execution`."""

    def __init__(self, kind: str, **config: Any) -> None:
        self.host = FakeHost()
        self.engine = HookEngine(self.host)
        self.hook = builtin.make(self.host, kind, config, "hook-1", "hooks.create")
        self.register(self.hook)

    def register(self, hook: Hook) -> None:
        for point in ("before_tool_execution", "after_tool_execution"):
            self.engine.registry.register(point, hook)

    def run(self, when: str = "before", **context: Any) -> HookOutcome:
        return asyncio.run(self.engine.run(f"{when}_tool_execution", context))

    def report(self) -> dict[str, Any]:
        assert not isinstance(self.hook.act, tuple)
        return self.hook.act.report()


def test_API_088_logger() -> None:
    built = Built("logger", level="debug", format="json", output="stdout")
    built.run("after", tool_name="calc", success=False, error={"message": "bad"}, duration_ms=2)
    assert built.host.notes == [("debug", "hook after_tool_execution")]
    assert built.report() == {"records": 1}
    with pytest.raises(InvalidInput, match="level"):
        Built("logger", level="loud")


def test_API_088_metrics_count_by_point_and_target_and_open_no_port() -> None:
    built = Built("metrics_collector", backend="prometheus", port=9090)
    built.run("after", tool_name="a", duration_ms=2.5, success=True)
    built.run("after", tool_name="a", duration_ms=1.5, success=False)
    built.run("before", tool={"name": "b"})
    rows = {(r["point"], r["target"]): r for r in built.report()["metrics"]}
    after = rows["after_tool_execution", "a"]
    assert (after["count"], after["failures"], after["total_ms"]) == (2, 1, 4.0)
    assert rows["before_tool_execution", "b"]["count"] == 1
    assert "opens no port" in built.host.notes[0][1]


def test_metrics_keep_a_bounded_number_of_targets() -> None:
    built = Built("metrics")
    for number in range(builtin.TARGETS_MAX + 20):
        built.run("before", tool_name=f"t{number}")
    report = built.report()
    assert len(report["metrics"]) == builtin.TARGETS_MAX + 1
    assert report["total"] == builtin.TARGETS_MAX + 20


def test_API_088_validator_cancels_with_2009_and_lets_what_fits_pass() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "number"}}}
    built = Built("validator", **schema)
    refused = built.run(tool_name="x", input={"a": "one"})
    assert refused.action == "cancel" and refused.error is not None
    assert refused.error.code == 2009
    assert built.run(tool_name="x", input={"a": 1}).action == "continue"
    assert built.run("after", output={"a": 1}).action == "continue"
    assert built.run("after", output={}).action == "cancel"
    with pytest.raises(InvalidInput) as caught:
        Built("validator", type="object", properties={"a": {"pattern": "(a+)+$"}})
    assert caught.value.code == 2010


def test_API_088_transformer_changes_what_goes_in_and_what_comes_out() -> None:
    host = FakeHost()
    engine = HookEngine(host)
    act = host.function(lambda data: {**data, "seen": True})
    hook = builtin.transformer(host, act, {}, "hook-1", "hooks.create_transformer")
    engine.registry.register("before_tool_execution", hook)
    outcome = asyncio.run(engine.run("before_tool_execution", {"input": {"a": 1}, "o": 2}))
    assert outcome.context == {"input": {"a": 1, "seen": True}, "o": 2}
    prompt = builtin.transformer(
        host, host.function(lambda text: text.upper()), {}, "hook-2", "hooks.create_transformer"
    )
    engine.registry.register("before_llm_call", prompt)
    outcome = asyncio.run(engine.run("before_llm_call", {"prompt": "hello", "model": "m"}))
    assert outcome.context == {"prompt": "HELLO", "model": "m"}


def test_HOOK_027_rate_limiter_cancels_with_6006_per_target() -> None:
    built = Built("rate_limiting", requests_per_minute=60, burst=2)
    assert [built.run(tool_name="a").action for _ in range(3)] == ["continue"] * 2 + ["cancel"]
    error = built.run(tool_name="a").error
    assert error is not None and error.code == 6006
    assert built.run(tool_name="b").action == "continue"


def test_HOOK_027_cache_answers_the_second_call() -> None:
    built = Built("caching", ttl="1h")
    call = {"tool_name": "a", "input": {"x": 1, "y": 2}}
    assert built.run("before", **call).action == "continue"
    built.run("after", **call, success=True, output={"result": 3})
    again = built.run("before", tool_name="a", input={"y": 2, "x": 1})
    assert (again.action, again.value) == ("skip", {"result": 3})
    assert built.run("before", tool_name="b", input=call["input"]).action == "continue"
    built.run("after", tool_name="b", input=call["input"], success=False, output=None)
    assert built.run("before", tool_name="b", input=call["input"]).action == "continue"


def test_HOOK_027_debugger_and_tracer() -> None:
    built = Built("debugger")
    built.run(input="x" * 10_000)
    assert len(built.host.notes[0][1]) < builtin.SHOWN_MAX + 100
    traced = Built("tracing")
    for _ in range(builtin.SPANS_MAX + 5):
        traced.run("after", tool_name="a", duration_ms=1)
    assert traced.report()["total"] == builtin.SPANS_MAX + 5
    assert len(traced.report()["spans"]) == builtin.SPANS_MAX


def test_a_built_in_that_there_is_not_is_5008() -> None:
    with pytest.raises(InvalidInput, match="there are logger") as caught:
        Built("telepathy")
    assert caught.value.code == 5008
