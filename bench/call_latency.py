"""The round trip of one call as the worker sees it."""

from __future__ import annotations

from functools import partial

from bench.echo import DOES as ECHO_DOES
from bench.echo import round_trips_us
from bench.ours import DOES, LANGUAGES, PROFILES, ROOMY, Ours, name_of, ours, spell, value_of
from bench.peers.monty import DOES as MONTY_DOES
from bench.peers.quickjs import DOES as QUICKJS_DOES
from bench.peers.warm import warm_peers
from bench.rounds import Outcome, Row, Settings, interleave
from bench.timed_spells import CALLS

__all__ = ["ECHO_DOES", "measure"]

ECHO = "round trip: bare socket pair, JSON both ways"
PER_ROUND = 200


def measure(settings: Settings) -> Outcome:
    """Microseconds a call; at least twenty times the asked samples, for the tail's sake."""
    times = 20 if settings.quick else PER_ROUND
    with ours() as host, warm_peers() as peers:
        rows = [Row(ECHO, "µs", ECHO_DOES, lambda: round_trips_us(times))]
        rows += [
            Row(
                f"round trip: {name_of(language, profile)}",
                "µs",
                DOES,
                partial(_ours, host, language, profile, times),
                ECHO,
            )
            for profile in PROFILES
            for language in settings.pick(LANGUAGES, 1)
        ]
        rows += [
            Row(
                "round trip: pydantic-monty, host function",
                "µs",
                MONTY_DOES,
                lambda: peers.monty().call_us(times),
                ECHO,
            ),
            Row(
                "round trip: quickjs-rs, host function",
                "µs",
                QUICKJS_DOES,
                lambda: peers.quickjs().call_us(times),
                ECHO,
            ),
        ]
        return interleave(rows, settings.rounds(10))


def _ours(host: Ours, language: str, profile: str, times: int) -> list[float]:
    one = spell(language, CALLS[language])
    run = host.supervisor("exec").run(one, profile=profile, limits=ROOMY, params={"times": times})
    return [float(value) for value in value_of(host.run(run))]
