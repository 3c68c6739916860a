"""A tool call's steps: schema, verdict, rate, cache, the function, its answer, errors by code."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback, Place
from llmspell.errors import LlmspellError, SpellError
from llmspell.spells.plain import FUNCTIONS_MAX
from llmspell.spells.tools.cache import ENTRIES, TOTAL_MAX, ResultCache
from llmspell.spells.tools.registry import TOOLS_MAX

from .kit import ToolDesk

ADD = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "number", "default": 5}},
    "required": ["a"],
}


def add(given: dict[str, Any], context: Any = None) -> Any:
    return given["a"] + given["b"]


def code_of(act: Any, *args: Any, **named: Any) -> int:
    with pytest.raises(LlmspellError) as caught:
        act(*args, **named)
    return caught.value.code


def test_API_067_a_tool_of_the_spells_own() -> None:
    desk = ToolDesk()
    made = desk.create("adder", add, description="adds", category="math", inputSchema=ADD)
    assert (made["handle"], made["id"], made["name"]) == ("tool", "adder", "adder")
    assert made["schema"] == made["input_schema"] == ADD
    assert desk.run("adder", a=1) == {"result": 6}
    assert desk.verdicts == [("adder", True)]
    assert [name for name, _, _ in desk.events.emitted] == ["tool_registered", "tool_used"]
    assert desk.tools.intercepts("adder") and not desk.tools.intercepts("calculator")


def test_the_function_gets_its_context_but_in_python() -> None:
    desk = ToolDesk()
    desk.create("t", lambda *args: len(args))
    assert desk.run("t")["result"] == 2
    desk.engine = "python"
    assert desk.run("t")["result"] == 1


def test_COD_2002_the_input_is_checked_before_the_verdict_and_the_function() -> None:
    desk = ToolDesk()
    ran: list[Any] = []
    desk.create("t", ran.append, input_schema=ADD)
    assert code_of(desk.run, "t", a="x") == 2002
    assert (ran, desk.verdicts) == ([], [])


def test_COD_2009_the_output_is_checked() -> None:
    desk = ToolDesk()
    desk.create("t", lambda given, context: given["v"], output_schema={"type": "string"})
    assert desk.run("t", v="yes") == {"result": "yes"}
    assert code_of(desk.run, "t", v=1) == 2009


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (None, {"result": None}),
        ({"a": 1}, {"result": {"a": 1}}),
        ({"result": 1, "metadata": {"m": 2}}, {"result": 1, "metadata": {"m": 2}}),
        ({"result": 1, "error": None}, {"result": 1, "error": None}),
        ({"result": Callback(3), "l": [Callback(4)]}, {"l": []}),
    ],
)
def test_API_058_the_shape_of_a_result(answer: Any, result: Any) -> None:
    desk = ToolDesk()
    desk.create("t", lambda given, context: answer)
    got = desk.run("t")
    if "l" in result:
        assert got["result"] == {"l": []} or got == {"l": []} or got["l"] == []
    else:
        assert got == result


@pytest.mark.parametrize("error", ["it broke", {"message": "it broke"}])
def test_COD_2003_an_error_in_the_answer(error: Any) -> None:
    desk = ToolDesk()
    desk.create("t", lambda given, context: {"error": error})
    with pytest.raises(LlmspellError, match="it broke") as caught:
        desk.run("t")
    assert caught.value.code == 2003


def raising(error: Exception) -> Any:
    def act(given: Any, context: Any) -> Any:
        raise error

    return act


def test_COD_2003_what_the_function_raises_and_typed_errors_stay() -> None:
    desk = ToolDesk()
    desk.create("plain", raising(SpellError("boom")))
    desk.create("denied", raising(SpellError("denied read x", code=4008, kind="denied", rule="r")))
    with pytest.raises(LlmspellError, match="the tool plain failed: boom") as caught:
        desk.run("plain")
    assert caught.value.code == 2003
    with pytest.raises(LlmspellError) as caught:
        desk.run("denied")
    assert (caught.value.code, caught.value.rule) == (4008, "r")
    assert desk.events.emitted[-1][0] == "tool_error"


async def never(given: Any, context: Any) -> None:
    await asyncio.sleep(5)


def test_COD_2008_time() -> None:
    desk = ToolDesk()
    desk.create("t", never, timeout=0.02)
    assert code_of(desk.run, "t") == 2008
    assert desk.do("tools.get_stats")["t"]["failures"] == 1


def test_COD_2006_a_denied_name_is_denied_for_the_spells_own_tool_too() -> None:
    desk = ToolDesk("secret_*")
    ran: list[Any] = []
    desk.create("secret_tool", lambda given, context: ran.append(given))
    desk.create("open_tool", lambda given, context: ran.append(given))
    assert code_of(desk.run, "secret_tool") == 2006
    assert ran == []
    desk.run("open_tool")
    assert len(ran) == 1


@pytest.mark.parametrize(
    "name", ["calculator", "httpClient", "", "a b", "x" * 65, "ü", "a/b", None, 3]
)
def test_COD_2005_names_that_are_not_free_or_no_names(name: Any) -> None:
    desk = ToolDesk()
    given = {"execute": desk.function(add)}
    assert code_of(desk.do, "tools.create", name=name, config=given) == 2005


def test_COD_2005_a_name_is_taken_once_and_free_after_unregister() -> None:
    desk = ToolDesk()
    desk.create("t", add)
    assert code_of(desk.create, "t", add) == 2005
    assert desk.do("tools.unregister", tool={"handle": "tool", "id": "t"}) is True
    assert desk.do("tools.unregister", tool="t") is False
    assert code_of(desk.run, "t") == 2001
    assert code_of(desk.do, "tools.unregister", tool="calculator") == 2005
    desk.create("t", add)


def test_API_063_register_takes_an_object_and_a_tool_that_is_there() -> None:
    desk = ToolDesk()
    made = desk.do("tools.register", tool={"name": "t", "execute": desk.function(add)})
    assert desk.do("tools.register", tool=made)["name"] == "t"
    given = {"name": "t", "execute": desk.function(add)}
    assert code_of(desk.do, "tools.register", tool=given) == 2005


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"execute": 3}, 2002),
        ({"input_schema": {"pattern": "x"}}, 2010),
        ({"input_schema": "no"}, 2010),
        ({"input_schema": {"type": "string"}}, 2010),
        ({"output_schema": {"type": "x"}}, 2010),
        ({"description": "x" * 5000}, 2002),
        ({"examples": "x"}, 2002),
        ({"examples": [{"input": "x" * 20_000}]}, 2002),
        ({"capabilities": [1]}, 2002),
        ({"timeout": 0}, 2002),
        ({"timeout": 601}, 2002),
        ({"rate_limit": 0}, 2002),
        ({"max_concurrency": 0}, 2002),
        ({"cache": {"max_size": 0}}, 2002),
        ({"cache": {"ttl": "long"}}, 2002),
    ],
)
def test_a_wrong_configuration_makes_no_tool(config: dict[str, Any], code: int) -> None:
    desk = ToolDesk()
    given = {"execute": desk.function(add), **config}
    assert code_of(desk.do, "tools.create", name="t", config=given) == code
    assert "t" not in desk.tools.names()


def test_parameters_by_name_and_unknown_options() -> None:
    desk = ToolDesk()
    made = desk.create(
        "t", lambda g, c: g, parameters={"a": {"type": "string", "required": True}}, flavour="x"
    )
    assert made["schema"]["required"] == ["a"]
    assert made["metadata"] == {"flavour": "x"}
    assert desk.notes[0][0] == "warn" and "flavour" in desk.notes[0][1]
    assert code_of(desk.run, "t") == 2002


def test_a_spell_has_a_bounded_number_of_tools() -> None:
    desk = ToolDesk()
    for number in range(TOOLS_MAX):
        desk.create(f"t{number}", add)
    assert code_of(desk.create, "more", add) == 4009


def test_TOOL_077_a_cache_by_input() -> None:
    desk = ToolDesk()
    ran: list[Any] = []

    def act(given: Any, context: Any) -> Any:
        ran.append(given)
        return {"result": len(ran)}

    desk.create("t", act, cache={"ttl": 60})
    assert desk.run("t", x=1, y=2) == {"result": 1, "metadata": {"cached": False}}
    assert desk.run("t", y=2, x=1) == {"result": 1, "metadata": {"cached": True}}
    assert desk.run("t", x=2)["result"] == 2
    assert [allowed for _, allowed in desk.verdicts] == [True] * 3, "kept results are judged too"


def test_TOOL_077_errors_are_not_kept() -> None:
    desk = ToolDesk()
    answers: list[Any] = [{"error": "x"}, 2]
    desk.create("t", lambda given, context: answers.pop(0), cache=True)
    assert code_of(desk.run, "t") == 2003
    assert desk.run("t")["result"] == 2


def test_a_cache_is_bounded_in_entries_bytes_and_time() -> None:
    now = [0.0]
    cache = ResultCache(lambda: now[0], 10, ENTRIES)
    for number in range(ENTRIES + 5):
        cache.put("t", number, number)
    assert cache.stats()["entries"] == ENTRIES
    assert cache.get("t", 0) is None and cache.get("t", ENTRIES) == ENTRIES
    now[0] = 11
    assert cache.get("t", ENTRIES) is None
    large = ResultCache(lambda: 0.0, 10, ENTRIES)
    for number in range(20):
        large.put("t", number, "x" * 900_000)
    assert large.stats()["entries"] <= TOTAL_MAX // 900_000
    large.put("t", "too large", "x" * 2**21)
    assert large.get("t", "too large") is None


def test_COD_6006_a_rate_of_its_own() -> None:
    desk = ToolDesk()
    desk.create("t", lambda given, context: 1, rate_limit={"requests_per_minute": 60, "burst": 2})
    desk.run("t")
    desk.run("t")
    with pytest.raises(LlmspellError) as caught:
        desk.run("t")
    assert (caught.value.code, caught.value.rule) == (6006, "limit.tool_rate")


def test_TOOL_076_concurrency_and_a_bounded_queue() -> None:
    desk = ToolDesk()
    at_once: list[int] = [0, 0]

    async def act(given: Any, context: Any) -> None:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0.001)
        at_once[0] -= 1

    desk.create("t", act, max_concurrency=2)

    async def many(count: int) -> list[Any]:
        calls = (desk.tools.execute("t", {}, origin="spell") for _ in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(many(70))
    assert at_once[1] == 2
    codes = [item.code for item in results if isinstance(item, LlmspellError)]
    assert codes == [4009] * 4


def test_built_in_tools_may_be_cached_and_limited_for_a_run() -> None:
    desk = ToolDesk("hash_calculator")
    desk.do("tools.configure", tool="calculator", config={"cache": True, "rate_limit": 1})
    assert desk.tools.intercepts("calculator")
    assert desk.run("calculator", expression="1")["metadata"] == {"cached": False}
    assert desk.run("calculator", expression="1")["metadata"] == {"cached": True}
    assert len(desk.ran) == 1
    assert code_of(desk.run, "calculator", expression="2") == 6006
    desk.do("tools.configure", tool="hash_calculator", config={"cache": True})
    assert code_of(desk.run, "hash_calculator") == 2006
    assert code_of(desk.do, "tools.configure", tool="calculator", config={"execute": 1}) == 2002
    assert code_of(desk.do, "tools.configure", tool="none", config={}) == 2001


def test_API_060_065_looking_for_tools() -> None:
    desk = ToolDesk()
    desk.create("zeta", add, category="math", capabilities=["sums"], description="adds numbers")
    names = [tool["name"] for tool in desk.do("tools.list")]
    assert "zeta" in names and "calculator" in names and names == sorted(names)
    assert [t["name"] for t in desk.do("tools.by_category", category="math")] == ["zeta"]
    web = [tool["name"] for tool in desk.do("tools.by_category", category="web_access")]
    assert "http_client" in web
    assert desk.do("tools.search", query="adds numbers")[0]["name"] == "zeta"
    found = desk.do("tools.discover", capabilities=["sums"], category="math", min_version="1.0.0")
    assert [tool["name"] for tool in found] == ["zeta"]
    assert desk.do("tools.discover", capabilities=["sums"], min_version="2") == []
    assert code_of(desk.do, "tools.get", name="zetta") == 2001
    assert all(tool["handle"] == "tool" for tool in desk.do("tools.list"))


def test_API_055_057_what_a_tool_says_of_itself() -> None:
    desk = ToolDesk()
    config = {"description": "adds", "input_schema": ADD, "output_schema": {"type": "number"}}
    examples = [{"name": "one", "input": {"a": 1}, "output": 6}]
    desk.create("adder", add, examples=examples, **config)
    assert desk.do("tools.output_schema", id="adder") == {"type": "number"}
    assert desk.do("tools.examples", id="adder")[0]["name"] == "one"
    metadata = desk.do("tools.metadata", id="adder")
    assert (metadata["input_schema"], metadata["performance"]["calls"]) == (ADD, 0)
    definition = desk.do("tools.function_definition", id="adder")
    assert definition == {"name": "adder", "description": "adds", "parameters": ADD}
    for call in (
        {"name": "adder", "arguments": '{"a": 2}'},
        {"arguments": {"a": 2}},
        {"id": "1", "function": {"name": "adder", "arguments": '{"a":2}'}},
    ):
        assert desk.do("tools.parse_call", id="adder", function_call=call) == {"a": 2, "b": 5}
    for wrong in ({"name": "other"}, {"arguments": "{"}, {"arguments": [1]}, {"arguments": "{}"}):
        assert code_of(desk.do, "tools.parse_call", id="adder", function_call=wrong) == 2002
    assert desk.do("tools.metadata", id="calculator")["input_schema"]["type"] == "object"


def test_API_056_chaining() -> None:
    desk = ToolDesk("hash_calculator")
    number = {"type": "number"}
    desk.create("source", lambda g, c: 20, output_schema=number)
    desk.create("adder", add, input_schema=ADD)
    desk.create("texts", lambda g, c: g, input_schema={
        "properties": {"t": {"type": "string"}}, "required": ["t"]})  # fmt: skip
    assert desk.do("tools.can_chain_with", id="source", other="adder") is True
    assert desk.do("tools.can_chain_with", id="source", other="texts") is False
    chained = desk.do(
        "tools.chain_with", id="source", other={"handle": "tool", "id": "adder"}, input={}
    )
    assert chained == {"result": 25}
    assert [origin for _, _, origin in desk.calls] == ["spell", "spell"]
    assert code_of(
        desk.do, "tools.chain_with", id="source", other="hash_calculator", input={}
    ) == 2006  # fmt: skip
    assert desk.ran == []


def test_S32_functions_of_an_input_come_beside_it_by_their_places() -> None:
    desk, test = ToolDesk(), Callback(7)
    desk.create("t", lambda given, context: given, cache={"ttl": 60})
    given = {"a": {"f": test, "n": 1}, "rows": [test, {"g": test}]}
    for _ in range(2):
        assert desk.run("t", **given)["result"] == {"a": {"n": 1}, "rows": [{}]}, "kept nowhere"
    places = [Place((0, "a", "f"), test), Place((0, "rows", 0, "g"), test)]
    assert desk.placed == places * 2
    too_many = {str(number): test for number in range(FUNCTIONS_MAX + 1)}
    assert code_of(desk.run, "t", **too_many) == 2002
    desk.do("tools.configure", tool="calculator", config={"cache": {"ttl": 60}})
    assert code_of(desk.run, "calculator", f=test) == 2002
    assert desk.ran == [], "a built-in tool runs in another process"


def test_S32_a_hook_sees_no_functions_and_takes_none_away() -> None:
    desk, test = ToolDesk(), Callback(7)
    seen: list[Any] = []

    def change(context: dict[str, Any]) -> Any:
        seen.append(context["input"])
        return {"input": {**context["input"], "n": 2}}

    desk.create("t", lambda given, context: given)
    desk.hook("before_tool_execution", change)
    assert desk.run("t", f=test, n=1)["result"] == {"n": 2}
    assert (seen, desk.placed) == ([{"n": 1}], [Place((0, "f"), test)])
