"""The agents' service joins what is described to what is done, and nothing more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, Missing
from llmspell.spells.agents.book import AGENTS_MAX
from llmspell.spells.api import agents as described
from llmspell.spells.api.lookup import calls_of
from llmspell.spells.api.schema import compile_params
from llmspell.supervisor.services.agents import AgentService
from tests.spells.agents.kit import KeptState, PythonTools, ScriptedModels
from tests.spells.fake_host import FakeHost

CALLS = calls_of(described.MODULES)


class Service:
    """The service as the broker calls it: checked arguments, then the function."""

    def __init__(self, *said: Any, engine: str = "python", **tools: Any) -> None:
        self.models = ScriptedModels(*said)
        self.host: Any = FakeHost(
            models=self.models, tools=PythonTools(**tools), state=KeptState(), engine=engine
        )
        self.service = AgentService(self.host)

    async def __call__(self, wire: str, **args: Any) -> Any:
        value = self.service.table[wire](None, compile_params(CALLS[wire])(args))  # type: ignore[arg-type]
        return await value if asyncio.iscoroutine(value) else value


def test_every_described_call_has_its_function_and_no_other_is_there() -> None:
    assert set(Service().service.table) == set(CALLS)


def test_every_call_is_unjudged_because_its_acts_are_judged_by_themselves() -> None:
    assert all(function.unjudged for function in CALLS.values())


def test_X16_execute_tells_of_a_failure_and_chat_raises_it() -> None:
    async def go() -> None:
        down = LlmspellError("down", code=6003, kind="network")
        call = Service(down, down, down)
        agent = await call("agent.create", settings={"name": "a"})
        output = await call("agent.execute", id=agent["id"], input="go")
        assert output["success"] is False and output["error"] == "down"
        assert output["error_info"]["code"] == 6003 and output["tool_calls"] == []
        with pytest.raises(LlmspellError):
            await call("agent.chat", id=agent["id"], message="go")
        with pytest.raises(LlmspellError):
            await call("agent.execute_named", agent="a", input="go")
        with pytest.raises(InvalidInput):
            await call("agent.execute", id=agent["id"], input={})

    asyncio.run(go())


def test_TPL_016_a_built_in_template_s_name_makes_one_agent() -> None:
    async def go() -> None:
        call = Service()
        first = await call("agent.get", agent="research_specialist")
        again = await call("agent.get", agent="research_agent")
        assert first["id"] == again["id"] and first["type"] == "research_agent"
        with pytest.raises(Missing) as missing:
            await call("agent.get", agent="nobody")
        assert missing.value.code == 1001

    asyncio.run(go())


def test_the_newest_of_a_name_is_meant() -> None:
    async def go() -> None:
        call = Service()
        await call("agent.create", settings={"name": "a"})
        second = await call("agent.create", settings={"name": "a"})
        assert (await call("agent.get", agent="a"))["id"] == second["id"]
        await call("agent.shutdown", id=second["id"])
        assert (await call("agent.get", agent="a"))["id"] == "agent-1"
        assert (await call("agent.health", id=second["id"]))["status"] == "shut_down"

    asyncio.run(go())


def test_get_config_is_what_update_config_takes() -> None:
    async def go() -> None:
        for engine, timeout in (("lua", 20), ("javascript", 20_000)):
            call = Service(engine=engine, t=lambda given: 1)
            agent = await call(
                "agent.create",
                settings={"name": "a", "timeout": "20s", "tools": ["t"], "mood": "sunny",
                          "rate_limit": 30, "circuit_breaker": {"reset_timeout": "3s"}},
            )  # fmt: skip
            config = await call("agent.get_config", id=agent["id"])
            assert config["timeout"] == timeout and config["mood"] == "sunny"
            assert await call("agent.update_config", id=agent["id"], settings=config) == config

    asyncio.run(go())


def test_set_system_prompt_stays_when_settings_change() -> None:
    async def go() -> None:
        call = Service()
        agent = await call("agent.create", settings={"name": "a", "prompt_template": "I {{name}}"})
        assert await call("agent.system_prompt", id=agent["id"]) == "I a"
        await call("agent.set_system_prompt", id=agent["id"], prompt="Be {{brief}}")
        await call("agent.update_config", id=agent["id"], settings={"temperature": 1})
        assert await call("agent.system_prompt", id=agent["id"]) == "Be {{brief}}"

    asyncio.run(go())


def test_hooks_are_registered_and_taken_away() -> None:
    async def go() -> None:
        call = Service()
        agent = await call("agent.create", settings={"name": "a"})
        hook = call.host.function(lambda context: None)
        await call("agent.register_hook", id=agent["id"], point="beforeExecution", hook=hook)
        assert await call("agent.unregister_hook", id=agent["id"], name="before_execution")
        assert not await call("agent.unregister_hook", id=agent["id"], name="before_execution")
        with pytest.raises(InvalidInput):
            await call("agent.register_hook", id=agent["id"], point="on_lunch", hook=hook)

    asyncio.run(go())


def test_TRT_005_plan_and_reason_ask_for_their_form() -> None:
    async def go() -> None:
        plan = {"goal": "g", "steps": [{"description": "first"}]}
        call = Service({"content": "", "structured": plan}, {"content": "no form"})
        agent = await call("agent.create", settings={"name": "a"})
        assert await call("agent.plan", id=agent["id"], goal="g") == plan
        assert call.models.requests[0]["schema"]["required"] == ["goal", "steps"]
        with pytest.raises(LlmspellError) as formless:
            await call("agent.reason", id=agent["id"], question="why?", evidence=["e"])
        assert formless.value.kind == "structured"
        assert '["e"]' in call.models.last_texts()[-1]

    asyncio.run(go())


def test_TRT_005_solve_problem_and_lessons_from_feedback() -> None:
    async def go() -> None:
        solved = {"solution": "s", "steps": ["a"], "confidence": 0.5}
        call = Service({"content": "", "structured": solved}, "Be brief.", "ok")
        one = (await call("agent.create", settings={"name": "a"}))["id"]
        assert await call("agent.solve_problem", id=one, problem={"description": "d"}) == solved
        learned = await call(
            "agent.learn_from_feedback", id=one, feedback={"comment": "too long", "rating": 2}
        )
        assert learned == {"learned": "Be brief.", "lessons": ["Be brief."]}
        assert "too long\nrating: 2" in call.models.last_texts()[-1]
        await call("agent.chat", id=one, message="hi", options={})
        assert call.models.last_texts()[0] == "Learned from feedback:\n- Be brief."
        saved = await call("agent.save_state", id=one)
        await call("agent.clear_lessons", id=one)
        assert (await call("agent.learning_config", id=one))["lessons"] == []
        await call("agent.restore_state", id=one, snapshot=saved)
        assert (await call("agent.learning_config", id=one))["lessons"] == ["Be brief."]

    asyncio.run(go())


def test_TRT_005_learning_is_bounded_and_can_be_off() -> None:
    async def go() -> None:
        call = Service()
        settings = {"name": "a", "learning": {"reflect": False, "max_lessons": 2}}
        one = (await call("agent.create", settings=settings))["id"]
        for feedback in ("x", "y", "z" * 5000, "y"):
            found = await call("agent.learn_from_feedback", id=one, feedback=feedback)
        assert found["lessons"] == ["z" * 2000, "y"] and not call.models.requests
        off = (await call("agent.create", settings={"name": "b", "learning_config": False}))["id"]
        with pytest.raises(InvalidInput, match="not to learn"):
            await call("agent.learn_from_feedback", id=off, feedback="x")

    asyncio.run(go())


def test_TRT_005_function_calling_chooses_and_runs_nothing() -> None:
    async def go() -> None:
        chosen = [{"id": "1", "name": "add", "arguments": {"a": 1}}]
        call = Service({"content": "", "tool_calls": chosen}, "none fits")
        one = (await call("agent.create", settings={"name": "a"}))["id"]
        add = {"name": "add", "parameters": {"type": "object"}}
        found = await call("agent.function_calling", id=one, functions=[add], input="1")
        assert found["function_calls"] == [{"name": "add", "arguments": {"a": 1}}]
        found = await call("agent.function_calling", id=one, functions=[add], input="?")
        assert found == {"function_calls": [], "content": "none fits"}
        assert [tool["name"] for tool in call.models.requests[0]["tools"]] == ["add"]
        with pytest.raises(InvalidInput):
            await call("agent.function_calling", id=one, functions=[], input="?")

    asyncio.run(go())


def test_S48_methods_of_a_template_see_what_the_spell_changed() -> None:
    async def go() -> None:
        call = Service()
        made = await call("agent.template", name="T", settings={"system_prompt": "P", "n": 1})
        made["system_prompt"] = "Q"
        made["config"]["temperature"] = 0.5
        agent = await call("template.create_one", id="T", template=made, settings={"name": "of T"})
        config = await call("agent.get_config", id=agent["id"])
        assert (config["system_prompt"], config["temperature"]) == ("Q", 0.5)
        forged = {**made, "id": "another"}
        agent = await call("template.create_one", id="T", template=forged, settings={})
        assert (await call("agent.get_config", id=agent["id"]))["system_prompt"] == "P"
        child = await call("template.extend_one", id="T", template=made, name="U", settings={})
        assert child["system_prompt"] == "Q" and child["base"] == "T"
        for given in ({"template": "T", "name": "n"}, {"name": "T"}):
            agent = await call("template.create", template=given, settings={})
            assert agent["name"] == given["name"] or agent["name"] == "T"
        with pytest.raises(InvalidInput):
            await call("template.create", template={"x": 1}, settings={})

    asyncio.run(go())


def test_history_is_what_was_said_and_added() -> None:
    async def go() -> None:
        call = Service("hello")
        agent = await call("agent.create", settings={"name": "a"})
        await call("agent.add_to_history", id=agent["id"], message="earlier", role="assistant")
        await call("agent.chat", id=agent["id"], message="hi")
        said = [one["content"] for one in await call("agent.history", id=agent["id"])]
        assert said == ["earlier", "hi", "hello"]
        await call("agent.clear_history", id=agent["id"])
        assert await call("agent.history", id=agent["id"]) == []

    asyncio.run(go())


def test_a_spell_s_own_handoff_passes_the_filtered_state() -> None:
    async def go() -> None:
        call = Service("first", "second")
        boss = await call("agent.create", settings={"name": "boss", "state": {"a": 1, "b": 2}})
        await call("agent.create", settings={"name": "expert"})
        await call("agent.chat", id=boss["id"], message="the question")
        output = await call(
            "agent.handoff", id=boss["id"], agent="expert", input="go on",
            options={"reason": "knows", "stateFilter": {"include": ["a"]}},
        )  # fmt: skip
        assert output["metadata"]["handoffs"] == [
            {"from": "boss", "to": "expert", "reason": "knows"}
        ]
        told = call.models.last_texts()[-1]
        assert '"a": 1' in told and '"b"' not in told and "the question" in told
        with pytest.raises(InvalidInput):
            await call("agent.handoff", id=boss["id"], agent=boss, input="x")

    asyncio.run(go())


def test_the_port_finds_and_runs() -> None:
    async def go() -> None:
        call = Service("for a workflow")
        agent = await call("agent.create", settings={"name": "a"})
        assert call.service.find("a") == agent["id"] and call.service.find("b") is None
        output = await call.service.execute("a", {"input": "x"}, origin="workflow:w")
        assert output["content"] == "for a workflow"
        with pytest.raises(Missing):
            await call.service.execute("b", {"input": "x"}, origin="workflow:w")

    asyncio.run(go())


@pytest.mark.parametrize(
    "asked",
    [
        {"query": "knows"},
        {"query": ["law"]},
        {"query": {"capabilities": ["law"]}},
        {"query": {"query": "law"}},
        {"capabilities": "law"},
    ],
)
def test_agents_are_found_in_every_way_of_asking(asked: dict[str, Any]) -> None:
    async def go() -> None:
        call = Service()
        await call("agent.create", settings={"name": "other"})
        await call(
            "agent.create",
            settings={"name": "a", "description": "knows law", "capabilities": ["law"]},
        )
        assert [one["name"] for one in await call("agent.find", **asked)] == ["a"]

    asyncio.run(go())


def test_agents_of_a_run_are_bounded() -> None:
    async def go() -> None:
        call = Service()
        for _ in range(AGENTS_MAX):
            await call("agent.create", settings={"name": "a"})
        with pytest.raises(LimitExceeded):
            await call("agent.create", settings={"name": "one more"})
        await call("agent.shutdown", id="agent-1")
        await call("agent.create", settings={"name": "one more"})

    asyncio.run(go())


def test_close_lets_every_agent_go() -> None:
    async def go() -> None:
        call = Service()
        await call("agent.create", settings={"name": "a"})
        call.service.close()
        assert await call("agent.list") == []

    asyncio.run(go())
