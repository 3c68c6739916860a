"""Speed of each language's wasm guest (`high`) against its native engine (`medium`)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.ours import DOES, LANGUAGES, ROOMY, SHORT, Ours, ours, spell, value_of
from bench.peers.monty import DOES as MONTY_DOES
from bench.peers.quickjs import DOES as QUICKJS_DOES
from bench.peers.warm import WarmPeers, warm_peers
from bench.place import own_place
from bench.rounds import Outcome, Row, Settings, interleave
from bench.scripts import BODIES, function, timed

TITLE = "Engine speed: guests against native engines"
ABOUT = """One execution of a script, timed inside the spell by its language's clock; no call
leaves the worker. `high` is the wasm guest, `medium` the native engine of the same language (Lua
5.4, QuickJS, CPython). A thousand executions of each script in each engine, ten rounds of a
hundred in turn (BEN-005, BEN-008). CPython in the benchmark's own process, pydantic-monty and
quickjs-rs run the same script once per sample in a session or context of its own, parsed each
time; a script beyond monty's subset is left out."""

ROUNDS = 10
PER_RUN = 20
"""Executions for each asked sample: fifty samples are the thousand executions of BEN-008."""


def measure(settings: Settings) -> Outcome:
    """Milliseconds an execution."""
    names = settings.pick(tuple(BODIES), 2)
    rounds = 1 if settings.quick else ROUNDS
    times = settings.runs if settings.quick else settings.runs * PER_RUN // rounds
    with own_place(), ours() as host, warm_peers() as peers:
        rows = [row for name in names for row in _rows(host, peers, name, times, settings)]
        return interleave(rows, rounds)


def _rows(host: Ours, peers: WarmPeers, name: str, times: int, settings: Settings) -> list[Row]:
    rows = []
    for language in settings.pick(LANGUAGES, 2):
        base = _name(name, language, "native, medium")
        for told, profile in (("native, medium", "medium"), ("wasm, high", "high")):
            one = _name(name, language, told)
            rows.append(
                Row(one, "ms", DOES, partial(_ours, host, language, name, profile, times), base)
            )
    body = BODIES[name]
    few = max(1, times // PER_RUN)
    script = f"(() => {{ {body['javascript']} }})()"
    rows += [
        Row(_name(name, "javascript", "quickjs-rs"), "ms", QUICKJS_DOES,
            lambda: [peers.quickjs().script_ms(script) for _ in range(few)],
            _name(name, "javascript", "native, medium")),
        Row(_name(name, "python", "CPython of the benchmark"), "ms", "not confined",
            partial(_bare, name, times), _name(name, "python", "native, medium")),
        Row(_name(name, "python", "pydantic-monty"), "ms", MONTY_DOES,
            lambda: [peers.monty().script_ms(_monty(body["python"])) for _ in range(few)],
            _name(name, "python", "native, medium")),
    ]  # fmt: skip
    return rows


def _name(script: str, language: str, told: str) -> str:
    return f"{script}, {SHORT[language]}: {told}"


def _ours(host: Ours, language: str, name: str, profile: str, times: int) -> list[float]:
    one = spell(language, timed(language, name))
    limits = {**ROOMY, "memory": "256MiB"}
    run = host.supervisor("exec").run(one, profile=profile, limits=limits, params={"times": times})
    return [float(value) for value in value_of(host.run(run))]


def _bare(name: str, times: int) -> list[float]:
    room: dict[str, Any] = {"json": json}
    exec(function(BODIES[name]["python"]), room)  # our own text, above
    work: Callable[[], int] = room["work"]
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append((time.perf_counter() - begun) * 1000)
    return spent


def _monty(body: str) -> str:
    return f"import json\n{function(body)}work()"
