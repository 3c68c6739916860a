"""A brokered call: its round trip, its processor time, and how many fit in a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench import call_latency, call_throughput
from bench.figures import Figure
from bench.place import own_place
from bench.rounds import LeftOut, Outcome, Settings

TITLE = "A brokered call"
ABOUT = """Every call is checked against the API, charged to the budget, judged, recorded and
answered. *Round trip*: what a spell waits, by its own clock, for `fs.exists` on its scratch.
*Pinned*, *unpinned*: a bare client calling in a row, beside a bare epoll loop in the same round,
both ends each on its own core, both on one, or free (`bench/calls.py`, which also gives the paired
ratios). *Calls by processor*: what one supervisor on asyncio serves per second of its own
processor time, all workers calling without a pause."""

PROGRAM: Final = Path(__file__).with_name("calls.py")
PINS: Final = {"unpinned": [], "pinned to one core": ["same"], "pinned apart": ["apart"]}
CALLS: Final = 2_000
"""Calls of one client in a row."""


def measure(settings: Settings) -> Outcome:
    """Microseconds a call, and calls per second."""
    with own_place():
        found = call_latency.measure(settings)
        for pin in settings.pick(tuple(PINS), 1):
            found += _program(settings, pin)
    return found + call_throughput.measure(settings)


def _program(settings: Settings, pin: str) -> Outcome:
    """The figures of `bench/calls.py`, which is run as it is: it pins its own process."""
    calls = CALLS // 20 if settings.quick else CALLS
    words = [sys.executable, str(PROGRAM), "--json", "--calls", str(calls)]
    words += ["--rounds", str(settings.rounds(10))]
    if PINS[pin]:
        words += ["--pin", *PINS[pin]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return Outcome((), (LeftOut(f"{PROGRAM.name}, {pin}", done.stderr.strip()[-200:]),))
    figures = (
        Figure(f"{name} ({pin})", summary["unit"], (), _does(name), known=summary)
        for name, summary in json.loads(done.stdout).items()
    )
    return Outcome(tuple(figures))


def _does(name: str) -> str:
    if name.startswith("bare"):
        return call_latency.ECHO_DOES
    return "policy and budget on every call, audited; the client is bare"
