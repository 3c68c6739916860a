"""The asyncio driver: of the Python API, and of the command line once a call needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from types import CoroutineType
from typing import Concatenate, ParamSpec

from llmspell.channel.bounds import OUTBOX_PAUSE
from llmspell.channel.states import Role
from llmspell.errors import LlmspellError
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor import effects as effect_types
from llmspell.supervisor import ending
from llmspell.supervisor.crew import Crew, Worker
from llmspell.supervisor.drivers.blocking import Handover, Sink

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.supervisor.session import Session


LEAVE_SECONDS: Final = 5.0
"""How long a run's end waits for services that were called off: another spell that one of them
runs has a worker of its own to end. All but such a one are gone with the next turn."""


_Given = ParamSpec("_Given")


def _called_by_the_loop(
    step: Callable[Concatenate[AsyncDriver, _Given], None],
) -> Callable[Concatenate[AsyncDriver, _Given], None]:
    """A step of the driver's that nobody awaits: its failure is the run's."""

    def guarded(self: AsyncDriver, /, *given: _Given.args, **named: _Given.kwargs) -> None:
        try:
            step(self, *given, **named)
        except Exception as error:
            self._broken(error)

    return guarded


class AsyncDriver:
    """Drives one session to its end on the running event loop."""

    def __init__(self, session: Session, crew: Crew, sink: Sink) -> None:
        self._session = session
        self._crew = crew
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        self._leaving: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._woken = False
        session.acts_inline = True
        session.wake = self._wake

    async def drive(self, handover: Handover | None = None) -> None:
        """Runs until the session has its result. Cancelling it ends the run's whole tree."""
        for worker in self._crew.workers.values():
            if worker.number not in self._session.ended_peers():
                self._watch(worker)
        if handover is not None:
            self._spawn(handover.token, handover.coroutine)
        self._advance()
        try:
            await asyncio.shield(self._finished)
        except asyncio.CancelledError:
            self.interrupt("cancelled")
            await self._ended_for_good()
            raise
        finally:
            self._let_go()
            for task in list(self._tasks.values()):
                self._call_off(task)
            if self._timer is not None:
                self._timer.cancel()
            if self._leaving:
                await asyncio.wait(self._leaving, timeout=LEAVE_SECONDS)

    def interrupt(self, reason: str) -> None:
        """Ends the run now."""
        self._session.interrupt(reason)
        self._advance()

    async def _ended_for_good(self) -> None:
        """Waits for the end of a run that was cancelled, however often it is cancelled again.

        Every worker is killed by now; what is left is that the kernel says so.
        """
        while not self._finished.done():
            try:
                await asyncio.shield(self._finished)
            except asyncio.CancelledError:
                continue

    def _let_go(self) -> None:
        """Listens to no descriptor any more. One that is closed while the loop knows it would be
        taken for the next with its number, which then is never heard."""
        for worker in self._crew.workers.values():
            if worker.process.pidfd >= 0:
                self._loop.remove_reader(worker.process.pidfd)
            if worker.open:
                self._loop.remove_reader(worker.channel)
                self._loop.remove_writer(worker.channel)

    # -- events --------------------------------------------------------------------------------

    def _broken(self, error: BaseException) -> None:
        """Ends the run by an error of its driver's own.

        The event loop would log it and go on: with a worker that nobody listens to any more.
        """
        self._let_go()
        if not self._finished.done():
            self._finished.set_exception(error)

    def _watch(self, worker: Worker) -> None:
        self._loop.add_reader(worker.process.pidfd, self._ended, worker)
        if worker.open:
            self._loop.add_reader(worker.channel, self._readable, worker)
            if worker.outbox:
                self._loop.add_writer(worker.channel, self._writable, worker)

    @_called_by_the_loop
    def _readable(self, worker: Worker) -> None:
        data = worker.read(worker.wanted)
        if data is None:
            return
        if data:
            worker.wanted = self._session.receive(worker.number, data, monotonic())
        else:
            self._shut(worker)
            self._session.closed(worker.number, monotonic())
        self._advance()

    @_called_by_the_loop
    def _writable(self, worker: Worker) -> None:
        waiting = worker.flush()
        if not waiting:
            self._loop.remove_writer(worker.channel)
        if waiting <= OUTBOX_PAUSE and worker.open:
            self._loop.add_reader(worker.channel, self._readable, worker)
        self._session.outbox(worker.number, waiting)
        if self._session.backlog.held:
            self._advance()

    @_called_by_the_loop
    def _ended(self, worker: Worker) -> None:
        # What the worker wrote before it ended still counts, so it is read before the exit is told.
        while worker.open:
            data = worker.read(worker.wanted)
            if data:
                worker.wanted = self._session.receive(worker.number, data, monotonic())
                continue
            self._shut(worker)
        self._loop.remove_reader(worker.process.pidfd)
        self._session.exited(worker.number, worker.reap(), monotonic())
        self._advance()

    def _shut(self, worker: Worker) -> None:
        self._loop.remove_reader(worker.channel)
        self._loop.remove_writer(worker.channel)
        worker.close()

    @_called_by_the_loop
    def _tick(self) -> None:
        self._timer = None
        self._session.tick(monotonic())
        self._advance()

    def _wake(self) -> None:
        """A service has something to send: looked at in the loop's next turn, once for many."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._awake)

    @_called_by_the_loop
    def _awake(self) -> None:
        self._woken = False
        self._advance()

    # -- effects -------------------------------------------------------------------------------

    def _advance(self) -> None:
        session = self._session
        while (
            session.sends or session.effects or (session.backlog.held and session.backlog.resume())
        ):
            if session.sends:
                for number, data in session.take_sends():
                    self._send(self._crew.workers[number], data)
            for effect in session.take_effects():
                self._apply(effect)
        # The deadline seldom moves: while it stands so does the timer.
        if session.deadline_moved or self._timer is None:
            self._set_timer()

    def _set_timer(self) -> None:
        deadline = None if self._finished.done() else self._session.next_deadline()
        if deadline == self._timer_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = deadline
        if deadline is not None:
            self._timer = self._loop.call_later(max(0.0, deadline - monotonic()), self._tick)

    def _apply(self, effect: effect_types.Effect) -> None:
        session = self._session
        if isinstance(effect, effect_types.Send):
            self._send(self._crew.workers[effect.peer], effect.data)
        elif isinstance(effect, effect_types.Perform):
            self._perform(effect)
        elif isinstance(effect, effect_types.Await):
            self._spawn(effect.token, effect.coroutine)
        elif isinstance(effect, effect_types.Abandon):
            task = self._tasks.pop(effect.token, None)
            if task is not None:
                self._call_off(task)
        elif isinstance(effect, effect_types.Show):
            self._sink.show(effect.stream, effect.text)
        elif isinstance(effect, effect_types.Note):
            self._sink.note(effect.level, effect.message, effect.fields)
        elif isinstance(effect, effect_types.StartTools):
            try:
                self._watch(self._crew.start(effect.peer, Role.TOOLS))
                self._crew.record_starts(session.audit)
            except LlmspellError as error:
                session.start_failed(effect.peer, error, monotonic())
        elif isinstance(effect, effect_types.End):
            self._crew.workers[effect.peer].process.kill()
        elif isinstance(effect, effect_types.Finish) and not self._finished.done():
            self._finished.set_result(None)

    def _send(self, worker: Worker, data: bytes) -> None:
        before = len(worker.outbox)
        waiting = worker.send(data)
        if waiting and not before:
            self._loop.add_writer(worker.channel, self._writable, worker)
        if waiting > OUTBOX_PAUSE:
            self._loop.remove_reader(worker.channel)
        if waiting:
            self._session.outbox(worker.number, waiting)

    def _perform(self, effect: effect_types.Perform) -> None:
        try:
            value = effect.function(effect.context, effect.args)
        except LlmspellError as error:
            self._session.not_performed(effect.token, error, monotonic())
        except Exception as error:
            self._session.not_performed(effect.token, ending.service_failed(error), monotonic())
        else:
            if type(value) is CoroutineType:
                self._spawn(effect.token, value)
            else:
                self._session.performed(effect.token, value, monotonic())

    def _call_off(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            task.cancel()
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _spawn(self, token: int, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks[token] = task
        task.add_done_callback(lambda done: self._performed(token, done))

    @_called_by_the_loop
    def _performed(self, token: int, task: asyncio.Task[Any]) -> None:
        was_asked = self._tasks.pop(token, None) is not None
        # Looked at even when nobody waits for it any more: the loop would log it as forgotten.
        error = None if task.cancelled() else task.exception()
        if not was_asked or task.cancelled():
            return
        if error is None:
            self._session.performed(token, task.result(), monotonic())
        elif isinstance(error, LlmspellError):
            self._session.not_performed(token, error, monotonic())
        else:
            self._session.not_performed(token, ending.service_failed(error), monotonic())
        self._advance()
