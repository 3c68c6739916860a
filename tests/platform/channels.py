"""Starts a program on a channel with its plan, as the supervisor does."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from llmspell.platform import Confinement, Plan, Process, plan, spawn


def confinement(level: str = "high", kind: str = "wasm", **changes: Any) -> Confinement:
    """A confinement with the usual limits of a test."""
    base = Confinement(level, kind, memory=64 << 20, cpu=5, threads=1, processes=0, open_files=32)
    return base._replace(**changes)


def start(
    argv: Sequence[str],
    wanted: Confinement | Plan | None,
    stderr: int | None = None,
    measured: bool = False,
    pass_fds: Mapping[int, int] | None = None,
) -> tuple[Process, socket.socket]:
    """The process and our end of its channel; the plan already lies in it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    with theirs:
        process = spawn(
            argv, channel=theirs.fileno(), stderr=stderr, measured=measured, pass_fds=pass_fds
        )
    frames = plan(wanted) if isinstance(wanted, Confinement) else wanted or ()
    for frame in filter(None, frames):
        ours.sendall(len(frame).to_bytes(4, "little") + frame)
    return process, ours


def read_all(channel: socket.socket) -> bytes:
    """Everything until the other side closes."""
    content = b""
    with channel:
        while more := channel.recv(65536):
            content += more
    return content
