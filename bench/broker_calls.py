"""A brokered call: its round trip, its processor time, and how many fit in a second."""

from __future__ import annotations

from bench import call_latency, call_throughput
from bench.calls import METHODS, bare, brokered
from bench.echo import DOES as ECHO_DOES
from bench.figures import Figure
from bench.place import own_place
from bench.rounds import Outcome, Settings

TITLE = "A brokered call"
ABOUT = """Every call is checked against the API, charged to the budget, judged, recorded and
answered. *Round trip*: what the spell waits, by its own clock. *cpu* and *wall*: one client calling
in a row, beside a bare epoll loop (`bench/calls.py`). *Calls by processor*: what one supervisor on
asyncio serves per second of its own processor time, all workers calling without a pause."""

CALLS = 2_000
"""Calls of one client in a row; one sample is their mean."""


def measure(settings: Settings) -> Outcome:
    """Microseconds a call, and calls per second."""
    with own_place() as folder:
        found = call_latency.measure(settings)
        (folder / "file.txt").write_text("x")
        found += _costs(settings)
    return found + call_throughput.measure(settings)


def _costs(settings: Settings) -> Outcome:
    """The pieces of `bench/calls.py`, in turn; each gives processor and wall time a call."""
    calls = CALLS // 20 if settings.quick else CALLS
    bare_name = "bare epoll broker"
    spent: dict[str, list[tuple[float, float]]] = {bare_name: [], **{name: [] for name in METHODS}}
    for _ in range(settings.rounds(10)):
        spent[bare_name].append(bare(calls))
        for name, (method, args) in METHODS.items():
            spent[name].append(brokered(calls, method, args))
    figures = [
        Figure(
            f"{kind}: {name}",
            "µs",
            [one[number] for one in values],
            ECHO_DOES if name == bare_name else "policy and budget on every call, audited",
            f"{kind}: {bare_name}",
        )
        for number, kind in enumerate(("cpu", "wall"))
        for name, values in spent.items()
    ]
    return Outcome(tuple(figures))
