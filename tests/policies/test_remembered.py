"""What policies remember, and the budget's short cut, say what they would say anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InternalError, InvalidInput, LimitExceeded, LlmspellError
from llmspell.policies import paths as module
from llmspell.policies.budget import Budget
from llmspell.policies.limits import UNLIMITED, Limits
from llmspell.policies.paths import OPERATIONS, FileRules
from llmspell.policies.spell_path import parse_spell_path
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy


def rules(**context: Any) -> FileRules:
    return load_policy("low", context=PolicyContext.of("/home/u/work", **context)).files


def outcome(call: Any, *given: Any) -> object:
    try:
        return call(*given)
    except LlmspellError as error:
        return type(error), error.message


pieces = st.lists(
    st.sampled_from(
        ["a", "..", ".", "", "scratch:", "spell:", "~", "con", "\\", "\n", "é", "x" * 300]
    ),
    max_size=4,
)


@given(pieces.map("/".join))
def test_property_find_says_what_parsing_and_locating_say(text: str) -> None:
    one = rules()
    expected = outcome(lambda: (parse_spell_path(text), one.locate(parse_spell_path(text))))
    for _ in range(3):
        assert outcome(one.find, text) == expected


@pytest.mark.parametrize("odd", [None, 7, b"a", ["a"], {"a": 1}])
def test_find_takes_text_alone(odd: Any) -> None:
    with pytest.raises(InvalidInput):
        rules().find(odd)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VERDICTS_KEPT", 8)
    one = rules()
    for number in range(100):
        assert one.find(f"a/{number}")[1] == f"/home/u/work/a/{number}"
        assert len(one._located) <= 8
    for operation in [*OPERATIONS, *(f"odd{number}" for number in range(100))]:
        first = one.judge_scratch(operation)
        assert first == one.judge_scratch(operation)
        assert first.allowed == (operation in OPERATIONS and one.roots.scratch)
    assert len(one._scratch_verdicts) <= len(OPERATIONS)


def test_two_runs_remember_apart() -> None:
    first, second = rules(), load_policy("low", context=PolicyContext.of("/other")).files
    assert first.find("f")[1] == "/home/u/work/f" and second.find("f")[1] == "/other/f"


amounts = (
    st.integers(-3, 30)
    | st.floats(-3, 30)
    | st.booleans()
    | st.just(float("nan"))
    | st.just(float("inf"))
    | st.just("1")
    | st.none()
)
limits = st.integers(0, 20) | st.floats(0, 20) | st.just(UNLIMITED)


@given(limits, st.lists(st.tuples(st.sampled_from(["calls", "scratch", "memory"]), amounts)))
def test_property_the_short_cut_charges_and_refuses_alike(limit: Any, steps: list[Any]) -> None:
    chosen = Limits()._replace(calls=limit, scratch=limit, memory=limit)
    quick, slow = Budget(chosen), Budget(chosen)
    free = Limits()._replace(calls=UNLIMITED, scratch=UNLIMITED, memory=UNLIMITED)
    child = Budget(free, slow)
    for kind, amount in steps:
        assert outcome(quick.reserve, kind, amount) == outcome(child.reserve, kind, amount)
        assert quick.usage() == slow.usage()


def test_the_last_call_within_the_limit_and_the_first_beyond() -> None:
    budget = Budget(Limits()._replace(calls=2))
    budget.reserve("calls", 1)
    budget.reserve("calls", 1)
    with pytest.raises(LimitExceeded):
        budget.reserve("calls", 1)
    assert budget.usage()["calls"] == 2
    for kind, amount in (("no-such", 1), ("calls", True), ("calls", -1)):
        with pytest.raises(InternalError):
            budget.reserve(kind, amount)
