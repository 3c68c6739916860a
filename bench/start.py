"""A cold command: `llmspell run` of a one-line spell, beside what users would type instead."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.ours import DOES, LANGUAGES, SHORT
from bench.peers.commands import COMMANDS, MONTY_COLD, SANDLOCK_COLD, Command, Script
from bench.place import own_place
from bench.processes import command_ms
from bench.rounds import Outcome, Row, Settings, interleave

TITLE = "Cold command"
ABOUT = """The wall time of a whole command, from its spawn until it is reaped, nothing of it
started before. Each runs a one-line program in its language that does nothing. Byte code is
compiled before, as pip leaves it."""

BASE = "python -c pass"
SPELLS = {
    "lua": ("one.lua", "return 1\n"),
    "javascript": ("one.js", "return 1\n"),
    "python": ("one.py", "1\n"),
}
PROFILES = ("medium", "high", "low", "none")
WEAKER = {
    "low": "confined by the kernel but without namespaces, policy and budget, audited",
    "none": "not confined; audited",
}


def measure(settings: Settings) -> Outcome:
    """Milliseconds a command."""
    with own_place() as folder:
        return interleave(_rows(settings, folder), settings.runs)


def _rows(settings: Settings, folder: Path) -> list[Row]:
    rows = [
        Row(
            BASE,
            "ms",
            "a Python as it is: not confined",
            partial(_once, [sys.executable, "-c", "pass"]),
        )
    ]
    for profile in settings.pick(PROFILES, 2):
        for language in settings.pick(LANGUAGES, 1):
            file, text = SPELLS[language]
            (folder / file).write_text(text)
            argv = [*_llmspell(), "run", "--profile", profile, str(folder / file)]
            name = f"llmspell run, {profile} {SHORT[language]}"
            rows.append(Row(name, "ms", WEAKER.get(profile, DOES), partial(_once, argv), BASE))
    script = Script("pass", "0", folder / "peer.js")
    for command in (*COMMANDS, SANDLOCK_COLD, MONTY_COLD):
        rows.append(Row(command.name, "ms", command.does, partial(_peer, command, script), BASE))
    return rows


def _once(argv: list[str]) -> list[float]:
    return [command_ms(argv)]


def _peer(command: Command, script: Script) -> list[float]:
    return [command_ms(command.argv(script))]


def _llmspell() -> list[str]:
    installed = Path(sys.executable).parent / "llmspell"
    if installed.exists():
        return [str(installed)]
    return [sys.executable, "-m", "llmspell"]
