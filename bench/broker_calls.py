"""A brokered call: its round trip, its processor time, and how many fit in a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from bench import call_latency, call_throughput
from bench.figures import Figure
from bench.place import own_place
from bench.rounds import LeftOut, Outcome, Settings

TITLE = "A brokered call"
ABOUT = """Every call is checked against the API, charged to the budget, judged, recorded and
answered. *Round trip*: what a spell waits, by its own clock, for `fs.exists` on its scratch.
*Pinned*, *unpinned*: a bare client calling in a row, beside a bare epoll loop in the same round,
both ends each on its own core, both on one, or free (`bench/calls.py`, which also gives the paired
ratios). *A step alone*: many times in a row, without a worker (`bench/steps.py`). *Calls by
processor*: what one supervisor on asyncio serves per second of its own processor time, all workers
calling without a pause."""

FOLDER: Final = Path(__file__).parent
CALLS: Final = 2_000
"""Calls of one client in a row."""


class Program(NamedTuple):
    """A program of `bench/` that stands alone, pins its own process and prints figures."""

    file: str
    label: str
    words: tuple[str, ...] = ()


PINS: Final = (
    Program("calls.py", "unpinned"),
    Program("calls.py", "pinned to one core", ("--pin", "same")),
    Program("calls.py", "pinned apart", ("--pin", "apart")),
)
STEPS: Final = Program("steps.py", "a step alone")


def measure(settings: Settings) -> Outcome:
    """Microseconds a call, and calls per second."""
    calls = CALLS // 20 if settings.quick else CALLS
    rounds = ("--rounds", str(settings.rounds(10)))
    with own_place():
        found = call_latency.measure(settings)
        for program in settings.pick(PINS, 1):
            found += _run(program, "--calls", str(calls), *rounds)
        found += _run(STEPS, "--calls", str(calls))
    return found + call_throughput.measure(settings)


def _run(program: Program, *words: str) -> Outcome:
    path = FOLDER / program.file
    if not path.exists():
        return Outcome((), (LeftOut(program.label, f"there is no bench/{program.file} yet"),))
    argv = [sys.executable, str(path), "--json", *words, *program.words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        why = " ".join(done.stderr.split())[-200:]
        return Outcome((), (LeftOut(f"{program.file}, {program.label}", why),))
    figures = (
        Figure(f"{name} ({program.label})", summary["unit"], (), _does(name), known=summary)
        for name, summary in json.loads(done.stdout).items()
    )
    return Outcome(tuple(figures))


def _does(name: str) -> str:
    if name.startswith("bare"):
        return call_latency.ECHO_DOES
    return "policy and budget on every call, audited; the client is bare"
