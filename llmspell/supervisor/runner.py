"""Running a prepared session to its result, with either driver; the way out of every failure."""

from __future__ import annotations

import socket
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from llmspell.channel.states import Role
from llmspell.errors import LlmspellError
from llmspell.supervisor import worker
from llmspell.supervisor.crew import Crew, Launch
from llmspell.supervisor.drivers.blocking import BlockingDriver, Handover, Sink
from llmspell.supervisor.peers import MAIN
from llmspell.supervisor.prepare import Prepared, RunOptions, prepare
from llmspell.supervisor.result import Result
from llmspell.supervisor.session import Session

if TYPE_CHECKING:
    from llmspell.platform import Process
    from llmspell.spells.spell import Spell


class InterruptPort(Protocol):
    """What may end a run from outside: reasons, and a descriptor readable with the first."""

    received: list[str]

    @property
    def wake(self) -> int:
        """Readable once `received` holds something."""


def run_blocking(
    spell: Spell, options: RunOptions, sink: Sink, interrupts: InterruptPort | None = None
) -> Result:
    """Runs a spell in this thread. Raises `UsageError` before anything was started."""
    prepared = prepare(spell, options)
    try:
        return _run(prepared, sink, interrupts)
    finally:
        prepared.close()


def _run(prepared: Prepared, sink: Sink, interrupts: InterruptPort | None) -> Result:
    crew = Crew(launcher(prepared))
    session = begin(prepared, crew)
    received = [] if interrupts is None else interrupts.received
    try:
        driver = BlockingDriver(
            session, crew, sink, None if interrupts is None else interrupts.wake
        )
        handover = driver.drive(received)
        if handover is not None:
            from llmspell.supervisor.drivers.loop import run_loop

            run_loop(_go_on(session, crew, sink, handover, interrupts), brief=True)
    finally:
        crew.abandon()
    assert session.result is not None
    return session.result


async def _go_on(
    session: Session,
    crew: Crew,
    sink: Sink,
    handover: Handover,
    interrupts: InterruptPort | None,
) -> None:
    import asyncio

    from llmspell.supervisor.drivers.aio import AsyncDriver

    driver = AsyncDriver(session, crew, sink)
    if interrupts is not None:
        loop = asyncio.get_running_loop()

        def woken() -> None:
            loop.remove_reader(interrupts.wake)
            driver.interrupt(interrupts.received[0])

        loop.add_reader(interrupts.wake, woken)
    await driver.drive(handover)


def launcher(prepared: Prepared) -> Launch:
    """How this run's workers are started."""

    def launch(role: Role, ours: socket.socket, theirs: int) -> Process:
        described = worker.describe(role, prepared.plan.policy, prepared.plan.spell)
        ours.send(described.preamble)
        return worker.start(described, theirs)

    return launch


def begin(prepared: Prepared, crew: Crew) -> Session:
    """The session, its worker already on its way while the rest is set up."""
    failure: LlmspellError | None = None
    try:
        crew.start(MAIN, Role.SPELL)
    except LlmspellError as error:
        failure = error
    session = Session(prepared.plan, monotonic())
    if failure is not None:
        session.start_failed(MAIN, failure, monotonic())
    return session
