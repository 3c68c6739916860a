"""The loop of model and tools: what is called, told, kept, refused (CON-012, TRT-021, LLM-012)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llmspell.errors import Denied, LimitExceeded, LlmspellError, OperationFailed
from llmspell.spells.agents import inputs
from llmspell.spells.agents.execution import Way
from llmspell.spells.agents.streaming import Stream
from llmspell.spells.agents.turns import CALLS_A_TURN_MAX, RESULT_MAX
from llmspell.spells.events import names
from tests.spells.agents.kit import Desk, call

Body = Callable[[], Awaitable[None]]


def run(body: Body) -> None:
    asyncio.run(asyncio.wait_for(body(), 20))


def test_an_answer_with_its_metadata() -> None:
    async def go() -> None:
        desk = Desk("hello")
        agent = await desk.agent(name="a", system_prompt="be kind", temperature=0.5)
        output = await desk.run(agent, {"input": "hi", "context": {"user": "u1"}})
        assert (output["success"], output["content"], output["output"]) == (True, "hello", "hello")
        assert output["data"] == {"content": "hello"}
        metadata = output["metadata"]
        assert metadata["token_usage"]["total_tokens"] == 15 and metadata["cost"] == 0.01
        assert metadata["tools_used"] == [] and metadata["iterations"] == 1
        assert metadata["events_emitted"] == len(desk.emitted()) - 1
        (request,) = desk.models.requests
        assert request["messages"][0] == {"role": "system", "content": "be kind"}
        assert request["messages"][1]["content"] == 'hi\n\nContext:\n{"user": "u1"}'
        assert request["temperature"] == 0.5 and request["provider"] == "fake"
        assert desk.models.origins == ["agent:a"]
        assert desk.emitted() == [
            names.AGENT_CREATED,
            names.AGENT_STARTED,
            names.AGENT_EXECUTION_STARTED,
            names.AGENT_EXECUTION_COMPLETED,
            names.AGENT_COMPLETED,
        ]

    run(go)


def test_X16_an_answer_that_is_an_object_is_data_and_fields() -> None:
    output = inputs.answer('```json\n{"sources": ["a"], "success": false, "n": 1}\n```')
    assert output["data"]["sources"] == ["a"] and output["sources"] == ["a"]
    assert output["success"] is True, "the model can't say that it succeeded or failed"
    assert inputs.answer('{"$callback": 3}')["data"] == {"content": '{"$callback": 3}'}
    assert inputs.answer("[" * 100_000)["success"] is True


def test_tools_are_called_with_the_agent_s_origin_and_told_to_the_model() -> None:
    async def go() -> None:
        desk = Desk(call("double", n=4), "it is 8", double=lambda given: given["n"] * 2)
        agent = await desk.agent(name="a", tools=["double"])
        output = await desk.run(agent, "4 twice")
        assert desk.tools.calls == [("double", {"n": 4}, "agent:a")]
        assert output["content"] == "it is 8"
        assert output["metadata"]["tools_used"] == ["double"]
        (used,) = output["tool_calls"]
        assert (used["success"], used["result"]) == (True, 8)
        told = desk.models.requests[1]["messages"][-1]
        assert told["role"] == "tool" and told["content"] == "8"
        assert desk.models.requests[0]["tools"][0]["name"] == "double"

    run(go)


def test_a_denied_tool_is_told_to_the_model_and_stands_in_the_result() -> None:
    def denied(given: dict[str, Any]) -> Any:
        raise Denied("denied tool wipe", code=2006, rule="high.tools.wipe")

    async def go() -> None:
        desk = Desk(call("wipe"), "I could not", wipe=denied)
        output = await desk.run(await desk.agent(name="a", tools=["wipe"]), "wipe it")
        (used,) = output["tool_calls"]
        assert used["success"] is False
        assert used["error"]["code"] == 2006 and used["error"]["rule"] == "high.tools.wipe"
        assert "denied tool wipe" in desk.models.requests[1]["messages"][-1]["content"]
        assert output["success"] is True and output["content"] == "I could not"

    run(go)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (call("nosuch"), 1008),
        ({"tool_calls": [{"id": "1", "name": "ok", "arguments": "[1]"}]}, 2002),
        ({"tool_calls": [{"id": "1", "name": "ok", "arguments": "{nonsense"}]}, 2002),
        ({"tool_calls": [{"id": "1", "name": "ok", "arguments": {"$callback": 1}}]}, 2002),
    ],
)
def test_what_a_model_makes_up_reaches_no_tool(reply: dict[str, Any], code: int) -> None:
    async def go() -> None:
        desk = Desk(reply, "sorry", ok=lambda given: 1)
        output = await desk.run(await desk.agent(tools=["ok"]), "go")
        assert desk.tools.calls == []
        assert output["tool_calls"][0]["error"]["code"] == code

    run(go)


def test_max_iterations_ends_a_model_that_never_answers() -> None:
    async def go() -> None:
        desk = Desk(*[call("ok")] * 9, ok=lambda given: 1)
        agent = await desk.agent(tools=["ok"], max_iterations=3)
        with pytest.raises(OperationFailed) as failed:
            await desk.run(agent, "go")
        assert (failed.value.code, failed.value.kind) == (1003, "max_iterations")
        assert len(desk.models.requests) == 3 and agent.iteration_count == 3

    run(go)


def test_tools_run_at_once_up_to_the_bound() -> None:
    async def go() -> None:
        at_once = most = 0

        async def slow(given: dict[str, Any]) -> int:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.005)
            at_once -= 1
            return 1

        many = {"tool_calls": [{"id": str(n), "name": "slow", "arguments": {}} for n in range(40)]}
        desk = Desk(many, "done", slow=slow)
        agent = await desk.agent(tools=["slow"], max_concurrent_tools=3)
        output = await desk.run(agent, "go")
        assert most == 3
        assert len(desk.tools.calls) == CALLS_A_TURN_MAX
        assert sum(one["success"] is False for one in output["tool_calls"]) == 8

    run(go)


def test_a_huge_result_is_cut_for_the_model_and_the_output() -> None:
    async def go() -> None:
        desk = Desk(call("big"), "done", big=lambda given: "x" * 1_000_000)
        output = await desk.run(await desk.agent(tools=["big"]), "go")
        assert len(desk.models.requests[1]["messages"][-1]["content"]) < RESULT_MAX + 100
        assert len(output["tool_calls"][0]["result"]) < RESULT_MAX + 100

    run(go)


def test_the_conversation_is_remembered_with_its_tool_calls() -> None:
    async def go() -> None:
        desk = Desk(call("ok"), "first", "second", ok=lambda given: 1)
        agent = await desk.agent(tools=["ok"])
        await desk.run(agent, "one")
        await desk.run(agent, "two")
        roles = [message["role"] for message in desk.models.requests[-1]["messages"]]
        assert roles == ["user", "assistant", "tool", "assistant", "user"]

    run(go)


def test_a_failed_request_leaves_the_conversation_as_it_was() -> None:
    async def go() -> None:
        desk = Desk(OperationFailed("down", code=6003))
        agent = await desk.agent()
        with pytest.raises(OperationFailed):
            await desk.run(agent, "one")
        assert agent.memory.messages() == []
        assert names.AGENT_EXECUTION_ERROR in desk.emitted()

    run(go)


def test_timeout_is_1005() -> None:
    async def go() -> None:
        desk = Desk(lambda request: asyncio.sleep(5, {"content": "late"}))
        agent = await desk.agent(timeout=0.02)
        with pytest.raises(OperationFailed) as late:
            await desk.run(agent, "go")
        assert (late.value.code, late.value.kind) == (1005, "timeout")
        assert agent.active == 0

    run(go)


def test_the_agent_s_own_budget_is_6007_before_the_next_call() -> None:
    async def go() -> None:
        desk = Desk(*["x"] * 9)
        agent = await desk.agent(max_total_tokens=30)
        for _ in range(2):
            await desk.run(agent, "go")
        with pytest.raises(LlmspellError) as over:
            await desk.run(agent, "go")
        assert over.value.code == 6007 and len(desk.models.requests) == 2
        spender = await desk.agent(max_cost=0.01)
        await desk.run(spender, "go")
        with pytest.raises(LlmspellError):
            await desk.run(spender, "go")

    run(go)


def test_rate_limit_is_6006() -> None:
    async def go() -> None:
        desk = Desk()
        agent = await desk.agent(rate_limit={"requests_per_minute": 1, "burst_allowance": 2})
        await desk.run(agent, "1")
        await desk.run(agent, "2")
        with pytest.raises(LlmspellError) as limited:
            await desk.run(agent, "3")
        assert (limited.value.code, limited.value.recoverable) == (6006, True)
        assert len(desk.models.requests) == 2

    run(go)


def test_requests_at_once_at_one_agent_are_bounded() -> None:
    async def go() -> None:
        gate = asyncio.Event()

        async def wait(request: Any) -> str:
            await gate.wait()
            return "x"

        desk = Desk(*[wait] * 40)
        agent = await desk.agent()
        tasks = [asyncio.create_task(desk.run(agent, "go")) for _ in range(20)]
        await asyncio.sleep(0.01)
        refused = [task for task in tasks if task.done()]
        assert len(refused) == 4
        assert all(isinstance(task.exception(), LimitExceeded) for task in refused)
        gate.set()
        await asyncio.wait(tasks)
        assert agent.active == 0

    run(go)


def test_EVT_004_EVT_005_events_tell_what_the_hooks_decided() -> None:
    async def go() -> None:
        desk = Desk("hello")
        await desk.run(await desk.agent(name="a"), "hi")
        data = {name: one for name, one, _ in desk.host.events.emitted}
        started = data[names.AGENT_EXECUTION_STARTED]
        none = {"hooks": 0, "action": "continue", "modified": False}
        assert (started["agent"], started["input"], started["hook_results"]) == ("a", "hi", none)
        completed = data[names.AGENT_EXECUTION_COMPLETED]
        assert completed["hook_results"] == none and completed["execution_time_ms"] >= 0

    run(go)


def test_streaming_passes_each_piece_on() -> None:
    async def go() -> None:
        desk = Desk("one two three")
        heard: list[str] = []

        async def hear(piece: str) -> None:
            heard.append(piece)

        await desk.run(await desk.agent(), "go", Way(stream=Stream(hear)))
        assert heard == ["one", "two", "three"]

    run(go)


def test_an_answer_that_was_heard_in_part_is_not_asked_for_again() -> None:
    async def go() -> None:
        desk = Desk("one two three")
        agent = await desk.agent(error_strategy={"type": "retry", "max_retries": 3})
        heard: list[str] = []

        async def hear(piece: str) -> None:
            heard.append(piece)
            if piece == "two":
                raise OperationFailed("the line broke", code=6003, kind="network")

        with pytest.raises(OperationFailed):
            await desk.run(agent, "go", Way(stream=Stream(hear)))
        assert heard == ["one", "two"] and len(desk.models.requests) == 1

    run(go)


def test_structured_output_reaches_the_model_and_comes_back() -> None:
    async def go() -> None:
        desk = Desk({"content": '{"n": 1}', "structured": {"n": 1}})
        output = await desk.run(await desk.agent(), "go", Way(schema={"type": "object"}))
        assert desk.models.requests[0]["schema"] == {"type": "object"}
        assert output["structured"] == {"n": 1} == output["data"]

    run(go)
