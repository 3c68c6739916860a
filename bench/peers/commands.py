"""Peers that start a process for each request: each as the command it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.peers import package, program, python

SANDLOCK = """
import sys, sandlock
folders = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/dev"]
ended = sandlock.Sandbox(fs_readable=folders).run(sys.argv[1:], timeout=30)
sys.stdout.buffer.write(ended.stdout or b"")
sys.exit(0 if ended.success else 1)
"""


class Script(NamedTuple):
    """The same little program in the peers' languages: Python on the command line, a file of JS."""

    python: str
    javascript: str
    file: Path
    """Where the JavaScript goes; the folder exists."""


class Command(NamedTuple):
    """A peer's command. `argv` raises `Unavailable` where the peer is not installed."""

    name: str
    does: str
    argv: Callable[[Script], list[str]]


def _bare_python(script: Script) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", script.python]


def _node(script: Script) -> list[str]:
    return [program("node"), "-e", script.javascript]


def _deno(script: Script) -> list[str]:
    script.file.write_text(script.javascript + "\n")
    return [program("deno"), "run", "--no-prompt", "--quiet", str(script.file)]


def _bwrap(script: Script) -> list[str]:
    root = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    wrap = [program("bwrap"), "--unshare-all", "--die-with-parent", "--new-session", *root]
    return [*wrap, python(), "-I", "-S", "-c", script.python]


def _sandlock(script: Script) -> list[str]:
    package("sandlock")
    inner = [python(), "-I", "-S", "-c", script.python]
    return [sys.executable, "-c", SANDLOCK, *inner]


def _gvisor(script: Script) -> list[str]:
    inner = [python(), "-I", "-S", "-c", script.python]
    return [program("runsc"), "--network=none", "do", *inner]


def _monty(script: Script) -> list[str]:
    file = script.file.with_suffix(".monty.py")
    file.write_text(script.python + "\n")
    return [program("monty"), str(file)]


BARE_PYTHON = Command("python -I -S", "not confined, no policy, no audit", _bare_python)
NODE = Command("node -e", "not confined, no policy, no audit", _node)
DENO = Command(
    "deno run", "its own permissions in the process; no kernel confinement, no audit", _deno
)
BWRAP = Command(
    "bwrap python",
    "namespaces, host's files readable; no seccomp, no policy on calls, no audit",
    _bwrap,
)
SANDLOCK_COLD = Command(
    "sandlock python",
    "Landlock and seccomp, by its SDK from a Python; no policy on calls, no audit",
    _sandlock,
)
GVISOR = Command(
    "gVisor runsc do python", "a kernel of its own; no policy on calls, no audit", _gvisor
)
MONTY_COLD = Command("monty FILE", "a Python subset; no kernel confinement, no audit", _monty)

COMMANDS = (BARE_PYTHON, NODE, DENO, BWRAP, GVISOR)
"""Peers whose every request is a command of its own, warm or cold."""
