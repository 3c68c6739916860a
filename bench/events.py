"""A part of `bench/services.py`: events and kept values inside one session."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bench.ours import DOES, LANGUAGES, PROFILES, ROOMY, Ours, name_of, ours, spell, value_of
from bench.place import own_place
from bench.rounds import Outcome, Row, Settings, interleave

SEEDS: Final = 10_000
"""Events a second that the seeds ask for (EVT-021)."""

EVENTS: Final[Mapping[str, str]] = {
    "lua": """
local seen = 0
Events.subscribe("tick", { filter = function(event) return event.n % 2 == 0 end,
  handler = function(event) seen = seen + event.n end })
local begun = os.clock()
for n = 1, params.times do Events.emit("tick", { n = n }) end
Events.flush()
assert(seen > 0)
return os.clock() - begun
""",
    "javascript": """
let seen = 0;
await Events.subscribe("tick", { filter: (event) => event.n % 2 === 0,
  handler: (event) => { seen += event.n; } });
const begun = performance.now();
for (let n = 1; n <= params.times; n++) await Events.emit("tick", { n });
await Events.flush();
if (seen === 0) throw new Error("nothing was heard");
return (performance.now() - begun) / 1000;
""",
    "python": """
import time
seen = []
await Events.subscribe("tick", lambda event: seen.append(event.n),
                       filter=lambda event: event.n % 2 == 0)
begun = time.perf_counter()
for n in range(params["times"]):
    Events.emit("tick", {"n": n})
await Events.flush()
assert seen
time.perf_counter() - begun
""",
}
"""`params.times` events; the seconds until the last was handled."""

VALUES: Final = """
local spent, options = {}, { scope = params.scope }
Storage.set("k", 0, options)
for i = 1, params.times do
  local begun = os.clock()
  Storage.set("k", { i }, options)
  assert(Storage.get("k", options)[1] == i)
  spent[i] = (os.clock() - begun) * 1e6
end
return spent
"""

ROUNDS: Final = 5


def measure(settings: Settings) -> Outcome:
    """Events a second, microseconds for a value kept and read."""
    return emitted(settings) + kept(settings)


def emitted(settings: Settings) -> Outcome:
    """Events a second, in each language at both profiles."""
    times = 1_000 if settings.quick else SEEDS
    with own_place(), ours() as host:
        rows = [
            Row(
                f"emit, filter, handle: {name_of(language, profile)}",
                "events/s",
                DOES,
                partial(_events, host, language, profile, times),
            )
            for profile in PROFILES
            for language in settings.pick(LANGUAGES, 1)
        ]
        return interleave(rows, min(ROUNDS, settings.runs))


def kept(settings: Settings) -> Outcome:
    """Microseconds of a `set` and a `get`."""
    with own_place(), ours() as host:
        rows = [
            Row(f"set and get, scope {scope}: Lua", "µs", DOES, partial(_values, host, scope, 200))
            for scope in ("run", "spell")
        ]
        return interleave(rows, min(ROUNDS, settings.runs))


def _events(host: Ours, language: str, profile: str, times: int) -> list[float]:
    one = spell(language, EVENTS[language])
    params = {"times": times}
    run = host.supervisor("exec").run(one, profile=profile, limits=ROOMY, params=params)
    return [times / float(value_of(host.run(run)))]


def _values(host: Ours, scope: str, times: int) -> list[float]:
    # Values outlive a run only where the spell has a file; here that is the benchmark's own folder.
    path = Path("values.lua")
    path.write_text(VALUES, encoding="utf-8")
    params = {"times": times, "scope": scope}
    run = host.supervisor("exec").run(path, profile="medium", limits=ROOMY, params=params)
    return [float(value) for value in value_of(host.run(run))]
