"""What is kept of a conversation, its bounds, and what survives the run (STO-007 … 010)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.spells.agents import values
from llmspell.spells.agents.memory import (
    CHARACTERS_MAX,
    FACT_CHARACTERS_MAX,
    FACTS_MAX,
    Conversation,
    Facts,
)
from llmspell.spells.agents.settings import MemorySettings
from tests.spells.agents.kit import Desk


def turn(size: int, text: str = "x") -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}] * size


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(1, 50))
def test_turns_are_dropped_whole_and_the_newest_stays(sizes: list[int], most: int) -> None:
    memory = Conversation(MemorySettings(max_entries=most))
    for number, size in enumerate(sizes):
        memory.add(turn(size, str(number)))
    kept = [message["content"] for message in memory.messages()]
    if not sizes:
        assert kept == []
        return
    assert kept[-1] == str(len(sizes) - 1)
    for number in set(kept):
        assert kept.count(number) == sizes[int(number)], "a turn was cut"
    assert len(kept) <= most or len(set(kept)) == 1


def test_characters_are_bounded() -> None:
    memory = Conversation(MemorySettings())
    for _ in range(5):
        memory.add(turn(1, "x" * (CHARACTERS_MAX // 3)))
    assert len(memory.messages()) == 2


def test_a_turn_that_is_too_large_is_kept_without_what_makes_it_so() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:" + "x" * CHARACTERS_MAX}}
    memory = Conversation(MemorySettings())
    memory.add([{"role": "user", "content": [{"type": "text", "text": "look"}, picture]}])
    assert memory.messages()[0]["content"][1] == {"type": "text", "text": "[image]"}
    memory.add(
        [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "name": "t"}]},
            {"role": "tool", "tool_call_id": "1", "content": "x" * CHARACTERS_MAX},
            {"role": "assistant", "content": "a"},
        ]
    )
    assert [message["content"] for message in memory.messages()[-2:]] == ["q", "a"]
    memory.add(turn(1, "x" * CHARACTERS_MAX))
    assert memory.messages()[-1]["content"] == "a"


def test_no_memory_keeps_nothing() -> None:
    memory = Conversation(MemorySettings(enabled=False))
    memory.add(turn(1))
    assert memory.messages() == []


def test_a_long_conversation_is_summarised_by_the_model() -> None:
    async def go() -> None:
        desk = Desk("1", "2", "3", "they counted", "4")
        agent = await desk.agent(memory={"summarize_after": 4}, system_prompt="count")
        for number in range(4):
            await desk.run(agent, f"n{number}")
        summary = desk.models.requests[3]["messages"][0]["content"]
        assert "user: n0" in summary and "n2" not in summary
        last = desk.models.requests[4]["messages"]
        assert "they counted" in last[0]["content"]
        assert [message["content"] for message in last[1:]] == ["n1", "2", "n2", "3", "n3"]
        assert agent.usage["total_tokens"] == 75, "the summary is paid for as well"

    asyncio.run(go())


def test_a_summary_that_fails_costs_nothing_but_a_warning() -> None:
    async def go() -> None:
        desk = Desk("1", "2", OperationFailed("down"), "3")
        agent = await desk.agent(memory={"summarize_after": 2})
        await desk.run(agent, "a")
        await desk.run(agent, "b")
        assert (await desk.run(agent, "c"))["content"] == "3"
        assert any("no summary" in note for _, note in desk.host.notes)

    asyncio.run(go())


def test_API_040_remember_recall_forget() -> None:
    facts = Facts()
    facts.remember("k", {"a": [1]})
    assert facts.recall("k") == {"a": [1]} and facts.forget("k") and not facts.forget("k")
    assert facts.recall("k") is None
    with pytest.raises(InvalidInput):
        facts.remember("k", Callback(1))
    with pytest.raises(InvalidInput):
        facts.remember("k", "x" * FACT_CHARACTERS_MAX)
    for number in range(FACTS_MAX):
        facts.remember(str(number), 1)
    with pytest.raises(LimitExceeded):
        facts.remember("one more", 1)
    facts.remember("0", 2)
    large = Facts()
    for number in range(4):
        large.remember(str(number), "x" * 60_000)
    with pytest.raises(LimitExceeded):
        large.remember("over", "x" * 60_000)
    large.forget("0")
    large.remember("over", "x" * 60_000)


def test_API_041_what_is_saved_comes_back_in_a_new_agent() -> None:
    async def go() -> None:
        desk = Desk("hello")
        agent = await desk.agent(name="a", state={"n": 1})
        agent.facts.remember("k", "v")
        await desk.run(agent, "hi")
        snapshot = await desk.book.save(agent)
        assert desk.host.state.kept["spell", "agent_state:a"] == snapshot
        fresh = Desk()
        fresh.host.state = desk.host.state
        other = await fresh.agent(name="a")
        assert await fresh.book.load(other)
        assert other.get_state() == {"n": 1, "iteration_count": 1}
        assert other.facts.recall("k") == "v"
        assert [one["content"] for one in other.memory.messages()] == ["hi", "hello"]
        assert not await fresh.book.load(await fresh.agent(name="never saved"))

    asyncio.run(go())


def test_persistence_keeps_after_each_request_and_loads_when_made() -> None:
    async def go() -> None:
        desk = Desk("hello")
        agent = await desk.agent(name="a", memory={"persistence": True})
        await desk.run(agent, "hi")
        again = await desk.agent(name="a", memory={"persistence": True})
        assert len(again.memory.messages()) == 2

    asyncio.run(go())


@pytest.mark.parametrize(
    "damage",
    [
        None,
        "text",
        {},
        {"version": 2},
        {"version": 1},
        {"version": 1, "memory": {"turns": "x"}, "facts": {}, "state": {}},
        {"version": 1, "memory": {"turns": [[{"role": "root"}]]}, "facts": {}, "state": {}},
        {"version": 1, "memory": {"turns": []}, "facts": [], "state": {}},
        {"version": 1, "memory": {"turns": []}, "facts": {}, "state": {"f": Callback(1)}},
        {"version": 1, "memory": {"turns": []}, "facts": {}, "state": 5},
    ],
)
def test_a_damaged_snapshot_is_1007_and_changes_nothing(damage: Any) -> None:
    async def go() -> None:
        agent = await Desk().agent(state={"n": 1})
        agent.facts.remember("k", "v")
        with pytest.raises(OperationFailed) as corrupted:
            agent.restore(damage)
        assert corrupted.value.code == 1007
        assert agent.state == {"n": 1} and agent.facts.recall("k") == "v"

    asyncio.run(go())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_plain_data_is_kept_as_it_is(value: Any) -> None:
    reserved = "$bytes" in json.dumps(value) or "$callback" in json.dumps(value)
    assert reserved or values.is_plain(value)
    assert values.without_functions(value) == value


@given(st.text())
def test_any_answer_is_an_answer(text: str) -> None:
    found = values.json_answer(text)
    assert found is None or isinstance(found, dict)
