"""Calls per CPU-second of one supervisor that serves many workers on one asyncio loop.

    python bench/crowd.py [--workers 50] [--calls 400] [--loop asyncio|uvloop] [--json]

Every step is on: decode, schema, budget, verdict, act, audit, mask, reply. The clients are the bare
processes of `bench/calls.py`, each with a session of its own; CPU is the supervisor's alone. The
steps' own costs, sans-IO and with warm caches, are in `bench/steps.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.calls import CLIENT, METHODS, Nowhere, params
from bench.figures import Figure, show
from llmspell import platform
from llmspell.channel.states import Role
from llmspell.spells.spell import Spell
from llmspell.supervisor.crew import Crew
from llmspell.supervisor.drivers.aio import AsyncDriver
from llmspell.supervisor.peers import MAIN
from llmspell.supervisor.prepare import Prepared, RunOptions, prepare
from llmspell.supervisor.session import Session


def prepared_for(calls: int, method: str, args: dict[str, Any]) -> Prepared:
    """One client's session, ready to start."""
    options = RunOptions(
        profile="high",
        grants=(("read", "file.txt"),),
        limits={"calls": "1000000", "wall": "300s", "cpu": "300s"},
        params=params(calls, method, args, None),
        stdin=None,
    )
    return prepare(Spell.from_source("return 1", "lua"), options)


def launch(role: Role, ours: Any, theirs: int) -> platform.Process:
    """Starts the client in a worker's place."""
    return platform.spawn(CLIENT, channel=theirs)


async def serve(workers: int, calls: int, method: str, args: dict[str, Any]) -> tuple[float, float]:
    """Calls per CPU-second, and per second, of all workers together."""
    everyone = [prepared_for(calls, method, args) for _ in range(workers)]
    crews = [Crew(launch) for _ in everyone]
    for crew in crews:
        crew.start(MAIN, Role.SPELL)
    # Until every client has said hello its start would be counted too.
    await asyncio.sleep(0.05 * workers)
    sessions = [Session(prepared.plan, time.monotonic()) for prepared in everyone]
    drivers = [
        AsyncDriver(session, crew, Nowhere()) for session, crew in zip(sessions, crews, strict=True)
    ]
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(driver.drive() for driver in drivers))
    spent = time.process_time() - cpu, time.perf_counter() - wall
    for prepared, session in zip(everyone, sessions, strict=True):
        prepared.close()
        if session.result is None or not session.result.ok:
            raise SystemExit(f"a run did not end well: {session.result}")
    return workers * calls / spent[0], workers * calls / spent[1]


def run(name: str, main: Coroutine[Any, Any, tuple[float, float]]) -> tuple[float, float]:
    """Runs `main` on the loop of this name."""
    if name == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)
    return asyncio.run(main)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        os.chdir(folder)
        Path("file.txt").write_text("x")
        for _ in range(chosen.rounds):
            for name, (method, args) in METHODS.items():
                by_cpu, by_wall = run(
                    chosen.loop, serve(chosen.workers, chosen.calls, method, args)
                )
                found.setdefault(f"{name}: {chosen.loop}", []).append(by_cpu)
                found.setdefault(f"{name}: {chosen.loop}, wall", []).append(by_wall)
        os.chdir("/")
    figures = [Figure(name, "calls a second", values) for name, values in found.items()]
    show(figures, figures[0].name, as_json=chosen.json)


if __name__ == "__main__":
    main()
