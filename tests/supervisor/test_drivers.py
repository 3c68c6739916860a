"""One core, two drivers: the same played workers give the same ends with either."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmspell import platform
from llmspell.channel.states import Role
from llmspell.errors import OperationFailed
from llmspell.policies.budget import Budget
from llmspell.policies.verdict import allow
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy
from llmspell.spells.spell import Spell
from llmspell.supervisor import effects
from llmspell.supervisor.broker import Broker, CallContext, Method
from llmspell.supervisor.crew import Crew, Worker
from llmspell.supervisor.drivers.aio import AsyncDriver
from llmspell.supervisor.drivers.blocking import BlockingDriver
from llmspell.supervisor.peers import MAIN
from llmspell.supervisor.plan import SessionPlan
from llmspell.supervisor.result import Result
from llmspell.supervisor.session import Session

from .fakes import MemoryAudit

PLAYER = Path(__file__).with_name("player.py")
EFFECTS = dict.fromkeys(("files", "network", "processes", "spawn", "privilege"), True)
HELLO = [
    ["send", {"type": "hello", "version": 1, "engine": "lua",
              "achieved": {"layers": ["rlimits"], "effects": EFFECTS}}],
    ["recv"],
]  # fmt: skip


def call(number: int, method: str) -> list[Any]:
    return ["send", {"type": "call", "id": number, "method": method, "args": {}}]


DONE = ["send", {"type": "done", "value": "end"}]
WAIT = ["sleep", 20]

TRACES: dict[str, tuple[list[Any], str]] = {
    "done": ([*HELLO, DONE, WAIT], "done done"),
    "output": (
        [*HELLO, ["send", {"type": "output", "stream": "stdout", "text": "x\n"}], DONE, WAIT],
        "done done",
    ),
    "call": ([*HELLO, call(1, "test.now"), ["recv"], DONE, WAIT], "done done"),
    "later": ([*HELLO, call(1, "test.later"), ["recv"], DONE, WAIT], "done done"),
    "both": (
        [*HELLO, call(1, "test.later"), call(2, "test.now"), ["recv"], ["recv"], DONE, WAIT],
        "done done",
    ),
    "bug": ([*HELLO, call(1, "test.bug"), ["recv"], DONE, WAIT], "done done"),
    "cancelled": (
        [*HELLO, call(1, "test.never"), ["send", {"type": "cancel", "id": 1}], DONE, WAIT],
        "done done",
    ),
    "failed": (
        [*HELLO, ["send", {"type": "failed", "error": {"code": 4002, "kind": "runtime",
                                                      "message": "m"}}], WAIT],
        "spell_error runtime",
    ),
    "early exit": ([*HELLO, ["exit", 3]], "spell_error worker_gone"),
    "written before the exit counts": ([*HELLO, DONE, ["exit", 3]], "done done"),
    "closed and went on": ([*HELLO, ["close"], WAIT], "violation protocol"),
    "bad length": ([*HELLO, ["raw", "ffffffff"], WAIT], "violation protocol"),
    "half a frame": ([*HELLO, ["raw", "10000000aa"], ["exit", 0]], "spell_error worker_gone"),
    "sleeps": ([*HELLO, WAIT], "limit wall"),
    "sleeps in a call": ([*HELLO, call(1, "test.never"), ["recv"], WAIT], "limit wall"),
    "flood": (
        [*HELLO, ["flood", {"type": "output", "stream": "stdout", "text": "x" * 60000}], WAIT],
        "limit output",
    ),
}  # fmt: skip


def now(context: CallContext, args: dict[str, Any]) -> Any:
    context.judge(allow("test", "a test"), action="read", target="t")
    return "now"


async def later(context: CallContext, args: dict[str, Any]) -> Any:
    await asyncio.sleep(0.01)
    context.judge(allow("test", "a test"), action="read", target="t")
    return "later"


async def never(context: CallContext, args: dict[str, Any]) -> Any:
    await asyncio.sleep(60)


def bug(context: CallContext, args: dict[str, Any]) -> Any:
    raise ZeroDivisionError("secret words")


METHODS = {
    f"test.{service.__name__}": Method(f"test.{service.__name__}", dict, service, None, True)
    for service in (now, later, never, bug)
}


class Kept:
    """A sink that keeps what it is shown."""

    def __init__(self) -> None:
        self.text = ""

    def show(self, stream: str, text: str) -> None:
        self.text += text

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        self.text += message


def run(steps: list[Any], driver: str) -> tuple[Result, MemoryAudit]:
    policy = load_policy("medium", context=PolicyContext.of("/tmp"))
    policy = policy._replace(limits=policy.limits._replace(wall=0.8))
    audit = MemoryAudit()
    budget = Budget(policy.limits)
    broker = Broker(METHODS, policy, budget, audit, lambda value: value)
    spell = Spell.from_source("return 1", "lua")
    plan = SessionPlan(
        "test", spell, policy, budget, broker, audit, lambda value: value,  # type: ignore[arg-type]
        {}, (), {}, True,
    )  # fmt: skip

    def launch(role: Role, ours: socket.socket, theirs: int) -> platform.Process:
        argv = [sys.executable, "-I", "-S", str(PLAYER), json.dumps(steps)]
        return platform.spawn(argv, channel=theirs)

    crew = Crew(launch)
    crew.start(MAIN, Role.SPELL)
    session = Session(plan, time.monotonic())
    try:
        if driver == "asyncio":
            asyncio.run(_drive(session, crew))
        else:
            handover = BlockingDriver(session, crew, Kept()).drive([])
            if handover is not None:
                asyncio.run(_drive(session, crew, handover))
    finally:
        crew.abandon()
    assert session.result is not None
    return session.result, audit


async def _drive(session: Session, crew: Crew, handover: Any = None) -> None:
    await AsyncDriver(session, crew, Kept()).drive(handover)


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize("name", TRACES)
def test_both_drivers_end_alike(name: str, driver: str) -> None:
    steps, expected = TRACES[name]
    before = len(os.listdir("/proc/self/fd"))
    begun = time.monotonic()
    result, audit = run(steps, driver)
    assert f"{result.status.value} {result.reason}" == expected
    assert time.monotonic() - begun < 3
    assert audit.events()[-1] == "session_end"
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors leak"
    if "bug" in name:
        assert "secret" not in str(audit.records)


@pytest.mark.alone
def test_RS_11_the_wall_limit_bites_within_100_ms() -> None:
    for driver in ("blocking", "asyncio"):
        result, _ = run([*HELLO, WAIT], driver)
        assert 0.8 <= result.usage.wall < 0.9


def test_a_service_that_fails_while_it_is_called_off_is_not_logged_as_forgotten() -> None:
    async def failing() -> None:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            raise OperationFailed("its worker was killed") from None

    async def called_off() -> list[Any]:
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        session: Any = SimpleNamespace(sends=(), effects=(), deadline_moved=False)
        crew: Any = SimpleNamespace(workers={})
        driver = AsyncDriver(session, crew, Kept())
        driver._spawn(1, failing())
        await asyncio.sleep(0)
        driver._apply(effects.Abandon(1))
        assert driver._leaving
        while driver._leaving:
            await asyncio.sleep(0)
        gc.collect()
        return complaints

    assert asyncio.run(called_off()) == []


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize("step", ["read", "reap"])
def test_a_driver_that_fails_ends_its_run(
    driver: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop would log the error and go on, with nobody listening to the worker."""
    real = getattr(Worker, step)
    failures = iter([OSError(12, "no memory")])

    def failing(self: Worker, *given: Any) -> Any:
        for failure in failures:
            raise failure
        return real(self, *given)

    monkeypatch.setattr(Worker, step, failing)
    before = len(os.listdir("/proc/self/fd"))
    begun = time.monotonic()
    with pytest.raises(OSError, match="no memory"):
        run([*HELLO, DONE], driver)
    assert time.monotonic() - begun < 3
    assert len(os.listdir("/proc/self/fd")) == before, "descriptors leak"
