"""Runs a spell with another program in the worker's place; the rest of the supervisor is real.

`impostor.py JSON` with {argv: [..], profile, driver, limits, start}; prints the result as JSON.
With start "fork" the program is the zygote, and what attacks is a fork of it (see in_place.h).
In argv `@plan` stands for "wasm" or "native", `@lib` for the shipped libconfine.so, `@engine` for
the engine, `@supervisor` for this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import llmspell
from llmspell.supervisor import worker


def put_in_place(argv: list[str], engine: str, confined: bool) -> None:
    """From now on every worker is `argv`, with the plan that the real one would get."""
    real = worker.describe

    def describe(*given: Any) -> worker.Start:
        start = real(*given)
        native = start.argv[0].endswith("llmspell-launch")
        names = {
            "@plan": "native" if native else "wasm",
            "@lib": f"{worker.BUILT}/libconfine.so",
            "@engine": engine,
            "@supervisor": str(os.getpid()),
        }
        words = [names.get(word, word) for word in argv]
        if native and confined:
            words = [start.argv[0], *words]
        return start._replace(argv=tuple(words))

    worker.describe = describe  # type: ignore[assignment]


def put_in_zygotes_place(argv: list[str], engine: str) -> None:
    """From now on every zygote is `argv`, with the plan that the real one would get."""
    real = worker.describe_zygote

    def describe(kind: worker.ZygoteKind) -> worker.Start:
        start = real(kind)
        native = start.argv[0].endswith("llmspell-launch")
        names = {
            "@plan": "zygote" if native else "wasm-zygote",
            "@lib": f"{worker.BUILT}/libconfine.so",
            "@engine": engine,
            "@supervisor": str(os.getpid()),
        }
        words = [names.get(word, word) for word in argv]
        return start._replace(argv=tuple([start.argv[0], *words] if native else words))

    worker.describe_zygote = describe


async def run_forked(spell: llmspell.Spell, **chosen: Any) -> llmspell.Result:
    """The run in a fork of a zygote that waits for it; fails where it was not forked."""
    async with llmspell.Supervisor(spares=0) as supervisor:
        chosen_for = {"profile": chosen["profile"], "limits": chosen["limits"]}
        assert await supervisor.warm(spell, **chosen_for), "no zygote"
        return await supervisor.run(spell, **chosen)


def main() -> None:
    order = json.loads(sys.argv[1])
    spell = llmspell.Spell.from_source("return 1", language=order.get("language", "lua"))
    forks = order.get("start") == "fork"
    if forks:
        put_in_zygotes_place(order["argv"], spell.engine)
    else:
        put_in_place(order["argv"], spell.engine, order.get("confined", True))
    chosen: dict[str, Any] = {
        "profile": order.get("profile", "high"),
        "limits": order.get("limits", {"wall": "10s"}),
        "grants": order.get("grants", ()),
        "audit": order.get("audit"),
    }

    async def run() -> llmspell.Result:
        async with llmspell.Supervisor() as supervisor:
            return await supervisor.run(spell, **chosen)

    before = len(os.listdir("/proc/self/fd"))
    begun = time.monotonic()
    if forks:
        result = asyncio.run(run_forked(spell, **chosen))
    elif order.get("driver") == "asyncio":
        result = asyncio.run(run())
    else:
        result = llmspell.run(spell, **chosen)
    seconds = time.monotonic() - begun
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    after = len(os.listdir("/proc/self/fd"))
    found = result.to_json() | {"leaked": after - before, "seconds": seconds, "peak_mib": peak}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
