"""pydantic-monty: a Python subset in a pool of worker processes, not confined by the kernel."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from typing import Any

from bench.peers import package
from bench.processes import descendants

NAME = "pydantic-monty"
DOES = "a Python subset in a pooled process; no kernel confinement, no policy, no audit"


class Monty:
    """A warm pool of so many workers; `pids` are theirs."""

    def __init__(self, workers: int = 1) -> None:
        before = set(descendants(os.getpid()))
        self._pool: Any = package("pydantic_monty").Monty(
            min_processes=workers, max_processes=workers
        )
        self._pool.__enter__()
        self.pids = sorted(set(descendants(os.getpid())) - before)

    def close(self) -> None:
        """Ends the pool."""
        self._pool.__exit__(None, None, None)

    def result_ms(self) -> float:
        """Checkout, one line run, its result, back to the pool."""
        begun = time.perf_counter()
        with self._pool.checkout() as session:
            value = session.feed_run("1")
            spent = time.perf_counter() - begun
        assert value == 1
        return spent * 1000

    def first_statement_ms(self) -> float:
        """From the checkout until the first statement has called a function of the host's."""
        came: list[float] = []
        begun = time.perf_counter()
        with self._pool.checkout() as session:
            session.feed_run("f()", external_lookup={"f": lambda: came.append(time.perf_counter())})
        return (came[0] - begun) * 1000

    def call_us(self, calls: int) -> list[float]:
        """Each round trip of a call to a host function that gives None."""
        came: list[float] = []
        with self._pool.checkout() as session:
            session.feed_run(
                f"for i in range({calls + 1}):\n    f('k')\n",
                external_lookup={"f": lambda key: came.append(time.perf_counter())},
            )
        return [(b - a) * 1e6 for a, b in pairwise(came)]

    def payload_ms(self, size: int, times: int) -> list[float]:
        """So many characters to a host function, and the same back."""
        came: list[float] = []

        def give(text: str) -> str:
            came.append(time.perf_counter())
            return text

        with self._pool.checkout() as session:
            session.feed_run(
                f"s = 'x' * {size}\nfor i in range({times + 1}):\n    s = f(s)\n",
                external_lookup={"f": give},
            )
        return [(b - a) * 1000 for a, b in pairwise(came)]

    def script_ms(self, source: str) -> float:
        """One script, in a session of its own, from checkout to result."""
        with self._pool.checkout() as session:
            begun = time.perf_counter()
            session.feed_run(source)
            return (time.perf_counter() - begun) * 1000
