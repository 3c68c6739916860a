"""Running a spell to its result, with either driver; the way out of every failure.

The worker is on its way as soon as the policy is known; what the supervisor itself needs is
imported and put together while it starts. It can do nothing before its hello is judged.
"""

from __future__ import annotations

from time import monotonic

from llmspell.channel.roles import Role
from llmspell.errors import LlmspellError
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor import worker
from llmspell.supervisor.crew import Ahead, Crew, broken_off, give_plan
from llmspell.supervisor.decide import decide

if TYPE_CHECKING:
    import socket
    from socket import socketpair
    from typing import Final, Protocol

    from llmspell.platform import Process
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.crew import Launch
    from llmspell.supervisor.decide import Decided
    from llmspell.supervisor.drivers.blocking import Handover, Sink
    from llmspell.supervisor.options import RunOptions
    from llmspell.supervisor.prepare import Prepared
    from llmspell.supervisor.result import Result
    from llmspell.supervisor.script_cache import Script
    from llmspell.supervisor.session import Session

    class InterruptPort(Protocol):
        """What may end a run from outside: reasons, and a descriptor readable with the first."""

        received: list[str]

        @property
        def wake(self) -> int:
            """Readable once `received` holds something."""
else:
    from _socket import socketpair


MAIN: Final = 0
"""Number of the worker that runs the spell (`peers.MAIN`, which is imported once it started)."""


def run_blocking(
    spell: Spell, options: RunOptions, sink: Sink, interrupts: InterruptPort | None = None
) -> Result:
    """Runs a spell in this thread. Raises `UsageError` before anything was started."""
    decided = decide(spell, options)
    crew = Crew(_launcher(decided.policy, decided.spell))
    try:
        failure = _start(crew)
        prepared = _completed(decided)
        try:
            return _run(prepared, crew, failure, sink, interrupts)
        finally:
            prepared.close()
    except OSError as error:
        raise broken_off(error) from error
    finally:
        crew.abandon()


def _completed(decided: Decided) -> Prepared:
    try:
        from llmspell.supervisor.prepare import complete
    except BaseException:
        decided.record.close()
        raise
    return complete(decided)


def _run(
    prepared: Prepared,
    crew: Crew,
    failure: LlmspellError | None,
    sink: Sink,
    interrupts: InterruptPort | None,
) -> Result:
    from llmspell.supervisor.drivers.blocking import BlockingDriver

    session = _session(prepared, crew, failure)
    received = [] if interrupts is None else interrupts.received
    driver = BlockingDriver(session, crew, sink, None if interrupts is None else interrupts.wake)
    handover = driver.drive(received)
    if handover is not None:
        from llmspell.supervisor.drivers.loop import run_loop

        run_loop(_go_on(session, crew, sink, handover, interrupts), brief=True)
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
    plan = prepared.plan
    return _launcher(plan.policy, plan.spell, plan.script)


def _launcher(policy: Policy, spell: Spell, script: Script | None = None) -> Launch:
    def launch(role: Role, ours: socket.socket, theirs: int) -> Process:
        described = worker.describe(role, policy, spell, script)
        give_plan(ours, described.preamble)
        return worker.start(described, theirs)

    return launch


def start_ahead(policy: Policy, spell: Spell, script: Script) -> Ahead | None:
    """A worker by exec before its run is put together; what hinders it is told when it is."""
    try:
        ours, theirs = socketpair()
    except OSError:
        return None
    try:
        ours.setblocking(False)
        process = _launcher(policy, spell, script)(Role.SPELL, ours, theirs.fileno())
    except (LlmspellError, OSError):
        ours.close()
        return None
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Ahead(process, ours, "exec")


def begin(prepared: Prepared, crew: Crew) -> Session:
    """The session, its worker already on its way while the rest is set up."""
    return _session(prepared, crew, _start(crew))


def _start(crew: Crew) -> LlmspellError | None:
    """Starts the spell's worker; what hindered it, for the session to tell."""
    try:
        crew.start(MAIN, Role.SPELL)
    except LlmspellError as error:
        return error
    return None


def _session(prepared: Prepared, crew: Crew, failure: LlmspellError | None) -> Session:
    from llmspell.supervisor.session import Session

    session = Session(prepared.plan, monotonic())
    crew.record_starts(session.audit)
    if failure is not None:
        session.start_failed(MAIN, failure, monotonic())
    return session
