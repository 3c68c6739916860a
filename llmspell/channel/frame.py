"""One frame around bytes. Apart from `framing`: a start needs nothing else of the channel."""

from __future__ import annotations

from llmspell.channel.bounds import FRAME_MAX
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

HEADER: Final = 4
"""Bytes of the length in front of a frame."""


class FrameError(ValueError):
    """A length that no honest peer sends."""


def frame(body: bytes) -> bytes:
    """One frame around `body`. Raises `FrameError` outside 1 … FRAME_MAX bytes."""
    if not 0 < len(body) <= FRAME_MAX:
        raise FrameError(f"a frame of {len(body)} bytes (1 to {FRAME_MAX} are taken)")
    return len(body).to_bytes(HEADER, "little") + body
