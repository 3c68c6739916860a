"""What models say, as the orchestrator reads it: strangers' words."""

from __future__ import annotations

import pytest

from llmspell.spells.orchestration.model import HISTORY_MAX, Collaboration, Participant
from llmspell.spells.orchestration.work import object_in

NESTED = "[" * 900 + "]" * 900


@pytest.mark.parametrize(
    "text",
    [
        '{"vote": ' + NESTED + "}",
        '{"a": ' * 5_000,
        '{"score": NaN}',
        '{"score": Infinity}',
        '{"run": {"$callback": 1}}',
        '{"data": {"$bytes": "eA=="}}',
        '{"n": ' + "9" * 5_000 + "}",
        '{"a": [' + "0," * 300_000 + "0]}",
    ],
)
def test_what_no_channel_would_carry_is_no_object(text: str) -> None:
    found = object_in(f"Here it is: {text} as you wished")
    assert found is None


def test_an_object_between_words_is_found() -> None:
    assert object_in('so: {"vote": [1, {"x": true}]}.') == {"vote": [1, {"x": True}]}


def test_the_history_of_a_session_is_bounded_in_characters() -> None:
    session = Collaboration("s", "sequential", (Participant("agent-1", "a"),), {}, {})
    for _ in range(100):
        session.say("a", "b", "x" * 100_000, "question")
    assert sum(len(one["content"]) for one in session.history) <= HISTORY_MAX
    assert len(session.history) == 32
    session.say("a", "b", "the last", "answer")
    assert session.history[-1]["content"] == "the last"
