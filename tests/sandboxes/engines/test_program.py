"""The native worker's own program: its arguments, its channel, its manners."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from llmspell.channel import messages
from llmspell.sandboxes.engines.wire import FRAME_MAX, Wire
from tests.parity.workers import KINDS, LANGUAGES, SANDBOXES, SITE, drive, worker

MAIN = str(SANDBOXES / "engines" / "main.py")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--engine"],
        ["--engine", "ruby"],
        ["--unknown", "x"],
        ["--site", "/x"],
        ["--engine", "lua", "--zygote", "0", "--confine", "/x"],
        ["--engine", "lua", "--zygote", "1"],
        # A module from elsewhere may have seeded itself when it was loaded.
        [
            "--engine",
            "python",
            "--zygote",
            "1",
            "--confine",
            "/x",
            "--modules",
            "json,numpy.random",
        ],
    ],
)
def test_a_wrong_command_line_is_64(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", MAIN, *words], check=False)
    assert done.returncode == 64


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hello_says_what_is_held(language: str, kind: str) -> None:
    with worker(language, kind) as one:
        hello = one.receive()
        assert isinstance(hello, messages.Hello)
        assert (hello.version, hello.engine) == (1, language)
        assert set(hello.effects.values()) == {kind != "bare"}
        assert ("seccomp" in hello.layers) is (kind != "bare")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_closed_channel_ends_the_worker_quietly(language: str, kind: str) -> None:
    with worker(language, kind) as one:
        one.receive()
        assert one.close().code == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_worker_ends_by_itself_after_done(language: str) -> None:
    with worker(language) as one:
        one.begin("")
        assert drive(one, {}).error is None
        assert one.receive(5) is None
        assert one.process.wait(5).code == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_but_the_needed_is_imported(language: str) -> None:
    heavy = {"asyncio", "dataclasses", "pydantic", "click", "tomllib", "inspect", "subprocess"}
    heavy |= {"httpx", "logging", "json", "threading", "concurrent.futures"}
    code = (
        f"import sys; sys.path[:0] = [{str(SANDBOXES.parents[1])!r}, {str(SITE)!r}]\n"
        "from llmspell.sandboxes.engines.host import load_host\n"
        "import llmspell.sandboxes.engines.wire, llmspell.sandboxes.engines.confinement\n"
        f"load_host({language!r})\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith("llmspell.supervisor")}


def test_wire_takes_frames_in_pieces_and_times_out() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(theirs.fileno())
    began = time.monotonic()
    assert wire.recv(20) is None
    assert 0.015 < time.monotonic() - began < 2
    ours.sendall(b"\x03\x00\x00\x00ab")
    assert wire.recv(0) is None
    ours.sendall(b"c\x01\x00\x00\x00d")
    assert (wire.recv(), wire.recv(0)) == (b"abc", b"d")
    with pytest.raises(ValueError, match="0 bytes"):
        wire.send(b"")
    with pytest.raises(ValueError, match="bytes"):
        wire.send(b"x" * (FRAME_MAX + 1))


def test_wire_sends_what_a_slow_reader_takes() -> None:
    ours, theirs = socket.socketpair()
    body = os.urandom(FRAME_MAX)
    sender = threading.Thread(target=Wire(theirs.fileno()).send, args=(body,))
    sender.start()
    heard = b""
    while len(heard) < FRAME_MAX + 4:
        heard += ours.recv(10_000)
    sender.join()
    assert heard == FRAME_MAX.to_bytes(4, "little") + body


@pytest.mark.parametrize("length", [0, FRAME_MAX + 1, 0xFFFFFFFF])
def test_a_wrong_length_from_the_supervisor_ends_the_worker(length: int) -> None:
    with worker("lua") as one:
        one.receive()
        one.send(length.to_bytes(4, "little") + b"x")
        assert one.receive(5) is None
