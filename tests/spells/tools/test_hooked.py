"""Hooks around tool calls: what they may change, and that none of it gets past the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from llmspell.errors import LlmspellError

from .kit import ToolDesk

BEFORE, AFTER, ERROR = "before_tool_execution", "after_tool_execution", "tool_error"


def double(given: dict[str, Any], context: Any) -> Any:
    return given["n"] * 2


NUMBER = {"properties": {"n": {"type": "number"}}, "required": ["n"]}


@pytest.fixture
def desk() -> ToolDesk:
    """A spell's own tool `double`, an `open` one, and `calculator` denied."""
    desk = ToolDesk("calculator", "own_denied")
    desk.create("double", double, input_schema=NUMBER)
    desk.create("other", lambda given, context: "other ran")
    desk.create("own_denied", lambda given, context: "must not run")
    desk.verdicts.clear()
    return desk


def _answering(answer: Any, context: Any) -> Any:
    return answer


def code_of(act: Callable[[], Any]) -> int:
    with pytest.raises(LlmspellError) as caught:
        act()
    return caught.value.code


def test_HOOK_004_a_hook_rewrites_the_input_and_the_schema_is_asked_again(desk: ToolDesk) -> None:
    seen: list[Any] = []

    def rewrite(context: Any) -> Any:
        seen.append(context)
        return {**context, "input": {"n": context["input"]["n"] + 1}}

    desk.hook(BEFORE, rewrite)
    assert desk.run("double", n=1) == {"result": 4}
    assert seen[0]["tool_name"] == "double" and seen[0]["origin"] == "spell"
    assert seen[0]["hook_point"] == BEFORE
    desk.hook(BEFORE, lambda context: {"input": {"n": "no number"}}, priority=1)
    assert code_of(lambda: desk.run("double", n=1)) == 2002
    desk.hook(BEFORE, lambda context: {"input": "no object"}, priority=0)
    assert code_of(lambda: desk.run("double", n=1)) == 2002


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "redirect", "target": "{}"},
        {"action": "redirect", "tool": "{}"},
        {"action": "redirect", "tool": {"name": "{}"}},
        {"action": "redirect", "context": {"tool_name": "{}"}},
        {"tool_name": "{}"},
        {"tool": {"name": "{}"}},
    ],
)
def test_a_denied_tool_is_out_of_reach_of_a_redirect(desk: ToolDesk, answer: Any) -> None:
    def filled(name: str) -> Any:
        return json.loads(json.dumps(answer).replace("{}", name))

    for denied in ("calculator", "own_denied"):
        target = ToolDesk("calculator", "own_denied")
        target.create("double", double)
        target.create("own_denied", lambda given, context: "must not run")
        target.verdicts.clear()
        sent = filled(denied)
        target.hook(BEFORE, partial(_answering, sent))
        assert code_of(partial(target.run, "double", n=1)) == 2006
        assert target.verdicts == [(denied, False)]
        assert target.ran == []
    desk.hook(BEFORE, lambda context: filled("other"))
    assert desk.run("double", n=1) == {"result": "other ran"}, "the allowed twin"
    assert desk.verdicts == [("other", True)]


def test_a_denied_tool_may_be_redirected_to_an_allowed_one(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"action": "redirect", "target": "other"})
    assert desk.run("calculator")["result"] == "other ran"
    assert desk.ran == []


def test_skip_gives_a_value_but_not_for_a_denied_tool(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"action": "skip", "value": 7})
    assert desk.run("double", n=1) == {"result": 7, "metadata": {"skipped": True}}
    assert code_of(lambda: desk.run("calculator")) == 2006
    assert desk.verdicts == [("double", True), ("calculator", False)]


def test_skip_with_a_changed_name_is_judged_by_that_name(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"tool_name": "calculator"}, priority=90)
    desk.hook(BEFORE, lambda context: {"action": "skip", "value": 7})
    assert code_of(lambda: desk.run("double", n=1)) == 2006


def test_cancel_is_a_typed_refusal(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"action": "cancel", "reason": "not today"})
    with pytest.raises(LlmspellError, match="not today") as caught:
        desk.run("double", n=1)
    assert (caught.value.kind, caught.value.rule) == ("cancelled", "hook.cancel")


def test_a_redirect_to_what_is_not_there_is_2001(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"action": "redirect", "target": "nothing"})
    assert code_of(lambda: desk.run("double", n=1)) == 2001


