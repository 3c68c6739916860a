"""A warm session: from the request to the result, in one supervisor that stays."""

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
from bench.peers.wrappers import (
    LLM_SANDBOX,
    LLM_SANDBOX_DOES,
    SANDLOCK,
    SANDLOCK_DOES,
    sandlock_ms,
)
from bench.place import own_place
from bench.processes import command_ms
from bench.rounds import Outcome, Row, Settings, interleave

TITLE = "Warm session: request to result"
ABOUT = """One `llmspell.Supervisor` stays; each request is a new confined worker, a one-line spell,
its result, its audit trail closed and its process reaped. `exec` starts a worker from nothing,
`forked` takes it from a zygote, `spare` finds one waiting. Peers that can stay do stay; those that
start a process for each request are started by the same process, in the same way."""

BASE = "pydantic-monty pool: checkout, run, result"
SOURCES = {"lua": "return 1", "javascript": "return 1", "python": "1"}


def measure(settings: Settings) -> Outcome:
    """Milliseconds a request."""
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
        Row(BASE, "ms", MONTY_DOES, lambda: [peers.monty().result_ms()]),
        Row(
            "quickjs-rs: context, run, result",
            "ms",
            QUICKJS_DOES,
            lambda: [peers.quickjs().result_ms()],
            BASE,
        ),
        Row(SANDLOCK, "ms", SANDLOCK_DOES, lambda: [sandlock_ms()], BASE),
        Row(LLM_SANDBOX, "ms", LLM_SANDBOX_DOES, lambda: [peers.llm_sandbox().result_ms()], BASE),
    ]
    script = Script("pass", "0", folder / "peer.js")
    rows += [
        Row(one.name, "ms", one.does, partial(_command, one, script), BASE) for one in COMMANDS
    ]
    return rows


def _ours(host: Ours, language: str, profile: str, way: str) -> list[float]:
    supervisor = host.supervisor(way)
    one = spell(language, SOURCES[language])

    async def request() -> float:
        await host.ready(way, one, profile)
        begun = time.perf_counter()
        result = await supervisor.run(one, profile=profile)
        spent = (time.perf_counter() - begun) * 1000
        value_of(result)
        came_by(result, way)
        return spent

    return [host.run(request())]


def _command(command: Command, script: Script) -> list[float]:
    return [command_ms(command.argv(script))]
