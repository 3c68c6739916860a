"""Calls that wait for one event (`Events.wait_for`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LimitExceeded, OperationFailed
from llmspell.spells.events.bus import Subscription

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from llmspell.spells.events.event import Event

WAITERS_MAX: Final = 64
"""Calls that wait at one time."""


class _Waiter:
    __slots__ = ("found", "future", "wanted")

    def __init__(self, wanted: Subscription) -> None:
        self.wanted = wanted
        self.found: Event | None = None
        self.future: asyncio.Future[None] | None = None

    def see(self, event: Event) -> None:
        if self.found is None and self.wanted.wants_named(event):
            self.found = event
            if self.future is not None and not self.future.done():
                self.future.set_result(None)


class Waiters:
    """Those who wait. A call counts from the moment it is made, so before its task runs."""

    def __init__(self) -> None:
        self._waiters: list[_Waiter] = []

    def see(self, event: Event) -> None:
        """Gives the event to everybody whom it is for."""
        for waiter in self._waiters:
            waiter.see(event)

    def wait(
        self, pattern: str, where: Mapping[str, Any] | None, seconds: float
    ) -> Coroutine[Any, Any, Event]:
        """The next event that fits. Raises 5006, 5007, `LimitExceeded`; late: kind `timeout`."""
        if len(self._waiters) >= WAITERS_MAX:
            raise LimitExceeded("waiters", f"over {WAITERS_MAX} calls wait for events")
        waiter = _Waiter(Subscription("", pattern, 0, where=where))
        self._waiters.append(waiter)
        return self._waited(waiter, seconds)

    def clear(self) -> None:
        """Nobody waits any more."""
        self._waiters.clear()

    async def _waited(self, waiter: _Waiter, seconds: float) -> Event:
        try:
            if waiter.found is None:
                waiter.future = asyncio.get_running_loop().create_future()
                await asyncio.wait_for(waiter.future, seconds)
        except TimeoutError:
            raise OperationFailed(
                f"no {waiter.wanted.pattern} came within {seconds:g} s",
                code=4004,
                kind="timeout",
                recoverable=True,
            ) from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        assert waiter.found is not None
        return waiter.found
