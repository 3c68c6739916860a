"""Each bound of the channel at its edge, in numbers written out here: the last taken, the next not.

The other tests speak of `bounds`; were one of them loosened by mistake, these would say so.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from llmspell.channel import messages
from llmspell.channel.connection import Connection
from llmspell.channel.framing import FrameError, FrameReader, frame, frames_of
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.channel.states import Role, State
from llmspell.errors import WorkerViolation


def running() -> Connection:
    connection = Connection(Role.SPELL)
    connection.state = State.RUNNING
    return connection


def wire(message: object) -> bytes:
    return frame(encode(message))


def part(data: str, *, last: bool) -> bytes:
    return wire({"type": "part", "data": data, "last": last})


CANCEL = {"type": "cancel", "id": 1}


def test_IP_01_the_largest_frame() -> None:
    whole = encode(CANCEL).ljust(1_048_576)
    header = len(whole).to_bytes(4, "little")
    assert running().receive(header + whole, 0.0) == [messages.Cancel(1)]
    slowly = running()
    assert slowly.receive(header, 0.0) == []
    assert slowly.wanted() == 1_048_576
    assert slowly.receive(whole, 0.0) == [messages.Cancel(1)]
    with pytest.raises(WorkerViolation, match="frame of 1048577"):
        running().receive((1_048_577).to_bytes(4, "little"), 0.0)
    with pytest.raises(FrameError):
        FrameReader().feed((1_048_577).to_bytes(4, "little") + whole + b" ")
    assert len(frame(whole)) == 1_048_580
    for bad in (whole + b" ", b""):
        with pytest.raises(FrameError):
            frame(bad)


def test_IP_01_a_frame_of_nothing_is_none() -> None:
    good = wire(CANCEL)
    for data in (b"\0\0\0\0", b"\0\0\0\0" + good, good + b"\0\0\0\0"):
        with pytest.raises(FrameError, match="frame of 0"):
            FrameReader().feed(data)
    assert FrameReader().feed(good) == [good[4:]]


def test_large_messages_go_in_parts_and_none_over_16_mib() -> None:
    assert frames_of(b'"' + b"x" * 262_142 + b'"')[4:5] == b'"'
    assert frames_of(b'"' + b"x" * 262_143 + b'"')[4:].startswith(b'{"type":"part"')
    largest = frames_of(b'"' + b"x" * 16_777_214 + b'"')
    assert largest.count(b'"last":true') == 1
    with pytest.raises(FrameError):
        frames_of(b'"' + b"x" * 16_777_215 + b'"')


@pytest.mark.parametrize("text", ["\x00" * 120_000, '"\\' * 150_000, "😀" * 300_000])
def test_parts_that_escaping_or_spelling_grows_still_fit_their_frames(text: str) -> None:
    data = frames_of(encode({"type": "output", "stream": "stdout", "text": text}))
    assert max(len(body) for body in FrameReader().feed(data)) < 530_000
    assert running().receive(data, 0.0) == [messages.Output("stdout", text)]


def test_IP_08_the_largest_message_in_parts() -> None:
    text = json_of(16_777_216)
    pieces = [text[start : start + 1_000_000] for start in range(0, len(text), 1_000_000)]
    connection = running()
    found: list[messages.Message] = []
    for piece in pieces:
        found += connection.receive(part(piece, last=piece is pieces[-1]), 0.0)
    assert found == [messages.Cancel(1)]
    over = running()
    with pytest.raises(WorkerViolation, match="over 16777216 bytes"):
        for piece in [*pieces, " "]:
            over.receive(part(piece, last=False), 0.0)


def json_of(size: int) -> str:
    return encode(CANCEL).decode().ljust(size)


def test_IP_08_parts_too_small_to_be_honest() -> None:
    small = part("x", last=False)
    connection = running()
    connection.receive(small * 16_385, 0.0)
    with pytest.raises(WorkerViolation, match="too small parts"):
        connection.receive(small, 0.0)


def test_a_second_message_in_parts_begins_with_nothing_of_the_first() -> None:
    connection = running()
    half = json_of(9_000_000)
    for _ in range(2):
        assert connection.receive(part(half[:900_000], last=False), 0.0) == []
        for start in range(900_000, 8_100_000, 900_000):
            connection.receive(part(half[start : start + 900_000], last=False), 0.0)
        found = connection.receive(part(half[8_100_000:], last=True), 0.0)
        assert found == [messages.Cancel(1)]


def test_IP_07_48_levels() -> None:
    assert decode(b"[" * 48 + b"]" * 48) is not None
    assert decode(b'{"a":' * 47 + b"{}" + b"}" * 47) is not None
    assert decode(b'{"a":[' * 24 + b"]}" * 24) is not None
    assert decode(b'[{"a":' * 23 + b"[{}]" + b"}]" * 23) is not None
    for data in (
        b"[" * 49 + b"]" * 49,
        b'{"a":' * 48 + b"{}" + b"}" * 48,
        # Two kinds in turn once passed for half as many levels.
        b'{"a":[' * 25 + b"]}" * 25,
        b'{"a":' + b"[" * 48 + b"]" * 48 + b"}",
        b'[{"a":' * 24 + b"[1]" + b"}]" * 24,
    ):
        with pytest.raises(Malformed, match="nested deeper than 48"):
            decode(data)


def test_IP_08_250_000_values() -> None:
    # The bound counts commas and pairs of brackets: a list of n is n - 1 and one.
    assert len(decode(b"[" + b"0," * 249_999 + b"0]")) == 250_000
    assert len(decode(b"[" + b"[]," * 124_999 + b"[]]")) == 125_000
    for data in (b"[" + b"0," * 250_000 + b"0]", b"[" + b"[]," * 125_000 + b"[]]"):
        with pytest.raises(Malformed, match="over 250000 values"):
            decode(data)


def test_IP_09_20_000_keys() -> None:
    def wide(count: int) -> bytes:
        return b"{" + b",".join(b'"%d":0' % number for number in range(count)) + b"}"

    assert len(decode(wide(20_000))) == 20_000
    with pytest.raises(Malformed, match="over 20000 keys"):
        decode(wide(20_001))


def test_IP_06_integers_to_2_53_on_both_sides() -> None:
    for good in (9007199254740992, -9007199254740992, 0):
        assert decode(b"%d" % good) == good
    for bad in (b"9007199254740993", b"-9007199254740993", b"-1" + b"0" * 17):
        with pytest.raises(Malformed, match="outside"):
            decode(bad)


@pytest.mark.parametrize("digits", [20, 5_000, 1_000_000])
def test_IP_06_long_integers_are_refused_by_their_length(digits: int) -> None:
    begun = time.monotonic()
    with pytest.raises(Malformed, match="an integer is outside"):
        decode(b"9" * digits)
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * 14_000,
        b'"\\' * 14_000,
        b'"' * 400_001,
        b'"a\\\\"' * 100_000 + b'"',
        b'"' + b"\\" * 800_001,
    ],
    ids=["escaped", "alternating", "quotes", "closed", "backslashes"],
)
def test_IP_07_a_string_that_nobody_ends_costs_linear_time(text: bytes) -> None:
    """64 KB of `escaped` once took 13 s: each quote was tried as the first of a string."""
    begun = time.monotonic()
    with pytest.raises(Malformed):
        decode(b"[" * 49 + text)
    assert time.monotonic() - begun < 1


def test_names_and_fields() -> None:
    def call(method: str) -> bytes:
        return wire({"type": "call", "id": 1, "method": method, "args": {"a": [1]}})

    def log(fields: int) -> bytes:
        named = {str(number): 0 for number in range(fields)}
        return wire({"type": "log", "level": "info", "message": "m", "fields": named})

    assert len(running().receive(call("m" * 64), 0.0)) == 1
    with pytest.raises(WorkerViolation, match="method name is too long"):
        running().receive(call("m" * 65), 0.0)
    assert len(running().receive(log(32), 0.0)) == 1
    with pytest.raises(WorkerViolation, match="over 32 fields"):
        running().receive(log(33), 0.0)


def test_IP_14_50_000_frames_and_256_mib_a_second() -> None:
    one = wire(CANCEL)
    for attribute, most in (("_window_frames", 50_000), ("_window_bytes", 268_435_456)):
        connection = running()
        connection.receive(one, 7.0)
        step = getattr(connection, attribute)
        # What as many honest frames as possible would have brought it to.
        setattr(connection, attribute, most - step)
        assert connection.receive(one, 7.5)
        with pytest.raises(WorkerViolation, match="more messages"):
            connection.receive(one, 7.9)
        setattr(connection, attribute, most)
        connection.state = State.RUNNING
        assert connection.receive(one, 8.0), "the next second has its own"


def test_IP_14_bytes_that_complete_nothing_count_as_well() -> None:
    connection = running()
    connection.receive(wire(CANCEL), 0.0)
    connection._window_bytes = 268_435_456 - 4
    call = wire({"type": "call", "id": 1, "method": "m", "args": {}})
    assert connection.receive_call(call, 0.5) is None
    connection.receive(b"\xff\0\0\0", 0.5)
    with pytest.raises(WorkerViolation, match="more messages"):
        connection.receive(b"x", 0.5)


REQUIRED: dict[str, dict[str, Any]] = {
    "call": {"id": 1, "method": "m", "args": {"a": [1]}},
    "returned": {"id": 1, "ok": True},
    "log": {"level": "info", "message": "m"},
    "output": {"stream": "stdout", "text": "t"},
    "done": {},
    "failed": {"error": {}},
    "cancel": {"id": 1},
    "part": {"data": "", "last": True},
}
WRONG: dict[str, dict[str, list[Any]]] = {
    "call": {"id": [0, -1, 1.0, True, "1", None], "method": [1, None], "args": [[1], "x", None]},
    "returned": {"id": [0, 1.5], "ok": [1, "true", None, False]},
    "log": {"level": ["fatal", 1, None], "message": [1], "fields": ["x", [1]]},
    "output": {"stream": ["stdin", 1], "text": [b"x", 1]},
    "failed": {"error": ["x", None, []]},
    "cancel": {"id": [0, True]},
    "part": {"data": [1, None], "last": [1, "true", None]},
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_IP_13_every_field_is_there_of_its_type_and_no_other(kind: str) -> None:
    whole = {"type": kind, **REQUIRED[kind]}
    if kind != "part":
        assert len(running().receive(wire(whole), 0.0)) == 1
    bad = [{**whole, "more": 1}]
    bad += [{key: whole[key] for key in whole if key != name} for name in REQUIRED[kind]]
    bad += [
        {**whole, field: value} for field, values in WRONG.get(kind, {}).items() for value in values
    ]
    for message in bad:
        with pytest.raises(Malformed):
            messages.parse(message)


def test_IP_13_returned_is_a_value_or_an_error() -> None:
    good = {"type": "returned", "id": 1, "ok": False, "error": {"kind": "x"}}
    assert messages.parse(good) == messages.Returned(1, None, {"kind": "x"})
    bad: list[dict[str, Any]] = [
        {**good, "ok": True},
        {**good, "value": 1},
        {"type": "returned", "id": 1, "ok": False},
    ]
    for message in bad:
        with pytest.raises(Malformed, match="exactly one"):
            messages.parse(message)


def hello(**changes: Any) -> dict[str, Any]:
    achieved = {"layers": ["seccomp"], "effects": {"files": True}}
    return {"type": "hello", "version": 1, "engine": "lua", "achieved": achieved, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1.0},
        {"version": True},
        {"version": "1"},
        {"engine": 1},
        {"achieved": {"layers": []}},
        {"achieved": {"layers": [], "effects": {}, "more": 1}},
        {"achieved": {"layers": "seccomp", "effects": {}}},
        {"achieved": {"layers": [1], "effects": {}}},
        {"achieved": {"layers": [], "effects": {"everything": True}}},
        {"achieved": {"layers": [], "effects": []}},
        {"more": 1},
    ],
)
def test_IP_12_a_hello_that_is_none(changes: dict[str, Any]) -> None:
    assert Connection(Role.SPELL).receive(wire(hello()), 0.0)
    with pytest.raises(WorkerViolation):
        Connection(Role.SPELL).receive(wire(hello(**changes)), 0.0)


@pytest.mark.parametrize("value", [[1], "done", None, 1, True, []])
def test_IP_03_a_frame_that_is_no_object(value: object) -> None:
    with pytest.raises(WorkerViolation, match="no object"):
        running().receive(wire(value), 0.0)
