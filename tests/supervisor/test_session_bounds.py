"""The session's bounds at their edges, and the turns of a spell's and a tool worker's messages."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from llmspell.channel import messages
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import Callback, decode, encode
from llmspell.channel.states import Role, State
from llmspell.errors import LimitExceeded, WorkerViolation
from llmspell.supervisor.crew import Worker
from llmspell.supervisor.drivers.blocking import BlockingDriver
from llmspell.supervisor.drivers.poller import READ
from llmspell.supervisor.effects import End
from llmspell.supervisor.result import Status

from .test_session import Run, sent

CALL = {"type": "call", "id": 1, "method": "m", "args": {}}
DONE = {"type": "done", "value": 1}
OUTPUT = {"type": "output", "stream": "stdout", "text": "t"}


def wire(message: object) -> bytes:
    return frame(encode(message))


def at(role: Role, state: State) -> Connection:
    connection = Connection(role)
    connection.state = state
    return connection


def test_IP_29_the_window_is_64_calls() -> None:
    run = Run()
    run.hello()
    for _ in range(64):
        assert sent(run.call("test.pure")) == []
    (reply,) = sent(run.call("test.pure"))
    assert reply["error"]["rule"] == "limit.outstanding"


def test_IP_29_64_callbacks_are_under_way() -> None:
    run = Run()
    run.hello()
    for _ in range(64):
        run.session.invoke(0, Callback(1), [], lambda value, error: None)
    with pytest.raises(LimitExceeded, match="over 64 callbacks"):
        run.session.invoke(0, Callback(1), [], lambda value, error: None)
    run.say({"type": "returned", "id": 1, "ok": True})
    assert run.session.invoke(0, Callback(1), [], lambda value, error: None) == 65


def test_IP_16_32_mib_may_wait_for_a_worker() -> None:
    run = Run()
    run.hello()
    run.session.outbox(0, 33_554_432)
    assert run.session.take_effects() == []
    run.session.outbox(0, 33_554_433)
    assert run.session.take_effects() == [End(0)]
    assert run.exit().status is Status.VIOLATION


def test_IP_16_a_worker_whose_answers_wait_is_not_read() -> None:
    """Of the blocking driver, which asks the poller anew whenever something waits."""
    watched: dict[int, int] = {}

    class Poller:
        def watch(self, descriptor: int, events: int) -> None:
            watched[descriptor] = events

    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = Worker(0, None, ours)  # type: ignore[arg-type]
        driver = BlockingDriver(Run().session, None, None)  # type: ignore[arg-type]
        driver._poller = Poller()  # type: ignore[assignment]
        for waiting, read in ((1_048_576, True), (1_048_577, False), (0, True)):
            worker.outbox[:] = b"x" * waiting
            driver._update(worker)
            assert bool(watched[ours.fileno()] & READ) is read


@pytest.mark.parametrize("role", Role)
def test_IP_11_nothing_is_said_before_the_run(role: Role) -> None:
    assert at(role, State.RUNNING).receive(wire(CALL), 0.0) == [messages.Call(1, "m", {})]
    assert at(role, State.READY).receive_call(wire(CALL), 0.0) is None
    with pytest.raises(WorkerViolation, match="call from a worker that is ready"):
        at(role, State.READY).receive(wire(CALL), 0.0)


@pytest.mark.parametrize("message", [DONE, OUTPUT, {"type": "failed", "error": {}}])
def test_IP_13_a_tool_worker_says_nothing_of_a_spells(message: dict[str, Any]) -> None:
    assert len(at(Role.SPELL, State.RUNNING).receive(wire(message), 0.0)) == 1
    with pytest.raises(WorkerViolation, match="from a worker that is running"):
        at(Role.TOOLS, State.RUNNING).receive(wire(message), 0.0)


@pytest.mark.parametrize("last", [DONE, {"type": "failed", "error": {}}])
def test_IP_11_after_its_end_a_worker_says_nothing(last: dict[str, Any]) -> None:
    connection = at(Role.SPELL, State.RUNNING)
    assert len(connection.receive(wire(OUTPUT), 0.0)) == 1
    connection.receive(wire(last), 0.0)
    with pytest.raises(WorkerViolation, match="output from a worker that is ended"):
        connection.receive(wire(OUTPUT), 0.0)


def test_IP_11_a_message_in_parts_has_its_turn_too() -> None:
    def parts(message: object) -> bytes:
        return wire({"type": "part", "data": encode(message).decode(), "last": True})

    assert len(at(Role.SPELL, State.RUNNING).receive(parts(OUTPUT), 0.0)) == 1
    with pytest.raises(WorkerViolation, match="output from a worker that is running"):
        at(Role.TOOLS, State.RUNNING).receive(parts(OUTPUT), 0.0)


def test_IP_01_the_quick_way_looks_at_the_length() -> None:
    whole = wire(CALL)
    longer = (len(whole) - 4 + 7).to_bytes(4, "little") + whole[4:]
    shorter = (len(whole) - 4 - 7).to_bytes(4, "little") + whole[4:]
    assert at(Role.SPELL, State.RUNNING).receive_call(whole, 0.0) == messages.Call(1, "m", {})
    for data in (longer, shorter):
        assert at(Role.SPELL, State.RUNNING).receive_call(data, 0.0) is None


def test_IP_02_parts_do_not_extend_the_time() -> None:
    connection = at(Role.SPELL, State.RUNNING)
    for moment in range(3):
        part = {"type": "part", "data": " ", "last": False}
        connection.receive(wire(part), float(moment))
        assert connection.deadline() == 10.0
    whole = encode(DONE).decode()
    connection.receive(wire({"type": "part", "data": whole, "last": True}), 9.0)
    assert connection.deadline() is None


def test_every_request_of_a_worker_that_broke_the_protocol_is_dropped() -> None:
    """What it sent in the same breath, before and after, has no effect any more."""
    run = Run()
    run.hello()
    whole = wire({**CALL, "method": "test.read"})
    effects = run.session.receive(0, whole + b"\xff\xff\xff\xff", 1.0)
    assert effects == 0
    assert [type(effect).__name__ for effect in run.session.take_effects()] == ["End"]
    run.session.receive(0, whole, 1.0)
    assert run.session.take_effects() == []
    assert run.exit().status is Status.VIOLATION


def test_an_invoke_reaches_the_worker_by_number_alone() -> None:
    run = Run()
    run.hello()
    run.session.invoke(0, Callback(9), [1], lambda value, error: None)
    (message,) = sent(run.session.take_effects())
    assert message == decode(encode({"type": "invoke", "id": 1, "callback": 9, "args": [1]}))
