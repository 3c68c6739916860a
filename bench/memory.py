"""What a live worker holds: PSS (shared pages divided among their holders) and USS (its own)."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from functools import partial
from typing import Final

from bench.figures import Figure
from bench.ours import DOES, LANGUAGES, PROFILES, ROOMY, Ours, name_of, ours, spell, value_of
from bench.peers.commands import BARE_PYTHON, BWRAP, DENO, NODE, Command, Script
from bench.peers.monty import DOES as MONTY_DOES
from bench.peers.monty import Monty
from bench.place import own_place
from bench.processes import MIB, descendants, end_tree, memory_of, spoken, trees
from bench.rounds import LeftOut, Outcome, Settings, Unavailable

TITLE = "Memory of a live worker"
ABOUT = """Workers of one supervisor are started together and then read, each with every process of
its tree: the worker, and the process 1 of its own that waits for it. *Idle*: at its first
statement. *Working*: it holds ten thousand little records. Pages are shared among as many workers
as there were at once. Read by root from `/proc/PID/smaps_rollup`."""

WAYS: Final = ("exec", "forked")
TOGETHER: Final = 10
IDLE: Final = {
    "lua": 'print("ready") Async.sleep(600000)',
    "javascript": 'console.log("ready"); await Async.sleep(600000);',
    "python": 'print("ready")\nawait Async.sleep(600000)\n',
}
WORKING: Final = {
    "lua": 'local t = {} for i = 1, 10000 do t[i] = { id = i, name = "n" .. i } end '
    'print("ready") Async.sleep(600000) return #t',
    "javascript": "const t = []; for (let i = 0; i < 10000; i++) t.push({id: i, name: `n${i}`});"
    'console.log("ready"); await Async.sleep(600000); return t.length;',
    "python": 't = [{"id": i, "name": f"n{i}"} for i in range(10000)]\n'
    'print("ready")\nawait Async.sleep(600000)\nlen(t)\n',
}


def measure(settings: Settings) -> Outcome:
    """MiB a worker."""
    together = 2 if settings.quick else TOGETHER
    samples: dict[str, list[tuple[float, float]]] = {}
    does: dict[str, str] = {}
    left_out: dict[str, str] = {}
    with own_place() as folder, ours() as host:
        sources = (("idle", IDLE), ("working", WORKING))
        takes = {
            f"{what}: {name_of(language, profile, way)}": (
                partial(_ours, host, language, source[language], profile, way, together),
                DOES,
            )
            for what, source in settings.pick(sources, 1)
            for way in WAYS
            for profile in PROFILES
            for language in settings.pick(LANGUAGES, 1)
        }
        script = Script(
            'print("ready", flush=True)\nimport time; time.sleep(600)',
            'console.log("ready"); setTimeout(() => {}, 600000)',
            folder / "peer.js",
        )
        for one in (BARE_PYTHON, NODE, DENO, BWRAP):
            takes[f"idle: {one.name}"] = (partial(_commands, one, script, together), one.does)
        takes["idle: pydantic-monty worker"] = (partial(_monty, together), MONTY_DOES)
        for _ in range(settings.rounds(together)):
            for name, (take, said) in takes.items():
                if name in left_out:
                    continue
                try:
                    samples.setdefault(name, []).extend(take())
                    does[name] = said
                except Unavailable as reason:
                    left_out[name] = str(reason)
    figures = [
        Figure(f"{name}: {kind}", "MiB", [one[number] for one in values], does[name])
        for number, kind in enumerate(("PSS", "USS"))
        for name, values in samples.items()
        if values
    ]
    return Outcome(tuple(figures), tuple(LeftOut(*one) for one in left_out.items()))


def _ours(
    host: Ours, language: str, source: str, profile: str, way: str, together: int
) -> list[tuple[float, float]]:
    supervisor = host.supervisor(way)
    one = spell(language, source)

    async def live() -> list[tuple[float, float]]:
        await host.ready(way, one, profile, ROOMY)
        before = set(descendants(os.getpid()))
        ready: list[str] = []
        tasks = [
            asyncio.ensure_future(
                supervisor.run(one, profile=profile, limits=ROOMY, on_output=ready.append)
            )
            for _ in range(together)
        ]
        try:
            while len(ready) < together:
                await asyncio.sleep(0.005)
                for task in tasks:
                    if task.done():
                        value_of(task.result())
                        raise RuntimeError("a worker that should wait has ended")
            new = [pid for pid in descendants(os.getpid()) if pid not in before]
            grouped = trees(new)
            if len(grouped) != together:
                raise RuntimeError(f"{together} workers, but {len(grouped)} new trees of processes")
            return [_mib(tree) for tree in grouped]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return host.run(live())


def _mib(pids: list[int]) -> tuple[float, float]:
    memory = memory_of(pids)
    return memory.pss / MIB, memory.uss / MIB


def _commands(command: Command, script: Script, together: int) -> list[tuple[float, float]]:
    with ExitStack() as stack:
        pids = []
        for _ in range(together):
            pids.append(stack.enter_context(spoken(command.argv(script))))
            stack.callback(end_tree, pids[-1])
        return [_mib([pid, *descendants(pid)]) for pid in pids]


def _monty(together: int) -> list[tuple[float, float]]:
    pool = Monty(together)
    try:
        return [_mib([pid]) for pid in pool.pids]
    finally:
        pool.close()
