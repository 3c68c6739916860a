"""One shard's process and the home's end of its pipe."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from llmspell import platform
from llmspell.errors import LlmspellError, OperationFailed
from llmspell.supervisor.admission import UNAVAILABLE
from llmspell.supervisor.shards import logs
from llmspell.supervisor.shards.frames import Frame, Kind
from llmspell.supervisor.shards.pipe import Pipe
from llmspell.supervisor.shards.remote import Answered

PROGRAM: Final = Path(__file__).resolve().with_name("main.py")
PACKAGE_FOLDER: Final = str(Path(__file__).resolve().parents[3])

START_SECONDS: Final = 20.0
"""Time a shard may take until it is ready."""

LEAVE_SECONDS: Final = 6.0
"""Time a shard has to end by itself once its pipe is closed: a little more than it gives itself."""

KILL_AGAIN_SECONDS: Final = 0.05

PULSE_SECONDS: Final = 10.0
"""How often a shard is asked whether it still turns."""

PULSES_MISSED: Final = 3
"""Askings in a row that a shard may leave unanswered; then its runs' limits are not held by anybody
and it is ended. Counted by askings, so that a home that stood still itself blames nobody."""


class Shard:
    """A started shard. `gone` is called once, when its pipe ended unasked."""

    def __init__(self, start: dict[str, Any], gone: Callable[[Shard], None]) -> None:
        """Raises `OperationFailed` when the process can't be started."""
        self._loop = asyncio.get_running_loop()
        self._gone = gone
        self.runs: dict[int, Answered] = {}
        self.place = b""
        """The surroundings it was last told."""
        self.served = False
        """Whether any run came to its end in it."""
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._reaped: asyncio.Future[None] = self._loop.create_future()
        ours, self._process = _spawn(start)
        self.pipe = Pipe(ours, self._received, self._ended)
        self._loop.add_reader(self._process.pidfd, self._reap)
        self._killer: asyncio.TimerHandle | None = None
        self._heard = True
        self._missed = 0
        self._pulse = self._loop.call_later(START_SECONDS, self.kill)

    def tell(self, kind: Kind, run: int, payload: bytes = b"") -> None:
        """Sends a frame. Raises `LimitExceeded` for one that is too large."""
        self.pipe.send(kind, run, payload)

    def kill(self) -> None:
        """Ends it at once, and all its workers; its runs end as lost."""
        if self._reaped.done():
            return
        # Nothing that it says from here on counts: it may be woken by its own end.
        self.pipe.close()
        self._ended()
        # The first one ends its workers, the next one itself: see Process.kill.
        self._process.kill()
        self._kill_later(KILL_AGAIN_SECONDS)

    async def leave(self) -> None:
        """Closes its pipe, upon which it ends by itself, and waits until it has."""
        self.pipe.close()
        self._ended()
        await self._reaped

    def _ask(self) -> None:
        self._missed = 0 if self._heard else self._missed + 1
        if self._missed >= PULSES_MISSED:
            logging.getLogger(__name__).error("a shard does not answer any more; it is ended")
            self.kill()
            return
        self._heard = False
        self.pipe.send(Kind.PING)
        self._pulse = self._loop.call_later(PULSE_SECONDS, self._ask)

    def _received(self, frame: Frame) -> None:
        self._heard = True
        if frame.kind is Kind.READY:
            if not self.ready.done():
                self.ready.set_result(None)
                self._pulse.cancel()
                self._pulse = self._loop.call_later(PULSE_SECONDS, self._ask)
        elif frame.kind is Kind.LOG:
            self._log(frame.payload)
        elif frame.kind is not Kind.PONG:
            run = self.runs.get(frame.run)
            if run is not None:
                run.received(frame)
                if run.over:
                    del self.runs[frame.run]
                    self.served = True

    def _log(self, payload: bytes) -> None:
        try:
            logs.handle(payload)
        except Exception as error:
            # A handler of the application's raised, or the record is none: runs go on.
            self._loop.call_exception_handler(
                {"message": "a shard's log record could not be handled", "exception": error}
            )

    def _ended(self) -> None:
        self.pipe.close()
        self._pulse.cancel()
        runs, self.runs = self.runs, {}
        for run in runs.values():
            run.lost()
        if not self.ready.done():
            self.ready.set_exception(_not_started())
        if not self._reaped.done() and self._killer is None:
            self._kill_later(LEAVE_SECONDS)
        self._gone(self)

    def _kill_later(self, seconds: float) -> None:
        if self._killer is not None:
            self._killer.cancel()
        self._killer = self._loop.call_later(seconds, self.kill)

    def _reap(self) -> None:
        self._loop.remove_reader(self._process.pidfd)
        self._process.wait()
        self._process.close()
        if self._killer is not None:
            self._killer.cancel()
        self._reaped.set_result(None)


def _spawn(start: dict[str, Any]) -> tuple[socket.socket, platform.Process]:
    folders = [folder for folder in sys.path if folder]
    if PACKAGE_FOLDER not in folders:
        folders.append(PACKAGE_FOLDER)
    text = json.dumps({**start, "path": folders, "home": os.getpid()}).encode("ascii")
    first = len(text).to_bytes(4, "little") + text
    try:
        ours, theirs = socket.socketpair()
    except OSError:
        raise _not_started() from None
    try:
        ours.setblocking(False)
        # Nobody reads yet: it fits into the socket's buffer, or the search path is no sane one.
        if not sys.executable or ours.send(first) != len(first):
            raise _not_started()
        argv = [sys.executable, "-I", "-B", str(PROGRAM)]
        # What Python says when it can't even start is for the terminal; logs come over the pipe.
        process = platform.spawn(argv, channel=theirs.fileno(), stderr=_stderr())
    except OSError:
        ours.close()
        raise _not_started() from None
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, process


def _stderr() -> int | None:
    try:
        os.fstat(2)
    except OSError:
        return None
    return 2


def _not_started() -> LlmspellError:
    return OperationFailed(
        "a shard could not be started",
        code=UNAVAILABLE,
        kind="shard_lost",
        rule="supervisor.shards",
        hint="its standard error says why; or use shards=1",
    )
