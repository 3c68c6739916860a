"""Confined spells started and ended per second, eight in flight."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Final

from bench.figures import Figure
from bench.ours import DOES, LANGUAGES, PROFILES, Ours, came_by, name_of, ours, spell, value_of
from bench.place import own_place
from bench.rounds import LeftOut, Outcome, Settings, Unavailable
from llmspell import Result

TITLE = "Spells per second"
ABOUT = """Eight requests are always under way in one supervisor; each is a new confined worker, a
one-line spell, its result, its trail closed and synced, its process reaped. A sample is the rate
over two dozen ends in a row, between start-up and drain. `spare`: as many workers wait as requests
are under way, so that no request waits for a fork."""

WAYS: Final = ("exec", "forked", "spare")

IN_FLIGHT: Final = 8
WINDOW: Final = 24
"""Ends of one sample."""

ROUNDS: Final = 2
SOURCES: Final = {"lua": "return 1", "javascript": "return 1", "python": "1"}


def measure(settings: Settings) -> Outcome:
    """Spells per second."""
    rates: dict[str, list[float]] = {}
    left_out: dict[str, str] = {}
    rows = [
        (name_of(language, profile, way), (language, profile, way))
        for way in WAYS
        for profile in PROFILES
        for language in settings.pick(LANGUAGES, 1)
    ]
    rounds = 1 if settings.quick else ROUNDS
    with own_place(), ours() as host:
        for _ in range(rounds):
            for name, what in rows:
                if name not in left_out:
                    try:
                        windows = settings.rounds(rounds)
                        rates.setdefault(name, []).extend(_rates(host, what, windows))
                    except Unavailable as reason:
                        left_out[name] = str(reason)
    figures = [Figure(name, "spells/s", found, DOES) for name, found in rates.items() if found]
    return Outcome(tuple(figures), tuple(LeftOut(*one) for one in left_out.items()))


def _rates(host: Ours, what: tuple[str, str, str], windows: int) -> list[float]:
    language, profile, way = what
    supervisor = host.supervisor(way)
    one = spell(language, SOURCES[language])
    ends: list[float] = []
    last: list[Result] = []
    enough = IN_FLIGHT + WINDOW * windows + 1

    async def slot() -> None:
        while len(ends) < enough:
            result = await supervisor.run(one, profile=profile)
            value_of(result)
            last[:] = [result]
            ends.append(time.perf_counter())

    async def all_slots() -> None:
        await host.ready(way, one, profile)
        await asyncio.gather(*(slot() for _ in range(IN_FLIGHT)))

    host.run(all_slots())
    if way == "forked":
        came_by(last[0], way)
    marks = ends[IN_FLIGHT:enough:WINDOW]
    return [WINDOW / (b - a) for a, b in pairwise(marks)]
