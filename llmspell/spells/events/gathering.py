"""Subscriptions whose handlers get lists: of so many events, or of a time (EVT-023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmspell.errors import OperationFailed
from llmspell.spells.events.delivery import Delivery, Item, running_loop

if TYPE_CHECKING:
    import asyncio

    from llmspell.spells.events.bus import Bus, Subscription
    from llmspell.spells.events.event import Event

GATHERED_MAX: Final = 8 * 2**20
"""What all lists that are being gathered may come to, in characters; over it they go early."""


class Gathering:
    """The lists under way and the clocks of their windows."""

    def __init__(self, bus: Bus, delivery: Delivery) -> None:
        self._bus = bus
        self._delivery = delivery
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.weight = 0

    def add(self, one: Subscription, event: Event, weight: int) -> None:
        """Adds to a subscriber's list, which is delivered when it is full or its time is over."""
        self.weight += weight
        if one.gather(event, weight) or self.weight > GATHERED_MAX:
            self.release(one)
        elif one.window and one.id not in self._timers:
            loop = running_loop()
            if loop is not None:
                self._timers[one.id] = loop.call_later(one.window, self._window_ended, one)

    def release(self, one: Subscription) -> None:
        """Delivers what there is of a list."""
        timer = self._timers.pop(one.id, None)
        if timer is not None:
            timer.cancel()
        gathered, weight = one.release()
        self.weight -= weight
        if not gathered:
            return
        if one.once:
            self._bus.unsubscribe(one.id)
        try:
            self._delivery.add(Item(gathered, weight, (one,)))
        except OperationFailed:
            # The delivery counted one.
            self._bus.counts["dropped"] += len(gathered) - 1

    def release_all(self) -> None:
        """Delivers every list as it is."""
        for one in self._bus.all():
            self.release(one)

    def forget_ended(self) -> None:
        """What ended subscriptions had gathered is gone with them."""
        self.weight = sum(one.weight for one in self._bus.all())

    def close(self) -> None:
        """Stops the clocks."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _window_ended(self, one: Subscription) -> None:
        self._timers.pop(one.id, None)
        if self._bus.find(one.id) is one:
            self.release(one)
