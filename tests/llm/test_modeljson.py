"""JSON that a model wrote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel.jsontext import Malformed, encode
from llmspell.llm.modeljson import TEXT_MAX, decode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_plain_values_are_as_they_were_written(value: object) -> None:
    assert decode(json.dumps(value)) == value


@given(st.text(alphabet='{}[]",:0123456789.eE+-ntfalse\\u$d8', max_size=60))
def test_any_text_is_a_value_that_can_be_carried_or_malformed(text: str) -> None:
    try:
        value = decode(text)
    except Malformed:
        return
    encode(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"$callback": 1}',
        '{"a": [{"$callback": 1}]}',
        '{"$bytes": "aGk=", "b": 1}',
        '{"a": 1, "a": 2}',
        "NaN",
        "[Infinity]",
        "1e999",
        '"\\ud800"',
        "[" * 100_000,
        "[" * 40 + "]" * 40,
        "[" + "1," * 300_000 + "1]",
        '"' + "x" * TEXT_MAX + '"',
        "",
        "{} {}",
    ],
    ids=lambda text: text[:20],
)
def test_what_a_model_may_not_write(text: str) -> None:
    with pytest.raises(Malformed):
        decode(text)


def test_integers_beyond_what_all_languages_hold_are_numbers() -> None:
    assert decode("12345678901234567890") == 12345678901234567890.0