def test_HOOK_005_after_hooks_see_the_result_and_may_change_it(desk: ToolDesk) -> None:
    seen: list[Any] = []
    desk.hook(AFTER, seen.append)
    desk.hook(AFTER, lambda context: {"result": context["result"] + 1}, priority=1)
    assert desk.run("double", n=2) == {"result": 5}
    context = seen[0]
    assert context["output"] == {"result": 4} and context["success"] is True
    assert context["duration_ms"] >= 0 and context["timing"]["duration"] >= 0
    desk.hook(AFTER, lambda context: {"output": {"result": "new"}}, priority=0)
    assert desk.run("double", n=2) == {"result": "new"}


def test_a_changed_result_is_checked_by_the_output_schema() -> None:
    desk = ToolDesk()
    desk.create("t", lambda given, context: 1, output_schema={"type": "number"})
    desk.hook(AFTER, lambda context: {"result": "text"})
    assert code_of(lambda: desk.run("t")) == 2009


def test_HOOK_006_and_025_errors_reach_their_hooks_and_after_hooks_run_too(desk: ToolDesk) -> None:
    points: list[Any] = []
    desk.create("bad", lambda given, context: {"error": "broken"})
    desk.hook(ERROR, lambda context: points.append(("error", context["error"]["code"])))
    desk.hook(AFTER, lambda context: points.append(("after", context["success"])))
    assert code_of(lambda: desk.run("bad")) == 2003
    assert points == [("error", 2003), ("after", False)]


def test_an_error_hook_gives_a_value_another_try_or_another_tool(desk: ToolDesk) -> None:
    answers = iter([{"error": "once"}, 5])
    desk.create("flaky", lambda given, context: next(answers))
    action: list[Any] = [{"action": "retry"}]
    desk.hook(ERROR, lambda context: action[0])
    assert desk.run("flaky") == {"result": 5}
    desk.create("bad", lambda given, context: {"error": "broken"})
    assert code_of(lambda: desk.run("bad")) == 2003, "tries are bounded"
    action[0] = {"action": "skip", "value": 9}
    assert desk.run("bad") == {"result": 9, "metadata": {"recovered": True}}
    action[0] = {"action": "redirect", "target": "other"}
    assert desk.run("bad") == {"result": "other ran"}
    action[0] = {"action": "redirect", "target": "calculator"}
    assert code_of(lambda: desk.run("bad")) == 2006
    assert desk.ran == []


@pytest.mark.parametrize(
    "answer",
    [
        {"action": "skip", "value": 1},
        {"action": "retry"},
        {"action": "redirect", "target": "other"},
    ],
)
def test_a_denial_stays_a_denial_whatever_an_error_hook_says(desk: ToolDesk, answer: Any) -> None:
    seen: list[Any] = []

    def hook(context: Any) -> Any:
        seen.append(context["error"]["code"])
        return answer

    desk.hook(ERROR, hook)
    assert code_of(lambda: desk.run("calculator")) == 2006
    assert seen == [2006]
    desk.create("bad", lambda given, context: {"error": "x"})
    if answer["action"] == "skip":
        assert desk.run("bad")["result"] == 1, "the allowed twin"


def test_built_in_tools_pass_the_same_hooks(desk: ToolDesk) -> None:
    desk.hook(BEFORE, lambda context: {"input": {"text": "new"}})
    desk.hook(AFTER, lambda context: {"result": "changed"})
    assert desk.run("hash_calculator", text="old") == {"result": "changed"}
    assert desk.ran == [("hash_calculator", {"text": "new"})]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["calculator", "double", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["tool_name", "tool", "name", "input", "n", "output", "result", "error"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
_ANSWERS = st.one_of(
    _JSON,
    st.fixed_dictionaries(
        {"action": st.sampled_from(["modify", "skip", "redirect", "retry", "cancel", "stop", 3])},
        optional={"context": _JSON, "value": _JSON, "target": _JSON, "input": _JSON, "tool": _JSON},
    ),
)


@settings(max_examples=200, deadline=None)
@examples(st.sampled_from([BEFORE, AFTER, ERROR]), _ANSWERS, st.booleans())
def test_whatever_a_hook_answers_no_denied_tool_runs(point: str, answer: Any, bad: bool) -> None:
    desk = ToolDesk("calculator")
    desk.create("double", double, input_schema=NUMBER)
    desk.hook(point, lambda context: answer)
    try:
        desk.run("double", **({} if bad else {"n": 1}))
    except LlmspellError as error:
        assert error.code in (2001, 2002, 2003, 2006)
    assert desk.ran == []
    assert ("calculator", True) not in desk.verdicts
