"""200 live workers, a tenth of them active: memory of all, and the tail of a call."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure
from bench.memory import IDLE
from bench.ours import DOES, ROOMY, Ours, name_of, ours, spell, value_of
from bench.place import own_place
from bench.processes import MIB, descendants, memory_of
from bench.rounds import LeftOut, Outcome, Settings, Unavailable

TITLE = "Density: 200 live workers"
ABOUT = """Nine tenths of the workers wait at their first statement; one tenth calls without a pause
(checked, charged, judged, recorded), all at the same time. *Memory*: PSS of everything, the
supervisor and its zygotes included, read while all are live and no call is under way. *Call*: the
round trip as each active worker measured it. *Start*: the time until all 200 were at their first
statement, started all at once."""

LIVE: Final = 200
ACTIVE_SHARE: Final = 10
CALLS: Final = 200
READINGS: Final = 5
WAYS: Final = ("exec", "forked")
LANGUAGES: Final = ("lua", "javascript")
ACTIVE: Final = {
    "lua": """
print("ready")
while not fs.exists(params.gate) do Async.sleep(100) end
local spent = {}
for i = 1, params.times do
  local begun = os.clock()
  fs.exists("scratch:none")
  spent[i] = (os.clock() - begun) * 1000
end
print("done")
return spent
""",
    "javascript": """
console.log("ready");
while (!await fs.exists(params.gate)) await Async.sleep(100);
const spent = [];
for (let i = 0; i < params.times; i++) {
  const begun = performance.now();
  await fs.exists("scratch:none");
  spent.push(performance.now() - begun);
}
return spent;
""",
}


def measure(settings: Settings) -> Outcome:
    """MiB of all, and milliseconds a call."""
    found = Outcome(())
    live = 20 if settings.quick else LIVE
    rows = [
        (language, profile, way)
        for way in WAYS
        for profile in ("medium", "high")
        for language in settings.pick(LANGUAGES, 1)
    ]
    for language, profile, way in rows:
        name = f"{live} × {name_of(language, profile, way)}"
        with own_place() as folder, ours() as host:
            try:
                found += _crowd(host, folder, name, live, (language, profile, way))
            except Unavailable as reason:
                found += Outcome((), (LeftOut(name, str(reason)),))
    return found


def _memory(name: str) -> Outcome:
    everything = [os.getpid(), *descendants(os.getpid())]
    try:
        held = [memory_of(everything).pss / MIB for _ in range(READINGS)]
    except Unavailable as reason:
        return Outcome((), (LeftOut(name, str(reason)),))
    return Outcome((Figure(name, "MiB", held, DOES),))


def _crowd(host: Ours, folder: Path, name: str, live: int, what: tuple[str, str, str]) -> Outcome:
    language, profile, way = what
    supervisor = host.supervisor(way)
    idle, active = spell(language, IDLE[language]), spell(language, ACTIVE[language])
    gate = folder / "gate"
    chosen: dict[str, Any] = {"profile": profile, "limits": {**ROOMY, "memory": "64MiB"}}
    if profile == "medium":
        chosen["limits"]["memory"] = "128MiB"

    async def crowd() -> Outcome:
        await host.ready(way, idle, profile, chosen["limits"])
        ready: list[str] = []
        begun = time.perf_counter()
        waiting = [
            asyncio.ensure_future(supervisor.run(idle, on_output=ready.append, **chosen))
            for _ in range(live - live // ACTIVE_SHARE)
        ]
        calling = [
            asyncio.ensure_future(
                supervisor.run(
                    active,
                    on_output=ready.append,
                    grants=["read:gate"],
                    params={"gate": "gate", "times": CALLS},
                    **chosen,
                )
            )
            for _ in range(live // ACTIVE_SHARE)
        ]
        try:
            while len(ready) < live:
                await asyncio.sleep(0.01)
                for task in (*waiting, *calling):
                    if task.done():
                        value_of(task.result())
                        raise RuntimeError("a worker that should wait has ended")
            started = time.perf_counter() - begun
            memory = _memory(f"memory of all: {name}")
            gate.touch()
            spent = [value_of(await task) for task in calling]
        finally:
            for task in (*waiting, *calling):
                task.cancel()
            await asyncio.gather(*waiting, *calling, return_exceptions=True)
        return memory + Outcome(
            (
                Figure(f"call: {name}", "ms", [one for each in spent for one in each], DOES),
                Figure(f"start of all: {name}", "s", [started], DOES),
            )
        )

    return host.run(crowd())
