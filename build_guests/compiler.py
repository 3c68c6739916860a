"""Runs zig. Objects are compiled one by one, with names that hold no path of this machine, and
then linked: that makes the output the same bytes wherever it is built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from build_guests.recipes import Recipe
from build_guests.settings import BuildError, Settings
from build_guests.sources import unpack

_WARNINGS = ("-Wall", "-Wextra", "-Werror")


def build(recipe: Recipe, root: Path, settings: Settings) -> bytes:
    """Compiles and links one recipe and gives the file's content."""
    with tempfile.TemporaryDirectory(prefix="llmspell-build-") as folder:
        work = Path(folder)
        for file in sorted({Path(name).parent for name in recipe.ours}):
            shutil.copytree(root / file, work / file)
        for include in recipe.flags:
            kept = include.removeprefix("-I")
            if kept != include and not (work / kept).exists():
                shutil.copytree(root / kept, work / kept)
        theirs = []
        flags = list(recipe.flags)
        if recipe.source is not None:
            unpack(recipe.source, settings, work)
            flags.append(f"-I{recipe.source.folder}")
            theirs = [f"{recipe.source.folder}/{name}" for name in recipe.theirs]
        optimise = [flag for flag in settings.flags if flag != "-s"]
        objects = _compile(recipe, work, [*flags, *optimise, *_WARNINGS], recipe.ours)
        objects += _compile(recipe, work, [*flags, *optimise, "-w"], tuple(theirs))
        # The flags again: zig builds its C library to fit them, exceptions above all.
        link = [*settings.flags, *recipe.flags, *objects, *recipe.link, "-o", "output"]
        _zig(recipe, work, link)
        return (work / "output").read_bytes()


def _compile(recipe: Recipe, work: Path, flags: list[str], files: tuple[str, ...]) -> list[str]:
    made = []
    for file in files:
        name = file.replace("/", "_") + ".o"
        # An assembler file knows none of the other C flags and would warn about each.
        chosen = flags if file.endswith(".c") else ["-mexception-handling", "-g0"]
        _zig(recipe, work, ["-c", *chosen, file, "-o", name])
        made.append(name)
    return made


def _zig(recipe: Recipe, work: Path, arguments: list[str]) -> None:
    run_zig(["cc", "-target", recipe.target, *arguments], work, recipe.output)


def run_zig(arguments: list[str], work: Path, output: str) -> None:
    """Runs zig in the folder `work` to make `output`. Raises BuildError with what it said."""
    command = [sys.executable, "-m", "ziglang", *arguments]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{output} could not be built:\n{' '.join(command)}\n{done.stderr}")
