"""The worker's end of the channel: whole frames on one descriptor, blocking."""

from __future__ import annotations

import os
import select
import time

# `typing` costs a third of a Lua worker's start; nothing here needs it while running.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

HEADER: Final = 4
FRAME_MAX: Final = 1_048_576
CHUNK: Final = 262_144


class Wire:
    """Frames in and out of `descriptor`. A closed channel ends the process: nobody listens."""

    __slots__ = ("_buffer", "_descriptor", "_poll")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def send(self, body: bytes) -> None:
        """Sends one frame. Raises `ValueError` for a length that no frame has."""
        if not 0 < len(body) <= FRAME_MAX:
            raise ValueError(f"a frame of {len(body)} bytes")
        left = memoryview(len(body).to_bytes(HEADER, "little") + body)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            leave()

    def recv(self, timeout_ms: float | None = None) -> bytes | None:
        """The next frame; None when `timeout_ms` passed without one. None waits for ever."""
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            frame = self._cut()
            if frame is not None:
                return frame
            if deadline is not None:
                pause = max(0.0, deadline - time.monotonic()) * 1000
                # poll counts whole milliseconds: rounding down would spin until the deadline.
                if not self._poll.poll(-(-pause // 1)):
                    return None
            try:
                data = os.read(self._descriptor, CHUNK)
            except OSError:
                leave()
            if not data:
                leave()
            self._buffer += data

    def _cut(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < HEADER:
            return None
        length = int.from_bytes(buffer[:HEADER], "little")
        if not 0 < length <= FRAME_MAX:
            leave()
        if len(buffer) < HEADER + length:
            return None
        frame = bytes(buffer[HEADER : HEADER + length])
        del buffer[: HEADER + length]
        return frame


def leave(code: int = 0) -> NoReturn:
    """Ends the process at once: no spell's `__del__` or `atexit` gets a turn."""
    os._exit(code)
