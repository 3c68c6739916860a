"""An agent's run: its messages, its hooks and what goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.spells.agents import inputs
from tests.spells.agents.kit import Desk, call
from tests.spells.agents.test_execution import run


def test_state_updates_of_a_tool_and_of_the_answer() -> None:
    async def go() -> None:
        desk = Desk(call("note"), '{"text": "done", "state_updates": {"b": 2}}',
                    note=lambda given: {"state_updates": {"a": 1}})  # fmt: skip
        agent = await desk.agent(tools=["note"], state={"z": 0})
        output = await desk.run(agent, "go")
        assert output["state_updates"] == {"a": 1, "b": 2}
        assert agent.get_state() == {"z": 0, "a": 1, "b": 2, "iteration_count": 2}

    run(go)


@pytest.mark.parametrize("given", [None, 7, "", "   ", {}, [], {"images": []}])
def test_API_036_no_message_is_a_validation_error(given: Any) -> None:
    with pytest.raises(InvalidInput):
        inputs.asked(given)


def test_objects_and_images_become_messages() -> None:
    seen = inputs.asked({"query": "q", "sources": ["a"], "context": {"c": 1}})
    assert seen.message == 'q\n\n{"sources": ["a"]}' and seen.context == {"c": 1}
    earlier = {**inputs.answer('{"n": 1}'), "tool_calls": [], "metadata": {"agent_id": "agent-1"}}
    assert inputs.asked(earlier).message == '{"n": 1}' and not inputs.asked(earlier).metadata
    assert inputs.asked({"input": earlier}).message == '{"n": 1}'
    assert inputs.asked({"input": {"prompt": "p"}}).message == "p"
    wrapped = inputs.asked({"input": "i", "context": {"c": 1}})
    assert wrapped.input == "i" and wrapped.context == {"c": 1}, "what hooks see (S64)"
    asked_anew = inputs.changed(wrapped, {"input": "other", "context": {"c": 1}})
    assert asked_anew.message == "other" and asked_anew.context == {"c": 1}
    assert inputs.asked({"data": [1], "kind": "x"}).message == '{"data": [1], "kind": "x"}'
    seen = inputs.asked("look", {"images": [{"data": b"\x89PNG", "media_type": "image/png"}]})
    part = seen.user_message()["content"][1]
    assert part["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    as_models_take_it = {"data": "iVBORw==", "mime_type": "image/jpeg"}
    part = inputs.image_part(as_models_take_it)
    assert part["image_url"]["url"] == "data:image/jpeg;base64,iVBORw=="
    with pytest.raises(InvalidInput, match="base64"):
        inputs.image_part({"data": "no base64!"})
    with pytest.raises(InvalidInput):
        inputs.asked("look", {"images": [7]})


# -- hooks ---------------------------------------------------------------------------------------


def test_a_hook_rewrites_the_prompt() -> None:
    async def go() -> None:
        desk = Desk()
        desk.register("before_agent_execution", lambda ctx: {"input": ctx["input"] + " please"})
        output = await desk.run(await desk.agent(), "go")
        assert output["content"] == "go please"
        assert output["metadata"]["hook_point_executions"] == 1

    run(go)


def test_API_035_the_agent_s_own_hooks() -> None:
    async def go() -> None:
        desk = Desk("answer")
        seen: list[Any] = []
        host = desk.host

        def before(context: dict[str, Any]) -> Any:
            seen.append((context["input"], context["agent"]["tools"]))
            return {"message": "rewritten"}

        def after(context: dict[str, Any]) -> Any:
            seen.append((context["output"]["result"], context["success"]))
            assert context["timing"]["duration"] >= 0
            return {"output": "changed"}

        hooks = {"before_execution": host.function(before), "afterExecution": host.function(after)}
        agent = await desk.agent(hooks=hooks, tools=[])
        output = await desk.run(agent, "go")
        assert seen == [("go", []), ("answer", True)]
        assert output["content"] == "changed"
        assert desk.models.last_texts() == ["rewritten"]

    run(go)


def test_on_error_may_put_something_in_the_place_of_the_error() -> None:
    async def go() -> None:
        desk = Desk(OperationFailed("down", code=6003), OperationFailed("down", code=6003))
        told: list[Any] = []

        def mend(context: dict[str, Any]) -> Any:
            told.append(context["error"]["message"])
            return {"rows": 3}

        agent = await desk.agent(hooks={"on_error": desk.host.function(mend)})
        output = await desk.run(agent, "go")
        assert told == ["down"] and output["data"] == {"rows": 3} and output["success"]
        assert output["metadata"]["replaced_error"]["code"] == 6003
        silent = await desk.agent(hooks={"on_error": desk.host.function(lambda ctx: None)})
        with pytest.raises(OperationFailed):
            await desk.run(silent, "go")

    run(go)


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (False, "cancelled"),
        ({"action": "cancel", "reason": "no"}, "cancelled"),
        ({"action": "skip", "value": "instead"}, "instead"),
    ],
)
def test_hooks_before_may_cancel_or_skip(answer: Any, check: str) -> None:
    async def go() -> None:
        desk = Desk()
        desk.register("before_agent_execution", lambda ctx: answer)
        agent = await desk.agent()
        if check == "cancelled":
            with pytest.raises(OperationFailed) as refused:
                await desk.run(agent, "go")
            assert refused.value.kind == "cancelled"
        else:
            assert (await desk.run(agent, "go"))["content"] == check
        assert desk.models.requests == [] and agent.active == 0

    run(go)


def test_a_hook_redirects_to_another_agent() -> None:
    async def go() -> None:
        desk = Desk()
        await desk.agent(name="other", system_prompt="other's")

        def redirect(context: dict[str, Any]) -> Any:
            return (
                {"action": "redirect", "target": "other"} if context["agent_name"] == "a" else None
            )

        desk.register("before_agent_execution", redirect)
        output = await desk.run(await desk.agent(name="a"), "go")
        assert output["metadata"]["agent_name"] == "other"
        assert desk.models.origins == ["agent:other"]

    run(go)


def test_a_hook_that_redirects_in_a_circle_ends() -> None:
    async def go() -> None:
        desk = Desk()
        desk.register("before_agent_execution", lambda ctx: {"action": "redirect", "target": "a"})
        with pytest.raises(OperationFailed) as circle:
            await desk.run(await desk.agent(name="a"), "go")
        assert circle.value.kind == "recursion"

    run(go)


def test_hooks_take_tools_away_and_never_add_any() -> None:
    async def go() -> None:
        desk = Desk(call("b"), "done", a=lambda given: 1, b=lambda given: 1)
        desk.register("before_tools_available", lambda ctx: {"tools": ["a", "invented"]})
        output = await desk.run(await desk.agent(tools=["a", "b"]), "go")
        assert [one["name"] for one in desk.models.requests[0]["tools"]] == ["a"]
        assert desk.tools.calls == [] and output["tool_calls"][0]["error"]["code"] == 1008

    run(go)


def test_a_hook_after_may_ask_for_another_try_within_bounds() -> None:
    async def go() -> None:
        desk = Desk()
        desk.register("after_agent_execution", lambda ctx: {"action": "retry"})
        await desk.run(await desk.agent(), "go")
        assert len(desk.models.requests) == 4

    run(go)


def test_an_agent_that_was_shut_down_takes_no_more_requests() -> None:
    async def go() -> None:
        desk = Desk()
        agent = await desk.agent(name="a")
        desk.book.shut_down(agent)
        with pytest.raises(OperationFailed) as ended:
            desk.book.get(agent.id)
        assert (ended.value.code, ended.value.kind) == (1003, "state")
        with pytest.raises(OperationFailed):
            await desk.run(agent, "go")
        assert agent.health(0)["status"] == "shut_down"

    run(go)


def test_an_answer_is_not_lost_when_it_can_t_be_saved() -> None:
    async def go() -> None:
        desk = Desk("paid for")
        agent = await desk.agent(memory={"persistence": True})

        async def full(scope: str, key: str, value: Any) -> None:
            raise LimitExceeded("state", "the store is full")

        desk.host.state.set = full
        assert (await desk.run(agent, "go"))["content"] == "paid for"
        assert "could not be saved" in desk.host.notes[-1][1]

    run(go)
