"""One end of the pipe between home and a shard, on an event loop."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Final

from llmspell.supervisor.crew import READ_SIZE
from llmspell.supervisor.shards.frames import BrokenFrame, Frame, FrameReader, Kind, pack

HIGH_WATER: Final = 1_048_576
"""Bytes waiting to be written above which whoever writes has to wait."""


class Pipe:
    """Frames in both directions. `received` gets each frame in order; `ended` is called once.

    What is sent in one turn of the loop is written with one system call at its end.
    """

    def __init__(
        self,
        channel: socket.socket,
        received: Callable[[Frame], None],
        ended: Callable[[], None],
    ) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._received = received
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._outbox = bytearray()
        self._flushing = False
        self._writing = False
        self._room: asyncio.Event = asyncio.Event()
        self._room.set()
        self.open = True
        self._loop.add_reader(channel.fileno(), self._readable)

    def send(self, kind: Kind, run: int = 0, payload: bytes = b"") -> None:
        """Queues a frame. Raises `LimitExceeded` for one that is too large; nothing when closed."""
        data = pack(kind, run, payload)
        if not self.open:
            return
        self._outbox += data
        if len(self._outbox) > HIGH_WATER:
            self._room.clear()
        if not (self._flushing or self._writing):
            self._flushing = True
            self._loop.call_soon(self._flush)

    async def room(self) -> None:
        """Waits until what was sent before is nearly written, or the pipe is closed."""
        await self._room.wait()

    def press(self) -> None:
        """Blocks this thread while too much waits to be written.

        A shard calls it where a run prints faster than home reads: so the run's worker is not read
        either, and what waits stays bounded. Home never calls it: both could wait for each other.
        """
        while self.open and len(self._outbox) > HIGH_WATER:
            poller = select.poll()
            poller.register(self._channel, select.POLLOUT)
            poller.poll()
            self._write()

    def close(self) -> None:
        """Closes this end; what waits is dropped. `ended` is not called any more. Idempotent."""
        if self.open:
            self.open = False
            self._loop.remove_reader(self._channel.fileno())
            self._loop.remove_writer(self._channel.fileno())
            self._channel.close()
            self._outbox.clear()
            self._room.set()

    def _flush(self) -> None:
        self._flushing = False
        self._write()
        if self.open and self._outbox and not self._writing:
            self._writing = True
            self._loop.add_writer(self._channel.fileno(), self._writable)

    def _writable(self) -> None:
        self._write()
        if self.open and not self._outbox:
            self._writing = False
            self._loop.remove_writer(self._channel.fileno())

    def _write(self) -> None:
        if not self.open:
            return
        while self._outbox:
            try:
                with memoryview(self._outbox) as waiting, waiting[:READ_SIZE] as piece:
                    sent = self._channel.send(piece)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._lost()
                return
            del self._outbox[:sent]
        if len(self._outbox) <= HIGH_WATER:
            self._room.set()

    def _readable(self) -> None:
        try:
            data = self._channel.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        try:
            frames = self._reader.feed(data) if data else []
        except BrokenFrame:
            # Out of step: nothing that comes after can be trusted to mean what it says.
            data, frames = b"", []
        for frame in frames:
            if self.open:
                self._received(frame)
        if not data:
            self._lost()

    def _lost(self) -> None:
        if self.open:
            self.close()
            self._ended()
