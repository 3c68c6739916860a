"""The strict decoder: what is refused, what is exact, and that nothing else ever comes out."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel import bounds
from llmspell.channel.jsontext import Callback, Malformed, decode, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-bounds.INTEGER_MAX, bounds.INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
keys = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda key: key[:1] != "$")
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20
)


@given(values)
def test_what_is_sent_arrives(value: Any) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_malformed(data: bytes) -> None:
    try:
        decode(data)
    except Malformed:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}{}",
        b'{"a":1} x',
        b'{"a":1,"a":2}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9007199254740993",
        b"1" * 5000,
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'"\\uDFFF"',
        b'"\x01"',
        b'{"$bytes":"%%%"}',
        b'{"$bytes":3}',
        b'{"$callback":0}',
        b'"\xc0\x80"',
    ],
)
def test_IP_03_04_06_refused_text(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data)


def test_the_allowed_twins_are_taken() -> None:
    assert decode(b"9007199254740992") == 2**53
    assert decode(b'"\\ud83d\\ude00"') == "😀"
    assert decode(b'{"$callback":7}') == Callback(7)
    assert decode(b"-0") == 0
    assert decode(b" {} ") == {}


@pytest.mark.parametrize("depth", [49, 1000, 100_000])
def test_IP_07_too_deep_is_refused_before_recursion(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        with pytest.raises(Malformed, match="nested"):
            decode(opening * depth + b"1" + closing * depth)
    assert decode(b"[" * 48 + b"]" * 48) is not None


def test_IP_07_brackets_in_strings_do_not_count() -> None:
    text = "[" * 100_000
    assert decode(json.dumps([text]).encode()) == [text]
    assert decode(json.dumps(['\\"[' * 5000]).encode()) == ['\\"[' * 5000]


def test_IP_08_many_small_values_are_refused_quickly() -> None:
    begun = time.monotonic()
    with pytest.raises(Malformed, match="values"):
        decode(b"[" + b"null," * (bounds.NODES_MAX + 10) + b"null]")
    with pytest.raises(Malformed, match="values"):
        decode(b"[" + b"[]," * (bounds.NODES_MAX + 10) + b"[]]")
    assert time.monotonic() - begun < 2


def test_IP_09_a_wide_object_is_refused() -> None:
    wide = {str(number): 0 for number in range(bounds.KEYS_MAX + 1)}
    with pytest.raises(Malformed, match="keys"):
        decode(json.dumps(wide).encode())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, "\ud800"])
def test_what_can_not_be_carried_is_not_sent(value: object) -> None:
    with pytest.raises(Malformed):
        encode({"value": value})


def test_IP_27_cyclic_values_are_not_sent() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(Malformed):
        encode(cycle)
