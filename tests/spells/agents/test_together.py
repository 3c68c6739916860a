"""Agents of agents: wrapped as tools, handing over, finding each other (TRT-026 … 028, ORC-001)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from llmspell.errors import InvalidInput, Missing, OperationFailed
from llmspell.spells.agents.handoff import HANDOFFS_MAX, StateFilter, read_filter
from llmspell.spells.agents.toolbox import MESSAGE_SCHEMA, Toolbox, shown_name
from llmspell.spells.events import names
from llmspell.spells.ports import DEPTH_MAX
from tests.spells.agents.kit import Desk, call

Body = Callable[[], Awaitable[None]]


def run(body: Body) -> None:
    asyncio.run(asyncio.wait_for(body(), 20))


def test_TRT_027_an_agent_as_a_tool_of_another() -> None:
    async def go() -> None:
        desk = Desk(call("expert", message="why?", context={"user_id": "u"}), "because", "so it is")
        expert = await desk.agent(name="expert", description="knows why")
        agent = await desk.agent(name="a", tools=[expert.to_wire()])
        output = await desk.run(agent, "go")
        (offered,) = desk.models.requests[0]["tools"]
        assert offered["parameters"] == MESSAGE_SCHEMA and offered["description"] == "knows why"
        assert desk.models.origins == ["agent:a", "agent:expert", "agent:a"]
        result = output["tool_calls"][0]["result"]
        assert result["response"] == "because"
        assert result["metadata"]["agent_type"] == "wrapped_agent"
        assert result["metadata"]["wrapped_agent_id"] == expert.id
        assert "u" in desk.models.requests[1]["messages"][-1]["content"]
        assert [name for name, _, origin in desk.host.calls] == ["agent.execute_tool"]
        assert desk.host.calls[0][2] == "agent:a"

    run(go)


def test_TRT_028_a_circle_is_refused_when_it_is_made() -> None:
    async def go() -> None:
        desk = Desk()
        a = await desk.agent(name="a")
        b = await desk.agent(name="b", tools=[a.to_wire()])
        c = await desk.agent(name="c", tools=[b.to_wire()])
        for inner in (a, b, c):
            with pytest.raises(OperationFailed) as circle:
                await desk.book.add_tool(a, a.toolbox, inner.to_wire())
            assert circle.value.code == 1003 and circle.value.kind == "recursion"
        assert "a → c → b → a" in circle.value.message
        assert len(a.toolbox) == 0

    run(go)


def test_TRT_028_a_circle_through_a_redirect_ends_at_run_time() -> None:
    async def go() -> None:
        desk = Desk(call("b", message="x"), "told")
        b = await desk.agent(name="b")
        a = await desk.agent(name="a", tools=[b.to_wire()])

        def to_a(context: dict[str, Any]) -> Any:
            return {"action": "redirect", "target": a.id} if context["agent_name"] == "b" else None

        desk.register("before_agent_execution", to_a)
        output = await desk.run(a, "go")
        error = output["tool_calls"][0]["error"]
        assert (error["code"], error["kind"]) == (1003, "recursion")
        assert "a → b → a" in error["message"]

    run(go)


def test_depth_is_bounded_by_the_chain() -> None:
    told: list[str] = []

    def ask_the_next(request: Any) -> Any:
        if request["messages"][-1]["role"] == "tool":
            told.append(request["messages"][-1]["content"])
            return "enough"
        return call(request["tools"][0]["name"], message="x")

    async def go() -> None:
        desk = Desk(*[ask_the_next] * 60)
        inner = await desk.agent(name="end")
        for number in range(20):
            inner = await desk.agent(name=f"n{number}", tools=[inner.to_wire()])
        await desk.run(inner, "go")
        assert len(desk.models.requests) == 2 * DEPTH_MAX
        assert f"over {DEPTH_MAX} deep" in told[0]

    run(go)


def test_a_workflow_is_a_tool() -> None:
    class Workflows:
        async def execute(self, name: str, given: Any, *, origin: str) -> dict[str, Any]:
            return {"success": name == "workflow-1", "output": given, "origin": origin}

    async def go() -> None:
        desk = Desk(call("flow", input={"topic": "t"}), "done")
        desk.host.workflows = Workflows()
        handle = {"handle": "workflow", "id": "workflow-1", "name": "flow"}
        output = await desk.run(await desk.agent(name="a", tools=[handle]), "go")
        result = output["tool_calls"][0]["result"]
        assert result["output"] == {"topic": "t"} and result["origin"] == "agent:a"

    run(go)


def test_hooks_of_every_tool_call_see_a_wrapped_agent_too() -> None:
    async def go() -> None:
        desk = Desk(call("expert", message="x"), "told")
        expert = await desk.agent(name="expert")
        agent = await desk.agent(name="a", tools=[expert.to_wire()])
        seen: list[str] = []

        def veto(context: dict[str, Any]) -> Any:
            seen.append(context["tool_name"])
            return False

        desk.register("before_tool_execution", veto)
        output = await desk.run(agent, "go")
        assert seen == ["expert"] and desk.models.origins == ["agent:a", "agent:a"]
        assert output["tool_calls"][0]["error"]["kind"] == "cancelled"

    run(go)


def test_inline_tools_become_tools_of_the_run() -> None:
    async def go() -> None:
        desk = Desk(call("twice", n=2), "4")
        act = desk.host.function(lambda given: given["n"] * 2)
        agent = await desk.agent(
            name="a",
            tools=[{"name": "twice", "description": "d", "inputSchema": {}, "execute": act}],
        )
        output = await desk.run(agent, "go")
        assert output["tool_calls"][0]["result"] == 4
        method, args, origin = desk.host.calls[0]
        assert (method, args["name"], origin) == ("tools.create", "twice", "agent:a")

    run(go)


def test_missing_tools_are_1008_unless_they_may_be_missing() -> None:
    async def go() -> None:
        desk = Desk(here=lambda given: 1)
        with pytest.raises(Missing) as missing:
            await desk.agent(tools=["here", "gone"])
        assert missing.value.code == 1008 and "gone" in missing.value.message
        assert list(desk.book) == []
        agent = await desk.book.create({"tools": ["here", "gone"]}, missing_ok=True)
        assert agent.missing_tools == ["gone"] and agent.toolbox.names() == ["here"]

    run(go)


@pytest.mark.parametrize("odd", [7, {}, [], {"name": 5}, None, {"execute": 1}])
def test_what_is_no_tool_is_refused(odd: Any) -> None:
    async def go() -> None:
        with pytest.raises(InvalidInput):
            await Desk().agent(tools=[odd])

    run(go)


def test_tools_have_names_that_every_provider_takes() -> None:
    assert shown_name("my tool.v2/β") == "my_tool_v2__"
    assert len(shown_name("x" * 200)) == 64 and shown_name("") == "tool"

    async def go() -> None:
        odd: dict[str, Any] = {"a.b": lambda given: 1, "a b": lambda given: 2}
        desk = Desk(call("a_b_2"), "done", **odd)
        output = await desk.run(await desk.agent(tools=["a.b", "a b"]), "go")
        assert output["tool_calls"][0]["result"] == 2

    run(go)


def test_remove_tool_takes_class_names_too() -> None:
    async def go() -> None:
        desk = Desk(http=lambda given: 1)
        agent = await desk.agent(tools=["http"])
        assert agent.toolbox.remove("HttpTool") and not agent.toolbox.remove("HttpTool")
        assert isinstance(agent.toolbox, Toolbox) and len(agent.toolbox) == 0
        plain: dict[str, Any] = {"http_client": lambda given: 1, "grep_tool": lambda given: 1}
        agent = await Desk(**plain).agent(tools=list(plain))
        assert agent.toolbox.remove("HttpTool") and agent.toolbox.remove("GrepTool")
        assert not agent.toolbox.names()

    run(go)


def test_tool_overrides_stand_over_the_model_s_arguments() -> None:
    async def go() -> None:
        desk = Desk(call("find", text="x", n=1), "done", find=lambda given: 1)
        overrides = {"find": {"n": 5, "unknown": 1}}
        await desk.run(await desk.agent(tools=["find"], tool_overrides=overrides), "go")
        assert desk.tools.calls[0][1] == {"text": "x", "n": 5}

    run(go)


# -- handoff -------------------------------------------------------------------------------------


async def two(desk: Desk, **more: Any) -> Any:
    await desk.agent(name="reviewer", description="reviews code")
    return await desk.agent(name="boss", handoffs=["reviewer"], **more)


def handed(**more: Any) -> dict[str, Any]:
    return call("handoff", target_agent_id="reviewer", input="review it", reason="code", **more)


def test_ORC_016_handoff_needs_neither_workflow_nor_protocol() -> None:
    async def go() -> None:
        desk = Desk(handed(), "looks fine")
        boss = await two(desk, state={"ticket": 7, "secret": 1},
                         handoff_filter={"exclude": ["secret"]})  # fmt: skip
        output = await desk.run(boss, "please review src/main.rs")
        assert output["content"] == "looks fine"
        assert output["metadata"]["handled_by"] == "reviewer"
        assert output["metadata"]["handoffs"] == [
            {"from": "boss", "to": "reviewer", "reason": "code"}
        ]
        system = desk.models.requests[0]["messages"][0]["content"]
        assert "- 'reviewer': reviews code" in system
        told = desk.models.requests[1]["messages"][-1]["content"]
        assert told.startswith("review it") and '"ticket": 7' in told
        assert "secret" not in told and "please review src/main.rs" in told
        assert names.AGENT_HANDOFF in desk.emitted()
        reviewer = desk.book.get("reviewer")
        assert reviewer.get_state()["ticket"] == 7 and "secret" not in reviewer.state

    run(go)


def test_STO_011_the_model_narrows_the_filter_and_never_widens_it() -> None:
    base = StateFilter(include=("a", "b"), exclude=("b",), messages="last")
    asked = read_filter({"include": ["a", "b", "c"], "messages": "all"}, StateFilter())
    both = base.narrowed(asked)
    assert both.state({"a": 1, "b": 2, "c": 3}) == {"a": 1}
    assert both.messages == "last"
    assert base.narrowed(read_filter([], StateFilter())).state({"a": 1}) == {}


def test_a_handoff_action_in_words_counts_where_handoffs_are_known() -> None:
    async def go() -> None:
        words = '{"action": "handoff", "target": "reviewer", "input": "look"}'
        desk = Desk(words, "reviewed", words)
        boss = await two(desk)
        assert (await desk.run(boss, "go"))["content"] == "reviewed"
        plain = await desk.agent(name="plain")
        assert (await desk.run(plain, "go"))["content"] == words

    run(go)


def test_only_specialists_get_the_conversation() -> None:
    async def go() -> None:
        desk = Desk(call("handoff", target_agent_id="stranger", input="x"), "stayed")
        await desk.agent(name="stranger")
        output = await desk.run(await two(desk), "go")
        assert output["content"] == "stayed"
        assert output["tool_calls"][0]["error"]["code"] == 1001

    run(go)


def test_a_specialist_that_is_not_there_is_1001() -> None:
    async def go() -> None:
        desk = Desk(call("handoff", target_agent_id="ghost", input="x"))
        boss = await desk.agent(name="boss", handoffs=["ghost"])
        with pytest.raises(Missing) as missing:
            await desk.run(boss, "go")
        assert missing.value.code == 1001

    run(go)


def test_agents_that_hand_over_for_ever_are_stopped() -> None:
    async def go() -> None:
        def to(name: str) -> dict[str, Any]:
            return call("handoff", target_agent_id=name, input="you")

        desk = Desk(*[to("b"), to("a")] * 20)
        await desk.agent(name="a", handoffs=["b"])
        await desk.agent(name="b", handoffs=["a"])
        with pytest.raises(OperationFailed) as round_about:
            await desk.run(desk.book.get("a"), "go")
        assert round_about.value.kind == "handoff_loop"
        assert len(desk.models.requests) == HANDOFFS_MAX + 1

    run(go)


def test_S55_the_agent_finder_finds_agents_and_lets_hand_over() -> None:
    async def go() -> None:
        desk = Desk(
            call("agent_finder", query="database"),
            call("handoff", target_agent_id="database_expert", input="query"),
            "rows",
        )
        await desk.agent(name="database_expert", capabilities=["database"], description="queries")
        boss = await desk.agent(name="orchestrator", tools=["agent_finder"])
        output = await desk.run(boss, "how many users?")
        assert output["content"] == "rows"
        found = desk.models.requests[1]["messages"][-1]["content"]
        assert "database_expert" in found and "orchestrator" not in found

    run(go)


def test_discover_by_words_and_capabilities() -> None:
    async def go() -> None:
        desk = Desk()
        await desk.agent(name="a", capabilities=["research", "analysis"])
        await desk.agent(name="b", capabilities=["research"], description="writes reports")
        assert [one.name for one in desk.book.discover("", ["research", "analysis"])] == ["a"]
        assert [one.name for one in desk.book.discover("reports", [])] == ["b"]
        assert desk.book.discover("nothing", []) == []

    run(go)
