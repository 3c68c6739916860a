"""Order, identity, bounds and time of one worker's messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.channel import bounds, messages
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame, frames_of
from llmspell.channel.jsontext import encode
from llmspell.channel.states import MAY_SEND, Role, State
from llmspell.errors import InternalError, WorkerViolation

EFFECTS = dict.fromkeys(messages.EFFECTS, True)
HELLO = {
    "type": "hello",
    "version": 1,
    "engine": "lua",
    "achieved": {"layers": ["seccomp"], "effects": EFFECTS},
}
SAMPLES: dict[type, dict[str, Any]] = {
    messages.Hello: HELLO,
    messages.Call: {"type": "call", "id": 1, "method": "fs.read", "args": {"path": "a"}},
    messages.Returned: {"type": "returned", "id": 1, "ok": True, "value": 1},
    messages.Log: {"type": "log", "level": "info", "message": "m"},
    messages.Output: {"type": "output", "stream": "stdout", "text": "t"},
    messages.Done: {"type": "done", "value": 1},
    messages.Failed: {"type": "failed", "error": {"code": 4002, "kind": "x", "message": "m"}},
    messages.Cancel: {"type": "cancel", "id": 1},
    messages.Part: {"type": "part", "data": "{", "last": False},
}


def wire(message: object) -> bytes:
    return frame(encode(message))


def at(role: Role, state: State) -> Connection:
    connection = Connection(role)
    connection.state = state
    return connection


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("role", Role)
def test_IP_11_the_table_of_states_is_what_holds(role: Role, state: State, kind: type) -> None:
    connection = at(role, state)
    if kind in MAY_SEND[role, state]:
        connection.receive(wire(SAMPLES[kind]), 0.0)
        return
    with pytest.raises(WorkerViolation) as caught:
        connection.receive(wire(SAMPLES[kind]), 0.0)
    assert (caught.value.code, caught.value.rule) == (4006, "channel")
    assert connection.state is State.ENDED


@pytest.mark.parametrize("kind", ["run", "reply", "invoke", "grant", "", 7, None])
def test_IP_13_supervisor_messages_from_a_worker_end_it(kind: object) -> None:
    with pytest.raises(WorkerViolation, match="never sends"):
        at(Role.SPELL, State.RUNNING).receive(wire({"type": kind, "id": 1}), 0.0)


@pytest.mark.parametrize(
    "header", [b"\0\0\0\0", b"\xff\xff\xff\xff", (bounds.FRAME_MAX + 1).to_bytes(4, "little")]
)
def test_IP_01_bad_lengths_end_the_worker_at_the_header(header: bytes) -> None:
    with pytest.raises(WorkerViolation, match="frame of"):
        at(Role.SPELL, State.RUNNING).receive(header, 0.0)


def test_IP_02_a_message_that_never_ends_runs_out_of_time() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    connection.receive(wire(SAMPLES[messages.Output])[:-1], 5.0)
    assert connection.deadline() == 5.0 + bounds.FRAME_SECONDS
    connection.check_time(14.9)
    with pytest.raises(WorkerViolation, match="arrive"):
        connection.check_time(15.0)


def test_IP_02_a_drip_does_not_extend_the_time() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    for moment, byte in enumerate(wire(SAMPLES[messages.Output])[:9]):
        connection.receive(bytes([byte]), float(moment))
    assert connection.deadline() == bounds.FRAME_SECONDS


def test_a_complete_message_clears_the_time() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    data = wire(SAMPLES[messages.Output])
    connection.receive(data[:3], 0.0)
    assert len(connection.receive(data[3:], 1.0)) == 1
    assert connection.deadline() is None


def test_IP_12_another_version_is_refused_in_words() -> None:
    with pytest.raises(WorkerViolation, match="protocol 2"):
        Connection(Role.SPELL).receive(wire({**HELLO, "version": 2}), 0.0)


@pytest.mark.parametrize("held", ["true", 1, None, [True]])
def test_EN_08_only_a_literal_true_counts_as_held(held: object) -> None:
    achieved = {"layers": [], "effects": {**EFFECTS, "files": held}}
    (hello,) = Connection(Role.SPELL).receive(wire({**HELLO, "achieved": achieved}), 0.0)
    assert isinstance(hello, messages.Hello)
    assert hello.effects["files"] is False
    assert hello.effects["network"] is True


def test_IP_11_call_ids_must_rise() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    connection.receive(wire(SAMPLES[messages.Call]), 0.0)
    with pytest.raises(WorkerViolation, match="rise"):
        connection.receive(wire(SAMPLES[messages.Call]), 0.0)


def test_large_messages_travel_in_parts_both_ways() -> None:
    text = '"\\é[{' * 200_000
    data = frames_of(encode({"type": "output", "stream": "stdout", "text": text}))
    connection = at(Role.SPELL, State.RUNNING)
    found: list[messages.Message] = []
    for start in range(0, len(data), 100_000):
        found += connection.receive(data[start : start + 100_000], 0.0)
    assert found == [messages.Output("stdout", text)]


def test_parts_may_not_be_interrupted_nested_or_endless() -> None:
    half = {"type": "part", "data": '{"type":"log",', "last": False}
    connection = at(Role.SPELL, State.RUNNING)
    connection.receive(wire(half), 0.0)
    with pytest.raises(WorkerViolation, match="between"):
        connection.receive(wire(SAMPLES[messages.Output]), 0.0)
    nested = encode({"type": "part", "data": "{}", "last": True}).decode()
    with pytest.raises(WorkerViolation, match="inside"):
        at(Role.SPELL, State.RUNNING).receive(
            wire({"type": "part", "data": nested, "last": True}), 0.0
        )
    connection = at(Role.SPELL, State.RUNNING)
    piece = wire({"type": "part", "data": "x" * 900_000, "last": False})
    with pytest.raises(WorkerViolation, match="over"):
        for _ in range(30):
            connection.receive(piece, 0.0)


def test_IP_14_a_flood_of_messages_ends_the_worker() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    data = wire(SAMPLES[messages.Log]) * 10_001
    with pytest.raises(WorkerViolation, match="more messages"):
        for _ in range(6):
            connection.receive(data, 1.5)


def test_the_supervisor_itself_keeps_to_the_table() -> None:
    with pytest.raises(InternalError):
        Connection(Role.SPELL).run({"source": ""})
    with pytest.raises(InternalError):
        Connection(Role.SPELL).invoke(1, [])


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=64), max_size=8))
def test_any_bytes_end_in_messages_or_a_violation(chunks: list[bytes]) -> None:
    connection = at(Role.SPELL, State.RUNNING)
    try:
        for chunk in chunks:
            connection.receive(chunk, 0.0)
    except WorkerViolation:
        assert connection.state is State.ENDED


@settings(max_examples=200)
@given(st.data())
def test_how_the_bytes_are_cut_changes_nothing(data: st.DataObject) -> None:
    stream = b"".join(
        wire(SAMPLES[kind]) for kind in (messages.Output, messages.Log, messages.Cancel)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    connection = at(Role.SPELL, State.RUNNING)
    found: list[messages.Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += connection.receive(stream[start:end], 0.0)
    assert [type(message) for message in found] == [
        messages.Output,
        messages.Log,
        messages.Cancel,
    ]


def test_IP_01_a_flood_of_small_frames_in_one_read_stays_linear() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    data = wire(SAMPLES[messages.Output]) * 5_000
    assert len(connection.receive(data, 0.0)) == 5_000
