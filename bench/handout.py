"""Hand-out: from the request until the first statement of the spell is seen to have run."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from bench.ours import (
    DOES,
    LANGUAGES,
    PROFILES,
    WAYS,
    Ours,
    came_by,
    name_of,
    ours,
    spell,
    value_of,
)
from bench.peers.commands import COMMANDS, Command, Script
from bench.peers.monty import DOES as MONTY_DOES
from bench.peers.quickjs import DOES as QUICKJS_DOES
from bench.peers.warm import WarmPeers, warm_peers
from bench.place import own_place
from bench.processes import first_output_ms
from bench.rounds import Outcome, Row, Settings, interleave

TITLE = "Hand-out: request to first statement"
ABOUT = """Until what the first statement prints has arrived at the host: the worker's confinement
is proven and its policy, budget and audit trail stand before that. For pydantic-monty and
quickjs-rs, until the first statement has called a function of the host's; for commands, until the
first byte of their output."""

BASE = "pydantic-monty pool: checkout to first call"
SOURCES = {"lua": 'print("x")', "javascript": 'console.log("x")', "python": 'print("x")'}


def measure(settings: Settings) -> Outcome:
    """Milliseconds until the first statement."""
    with own_place() as folder, ours() as host, warm_peers() as peers:
        return interleave(_rows(settings, host, peers, folder), settings.runs)


def _rows(settings: Settings, host: Ours, peers: WarmPeers, folder: Path) -> list[Row]:
    rows = [
        Row(
            name_of(language, profile, way),
            "ms",
            DOES,
            partial(_ours, host, language, profile, way),
            BASE,
        )
        for way in WAYS
        for profile in PROFILES
        for language in settings.pick(LANGUAGES, 1)
    ]
    rows += [
        Row(BASE, "ms", MONTY_DOES, lambda: [peers.monty().first_statement_ms()]),
        Row(
            "quickjs-rs: context to first call",
            "ms",
            QUICKJS_DOES,
            lambda: [peers.quickjs().first_statement_ms()],
            BASE,
        ),
    ]
    script = Script('print("x", flush=True)', 'console.log("x")', folder / "peer.js")
    rows += [
        Row(one.name, "ms", one.does, partial(_command, one, script), BASE) for one in COMMANDS
    ]
    return rows


def _ours(host: Ours, language: str, profile: str, way: str) -> list[float]:
    supervisor = host.supervisor(way)
    one = spell(language, SOURCES[language])
    came: list[float] = []

    async def request() -> float:
        await host.ready(way, one, profile)
        begun = time.perf_counter()
        result = await supervisor.run(
            one, profile=profile, on_output=lambda text: came.append(time.perf_counter())
        )
        value_of(result)
        came_by(result, way)
        return (came[0] - begun) * 1000

    return [host.run(request())]


def _command(command: Command, script: Script) -> list[float]:
    return [first_output_ms(command.argv(script))]
