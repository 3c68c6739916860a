"""Every benchmark by its name; a benchmark is a module with TITLE, ABOUT and `measure`."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from bench.rounds import Outcome, Settings


class Benchmark(Protocol):
    """What such a module has."""

    TITLE: str
    ABOUT: str

    def measure(self, settings: Settings) -> Outcome:
        """Runs it."""


NAMES = {
    "start": "cold command of a one-line spell, beside bare and wrapped interpreters",
    "warm": "request to result in a warm session",
    "handout": "request to first statement in a warm session",
    "calls": "a brokered call: latency, CPU, throughput with 1 to 200 workers",
    "payload": "64 B to 8 MiB through a call and back",
    "engines": "speed of each guest against its native engine",
    "memory": "PSS and USS of an idle and of a working worker",
    "density": "200 live workers, a tenth of them active",
    "throughput": "confined spells started and ended per second",
    "kill": "kill decision to tree reaped",
    "policy": "a decision alone: path, host, tool",
    "audit": "a record, and verifying a trail",
    "services": "events, agents, hooks, tools of a spell's own, workflows, kept values",
    "tools": "tools under a pool of 3 and of 10, queue of 100",
}
MODULES = {"calls": "bench.broker_calls", "throughput": "bench.started"}
"""Where the module's name is not the benchmark's: `bench/calls.py` is a program of its own."""


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name. Raises `KeyError`."""
    if name not in NAMES:
        raise KeyError(name)
    return cast(Benchmark, import_module(MODULES.get(name, f"bench.{name}")))
