"""Builds the C of `sandboxes/confine` and the test's own C once for each set of flags."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFINE = ROOT / "llmspell" / "sandboxes" / "confine"
HERE = ROOT / "tests" / "sandboxes" / "confine"
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-I", str(CONFINE))
SANITIZED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiler() -> list[str]:
    """A C compiler of this machine, or zig's."""
    for name in ("gcc", "clang", "cc"):
        if found := shutil.which(name):
            return [found]
    zig = [sys.executable, "-m", "ziglang"]
    if not subprocess.run([*zig, "version"], capture_output=True).returncode:
        return [*zig, "cc"]
    pytest.skip("no C compiler")


@functools.cache
def folder() -> Path:
    """Where programs go; every uid of the tests may execute what lies here."""
    path = Path(tempfile.mkdtemp(prefix="llmspell-confine-"))
    path.chmod(0o755)
    return path


@functools.cache
def program(name: str, *flags: str) -> str:
    """The path of the built program: "launch", or a C file of the tests."""
    source = CONFINE / "launch.c" if name == "launch" else HERE / f"{name}.c"
    sources = [str(source), *sorted(map(str, CONFINE.glob("confine*.c")))]
    target = folder() / f"{name}-{abs(hash(flags)):x}"
    command = [*compiler(), *STRICT, *(flags or ("-O2",)), "-o", str(target), *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return str(target)


@functools.cache
def library() -> str:
    """The path of libconfine.so, built from this checkout."""
    target = folder() / "libconfine.so"
    sources = sorted(map(str, CONFINE.glob("confine*.c")))
    command = [*compiler(), *STRICT, "-O2", "-shared", "-fPIC", "-o", str(target), *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return str(target)


def remove() -> None:
    """Removes what was built."""
    if folder.cache_info().currsize:
        shutil.rmtree(folder(), ignore_errors=True)
        assert not os.path.exists(folder())
