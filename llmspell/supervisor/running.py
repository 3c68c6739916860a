"""A run under way on this event loop, whatever process its session lives in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from llmspell.supervisor.crew import broken_off
from llmspell.supervisor.drivers.aio import AsyncDriver
from llmspell.supervisor.drivers.blocking import Sink
from llmspell.supervisor.runner import begin

if TYPE_CHECKING:
    from llmspell.supervisor.crew import Crew
    from llmspell.supervisor.prepare import Prepared
    from llmspell.supervisor.result import Result
    from llmspell.supervisor.session import Session


class Begun(NamedTuple):
    """What is known of a run as soon as it starts: its name, and where its records are."""

    session: str
    audit_path: str | None


class Work(Protocol):
    """One run, from its start to its result."""

    async def drive(self) -> Result:
        """Runs to the end. Cancelling it ends the run's whole tree."""

    def interrupt(self, reason: str) -> None:
        """Ends the run now; its result is `killed` for this reason."""


class LocalWork:
    """A run whose session lives in this process."""

    def __init__(self, prepared: Prepared, crew: Crew, sink: Sink) -> None:
        self._prepared = prepared
        self._crew = crew
        self._sink = sink
        self._driver: AsyncDriver | None = None
        self._interrupted: str | None = None
        self.session: Session | None = None
        """The session, once it was started."""

    async def drive(self) -> Result:
        """Starts the worker and drives the session."""
        prepared, crew = self._prepared, self._crew
        try:
            session = self.session = begin(prepared, crew)
            self._driver = AsyncDriver(session, crew, self._sink)
            if self._interrupted is not None:
                session.interrupt(self._interrupted)
            await self._driver.drive()
        except OSError as error:
            raise broken_off(error) from error
        finally:
            try:
                crew.abandon()
            finally:
                prepared.close()
        assert session.result is not None
        return session.result

    def interrupt(self, reason: str) -> None:
        """Also before it was started: then it ends at its start."""
        if self._driver is not None:
            self._driver.interrupt(reason)
        elif self._interrupted is None:
            self._interrupted = reason


class Run:
    """A submitted run: it waits at the gate, then works. Awaiting `task` gives its result."""

    __slots__ = ("_interrupted", "_work", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[Result]
        self._work: Work | None = None
        self._interrupted: str | None = None

    async def drive(self, work: Work) -> Result:
        """Its work, now that it may."""
        self._work = work
        if self._interrupted is not None:
            work.interrupt(self._interrupted)
        return await work.drive()

    def interrupt(self, reason: str) -> None:
        """Ends it now, or as soon as it works."""
        if self._work is not None:
            self._work.interrupt(reason)
        elif self._interrupted is None:
            self._interrupted = reason
