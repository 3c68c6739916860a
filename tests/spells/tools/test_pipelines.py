"""Pipelines: inputs from what came before, conditions, errors, and a verdict for each step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput, LlmspellError
from llmspell.spells.tools.places import filled, place

from .kit import ToolDesk


def made(desk: ToolDesk, *steps: Any, **config: Any) -> str:
    handle = desk.do("tools.create_pipeline", config={"steps": list(steps), **config})
    assert handle["handle"] == "pipeline"
    identity: str = handle["id"]
    return identity


def execute(desk: ToolDesk, identity: str, given: Any = None) -> Any:
    return desk.do("tools.pipeline_execute", id=identity, input=given)


@pytest.fixture
def desk() -> ToolDesk:
    desk = ToolDesk("calculator")
    desk.create("search", lambda g, c: {"results": [{"url": f"{g['query']}/1"}, {"url": "2"}]})
    desk.create("join", lambda g, c: ",".join(g["urls"]))
    desk.create("bad", lambda g, c: {"error": "broken"})
    return desk


def test_API_068_outputs_feed_later_steps(desk: ToolDesk) -> None:
    urls = desk.function(lambda c: {"urls": [r["url"] for r in c["search_results"]["results"]]})
    identity = made(
        desk,
        {"tool": "search", "input": {"query": "{{input.topic}}"}, "output": "search_results"},
        {"tool": {"handle": "tool", "id": "join"}, "input": urls, "output": "joined"},
        name="web",
    )
    result = execute(desk, identity, {"topic": "ai"})
    assert (result["success"], result["result"], result["name"]) == (True, "ai/1,2", "web")
    assert result["outputs"]["joined"] == "ai/1,2"
    assert [step["tool"] for step in result["steps"]] == ["search", "join"]
    assert desk.verdicts == [("search", True), ("join", True)]
    assert [origin for _, _, origin in desk.calls] == ["spell", "spell"]
    assert desk.do("tools.pipeline_steps", id=identity)[1] == {"tool": "join", "output": "joined"}


def test_a_denied_step_ends_the_pipeline_and_nothing_of_it_ran(desk: ToolDesk) -> None:
    identity = made(desk, {"tool": "calculator", "input": {}}, {"tool": "search"})
    with pytest.raises(LlmspellError) as caught:
        execute(desk, identity)
    assert caught.value.code == 2006
    assert (desk.verdicts, desk.ran) == ([("calculator", False)], [])


@pytest.mark.parametrize(
    ("on_error", "result"), [("continue", None), ({"fallback": [1]}, [1]), ("call", "broken")]
)
def test_a_failing_step(desk: ToolDesk, on_error: Any, result: Any) -> None:
    if on_error == "call":
        on_error = desk.function(lambda error, context: error["message"][-6:])
    identity = made(desk, {"tool": "bad", "on_error": on_error})
    found = execute(desk, identity)
    assert (found["success"], found["result"]) == (False, result)
    assert "broken" in found["steps"][0]["error"]
    with pytest.raises(LlmspellError, match="broken"):
        execute(desk, made(desk, {"tool": "bad"}))


def test_a_step_that_only_has_a_name_is_known_by_it(desk: ToolDesk) -> None:
    desk.create("echo", lambda g, c: g)
    steps = ({"tool": "echo", "name": "first"}, {"tool": "echo", "input": {"b": "{{first.a}}"}})
    found = execute(desk, made(desk, *steps), {"a": 1})
    assert found["outputs"] == {"first": {"a": 1}, "step_2": {"b": 1}}


def test_conditions_and_the_default_input(desk: ToolDesk) -> None:
    never = desk.function(lambda context: False)
    identity = made(desk, {"tool": "bad", "condition": never}, {"tool": "search"}, "search")
    desk.create("echo", lambda g, c: g)
    found = execute(desk, made(desk, "echo", "echo"), {"a": 1})
    assert found["result"] == {"a": 1}
    assert desk.do("tools.pipeline_steps", id=identity)[2]["output"] == "step_3"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"steps": []},
        {"steps": "x"},
        {"steps": [{}] * 65},
        {"steps": [3]},
        {"steps": [{"tool": 3}]},
        {"steps": [{"tool": "a", "output": "input"}]},
        {"steps": [{"tool": "a", "output": ""}]},
        {"steps": [{"tool": "a", "condition": "x > 1"}]},
        {"steps": [{"tool": "a", "on_error": "explode"}]},
        {"steps": [{"tool": "a", "input": 3}]},
        {"steps": [{"tool": "a"}], "name": ""},
    ],
)
def test_what_is_no_pipeline(desk: ToolDesk, config: Any) -> None:
    with pytest.raises(InvalidInput, match="create_pipeline"):
        desk.do("tools.create_pipeline", config=config)


CONTEXT = {"input": {"x": [1, {"y": "z"}], "n": 3}, "s": "text"}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("{{input.x}}", [1, {"y": "z"}]),
        ("{{ input.x[1].y }}", "z"),
        ("{{input.x.0}}", 1),
        ("{{input.none.more}}", None),
        ("a {{s}} b {{input.n}} {{input.x}} {{gone}}", 'a text b 3 [1,{"y":"z"}] '),
        ({"k": ["{{s}}", 1]}, {"k": ["text", 1]}),
        ("{{unclosed", "{{unclosed"),
        ("no place }}", "no place }}"),
    ],
)
def test_places(value: Any, result: Any) -> None:
    assert filled(value, CONTEXT) == result


@pytest.mark.parametrize("path", ["", "a b", "now()", "x > 1", "a..b", ".".join("a" * 40), "{{"])
def test_what_is_no_place(path: str) -> None:
    with pytest.raises(InvalidInput):
        place(path, CONTEXT)


def test_text_that_grows_is_bounded() -> None:
    with pytest.raises(InvalidInput, match="characters"):
        filled("{{a}}{{a}} " * 20, {"a": "x" * 100_000})


@given(st.text(alphabet="{}ab.[]0 ", max_size=30))
def test_any_text_ends_in_a_value_or_a_typed_error(text: str) -> None:
    try:
        filled(text, {"a": {"b": [1]}})
    except InvalidInput:
        pass
