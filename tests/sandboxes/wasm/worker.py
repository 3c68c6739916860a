"""Runs the real native worker over a real socket pair, with a prelude of the test's own."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from llmspell import platform
from llmspell.platform import Confinement, ExitStatus
from llmspell.supervisor import guests

MIB = 1 << 20
SUFFIX = {"lua": "lua", "javascript": "js", "python": "py"}


def require(engine: str) -> None:
    """Skips where a part that only a build brings is missing."""
    if not (guests.BUILT / "build.json").is_file():
        pytest.skip("the native parts are not built: pip install -e .")
    if engine == "python" and not (guests.BUILT / "python.wasm").is_file():
        pytest.skip("built without the Python guest: its source could not be fetched")


class Worker:
    """One worker process and its channel. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        engine: str,
        prelude: str,
        *,
        memory: int = 256 * MIB,
        level: str = "none",
        options: dict[str, str] | None = None,
    ) -> None:
        require(engine)
        path = folder / f"prelude.{SUFFIX[engine]}"
        path.write_text(prelude, encoding="utf-8")
        guest = guests.guest(engine)
        chosen = {
            "--engine": engine,
            "--wasmtime": str(guest.wasmtime),
            "--module": str(guest.module_path),
            "--prelude": str(path),
            "--memory": str(memory),
            **(options or {}),
        }
        words = [word for pair in chosen.items() for word in pair]
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        self.said = (folder / "stderr").open("w+b")
        self.process = platform.spawn(
            [str(guests.BUILT / "llmspell-worker"), "run", *words],
            channel=theirs.fileno(),
            pass_fds=guest.pass_fds,
            stderr=self.said.fileno(),
        )
        theirs.close()
        self.send(platform.plan(confinement(level, memory)).stage1)

    def send(self, content: bytes | str) -> None:
        """One frame."""
        raw = content.encode() if isinstance(content, str) else content
        try:
            self.socket.sendall(struct.pack("<I", len(raw)) + raw)
        except BrokenPipeError:
            pass

    def receive(self) -> bytes | None:
        """One frame, or None when the worker is gone."""
        header = self._exactly(4)
        return None if header is None else self._exactly(struct.unpack("<I", header)[0])

    def message(self) -> dict[str, Any]:
        frame = self.receive()
        assert frame is not None, self.stderr()
        message: dict[str, Any] = json.loads(frame)
        return message

    def rest(self) -> list[bytes]:
        """All frames until the end."""
        frames = []
        while (frame := self.receive()) is not None:
            frames.append(frame)
        return frames

    def end(self) -> ExitStatus:
        return self.process.wait(20)

    def stderr(self) -> str:
        self.said.seek(0)
        return self.said.read().decode()

    def _exactly(self, count: int) -> bytes | None:
        got = b""
        while len(got) < count:
            try:
                part = self.socket.recv(count - len(got))
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            got += part
        return got

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.process.close()
        self.said.close()


def confinement(level: str, memory: int) -> Confinement:
    return Confinement(
        level=level,
        kind="wasm",
        memory=None if level == "none" else memory,
        cpu=20.0,
        threads=1,
        processes=0,
        open_files=32,
    )
