"""Frames: a 4-byte little-endian length and that many bytes."""

from __future__ import annotations

from llmspell.channel.bounds import FRAME_MAX, MESSAGE_MAX, PART_SIZE
from llmspell.channel.frame import HEADER as HEADER
from llmspell.channel.frame import FrameError as FrameError
from llmspell.channel.frame import frame as frame
from llmspell.channel.jsontext import encode


class FrameReader:
    """Cuts a byte stream into frames. Holds at most one incomplete frame."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def waiting(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def wanted(self) -> int:
        """Bytes that the frame under way still lacks; 0 when none is, or its length is unknown."""
        buffer = self._buffer
        if len(buffer) < HEADER:
            return 0
        return HEADER + int.from_bytes(buffer[:HEADER], "little") - len(buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, in order. Raises `FrameError` on a bad length (IP-01).

        The length is judged as soon as its four bytes are there, before any body is buffered.
        """
        buffer = self._buffer
        if not buffer and len(data) >= HEADER:
            length = int.from_bytes(data[:HEADER], "little")
            if length == len(data) - HEADER and 0 < length <= FRAME_MAX:
                return [data[HEADER:]]
        buffer += data
        frames: list[bytes] = []
        start = 0
        while len(buffer) - start >= HEADER:
            length = int.from_bytes(buffer[start : start + HEADER], "little")
            if not 0 < length <= FRAME_MAX:
                raise FrameError(f"a frame of {length} bytes (1 to {FRAME_MAX} are taken)")
            end = start + HEADER + length
            if len(buffer) < end:
                break
            frames.append(bytes(buffer[start + HEADER : end]))
            start = end
        if start:
            del buffer[:start]
        return frames


def frames_of(message: bytes) -> bytes:
    """All frames of one encoded message: itself, or `part` frames when it is large.

    Raises `FrameError` above MESSAGE_MAX.
    """
    if len(message) <= PART_SIZE:
        return frame(message)
    if len(message) > MESSAGE_MAX:
        raise FrameError(f"a message of {len(message)} bytes ({MESSAGE_MAX} are taken)")
    text = message.decode("utf-8")
    step = PART_SIZE // 2
    pieces = [text[start : start + step] for start in range(0, len(text), step)]
    last = len(pieces) - 1
    return b"".join(_part(piece, is_last=index == last) for index, piece in enumerate(pieces))


def _part(piece: str, *, is_last: bool) -> bytes:
    return frame(encode({"type": "part", "data": piece, "last": is_last}))
