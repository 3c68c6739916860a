"""Target of the C parser that reads a confinement plan, under the address sanitizers.

It runs in a process of its own; coverage is not seen from here, so real plans are what is mutated.
"""

from __future__ import annotations

import functools
import socket
import struct
import weakref

from llmspell.platform import Process, plan
from tests.platform import native
from tests.platform.channels import confinement, start


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Plans as the supervisor computes them on this machine."""
    low = confinement("low", read_paths=("/usr", "/etc"), write_paths=("/tmp",))
    kinds = (confinement(), low, confinement(kind="native", keep_fds=(7, 9)))
    return tuple(plan(kind).stage1 for kind in kinds)


class _Parser:
    def __init__(self, process: Process, channel: socket.socket) -> None:
        self._channel = channel
        self._end = weakref.finalize(self, process.close)

    def takes(self, content: bytes) -> bool:
        self._channel.sendall(struct.pack("<I", len(content)) + content)
        answer = self._channel.recv(1)
        assert answer in (b"y", b"n"), "the parser died: see its report on stderr"
        return answer == b"y"


@functools.cache
def _parser() -> _Parser:
    return _Parser(*start([native.program("parser", *native.SANITIZED)], None))


def plan_records(data: bytes) -> None:
    """Any bytes are a plan or none; a plan with one byte more or one less is none."""
    if _parser().takes(data):
        assert not _parser().takes(data + b"\0"), "a byte too many"
        assert not _parser().takes(data[:-1]), "a byte too few"
