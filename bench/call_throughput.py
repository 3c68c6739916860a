"""Calls per second that one supervisor serves, with 1 to 200 workers calling without a pause."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.figures import Figure
from bench.ours import DOES, ROOMY, Ours, ours, spell
from bench.place import own_place
from bench.rounds import LeftOut, Outcome, Settings, Unavailable
from llmspell import Result

WORKERS: Final = (1, 10, 50, 200)
MARK: Final = 50
"""Calls that a worker makes between two marks of its progress."""

WINDOW: Final = 500
"""Calls of one sample."""

SPELL: Final = """
print("ready")
while not fs.exists(params.gate) do Async.sleep(200) end
for i = 1, params.offset do fs.exists("scratch:none") end
while true do
  for i = 1, params.mark do fs.exists("scratch:none") end
  print(".")
end
"""


def measure(settings: Settings) -> Outcome:
    """Calls per second of the supervisor's processor time, and of the clock."""
    found = Outcome(())
    for workers in settings.pick(WORKERS, 2):
        with own_place() as folder, ours() as host:
            try:
                found += _with(host, workers, settings, folder)
            except Unavailable as reason:
                found += Outcome((), (LeftOut(f"{workers} workers", str(reason)),))
    return found


def _with(host: Ours, workers: int, settings: Settings, folder: Path) -> Outcome:
    window = WINDOW // 5 if settings.quick else WINDOW
    seen = host.run(_Flood(host, workers, folder, window).windows(settings.runs))
    name = f"{workers} high Lua worker{'s' if workers > 1 else ''}"
    does = f"{DOES}; fs.exists on the scratch"
    per_cpu = Figure(f"calls by processor: {name}", "calls/CPU-s", [one[0] for one in seen], does)
    per_second = Figure(f"calls by the clock: {name}", "calls/s", [one[1] for one in seen], does)
    return Outcome((per_cpu, per_second))


class _Flood:
    """So many workers behind a gate; what they print tells how far they are."""

    def __init__(self, host: Ours, workers: int, folder: Path, window: int) -> None:
        self._supervisor = host.supervisor("exec")
        self._workers = workers
        self._gate = folder / "gate"
        self._window = window
        self._ready = 0
        self._going: set[int] = set()
        self._marks = 0

    def _heard(self, number: int, text: str) -> None:
        if "ready" in text:
            self._ready += 1
        marks = text.count(".")
        if marks:
            self._going.add(number)
            self._marks += marks

    async def windows(self, count: int) -> list[tuple[float, float]]:
        """So many windows while all are calling: calls by CPU second and by second."""
        one = spell("lua", SPELL)
        tasks = [
            asyncio.ensure_future(
                self._supervisor.run(
                    one,
                    profile="high",
                    grants=[f"read:{self._gate.name}"],
                    limits={**ROOMY, "memory": "32MiB"},
                    params={
                        "gate": self._gate.name,
                        "mark": MARK,
                        # The marks of all come evenly, not all at once.
                        "offset": MARK * number // self._workers,
                    },
                    on_output=partial(self._heard, number),
                )
            )
            for number in range(self._workers)
        ]
        await self._until(lambda: self._ready == self._workers, tasks)
        self._gate.touch()
        await self._until(lambda: len(self._going) == self._workers, tasks)
        found = []
        for _ in range(count):
            marks, cpu, begun = self._marks, time.process_time(), time.perf_counter()
            await self._until(partial(self._reached, marks + self._window // MARK), tasks)
            calls = (self._marks - marks) * MARK
            found.append(
                (calls / (time.process_time() - cpu), calls / (time.perf_counter() - begun))
            )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return found

    def _reached(self, marks: int) -> bool:
        return self._marks >= marks

    async def _until(self, reached: Callable[[], bool], tasks: list[asyncio.Task[Result]]) -> None:
        while not reached():
            for task in tasks:
                if task.done():
                    raise Unavailable(f"a worker ended early: {task.result()}")
            await asyncio.sleep(0.002)
