"""Images of booted guests: engine and prelude ready, as they are before a spell arrives.

Evaluating a prelude, and still more starting CPython, costs the same time at every start and gives
the same memory. So a guest is booted once, confined like any spell; what its memory then holds is
kept beside the machine code, and a worker maps it copy-on-write instead of booting. What was
written is only ever a guest's own memory: no byte of it is trusted here or in the worker.
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

IMAGE_FD: Final = 6
"""Where a worker finds the image. It is mapped before stage 1, which closes it."""

SECONDS: Final = 30.0
MEMORY: Final = 268_435_456
PAGE: Final = 65_536

_opened: dict[str, int] = {}


def booted(guest: Guest, order: guest_cache.Order) -> Guest:
    """The guest with its image; as it was, to boot at every start, where none can be made."""

    def make(output: int) -> None:
        _make(guest, output)

    try:
        name = _name(guest, order)
        if name not in _opened:
            _opened[name] = guest_cache.kept(name, make)
    except (LlmspellError, OSError):
        return guest
    path = guest_cache.as_path(IMAGE_FD, guest_cache.folder() / name)
    fds = {**guest.pass_fds, IMAGE_FD: _opened[name]}
    return guest._replace(image_path=Path(path), pass_fds=fds)


def _name(guest: Guest, order: guest_cache.Order) -> str:
    # hashlib would load OpenSSL, which costs a start more than the rest of this file.
    from _blake2 import blake2b

    prelude = blake2b(guest.prelude_path.read_bytes(), digest_size=20).hexdigest()
    return f"{order.name.removesuffix('.cwasm')}-{prelude}.image"


def _make(guest: Guest, output: int) -> None:
    """Boots a confined guest and writes its memory. Raises `IsolationRefused`."""
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
    argv = worker.wasm_command(guest, MEMORY, "image")
    ours, theirs = socketpair()
    with ours:
        try:
            process = platform.spawn(argv, channel=theirs.fileno(), pass_fds=guest.pass_fds)
        finally:
            theirs.close()
        with process:
            ours.settimeout(SECONDS)
            ours.sendall(frame(platform.plan(confinement).stage1))
            size = _write_frames(ours, output)
            if process.wait(timeout=SECONDS).code != 0 or size == 0 or size % PAGE:
                raise IsolationRefused(f"the {guest.engine} guest could not be booted")


def _write_frames(channel: socket.socket, output: int) -> int:
    """Writes every frame behind the worker's hello; how many bytes that were."""
    reader = FrameReader()
    greeted = False
    size = 0
    while True:
        try:
            data = channel.recv(FRAME_MAX)
            frames = reader.feed(data)
        except (OSError, FrameError) as error:
            raise IsolationRefused("the booted guest sent no image") from error
        if not data:
            os.ftruncate(output, size)
            return size
        for piece in frames:
            if greeted:
                size += len(piece)
                _write(output, piece)
            greeted = True


def _write(output: int, data: bytes) -> None:
    if data.count(0) == len(data):
        os.lseek(output, len(data), os.SEEK_CUR)  # a hole: most of a guest's stack is nothing
        return
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(output, rest) :]
