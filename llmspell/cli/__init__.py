"""The command line: one file per command, nothing imported that the command does not use.

It reads flags, calls the supervisor and prints. It decides nothing and holds no logic that the
Python API would lack.
"""

from __future__ import annotations

import os
import sys

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final


GARBAGE_LOOKED_FOR: Final = 50_000
"""Containers made since the last collection that lead to the next; a start makes 15 000."""


def main(argv: Sequence[str] | None = None) -> int:
    """The `llmspell` program. Returns its exit code; as the program itself it may end at once."""
    if argv is None:
        _open_streams()
        _collect_seldom()
        return _left(main(sys.argv[1:]))
    words = list(argv)
    if words and words[0] in ("--version", "-V"):
        from llmspell import __version__

        print(f"llmspell {__version__}")
        return 0
    from llmspell.cli.program import dispatch

    return dispatch(words)


def _open_streams() -> None:
    """Gives what was closed of standard input, output and error a null device.

    Else the next file opened, an audit record or a worker's channel, would get that number, and
    what is printed would be written into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number: those below are open
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8", closefd=False))


def _collect_seldom() -> None:
    """What is made while a command starts lives as long as it: looking for garbage there is 5 ms.

    A run that goes on making cycles still has them collected, some megabytes later.
    """
    import gc

    gc.set_threshold(GARBAGE_LOOKED_FOR)


def _left(code: int) -> int:
    """Ends the process when nothing waits for the interpreter's own end, which takes 10 ms.

    Whoever registered for that end (coverage), traces, or still runs a thread gets it.
    """
    import atexit
    from _thread import _count

    if atexit._ncallbacks() or _count() or sys.gettrace() or sys.getprofile() or sys.flags.inspect:
        return code
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        # No such stream, or nobody reads it: the interpreter says so in its own way.
        return code
    os._exit(code)


def _as(engine: str) -> int:
    return _left(_dispatched(engine))


def _dispatched(engine: str) -> int:
    from llmspell.cli.program import dispatch

    words = sys.argv[1:]
    if not words or words[0].startswith("-"):
        return dispatch(["run", "--help"])
    return dispatch(["run", "--engine", engine, words[0], "--", *words[1:]])


def main_lua() -> int:
    """`#!/usr/bin/env llmspell-lua` (ENG-019)."""
    return _as("lua")


def main_js() -> int:
    """`#!/usr/bin/env llmspell-js`."""
    return _as("javascript")


def main_python() -> int:
    """`#!/usr/bin/env llmspell-python`."""
    return _as("python")
