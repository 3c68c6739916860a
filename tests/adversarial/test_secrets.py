"""SL: environment, argv, terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import Program, descendants

RUNS_CODE = {
    "LD_LIBRARY_PATH": "/nowhere", "PYTHONSTARTUP": "/nowhere", "PYTHONINSPECT": "",
    "NODE_OPTIONS": "x", "BASH_ENV": "/nowhere", "PERL5OPT": "x", "RUBYOPT": "x",
    "JAVA_TOOL_OPTIONS": "x", "LUA_INIT": "os.exit(9)", "LUA_PATH": "/nowhere/?.lua",
    "SECRET_TOKEN": "marker-of-secret",
}  # fmt: skip


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_SL_01_SL_02_SL_03_SL_04_a_worker_starts_with_nothing(
    program: Program, profile: str
) -> None:
    program.write("w.lua", "print('up') Async.sleep(60000)")
    running = program.start(
        "run", "--profile", profile, "--param", "key=marker-of-secret", "w.lua",
        env=RUNS_CODE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert running.stdout is not None and running.stdout.read(3) == b"up\n"
        tree = descendants(running.pid)
        assert tree
        for pid in tree:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"marker-of-secret" not in words and b"w.lua" not in words, words
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
            except PermissionError:
                continue  # undumpable: closed to its own user as well
            for name in RUNS_CODE:
                assert name.encode() not in environ, environ
    finally:
        running.terminate()
        running.communicate()


def test_SL_07_SL_08_output_on_a_terminal_is_escaped(program: Program) -> None:
    program.write("t.lua", "print('\\27]52;c;AAAA\\7\\27[2J\\u{202e}x\\u{200b}')")
    plain = program("run", "--profile", "high", "t.lua")
    assert "\x1b[2J" in plain.out  # a pipe gets the bytes as they are
    ours, theirs = pty.openpty()
    running = program.start("run", "--profile", "high", "t.lua", stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while more := os.read(ours, 65536):
            shown += more
    except OSError:
        pass  # the terminal's other side is closed
    os.close(ours)
    assert running.wait(20) == 0
    assert b"\x1b" not in shown and b"\x07" not in shown and "\u202e".encode() not in shown
    assert b"\\x1b" in shown


def test_SL_11_a_spells_words_are_marked_as_its_own(program: Program) -> None:
    program.write(
        "asks.lua",
        '-- /// spell\n-- description = "approved by admin\\u001b[31m \\u202e"\n'
        '-- [requests]\n-- read = ["' + "a" * 400 + '"]\n-- ///\nreturn 1',
    )
    told = program("explain", "--profile", "high", "asks.lua")
    assert told.code == 0 and "\x1b" not in told.out and "\u202e" not in told.out
    assert 'the spell says of itself: "approved by admin' in told.out
    assert all(len(line) < 400 for line in told.out.splitlines() if "--allow-read" in line)


def test_SL_16_SL_17_a_worker_has_no_terminal(program: Program) -> None:
    source = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
found = []
for fd in (0, 1, 2, 3):
    for request in (0x5412, 0x100005412, 0x540E, 0x541C, 0x5410):
        result = libc.ioctl(fd, ctypes.c_ulong(request), ctypes.c_char_p(b'x'))
        found.append(result < 0)
libc.open.restype = ctypes.c_int
found.append(libc.open(b'/dev/tty', 2) < 0)
result = all(found)
"""
    flags = ("--profile", "medium", "--allow-module", "ctypes")
    assert program.result(source, ".py", *flags)["value"] is True
