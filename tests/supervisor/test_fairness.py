"""ASY-013: one worker that floods does not starve the others of its loop."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmspell import platform
from llmspell.channel import bounds
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import Callback
from llmspell.channel.states import Role
from llmspell.policies.budget import Budget
from llmspell.policies.limits import UNLIMITED
from llmspell.policies.verdict import allow
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy
from llmspell.spells.spell import Spell
from llmspell.supervisor.broker import Broker, CallContext, Method
from llmspell.supervisor.crew import TURN_SIZE, Crew, Launch
from llmspell.supervisor.drivers.aio import AsyncDriver
from llmspell.supervisor.drivers.blocking import BlockingDriver
from llmspell.supervisor.peers import MAIN, ToolJob
from llmspell.supervisor.plan import SessionPlan
from llmspell.supervisor.session import Session

from .fakes import MemoryAudit
from .test_drivers import EFFECTS, Kept

FLOODER = Path(__file__).with_name("flooder.py")
CLIENT = Path(__file__).parents[2] / "bench" / "call_client.py"
HONEST = 10
CALLS = 60
TURN_SECONDS = 0.1
"""Far above the millisecond of a turn, for a machine with more workers than cores; without bounded
turns it is the flooder's whole socket buffer that goes first, every time."""


def call(number: int) -> bytes:
    return frame(b'{"type":"call","id":%d,"method":"test.now","args":{}}' % number)


