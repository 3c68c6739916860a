"""The supervisor's end: one provider process, started at first use and again once it is gone."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from llmspell import platform
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.errors import OperationFailed
from llmspell.llm.failures import ModelFailure, from_fields
from llmspell.supervisor.providers import wire
from llmspell.supervisor.shards.frames import Frame
from llmspell.supervisor.shards.pipe import Pipe

PROGRAM: Final = Path(__file__).resolve().with_name("main.py")
PACKAGE_FOLDER: Final = str(Path(__file__).resolve().parents[3])

START_SECONDS: Final = 60.0
"""litellm takes three seconds to import, on a loaded machine with cold disks many more."""

FAILURES_MAX: Final = 2
"""Ends in a row without any answer after which it is not started for a while."""

REST_SECONDS: Final = 30.0


class ProviderProcess:
    """The process, while there is one. Everything here runs on one event loop."""

    def __init__(self, starting: Callable[[], Mapping[str, Any]]) -> None:
        """`starting` tells what a process is told first; asked at each start, so that no key stays
        here in between."""
        self._starting = starting
        self._numbers = itertools.count(1)
        self._pipe: Pipe | None = None
        self._process: platform.Process | None = None
        self._ready: asyncio.Future[None] | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._failures = 0
        self._rests_until = 0.0

    @property
    def pid(self) -> int | None:
        """The running process's number, for tests and accounts."""
        return None if self._process is None else self._process.pid

    async def ask(
        self, order: Mapping[str, Any], on_chunk: Callable[[str], Awaitable[None]] | None = None
    ) -> Any:
        """One request's reply. Raises `ModelFailure`; cancelling it cancels the request there."""
        pipe = await self._running()
        number = next(self._numbers)
        try:
            payload = encode(dict(order))
        except Malformed as error:
            raise ModelFailure("bad_request", f"the request can't be carried: {error}") from None
        waiting = self._waiting[number] = _Waiting()
        try:
            pipe.send(wire.REQUEST, number, payload)
            reply = await waiting.reply(on_chunk)
        except BaseException:
            pipe.send(wire.CANCEL, number)
            raise
        finally:
            del self._waiting[number]
        self._failures = 0
        return reply

    def close(self) -> None:
        """Ends the process and whatever waits for it. Idempotent."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            process.close()
        self._fail_all(ModelFailure("unavailable", "the provider process was ended"))

    async def _running(self) -> Pipe:
        if self._pipe is None:
            if self._failures >= FAILURES_MAX and monotonic() < self._rests_until:
                raise ModelFailure(
                    "unavailable",
                    f"the provider process ended {self._failures} times in a row and rests",
                    hint=f"try again in {REST_SECONDS:g} s",
                )
            self._spawn()
        assert self._ready is not None and self._pipe is not None
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_SECONDS)
        except TimeoutError:
            self._lost()
            raise ModelFailure("unavailable", "the provider process did not start") from None
        if self._pipe is None:
            raise ModelFailure("unavailable", "the provider process ended")
        return self._pipe

    def _spawn(self) -> None:
        folders = [folder for folder in sys.path if folder]
        if PACKAGE_FOLDER not in folders:
            folders.append(PACKAGE_FOLDER)
        text = json.dumps({**self._starting(), "path": folders, "home": os.getpid()}).encode(
            "ascii"
        )
        first = len(text).to_bytes(4, "little") + text
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            if not sys.executable or ours.send(first) != len(first):
                raise ModelFailure("unavailable", "the provider process can't be told its start")
            argv = [sys.executable, "-I", "-B", str(PROGRAM)]
            # Without standard error: what a library prints there is not masked.
            self._process = platform.spawn(argv, channel=theirs.fileno())
        except (OperationFailed, OSError) as error:
            ours.close()
            raise ModelFailure("unavailable", str(error)) from None
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._ready = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._pipe = Pipe(ours, self._received, self._lost)

    def _received(self, frame: Frame) -> None:
        if frame.kind is wire.READY:
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            return
        try:
            value = decode(frame.payload)
        except Malformed:
            value = {"kind": "malformed", "message": "the provider's answer can't be carried"}
            frame = frame._replace(kind=wire.FAILURE)
        if frame.run == 0 and frame.kind is wire.FAILURE:
            if self._ready is not None and not self._ready.done():
                self._ready.set_exception(from_fields(value))
            self._lost()
            return
        waiting = self._waiting.get(frame.run)
        if waiting is not None:
            waiting.take(frame, value)

    def _lost(self) -> None:
        """The process is gone, or is given up."""
        self._failures += 1
        self._rests_until = monotonic() + REST_SECONDS
        gone = ModelFailure("unavailable", "the provider process ended unexpectedly")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(gone)
        waiting, self._waiting = self._waiting, dict(self._waiting)
        for one in waiting.values():
            one.fail(gone)
        self.close()

    def _fail_all(self, failure: ModelFailure) -> None:
        for one in self._waiting.values():
            one.fail(failure)


class _Waiting:
    """One request under way: its pieces as they come, then its reply.

    Pieces that come while the listener is at work are handed over together, so that what waits is
    one text, no longer than an answer may be.
    """

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._text: list[str] = []
        self._reply: Any = None
        self._failure: ModelFailure | None = None
        self._over = False

    def take(self, frame: Frame, value: Any) -> None:
        """A frame of this request's."""
        if frame.kind is wire.CHUNK and isinstance(value, str):
            self._text.append(value)
        elif frame.kind is wire.REPLY:
            self._reply, self._over = value, True
        elif frame.kind is wire.FAILURE:
            told = value if isinstance(value, dict) else {}
            self._failure, self._over = from_fields(told), True
        self._news.set()

    def fail(self, failure: ModelFailure) -> None:
        """There will be no reply."""
        if not self._over:
            self._failure, self._over = failure, True
            self._news.set()

    async def reply(self, on_chunk: Callable[[str], Awaitable[None]] | None) -> Any:
        """Waits for the end, handing pieces over meanwhile. Raises `ModelFailure`."""
        while True:
            await self._news.wait()
            self._news.clear()
            pieces, self._text = self._text, []
            if pieces and on_chunk is not None:
                await on_chunk("".join(pieces))
            if self._over and not self._text:
                if self._failure is not None:
                    raise self._failure
                return self._reply
