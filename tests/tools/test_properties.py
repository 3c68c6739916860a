"""Properties of every tool that computes: the same input gives the same output, soon (TST-015)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.errors import LlmspellError
from tests.tools.support import use_whole

BOUND_SECONDS: Final = 5.0
"""TST-015."""
TEXT: Final = st.text(max_size=200)
NUMBER: Final = st.integers(-(10**6), 10**6).map(str)
MOMENT: Final = st.datetimes().map(lambda moment: moment.isoformat())

INPUTS: Final[dict[str, tuple[st.SearchStrategy[str], Callable[[str], dict[str, Any]]]]] = {
    "base64_encoder": (TEXT, lambda text: {"data": text}),
    "calculator": (NUMBER | TEXT, lambda text: {"expression": f"({text}) * 3 - 1"}),
    "csv_processor": (TEXT, lambda text: {"operation": "parse", "text": text}),
    "date_time_handler": (
        MOMENT | TEXT,
        lambda text: {"operation": "add", "date": text, "amount": 1, "unit": "days"},
    ),
    "diff_calculator": (TEXT, lambda text: {"old": text, "new": text[::-1]}),
    "hash_calculator": (TEXT, lambda text: {"data": text}),
    "json_processor": (NUMBER | TEXT, lambda text: {"operation": "parse", "json": text}),
    "template_processor": (TEXT, lambda text: {"template": text, "variables": {"a": text}}),
    "text_manipulator": (TEXT, lambda text: {"text": text, "operations": ["trim", "swap_case"]}),
}
"""Tool -> texts, and its input made of one."""


def outcome(tool: str, given_input: dict[str, Any]) -> object:
    try:
        return use_whole(tool, given_input)
    except LlmspellError as error:
        return (error.code, str(error))


@pytest.mark.parametrize("tool", INPUTS)
def test_TST_015_a_tool_is_deterministic_and_bounded(tool: str) -> None:
    ended_well = 0

    texts, made_of = INPUTS[tool]

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(texts)
    def holds(text: str) -> None:
        nonlocal ended_well
        started = time.monotonic()
        first = outcome(tool, made_of(text))
        assert time.monotonic() - started < BOUND_SECONDS
        assert first == outcome(tool, made_of(text))
        ended_well += not isinstance(first, tuple)

    holds()
    assert ended_well >= 5, "most inputs were of no use: the property says little"
