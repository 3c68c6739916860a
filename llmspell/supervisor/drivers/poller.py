"""Waiting for descriptors: `poll` with a small table, half the cost of `selectors` a wake-up.

A run has a handful of descriptors, one wake-up a brokered call; `selectors` spends 4 µs of it on
keys and rounding (bench/calls.py).
"""

from __future__ import annotations

import math
import select
from typing import Final, Generic, TypeVar

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT
_ENDED: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL

Key = TypeVar("Key")


class Poller(Generic[Key]):
    """Descriptors and what each means to its owner."""

    __slots__ = ("_keys", "_poll")

    def __init__(self) -> None:
        self._poll = select.poll()
        self._keys: dict[int, Key] = {}

    def watch(self, descriptor: int, events: int, key: Key) -> None:
        """Starts watching, or changes what is watched for. READ, WRITE, both or 0."""
        self._keys[descriptor] = key
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stops watching; harmless when it was not."""
        if self._keys.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def wait(self, seconds: float | None) -> list[tuple[Key, int]]:
        """What is ready, with READ set at an end of file or an error too; waits at most so long.

        Rounded up to the millisecond, so that a deadline has come when the wait is over.
        """
        timeout = None if seconds is None else math.ceil(seconds * 1000) if seconds > 0 else 0
        found = self._poll.poll(timeout)
        if len(found) == 1:
            descriptor, events = found[0]
            return [(self._keys[descriptor], events | READ if events & _ENDED else events)]
        return [
            (self._keys[descriptor], events | READ if events & _ENDED else events)
            for descriptor, events in found
        ]
