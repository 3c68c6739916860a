"""Waiting for descriptors: `poll` with a small table, half the cost of `selectors` a wake-up.

A run has a handful of descriptors, one wake-up a brokered call; `selectors` spends 4 µs of it on
keys and rounding (bench/calls.py).
"""

from __future__ import annotations

import math
import select

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT


class Poller:
    """Descriptors that are watched. A hang-up or an error is told whatever is watched for."""

    __slots__ = ("_poll", "_watched")

    def __init__(self) -> None:
        self._poll = select.poll()
        self._watched: set[int] = set()

    def watch(self, descriptor: int, events: int) -> None:
        """Starts watching, or changes what is watched for. READ, WRITE, both or 0."""
        self._watched.add(descriptor)
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stops watching; harmless when it was not."""
        if descriptor in self._watched:
            self._watched.discard(descriptor)
            self._poll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[int, int]]:
        """What is ready and how: READ, WRITE and poll's other bits; waits at most so long.

        Rounded up to the millisecond, so that a deadline has come when the wait is over.
        """
        if seconds is None:
            return self._poll.poll()
        return self._poll.poll(math.ceil(seconds * 1000) if seconds > 0 else 0)
