"""What size costs: 64 B to 8 MiB out in a call and back in another."""

from __future__ import annotations

from functools import partial
from typing import Final

from bench.echo import DOES as ECHO_DOES
from bench.echo import round_trips_us
from bench.ours import DOES, LANGUAGES, PROFILES, ROOMY, Ours, name_of, ours, spell, value_of
from bench.peers.monty import DOES as MONTY_DOES
from bench.peers.quickjs import DOES as QUICKJS_DOES
from bench.peers.warm import WarmPeers, warm_peers
from bench.place import own_place
from bench.rounds import Outcome, Row, Settings, interleave
from bench.timed_spells import PAYLOAD

TITLE = "Payload through a call and back"
ABOUT = """The spell writes so many characters into its scratch (a file in the supervisor's memory)
and reads them back: two calls, both checked, charged, judged and recorded, the bytes both ways
through the channel. The bare socket pair and the peers' host functions do it in one call, which
gives back what it got."""

SIZES: Final = {
    "64 B": 64,
    "1 KiB": 1 << 10,
    "16 KiB": 1 << 14,
    "256 KiB": 1 << 18,
    "1 MiB": 1 << 20,
    "8 MiB": 8 << 20,
}
MEMORY: Final = {**ROOMY, "memory": "512MiB", "scratch": "64MiB", "response_body": "64MiB"}
FEWER: Final = {"1 MiB": 5, "8 MiB": 10}
"""By how much fewer samples are taken of what takes seconds."""

ROUNDS: Final = 5


def measure(settings: Settings) -> Outcome:
    """Milliseconds there and back."""
    names = settings.pick(tuple(SIZES), 3)
    with own_place(), ours() as host, warm_peers() as peers:
        found = Outcome(())
        for name in names:
            per_round = settings.rounds(ROUNDS)
            times = max(1, per_round // FEWER.get(name, 1))
            found += interleave(
                _rows(settings, host, peers, name, times), min(ROUNDS, settings.runs)
            )
    return found


def _rows(settings: Settings, host: Ours, peers: WarmPeers, name: str, times: int) -> list[Row]:
    size, base = SIZES[name], f"{name}: bare socket pair, JSON"
    rows = [Row(base, "ms", ECHO_DOES, lambda: [one / 1000 for one in round_trips_us(times, size)])]
    rows += [
        Row(
            f"{name}: {name_of(language, profile)}",
            "ms",
            DOES,
            partial(_ours, host, language, profile, size, times),
            base,
        )
        for profile in PROFILES
        for language in settings.pick(LANGUAGES, 1)
    ]
    rows += [
        Row(
            f"{name}: pydantic-monty, host function",
            "ms",
            MONTY_DOES,
            lambda: peers.monty().payload_ms(size, times),
            base,
        ),
        Row(
            f"{name}: quickjs-rs, host function",
            "ms",
            QUICKJS_DOES,
            lambda: peers.quickjs().payload_ms(size, times),
            base,
        ),
    ]
    return rows


def _ours(host: Ours, language: str, profile: str, size: int, times: int) -> list[float]:
    one = spell(language, PAYLOAD[language])
    params = {"size": size, "times": times}
    run = host.supervisor("exec").run(one, profile=profile, limits=MEMORY, params=params)
    return [float(value) for value in value_of(host.run(run))]
