"""Whatever a spell hands in: a workflow, or a typed error; never anything else."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.channel.jsontext import Callback
from llmspell.errors import LlmspellError
from llmspell.spells.workflows import checkpoints
from llmspell.spells.workflows.model import KINDS
from llmspell.spells.workflows.reading import read_flow
from llmspell.spells.workflows.run import Run
from tests.spells.workflows.kit import Kit, play

NAMES = (
    "name", "type", "steps", "branches", "agents", "tool", "agent", "workflow", "component", "run",
    "input", "output", "condition", "retry", "max_retries", "maxAttempts", "base_delay", "timeout",
    "error_strategy", "fallback", "depends_on", "config", "items", "times", "body", "map", "reduce",
    "true_branch", "if_false", "max_concurrency", "merge_strategy", "aggregation", "aggregate",
    "expression", "all", "not", "field", "handle", "id", "prompt", "action", "tools", "strategy",
    "circuit_breaker", "fallback_agents", "execute", "input_schema", "chunk_size", "fail_fast",
)  # fmt: skip
WORDS = (
    "a", "b", "t", "parallel", "sequential", "loop", "agent", "tool", "continue", "retry", "{{x}}",
    "x > 1", "cascade", "1ms", "merge", "{{", "true", "x.lua", "", "object",
)  # fmt: skip

LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-3, 30)
    | st.floats(-2, 40, allow_nan=False)
    | st.sampled_from(WORDS)
    | st.just(Callback(1))
)
ANY = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=25,
)
CONFIG = st.dictionaries(st.sampled_from(NAMES), ANY, max_size=8) | st.lists(ANY, max_size=4)


@given(st.sampled_from(KINDS), CONFIG, st.sampled_from(("lua", "javascript", "python")))
@settings(max_examples=100, deadline=None)
def test_any_definition_is_read_or_refused(kind: str, config: Any, engine: str) -> None:
    try:
        flow = read_flow(kind, config, engine, "w")
    except LlmspellError as error:
        assert error.code in (2002, 2010, 3002, 3006)
        return
    checkpoints.fingerprint(flow)


@given(st.sampled_from(KINDS), CONFIG, ANY)
@settings(max_examples=60, deadline=None)
def test_any_workflow_that_was_read_comes_to_an_end(kind: str, config: Any, value: Any) -> None:
    kit = Kit()
    kit.host.functions[1] = lambda *args: value
    kit.tools.acts.update({"a": lambda given: given, "t": lambda given: {"result": value}})
    kit.agents.acts["b"] = lambda text: text
    if isinstance(config, dict):
        # Seconds of retries and pauses are not what is looked for here.
        config = {key: item for key, item in config.items() if key not in ("retry", "delay")}

    async def spell() -> Any:
        identity = await kit.make(kind, config)
        return await kit.call("workflow.execute", id=identity, input={"x": 2},
                              options={"timeout": "200ms"})  # fmt: skip

    try:
        result = play(spell())
    except LlmspellError:
        return
    assert result["status"] in ("completed", "partial") and result["success"] is True


@given(st.dictionaries(
    st.sampled_from(("version", "workflow", "definition", "checksum", "records", "decisions",
                     "input", "status")), ANY, max_size=8), st.booleans())  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_any_checkpoint_is_restored_or_refused(given: dict[str, Any], is_signed: bool) -> None:
    kit = Kit()
    flow = read_flow("sequential", [{"name": "a", "tool": "t"}], "lua", "w")
    if is_signed:
        given |= {"version": 1, "workflow": "w", "definition": checkpoints.fingerprint(flow)}
        try:
            given["checksum"] = checkpoints._checksum(given)
        except LlmspellError:
            return
    try:
        checkpoints.restore(Run(kit.host, flow, None), given)
    except LlmspellError as error:
        assert error.code in (2002, 3008)