class Played:
    """A worker whose other end the test holds: no process, only descriptors that behave alike."""

    def __init__(self) -> None:
        self.pidfd, self._alive = os.pipe()
        self.channel: socket.socket | None = None

    def launch(self, role: Role, ours: socket.socket, theirs: int) -> Any:
        self.channel = socket.socket(fileno=os.dup(theirs))
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        engine = "tools" if role is Role.TOOLS else "lua"
        achieved = {"layers": ["rlimits"], "effects": EFFECTS}
        self.say({"type": "hello", "version": 1, "engine": engine, "achieved": achieved})
        return self

    def say(self, message: dict[str, Any]) -> None:
        self.put(frame(json.dumps(message).encode()))

    def put(self, data: bytes) -> None:
        assert self.channel is not None
        self.channel.setblocking(False)
        assert self.channel.send(data) == len(data)

    def kill(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
            os.close(self._alive)

    def wait(self) -> platform.ExitStatus:
        return platform.ExitStatus(None, 9, 0.0, 0)

    def close(self) -> None:
        os.close(self.pidfd)


def session_of(service: Callable[[CallContext], object]) -> Session:
    def now(context: CallContext, args: dict[str, Any]) -> Any:
        context.judge(allow("test", "a test"), action="read", target="t")
        return service(context)

    policy = load_policy("medium", context=PolicyContext.of("/tmp"))
    policy = policy._replace(limits=policy.limits._replace(wall=20, calls=UNLIMITED))
    audit = MemoryAudit()
    budget = Budget(policy.limits)
    methods = {"test.now": Method("test.now", dict, now, "read", True)}
    broker = Broker(methods, policy, budget, audit, lambda value: value)
    plan = SessionPlan(
        "test", Spell.from_source("return 1", "lua"), policy, budget, broker,
        audit, lambda value: value,  # type: ignore[arg-type]
        {"calls": CALLS, "method": "test.now", "args": {}}, (), {}, True,
    )  # fmt: skip
    return Session(plan, time.monotonic())


FLOOD = b"".join(call(number) for number in range(1, 1500))
TURN_CALLS = TURN_SIZE // len(call(1)) + 1
assert TURN_CALLS < 100


def between(order: list[str]) -> int:
    """Calls of the flooder that were answered before the honest one was."""
    return order.index("honest")


def test_ASY_013_asyncio_a_turn_is_bounded() -> None:
    order: list[str] = []

    async def main() -> None:
        played = [Played(), Played()]
        sessions = [
            session_of(lambda context, who=who: order.append(who))  # type: ignore[misc]
            for who in ("flooder", "honest")
        ]
        crews = [Crew(one.launch) for one in played]
        for crew in crews:
            crew.start(MAIN, Role.SPELL)
        tasks = [
            asyncio.ensure_future(AsyncDriver(session, crew, Kept()).drive())
            for session, crew in zip(sessions, crews, strict=True)
        ]
        await asyncio.sleep(0.05)
        played[0].put(FLOOD)
        played[1].put(call(1))
        while order.count("honest") < 1:
            await asyncio.sleep(0)
        while order.count("flooder") < 1499:
            await asyncio.sleep(0.001)
        for one in played:
            one.say({"type": "done", "value": None})
        await asyncio.gather(*tasks)
        assert all(session.result is not None and session.result.ok for session in sessions)

    asyncio.run(main())
    assert between(order) <= TURN_CALLS, "one turn of the flooder's and no more came first"
    assert order.count("flooder") == 1499, "and nothing of it was lost"


def test_ASY_013_blocking_a_turn_is_bounded() -> None:
    order: list[str] = []
    session = session_of(lambda context: order.append(context.origin))
    played = [Played(), Played()]
    crew = Crew(lambda *given: played[len(crew.workers)].launch(*given))
    crew.start(MAIN, Role.SPELL)
    peer = session.add_peer()
    tool = crew.start(peer.number, Role.TOOLS)
    session.toolbench._starting.append(peer)
    driver = BlockingDriver(session, crew, Kept())
    for worker in crew.workers.values():
        driver._watch(worker)
    while not peer.ready or not session._peers[MAIN].ready:
        driver._wait()
        driver._apply()
    # What a tool call would set: who is at work in the worker, and with which rights.
    peer.origin, peer.job = "honest", ToolJob("t", frozenset({"read"}), {}, 10.0, [].append)
    session.invoke(peer.number, Callback(1), [], lambda value, error: None)
    driver._apply()
    played[0].put(FLOOD)
    played[1].put(call(1))
    while len(order) < 1500:
        driver._wait()
        driver._apply()
    assert between(order) <= TURN_CALLS and order.count("spell") == 1499
    peer.job = None
    played[0].say({"type": "done", "value": None})
    while not driver._finished:
        driver._wait()
        driver._apply()
    assert session.result is not None and session.result.ok and not tool.open


def test_ASY_013_a_large_message_is_read_in_few_turns() -> None:
    seen: list[int] = []
    session = session_of(lambda context: None)
    played = Played()
    crew = Crew(played.launch)
    worker = crew.start(MAIN, Role.SPELL)
    driver = BlockingDriver(session, crew, Kept())
    driver._watch(worker)
    driver._wait()
    driver._apply()
    text = frame(json.dumps({"type": "output", "stream": "stdout", "text": "x" * 150_000}).encode())
    played.put(text)
    while not session.effects:
        driver._wait()
        seen.append(worker.wanted)
    driver._apply()
    assert len(seen) <= 3 and seen[0] == len(text) - TURN_SIZE and seen[-1] == 0
    played.say({"type": "done", "value": None})
    while not driver._finished:
        driver._wait()
        driver._apply()
    assert session.result is not None and session.result.output == "x" * 150_000


@pytest.mark.alone
def test_ASY_013_ten_honest_workers_beside_one_that_floods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The flood is to be borne here, not ended by the bound on a worker's rate.
    monkeypatch.setattr("llmspell.channel.connection.EVENTS_PER_SECOND", 10**9)
    assert bounds.EVENTS_PER_SECOND == 50_000

    def launch(program: Path) -> Launch:
        argv = [sys.executable, "-I", "-S", str(program)]
        return lambda role, ours, theirs: platform.spawn(argv, channel=theirs)

    async def main() -> tuple[list[Session], Session]:
        flooding, honest = session_of(lambda context: None), []
        crew = Crew(launch(FLOODER))
        crew.start(MAIN, Role.SPELL)
        flood = AsyncDriver(flooding, crew, Kept())
        flood_task = asyncio.ensure_future(flood.drive())
        while flooding.broker.calls < 100:
            await asyncio.sleep(0.01)
        tasks = []
        for _ in range(HONEST):
            honest.append(session_of(lambda context: None))
            crew = Crew(launch(CLIENT))
            crew.start(MAIN, Role.SPELL)
            tasks.append(asyncio.ensure_future(AsyncDriver(honest[-1], crew, Kept()).drive()))
        await asyncio.gather(*tasks)
        flood.interrupt("the test is over")
        await flood_task
        return honest, flooding

    honest, flooding = asyncio.run(main())
    assert flooding.broker.calls > HONEST * CALLS, "it did flood"
    for session in honest:
        assert session.result is not None and session.result.ok
        median, _, p99, _ = session.result.value
        assert median < TURN_SECONDS * 1e6 and p99 < 5 * TURN_SECONDS * 1e6
