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

from .test_session import HELD, Run, perform, sent

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


def test_IP_11_a_callback_is_answered_once() -> None:
    run = Run()
    run.hello()
    heard: list[Any] = []
    run.session.invoke(0, Callback(1), [], lambda value, error: heard.append(value))
    answer = {"type": "returned", "id": 1, "ok": True, "value": "once"}
    run.say(answer)
    run.say(answer)
    assert heard == ["once"]
    assert run.exit().status is Status.VIOLATION


def test_IP_29_the_window_moves_on() -> None:
    run = Run()
    run.hello()
    for _ in range(200):
        (reply,) = perform(run, run.call("test.pure"))
        assert reply["ok"] is True


def test_the_first_end_counts() -> None:
    run = Run()
    run.hello()
    run.say(DONE)
    run.session.interrupt("user")
    assert run.exit().status is Status.DONE


def test_an_act_that_ends_after_the_run_is_recorded_by_nobody() -> None:
    """Its answer was given up; the record of its verdict stands from before."""
    run = Run()
    run.hello()
    (effect,) = run.call("test.pure")
    # A driver that did not hear the end in time still tells of the act.
    pending = dict(run.session._performing)
    run.say(DONE)
    run.session._performing.update(pending)
    before = run.audit.events()
    run.session.performed(effect.token, "late", 1.5)
    assert sent(run.session.take_effects()) == []
    assert run.audit.events() == before


def test_IP_02_a_message_that_never_ends_ends_the_run() -> None:
    run = Run(wall=100)
    run.hello()
    run.session.receive(0, wire(OUTPUT)[:-1], 2.0)
    assert run.session.next_deadline() == 12.0
    run.session.tick(11.9)
    assert run.session.take_effects() == []
    run.session.tick(12.0)
    assert run.session.take_effects() == [End(0)]
    assert run.exit().status is Status.VIOLATION


def test_IP_26_an_answer_that_can_not_be_carried_is_a_typed_error() -> None:
    run = Run()
    run.hello()
    for value in ("x" * 16_777_216, float("nan"), {1, 2}, "\ud800"):
        (effect,) = run.call("test.pure")
        run.session.performed(effect.token, value, 1.0)
        (reply,) = sent(run.session.take_effects())
        assert (reply["ok"], reply["error"]["rule"]) == (False, "limit.message")
    (reply,) = perform(run, run.call("test.pure", a=1))
    assert reply["value"] == {"a": 1}, "the run goes on"


def test_IP_12_a_worker_of_another_engine_is_refused() -> None:
    run = Run()
    assert sent(run.hello(engine="python")) == []
    assert run.exit().status is Status.VIOLATION
    good = Run()
    assert [message["type"] for message in sent(good.hello(engine="lua"))] == ["run"]


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_EN_06_a_worker_without_its_limits_is_refused(profile: str) -> None:
    achieved = {"layers": ["seccomp"], "effects": HELD}
    hello = {"type": "hello", "version": 1, "engine": "lua", "achieved": achieved}
    run = Run(profile=profile)
    assert sent(run.say(hello)) == []
    result = run.exit()
    assert (result.status, result.isolation.missing) == (Status.ISOLATION_REFUSED, ("limits",))
    good = Run(profile=profile)
    achieved["layers"] = ["seccomp", "rlimits"]
    assert [message["type"] for message in sent(good.say(hello))] == ["run"]


def test_EN_01_high_is_never_degraded() -> None:
    for profile, sent_on in (("high", []), ("medium", ["run"])):
        run = Run(profile=profile)
        policy = run.session.policy
        confinement = policy.confinement._replace(allow_degraded=True)
        run.session.plan = run.session.plan._replace(
            policy=policy._replace(confinement=confinement)
        )
        messages_sent = sent(run.hello({**HELD, "network": False}))
        assert [message["type"] for message in messages_sent] == sent_on


@pytest.mark.parametrize("ended_by", ["interrupt", "wall"])
def test_bytes_that_come_after_the_end_do_nothing(ended_by: str) -> None:
    run = Run(wall=5)
    run.hello()
    if ended_by == "wall":
        run.session.tick(5.0)
    else:
        run.session.interrupt("user")
    assert run.session.take_effects() == [End(0)]
    assert run.call("test.pure") == []
    assert run.session.broker.calls == 0


def test_calls_behind_the_output_that_ended_the_run_do_nothing() -> None:
    run = Run(output=10)
    run.hello()
    long = {"type": "output", "stream": "stdout", "text": "x" * 20}
    effects = run.say(long, {**CALL, "method": "test.pure"})
    assert [type(effect).__name__ for effect in effects] == ["Show", "End"]
    assert run.session.broker.calls == 0
