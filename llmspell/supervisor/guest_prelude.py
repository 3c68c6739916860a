"""The Python guest's prelude as code objects, made once by the guest itself.

Compiling 60 KiB of Python costs the guest 50 ms, more than its whole boot. So it compiles the
prelude once, confined like any spell, and every later start loads the result. What it wrote is
only ever loaded inside a guest: no byte of it is trusted here.
"""

from __future__ import annotations

import os
from pathlib import Path

from llmspell.channel.bounds import FRAME_MAX
from llmspell.channel.framing import FrameError, FrameReader, frame
from llmspell.errors import IsolationRefused, LlmspellError
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor import guest_cache

if TYPE_CHECKING:
    import socket
    from typing import Final

    from llmspell.supervisor.guests import Guest

PRELUDE_FD: Final = 6
SECONDS: Final = 30.0
MEMORY: Final = 268_435_456

_MAKE: Final = """
import binascii, marshal, os
code = compile({source!r}, "<string>", "exec", dont_inherit=True)
os.write(0, binascii.b2a_base64(marshal.dumps(code), newline=False))
os._exit(0)
"""
_LOAD: Final = "import binascii, marshal\nexec(marshal.loads(binascii.a2b_base64(b'{code}')))\n"

_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")

_opened: dict[str, int] = {}


def precompiled(guest: Guest, order: guest_cache.Order) -> Guest:
    """The guest with its prelude as code objects; as it was where they can't be made."""
    import hashlib

    source = guest.prelude_path.read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    name = f"prelude-{digest[:40]}-{order.sha256[:16]}.py"
    if name not in _opened:

        def make(output: int) -> None:
            _write(output, _LOAD.format(code=_code(guest, source)).encode("ascii"))

        try:
            _opened[name] = guest_cache.kept(name, make)
        except (LlmspellError, OSError):
            return guest
    path = guest_cache.as_path(PRELUDE_FD, guest_cache.folder() / name)
    fds = {**guest.pass_fds, PRELUDE_FD: _opened[name]}
    return guest._replace(prelude_path=Path(path), pass_fds=fds)


def _code(guest: Guest, source: bytes) -> str:
    """The prelude's code as base64, from a confined guest. Raises `IsolationRefused`."""
    text = _MAKE.format(source=source.decode("utf-8"))
    passing = os.memfd_create("llmspell-prelude", os.MFD_CLOEXEC)
    try:
        _write(passing, text.encode("utf-8"))
        made = _run(guest._replace(pass_fds={**guest.pass_fds, PRELUDE_FD: passing}))
    finally:
        os.close(passing)
    if not made or not _BASE64.issuperset(made):
        raise IsolationRefused("the guest did not compile its prelude")
    return made.decode("ascii")


def _run(guest: Guest) -> bytes:
    from socket import socketpair

    from llmspell import platform
    from llmspell.supervisor import worker

    confinement = platform.Confinement(
        level="high",
        kind="wasm",
        memory=MEMORY,
        cpu=SECONDS,
        threads=1,
        processes=0,
        open_files=32,
        file_size=0,
    )
    prelude = Path(f"/proc/self/fd/{PRELUDE_FD}")
    argv = worker.wasm_command(guest._replace(prelude_path=prelude), MEMORY)
    ours, theirs = socketpair()
    with ours:
        try:
            process = platform.spawn(argv, channel=theirs.fileno(), pass_fds=guest.pass_fds)
        finally:
            theirs.close()
        with process:
            ours.settimeout(SECONDS)
            ours.sendall(frame(platform.plan(confinement).stage1))
            return _second_frame(ours)


def _second_frame(channel: socket.socket) -> bytes:
    """The frame behind the worker's hello; empty when none comes."""

    reader = FrameReader()
    frames: list[bytes] = []
    while len(frames) < 2:
        try:
            data = channel.recv(FRAME_MAX)
            frames += reader.feed(data)
        except (OSError, FrameError):
            return b""
        if not data:
            return b""
    return frames[1]


def _write(output: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(output, rest) :]
