"""What `agent_error` says, and what its handlers may put in the place of a request (EVT-010)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from llmspell.errors import LlmspellError
from llmspell.llm.failures import ModelFailure
from llmspell.spells.agents import inputs
from tests.spells.agents.kit import Desk
from tests.spells.fake_host import KeptEvents


class Healing(KeptEvents):
    """Answers `agent_error` with another context."""

    def __init__(self, context: Any) -> None:
        super().__init__()
        self.context = context

    async def ask(self, name: str, data: Mapping[str, Any], source: str) -> dict[str, Any]:
        self.emit(name, data, source)
        data = {**data, "context": self.context}
        return {"action": "retry_with_modified_context", "data": data}


def healed(error: LlmspellError, context: Any) -> tuple[Desk, dict[str, Any]]:
    async def go() -> dict[str, Any]:
        return await desk.run(await desk.agent(name="a"), "a long story")

    desk = Desk(error)
    desk.host.events = Healing(context)
    return desk, asyncio.run(go())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModelFailure("context_length", "too long"), {"error_type": "context_length_exceeded"}),
        (
            ModelFailure("rate_limit", "slow down", retry_after=2.5),
            {"error_type": "rate_limit", "retry_after": 2.5},
        ),
    ],
)
def test_EVT_010_an_agent_error_says_its_type_and_how_long_to_wait(
    error: ModelFailure, said: dict[str, Any]
) -> None:
    desk, _ = healed(error, "short")
    (event,) = [data for name, data, _ in desk.host.events.emitted if name == "agent_error"]
    assert said.items() <= event.items() and event["context"] == "a long story"
    assert (event["code"], event["kind"]) == (error.code, error.kind)


@pytest.mark.parametrize(
    "context",
    ["a summary", {**inputs.answer("a summary"), "tool_calls": [], "metadata": {"cost": 1}}],
)
def test_S22_a_summary_is_asked_instead_also_as_the_agent_gave_it(context: Any) -> None:
    _, output = healed(ModelFailure("context_length", "too long"), context)
    assert output["content"] == "a summary", "the model says what it is told"


@pytest.mark.parametrize("context", [" ", {}, [1], 3, None, {"$bytes": "00"}])
def test_a_context_that_is_none_changes_nothing(context: Any) -> None:
    _, output = healed(ModelFailure("context_length", "too long"), context)
    assert output["content"] == "a long story"
