"""The quick reading of a call: whatever it takes, the strict reader takes alike; never more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel import messages
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.channel.quick import QUICK_MAX, quick_call
from llmspell.channel.states import Role, State
from llmspell.errors import WorkerViolation


def strict(body: bytes) -> messages.Message | None:
    try:
        return messages.parse(decode(body))
    except Malformed:
        return None


def exactly(value: Any) -> Any:
    """The value with its types: 1, 1.0 and True differ, and so do 0.0 and -0.0."""
    if isinstance(value, dict):
        return [(key, exactly(item)) for key, item in value.items()]
    return type(value), repr(value)


def agrees(body: bytes) -> bool:
    """Whether the quick way took it; fails when the two ways differ."""
    quick = quick_call(body)
    if quick is None:
        return False
    slow = strict(body)
    assert type(slow) is messages.Call, body
    assert (quick.id, quick.method) == (slow.id, slow.method)
    assert exactly(quick.args) == exactly(slow.args), body
    return True


def call(args: str, number: str = "7", method: str = '"fs.stat"') -> bytes:
    return f'{{"type":"call","id":{number},"method":{method},"args":{args}}}'.encode()


@pytest.mark.parametrize(
    "args",
    [
        "{}",
        '{"path":"a b/ü.txt"}',
        '{"key":"k","value":1}',
        '{"a":-0,"b":-0.0,"c":1e300,"d":true,"e":null,"f":9007199254740992}',
        '{"path":"scratch:none"}',
        '{"a": 1, "b": "x"}',
        '{"a":""}',
    ],
)
def test_the_common_call_is_taken(args: str) -> None:
    assert agrees(call(args))


@pytest.mark.parametrize(
    "body",
    [
        call('{"a":1,"a":2}'),
        call('{"a":1,"a" :2}'),
        call('{"a":1,"a"  :2}'),
        call('{"a":1,"a"\t:2}'),
        call('{"a":1,"\\u0061":2}'),
        call('{"a":1,"b":2,"a":"x:y"}'),
        call('{"a":":\\"","a":2}'),
        call('{"a":9007199254740993}'),
        call('{"a":-9007199254740993}'),
        call('{"a":1e999}'),
        call('{"a":NaN}'),
        call('{"a":-Infinity}'),
        call('{"a":"\\ud800"}'),
        call('{"$bytes":"QQ=="}'),
        call('{"a":{"$callback":1}}'),
        call('{"a":[1]}'),
        call("{'a':1}"),
        call('{"a":01}'),
        call('{"a":1,}'),
        call('{"a":1}}'),
        call('{"a":1} '),
        call('{"a":1}') + b"{}",
        call("[]"),
        call("null"),
        call('{"a":"' + "x" * QUICK_MAX + '"}'),
        call('{"a":"x\ny"}'),
        call("{}", number="0"),
        call("{}", number="-1"),
        call("{}", number="1.0"),
        call("{}", number="01"),
        call("{}", number="true"),
        call("{}", number="9" * 30),
        call("{}", number="٣"),
        call("{}", method='""'),
        call("{}", method='"' + "m" * 65 + '"'),
        call("{}", method="7"),
        call("{}", method='"a\\n"'),
        call("{}").replace(b'"type"', b'"type","type"'),
        call("{}").replace(b'"call"', b'"call","more":1'),
        call("{}").replace(b'"call"', b'"reply"'),
        b"\xef\xbb\xbf" + call("{}"),
        call('{"a":"?"}').replace(b"?", b"\xff"),
        call('{"a":"?"}').replace(b"?", b"\xed\xa0\x80"),
        call('{"a":"?"}').replace(b"?", b"\x7f"),
        b"",
    ],
)
def test_what_is_not_common_is_left_to_the_strict_reader(body: bytes) -> None:
    if b"\x7f" in body:
        assert agrees(body)  # An ordinary character for both.
    else:
        assert quick_call(body) is None


plain = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(':" ,{}[]\\$\n'), max_size=8
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | plain
hostile = st.sampled_from(
    ['"', ":", ",", "{", "}", "[", "]", "\\", "$", " ", "\t", "1", "-", "e9", '"a":1', '":', '" :',
     "NaN", "null", "\u0000", "\ud7ff", '"a"']
)  # fmt: skip


@given(st.dictionaries(plain, scalars, max_size=5), st.booleans(), st.booleans())
def test_property_whatever_json_makes(args: dict[str, Any], tight: bool, plain_ascii: bool) -> None:
    separators = (",", ":") if tight else (", ", " : ")
    agrees(call(json.dumps(args, separators=separators, ensure_ascii=plain_ascii)))


@given(st.lists(hostile, max_size=14).map("".join))
def test_property_hostile_arguments(text: str) -> None:
    agrees(call("{" + text + "}"))


@given(st.lists(st.tuples(st.sampled_from("ab:"), st.sampled_from(["", " "]), plain), max_size=4))
def test_property_keys_that_come_twice(pairs: list[tuple[str, str, str]]) -> None:
    items = (f'"{key}"{space}:{json.dumps(text)}' for key, space, text in pairs)
    taken = agrees(call("{" + ",".join(items) + "}"))
    if len({key for key, _, _ in pairs}) != len(pairs):
        assert not taken


@given(st.binary(max_size=6), st.integers(0, 60), st.integers(0, 6))
def test_property_damaged_frames(piece: bytes, at: int, cut: int) -> None:
    body = call('{"path":"a","n":12}')
    agrees(body[:at] + piece + body[at + cut :])


def running() -> Connection:
    connection = Connection(Role.SPELL)
    connection.state = State.RUNNING
    return connection


def test_the_connection_takes_a_call_quickly_only_in_its_turn() -> None:
    data = frame(call("{}"))
    assert Connection(Role.SPELL).receive_call(data, 0.0) is None
    half = running()
    half.receive(data[:5], 0.0)
    assert half.receive_call(data, 0.0) is None
    pieces = running()
    pieces.receive(frame(encode({"type": "part", "data": "{", "last": False})), 0.0)
    assert pieces.receive_call(data, 0.0) is None
    assert running().receive_call(data + data, 0.0) is None
    assert running().receive_call(data[:-1], 0.0) is None
    good = running()
    assert good.receive_call(data, 0.0) == messages.Call(7, "fs.stat", {})
    assert good.receive_call(data, 0.0) is None, "ids must rise"
    with pytest.raises(WorkerViolation, match="rise"):
        good.receive(data, 0.0)


def test_IP_14_calls_taken_quickly_count_as_frames_and_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from llmspell.channel import connection as module

    monkeypatch.setattr(module, "EVENTS_PER_SECOND", 3)
    flooding = running()
    for number in range(1, 4):
        assert flooding.receive_call(frame(call("{}", number=str(number))), 0.5) is not None
    fourth = frame(call("{}", number="4"))
    assert flooding.receive_call(fourth, 0.9) is None
    with pytest.raises(WorkerViolation, match="more messages"):
        flooding.receive(fourth, 0.9)
    honest = running()
    for number in range(1, 9):
        data = frame(call("{}", number=str(number)))
        assert honest.receive_call(data, number * 0.5) or honest.receive(data, number * 0.5)
    assert honest.bytes_received == 8 * len(data)


def test_a_reply_is_spelled_as_ever() -> None:
    for value in (None, True, 1.5, "x", {"a": [1]}, b"x"):
        expected = {"type": "reply", "id": 3, "ok": True, "value": value}
        assert running().reply(3, value) == frame(encode(expected))
