"""What a person can choose about a build, all by environment variables.

LLMSPELL_BUILD     release (default), debug, dev or minimal
LLMSPELL_ARCH      x86_64 or aarch64; default: this machine
LLMSPELL_SOURCES   a folder with the source archives: build without a network
XDG_CACHE_HOME     where the build cache lives; default ~/.cache
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final, NamedTuple

MODES: Final = {
    "release": ("-O2", "-DNDEBUG", "-s"),
    "debug": ("-O0", "-g"),
    "dev": ("-O1", "-g"),
    "minimal": ("-O2", "-DNDEBUG", "-s"),
}
"""Compiler flags by mode (inventory DEP-007). `minimal` builds no guest but Lua's."""

OPTIMISED: Final = ("release", "minimal")
"""The modes whose output is meant to be fast."""

ARCHITECTURES: Final = ("x86_64", "aarch64")


class BuildError(RuntimeError):
    """The build can't go on; the text says what to do."""


class SourceMissing(BuildError):
    """An archive can't be had; the text says how to get it."""


class Settings(NamedTuple):
    """One build's choices. `sources` is None when they are to be fetched."""

    mode: str
    architecture: str
    sources: Path | None
    cache: Path

    @property
    def flags(self) -> tuple[str, ...]:
        return MODES[self.mode]


def settings() -> Settings:
    """Reads the environment. Raises BuildError for a value that is none of the known ones."""
    mode = os.environ.get("LLMSPELL_BUILD") or "release"
    if mode not in MODES:
        raise BuildError(f"LLMSPELL_BUILD={mode} is not one of {', '.join(MODES)}")
    machine = os.environ.get("LLMSPELL_ARCH") or platform.machine()
    architecture = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine)
    if architecture not in ARCHITECTURES:
        raise BuildError(f"llmspell has no native worker for {machine}; set LLMSPELL_ARCH")
    sources = os.environ.get("LLMSPELL_SOURCES")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Settings(
        mode, architecture, Path(sources) if sources else None, Path(home) / "llmspell" / "build"
    )
