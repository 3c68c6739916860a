"""A folder of the benchmark's own: what runs write goes there, and it is gone at the end."""

from __future__ import annotations

import compileall
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llmspell


def _as_installed() -> None:
    """Byte code beside the sources, as pip leaves it: workers never write any themselves."""
    compileall.compile_dir(Path(llmspell.__file__).parent, quiet=2)


@contextmanager
def own_place() -> Iterator[Path]:
    """Stands in an empty folder, with audit, state and configuration within.

    The cache stays the user's own: guests are compiled once per machine, not once per benchmark.
    """
    _as_installed()
    before = {name: os.environ.get(name) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    stood = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="llmspell-bench-") as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
        work = folder / "work"
        work.mkdir()
        os.chdir(work)
        try:
            yield work
        finally:
            os.chdir(stood)
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value
