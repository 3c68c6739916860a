"""Many short runs in one supervisor, half of them killed; prints what is left of them as JSON.

`short_runs.py COUNT`: after a few runs to warm up, and again after COUNT more, it counts its own
descriptors, children (zombies among them) and resident memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import llmspell

AT_ONCE = 4
FOREVER = "while true do end"


def left() -> dict[str, int]:
    """What this process has just now."""
    children = [
        int(word)
        for task in Path("/proc/self/task").iterdir()
        for word in (task / "children").read_text().split()
    ]
    states = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in children
    ]
    status = Path("/proc/self/status").read_text()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "children": len(children),
        "zombies": states.count("Z"),
        "resident_kib": int(status.partition("VmRSS:")[2].split()[0]),
        "tasks": len(asyncio.all_tasks()),
    }


async def main(count: int) -> dict[str, Any]:
    statuses: list[str] = []
    turn = asyncio.Semaphore(AT_ONCE)
    async with llmspell.Supervisor(spares=0) as supervisor:

        async def one(number: int) -> None:
            killed = number % 2
            profile = ("low", "medium", "high", "none")[number // 2 % 4]
            spell = llmspell.Spell.from_source(FOREVER if killed else "return 1", language="lua")
            async with turn:
                limits = {"wall": "60ms" if killed else "20s"}
                result = await supervisor.run(spell, profile=profile, limits=limits)
            statuses.append(result.status.value)

        await asyncio.gather(*map(one, range(16)))
        before = left()
        await asyncio.gather(*map(one, range(count)))
        after = left()
    return {"before": before, "after": after, "closed": left(), "ended": len(statuses),
            "killed": statuses.count("limit"), "done": statuses.count("done")}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
