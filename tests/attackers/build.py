"""Compiles the attackers once a session, with the machine's compiler or zig's."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@functools.cache
def folder() -> Path:
    """Where programs go; every uid may run what lies here."""
    path = Path(tempfile.mkdtemp(prefix="llmspell-attackers-"))
    path.chmod(0o755)
    return path


@functools.cache
def program(name: str) -> str:
    """The path of the built program. Skips the test where there is no compiler."""
    found = next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)
    compiler = [found] if found else [sys.executable, "-m", "ziglang", "cc"]
    target = folder() / name
    # What a program defines itself comes before the libraries: kernel.c watches confine's calls.
    flags = ["-std=gnu11", "-O1", "-Wall", "-rdynamic"]
    command = [*compiler, *flags, "-o", str(target), str(HERE / f"{name}.c")]
    done = subprocess.run(
        [*command, "-ldl", "-pthread"], capture_output=True, text=True, timeout=120
    )
    if done.returncode and not found:
        pytest.skip("no C compiler")
    assert done.returncode == 0, done.stderr
    return str(target)


def remove() -> None:
    """Removes what was built."""
    if folder.cache_info().currsize:
        shutil.rmtree(folder(), ignore_errors=True)
