"""The command line: one file per command, nothing imported that the command does not use.

It reads flags, calls the supervisor and prints. It decides nothing and holds no logic that the
Python API would lack.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """The `llmspell` program. Returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in ("--version", "-V"):
        from llmspell import __version__

        print(f"llmspell {__version__}")
        return 0
    from llmspell.cli.program import dispatch

    return dispatch(words)


def _as(engine: str) -> int:
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
