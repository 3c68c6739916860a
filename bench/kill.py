"""From the decision to end a run until every process of it is reaped."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path

from bench.ours import DOES, LANGUAGES, PROFILES, ROOMY, Ours, name_of, ours, spell
from bench.peers.commands import BARE_PYTHON, BWRAP, DENO, GVISOR, NODE, Command, Script
from bench.place import own_place
from bench.processes import descendants, end_tree, spoken
from bench.rounds import Outcome, Row, Settings, Unavailable, interleave

TITLE = "Kill: decision to tree reaped"
ABOUT = """The spell turns in an endless loop. For llmspell the decision is the cancelling of the
task that awaits the run, and the end is when that task ends: by then the tree is killed and reaped,
and the audit trail closed and on the disk; the benchmark then looks that no process of it is left.
For the peers: SIGKILL to the whole tree of a command in the same loop, until its root is reaped."""

BASE = BARE_PYTHON.name
SOURCES = {
    "lua": 'print("x") while true do end',
    "javascript": 'console.log("x"); while (true) {}',
    "python": 'print("x")\nwhile True:\n    pass\n',
}
WAYS = ("exec", "forked")


def measure(settings: Settings) -> Outcome:
    """Milliseconds a kill."""
    with own_place() as folder, ours() as host:
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
        rows += _peers(folder)
        return interleave(rows, settings.runs)


def _peers(folder: Path) -> list[Row]:
    script = Script(
        'print("x", flush=True)\nwhile True: pass',
        'console.log("x"); while (true) {}',
        folder / "peer.js",
    )
    return [
        Row(one.name, "ms", one.does, partial(_command, one, script), BASE)
        for one in (BARE_PYTHON, NODE, DENO, BWRAP, GVISOR)
    ]


def _ours(host: Ours, language: str, profile: str, way: str) -> list[float]:
    supervisor = host.supervisor(way)
    one = spell(language, SOURCES[language])

    async def kill() -> float:
        await host.ready(way, one, profile, ROOMY)
        before = set(descendants(os.getpid()))
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            supervisor.run(one, profile=profile, limits=ROOMY, on_output=lambda text: begun.set())
        )
        speaking = asyncio.ensure_future(begun.wait())
        await asyncio.wait({task, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.is_set():
            speaking.cancel()
            raise Unavailable(f"the run ended before it was killed: {task.result().reason}")
        tree = set(descendants(os.getpid())) - before
        decided = time.perf_counter()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        spent = (time.perf_counter() - decided) * 1000
        left = tree & set(descendants(os.getpid()))
        if left:
            raise RuntimeError(f"processes are left after the kill: {left}")
        return spent

    return [host.run(kill())]


def _command(command: Command, script: Script) -> list[float]:
    with spoken(command.argv(script)) as pid:
        below = descendants(pid)
        decided = time.perf_counter()
        end_tree(pid, below)
        return [(time.perf_counter() - decided) * 1000]
