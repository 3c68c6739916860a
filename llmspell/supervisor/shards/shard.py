"""A shard at work: a supervisor of its own, whose runs come and go over one pipe."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from llmspell.channel.jsontext import Malformed, encode
from llmspell.errors import InternalError, LimitExceeded, LlmspellError, UsageError
from llmspell.policies.resources import ResourceAmounts
from llmspell.supervisor.api import OutputSink, Supervisor
from llmspell.supervisor.result import Result
from llmspell.supervisor.running import Begun, Run
from llmspell.supervisor.shards import logs, wire
from llmspell.supervisor.shards.frames import Frame, Kind
from llmspell.supervisor.shards.pipe import Pipe

ALONE_SECONDS: Final = 5.0
"""Time a shard may take to end its runs once its home is gone."""

LOOK_MILLISECONDS: Final = 500
"""How often a shard looks whether its home still is its parent."""


def serve(descriptor: int, start: Mapping[str, Any]) -> None:
    """Serves runs until the pipe ends; `start` holds the bounds of the home's supervisor."""
    channel = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    os.close(descriptor)
    watched = channel.dup()
    watcher = threading.Thread(target=_end_with_home, args=(watched, start["home"]), daemon=True)
    watcher.start()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(channel, start))


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _end_with_home(channel: socket.socket, home: int) -> None:
    """However busy the loop is, a shard without a home ends; its workers end with it.

    The pipe alone does not tell when the application forked: its child holds the other end, too.
    """
    poller = select.poll()
    poller.register(channel, 0)  # nothing but the other end's closing
    while not poller.poll(LOOK_MILLISECONDS):
        if os.getppid() != home:
            break
    try:
        channel.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended already
    time.sleep(ALONE_SECONDS)
    os._exit(1)


async def _serve(channel: socket.socket, start: Mapping[str, Any]) -> None:
    in_flight = start["in_flight"]
    supervisor = Supervisor(
        ResourceAmounts(*start["total"]),
        in_flight=in_flight,
        # Home's gate is the one that counts: what passed it finds its place here, too.
        waiting=in_flight,
        wait=start["wait"],
        per_tenant=start["per_tenant"],
        zygotes=start["zygotes"],
        spares=start["spares"],
        script_cache_size=start["scripts"],
    )
    async with supervisor:
        desk = Desk(supervisor, channel)
        logs.install(desk.send_log)
        await desk.ended.wait()


class Desk:
    """Takes what comes over the pipe to the supervisor, and home what comes of it."""

    def __init__(self, supervisor: Supervisor, channel: socket.socket) -> None:
        self._supervisor = supervisor
        self._runs: dict[int, Run] = {}
        self._warming: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self.pipe = Pipe(channel, self._received, self.ended.set)
        self.pipe.send(Kind.READY)

    def send_log(self, record: bytes) -> None:
        """Carries a log record home, in order with everything else."""
        self.pipe.send(Kind.LOG, 0, record)
        self.pipe.press()

    def _received(self, frame: Frame) -> None:
        if frame.kind is Kind.PLACE:
            try:
                wire.enter_place(frame.payload)
            except OSError as error:
                logging.getLogger(__name__).error("the working folder is gone: %s", error)
        elif frame.kind is Kind.RUN:
            self._begin(frame.run, frame.payload)
        elif frame.kind is Kind.WARM:
            task = asyncio.ensure_future(self._warm(frame.run, frame.payload))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)
        elif frame.kind is Kind.PING:
            self.pipe.send(Kind.PONG)
        elif frame.kind is Kind.CANCEL:
            run = self._runs.get(frame.run)
            if run is not None:
                run.task.cancel()
        elif frame.kind is Kind.INTERRUPT:
            run = self._runs.get(frame.run)
            if run is not None:
                run.interrupt(frame.payload.decode())

    def _begin(self, number: int, payload: bytes) -> None:
        try:
            order = wire.Order.from_wire(payload)
            logging.getLogger("llmspell.spell").setLevel(order.log_level)
            run = self._supervisor.submit(
                order.spell,
                order.options,
                HomeSink(self.pipe, number),
                order.tenant,
                lambda begun: self._begun(number, begun),
            )
        except Exception as error:
            self._failed(number, error)
            return
        self._runs[number] = run
        run.task.add_done_callback(lambda task: self._finished(number, task))

    async def _warm(self, number: int, payload: bytes) -> None:
        try:
            order = wire.Order.from_wire(payload)
            forked = await self._supervisor.make_ready(order.spell, order.options, order.tenant)
        except Exception as error:
            self._failed(number, error)
        else:
            self.pipe.send(Kind.WARMED, number, b"1" if forked else b"0")

    def _begun(self, number: int, begun: Begun) -> None:
        self.pipe.send(Kind.BEGUN, number, wire.begun_to_wire(*begun))

    def _finished(self, number: int, task: asyncio.Task[Result]) -> None:
        del self._runs[number]
        if task.cancelled():
            self.pipe.send(Kind.CANCELLED, number)
            return
        error = task.exception()
        if error is not None:
            self._failed(number, error)
            return
        result = task.result()
        try:
            value = encode(result.value)
            rest = wire.result_to_wire(result)
            self.pipe.send(Kind.VALUE, number, value)
        except (Malformed, LimitExceeded) as unsendable:
            self._failed(number, unsendable)
            return
        self.pipe.send(Kind.RESULT, number, rest)

    def _failed(self, number: int, error: BaseException) -> None:
        if isinstance(error, Malformed):
            told: LlmspellError = UsageError(
                f"the run can't be carried to or from its shard: {error}"
            )
        elif isinstance(error, LlmspellError):
            told = error
        else:
            # Without the error's words: they may hold anything.
            told = InternalError(f"a shard failed unexpectedly ({type(error).__name__})")
            logging.getLogger(__name__).error("a run failed unexpectedly", exc_info=error)
        try:
            payload = wire.error_to_wire(told)
        except Malformed:
            payload = wire.error_to_wire(InternalError("an error that can't be carried home"))
        self.pipe.send(Kind.ERROR, number, payload)


class HomeSink(OutputSink):
    """Output goes home, and waits here while home is behind; logs go the way of all logs."""

    def __init__(self, pipe: Pipe, number: int) -> None:
        super().__init__(None)
        self._pipe = pipe
        self._number = number

    def show(self, stream: str, text: str) -> None:
        """Text of the spell's, as it was printed."""
        kind = Kind.STDERR if stream == "stderr" else Kind.STDOUT
        self._pipe.send(kind, self._number, text.encode("utf-8", "replace"))
        self._pipe.press()
