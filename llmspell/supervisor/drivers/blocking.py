"""The driver of the command line: poll, one thread, no asyncio until a call needs it."""

from __future__ import annotations

from time import monotonic
from types import CoroutineType

from llmspell.channel.bounds import OUTBOX_PAUSE
from llmspell.channel.states import Role
from llmspell.errors import LlmspellError
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol
from llmspell.supervisor import effects as effect_types
from llmspell.supervisor import ending
from llmspell.supervisor.crew import Crew, Worker
from llmspell.supervisor.drivers.poller import READ, WRITE, Poller

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from typing import Any

    from llmspell.supervisor.session import Session


class Sink(Protocol):
    """Where a run's output goes."""

    def show(self, stream: str, text: str) -> None:
        """Text the spell printed on `stdout` or `stderr`."""

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A log record of the spell's."""


class Handover(NamedTuple):
    """A call that needs asyncio: its token and its coroutine, not started."""

    token: int
    coroutine: Coroutine[Any, Any, Any]


class BlockingDriver:
    """Drives one session to its end, or to the first call that needs asyncio."""

    def __init__(self, session: Session, crew: Crew, sink: Sink, wake: int | None = None) -> None:
        self._session = session
        self._crew = crew
        self._sink = sink
        self._poller = Poller()
        self._channels: dict[int, Worker] = {}
        self._processes: dict[int, Worker] = {}
        self._finished = False
        self._handover: Handover | None = None
        session.acts_inline = True
        if wake is not None:
            self._poller.watch(wake, READ)

    def drive(self, interrupted: list[str]) -> Handover | None:
        """Runs until the session has its result, or until a call needs asyncio.

        `interrupted` gets an item when the run shall end; whoever adds it also makes the wake
        descriptor readable.
        """
        for worker in self._crew.workers.values():
            self._watch(worker)
        session = self._session
        while True:
            if session.sends:
                self._deliver()
            if session.effects:
                self._apply()
            if self._finished:
                # Nobody waits any more for calls of the very batch that ended the run.
                self._drop_coroutines()
                return None
            if self._handover is not None:
                return self._handover
            if session.backlog.held and session.backlog.resume():
                continue
            self._wait()
            if interrupted:
                session.interrupt(interrupted[0])

    def _wait(self) -> None:
        session = self._session
        deadline = session.next_deadline()
        for descriptor, events in self._poller.wait(
            None if deadline is None else deadline - monotonic()
        ):
            worker = self._channels.get(descriptor)
            if worker is not None:
                if events & WRITE:
                    session.outbox(worker.number, worker.flush())
                    self._update(worker)
                if events & ~WRITE:
                    self._read(worker)
            elif descriptor in self._processes:
                self._ended(self._processes[descriptor])
        if deadline is not None and (now := monotonic()) >= deadline:
            session.tick(now)

    def _drop_coroutines(self) -> None:
        if self._handover is not None:
            self._handover.coroutine.close()
            self._handover = None
        for effect in self._session.take_effects():
            if isinstance(effect, effect_types.Await):
                effect.coroutine.close()

    def _read(self, worker: Worker) -> None:
        data = worker.read(worker.wanted)
        if data is None:
            return
        if data:
            worker.wanted = self._session.receive(worker.number, data, monotonic())
        else:
            self._shut(worker)
            self._session.closed(worker.number, monotonic())

    def _ended(self, worker: Worker) -> None:
        # What the worker wrote before it ended still counts, so it is read before the exit is told.
        while worker.open:
            data = worker.read(worker.wanted)
            if data:
                worker.wanted = self._session.receive(worker.number, data, monotonic())
                continue
            self._shut(worker)
        self._poller.forget(worker.process.pidfd)
        del self._processes[worker.process.pidfd]
        self._session.exited(worker.number, worker.reap(), monotonic())

    def _shut(self, worker: Worker) -> None:
        descriptor = worker.channel.fileno()
        self._poller.forget(descriptor)
        self._channels.pop(descriptor, None)
        worker.close()

    def _watch(self, worker: Worker) -> None:
        self._processes[worker.process.pidfd] = worker
        self._poller.watch(worker.process.pidfd, READ)
        if worker.open:
            self._channels[worker.channel.fileno()] = worker
            self._update(worker)

    def _update(self, worker: Worker) -> None:
        waiting = len(worker.outbox)
        events = WRITE if waiting else 0
        if waiting <= OUTBOX_PAUSE:
            events |= READ
        self._poller.watch(worker.channel.fileno(), events)

    def _apply(self) -> None:
        session = self._session
        while session.sends or session.effects:
            if session.sends:
                self._deliver()
            for effect in session.take_effects():
                if isinstance(effect, effect_types.Send):
                    self._send(effect.peer, effect.data)
                elif isinstance(effect, effect_types.Perform):
                    self._perform(effect)
                elif isinstance(effect, effect_types.Await):
                    self._hand_over(effect)
                elif isinstance(effect, effect_types.Show):
                    self._sink.show(effect.stream, effect.text)
                elif isinstance(effect, effect_types.Note):
                    self._sink.note(effect.level, effect.message, effect.fields)
                elif isinstance(effect, effect_types.StartTools):
                    self._start(effect.peer)
                elif isinstance(effect, effect_types.End):
                    self._crew.workers[effect.peer].process.kill()
                elif isinstance(effect, effect_types.Finish):
                    self._finished = True
            if self._handover is not None:
                return

    def _deliver(self) -> None:
        for number, data in self._session.take_sends():
            self._send(number, data)

    def _send(self, number: int, data: bytes) -> None:
        worker = self._crew.workers[number]
        before = len(worker.outbox)
        waiting = worker.send(data)
        if waiting or before:
            self._update(worker)
            self._session.outbox(number, waiting)

    def _hand_over(self, effect: effect_types.Await) -> None:
        if self._handover is None:
            self._handover = Handover(effect.token, effect.coroutine)
        else:
            # Asked for in the same batch as the first call that needs asyncio: its driver does it.
            self._session.effects.append(effect)

    def _perform(self, effect: effect_types.Perform) -> None:
        session = self._session
        if self._handover is not None:
            # Asked for in the same batch as the call that needs asyncio: its driver does it.
            session.effects.append(effect)
            return
        try:
            value = effect.function(effect.context, effect.args)
        except LlmspellError as error:
            session.not_performed(effect.token, error, monotonic())
            return
        except Exception as error:
            session.not_performed(effect.token, ending.service_failed(error), monotonic())
            return
        if type(value) is CoroutineType:
            self._handover = Handover(effect.token, value)
        else:
            session.performed(effect.token, value, monotonic())

    def _start(self, number: int) -> None:
        try:
            self._watch(self._crew.start(number, Role.TOOLS))
        except LlmspellError as error:
            self._session.start_failed(number, error, monotonic())
