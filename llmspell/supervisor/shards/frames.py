"""What travels between home and a shard: a kind, a run's number and bytes. Pure.

The run's number stands before the payload, so that a payload that can't be read fails one run.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

from llmspell.channel.bounds import MESSAGE_MAX
from llmspell.errors import LimitExceeded

FRAME_MAX: Final = 2 * MESSAGE_MAX
"""Bytes of one frame's payload: the largest value a worker can send, with what masking adds."""

_HEAD: Final = struct.Struct("<IBQ")


class Kind(enum.IntEnum):
    """Every kind of frame; up to `WARM` they go to the shard, the rest comes home."""

    PLACE = 1
    """Working folder and environment, from here on."""
    RUN = 2
    CANCEL = 3
    """The awaiting task is cancelled: end the run, answer `CANCELLED`."""
    INTERRUPT = 4
    """End the run with a result; the payload is the reason."""
    PING = 5
    WARM = 6
    """Boot what runs of this order are forked from; the answer is `WARMED`."""

    READY = 16
    BEGUN = 17
    STDOUT = 18
    STDERR = 19
    LOG = 20
    VALUE = 21
    """The spell's value; its `RESULT` follows."""
    RESULT = 22
    ERROR = 23
    """The run was not started, or could not be brought home."""
    CANCELLED = 24
    PONG = 25
    WARMED = 26
    """The payload is b"1" when runs of that order will be forked."""


class Frame(NamedTuple):
    """One frame; `run` is 0 for what belongs to no run."""

    kind: Kind
    run: int
    payload: bytes


class BrokenFrame(ValueError):
    """Bytes that no sound peer of the same version sends."""


def pack(kind: Kind, run: int, payload: bytes = b"") -> bytes:
    """One frame's bytes. Raises `LimitExceeded` for a payload above FRAME_MAX."""
    if len(payload) > FRAME_MAX:
        raise LimitExceeded(
            "message",
            f"{len(payload)} bytes can't travel between supervisor and shard ({FRAME_MAX} can)",
            hint="use a supervisor without shards for so large a spell or value",
        )
    return _HEAD.pack(len(payload), kind, run) + payload


class FrameReader:
    """Cuts a byte stream into frames. Holds at most one incomplete frame."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order. Raises `BrokenFrame`."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= _HEAD.size:
            length, kind, run = _HEAD.unpack_from(buffer, start)
            if length > FRAME_MAX:
                raise BrokenFrame(f"a frame of {length} bytes ({FRAME_MAX} are taken)")
            body = start + _HEAD.size
            if len(buffer) - body < length:
                break
            try:
                found = Kind(kind)
            except ValueError:
                raise BrokenFrame(f"a frame of the unknown kind {kind}") from None
            start = body + length
            frames.append(Frame(found, run, bytes(buffer[body:start])))
        if start:
            del buffer[:start]
        return frames
