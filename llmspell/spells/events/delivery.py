"""Carries events to the spell's handlers: in order, many at a time, one invoke after another.

One invoke takes up to `BATCH_MAX` events with the numbers of their handlers to a dispatcher in the
spell's prelude, which runs them and says what failed. While one is under way the others wait in a
queue that is bounded: emitters of the spell wait for room, events of services that find none are
dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LlmspellError
from llmspell.records import NamedTuple
from llmspell.spells.events import names
from llmspell.spells.events.bus import HANDLER_SECONDS, Bus, Subscription
from llmspell.spells.events.event import Event, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmspell.channel.jsontext import Callback
    from llmspell.spells.ports import Host

BATCH_MAX: Final = 50
"""Events of one invoke (EVT-018)."""

BATCH_WEIGHT: Final = 2**20
"""And what they may come to, in characters."""

PAIRS_MAX: Final = 1_000
"""Runs of handlers in one invoke, from which on it takes no more events."""

ROOM: Final = 1_000
"""Events that wait before emitters do (EVT-019)."""

WAITING_MAX: Final = 10_000
"""Events that wait at all: a handler's own emissions may not wait for the handler to end."""

NOTES_MAX: Final = 20
"""Failures of handlers that are told one by one; the rest is counted."""

WAITING_WEIGHT: Final = 32 * 2**20
ROOM_WEIGHT: Final = 8 * 2**20
"""The same two bounds in characters."""

ACTIONS: Final = ("stop", "retry", "retry_with_modified_context")
"""What a handler may return beside nothing (API-080, EVT-001)."""


class Item(NamedTuple):
    """Events on their way. `depth`: of how many handlers' emissions this is the last."""

    event: Event | list[Event]
    weight: int
    to: tuple[Subscription, ...]
    depth: int = 1


class Delivery:
    """The queue and the one task that empties it."""

    def __init__(
        self,
        host: Host,
        bus: Bus,
        announce: Callable[[str, dict[str, Any]], None],
        batch: int = BATCH_MAX,
    ) -> None:
        self._batch = batch
        self._host = host
        self._bus = bus
        self._announce = announce
        self._queue: deque[Item] = deque()
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._weight = 0
        self._noted = 0
        self.dispatcher: Callback | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, item: Item) -> None:
        """Queues an event for its subscribers. Raises 5005 when `WAITING_MAX` are waiting."""
        if len(self._queue) >= WAITING_MAX or self._weight > WAITING_WEIGHT:
            self._bus.counts["dropped"] += 1
            raise refused(f"{len(self._queue)} events wait for their handlers", kind="limit")
        self._queue.append(item)
        self._weight += item.weight
        self.start()

    def start(self) -> None:
        """Begins to deliver what waits, where a loop runs: before the run's first call that needs
        one there is none, and no handler can run."""
        if self._task is None and self._queue:
            loop = running_loop()
            if loop is not None:
                self._task = loop.create_task(self._drain())

    def offer(self, item: Item) -> None:
        """The same for an event of the services': dropped and counted where there is no room."""
        if not self._has_room():
            self._bus.counts["dropped"] += 1
        else:
            self.add(item)

    def _has_room(self) -> bool:
        return len(self._queue) < ROOM and self._weight < ROOM_WEIGHT

    async def room(self) -> None:
        """Waits until fewer than `ROOM` events wait."""
        self.start()
        while not self._has_room():
            self._moved.clear()
            await self._moved.wait()

    async def idle(self) -> None:
        """Waits until nothing waits and no handler runs."""
        self.start()
        while self._task is not None:
            self._moved.clear()
            await self._moved.wait()

    async def now(
        self, event: Event, to: tuple[Subscription, ...], depth: int = 1
    ) -> dict[str, Any]:
        """Runs the handlers of one event before whatever waits; what they say.

        `{delivered, failed, stopped, action, data}`: `action` is "continue" or one of `ACTIONS`,
        `data` the event's as the handlers left it.
        """
        failed_before = self._bus.counts["failed"]
        allowed = tuple(one for one in to if self._bus.may_run(one))
        outcome: dict[str, Any] = {}
        if allowed:
            outcome = await self._invoke([Item(event, 0, allowed, depth)], collect=True)
        action = outcome.get("action")
        action = action if action in ACTIONS else "continue"
        failed = self._bus.counts["failed"] - failed_before
        return {
            "delivered": max(0, len(allowed) - failed),
            "failed": failed,
            "stopped": action == "stop",
            "action": action,
            "data": outcome.get("data", event["data"]) if action == ACTIONS[2] else event["data"],
        }

    def close(self) -> None:
        """Nobody is left to be told anything."""
        self._queue.clear()
        self._weight = 0
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _drain(self) -> None:
        try:
            while self._queue:
                items = self._take()
                if items:
                    await self._invoke(items, collect=False)
                self._moved.set()
        finally:
            self._task = None
            self._moved.set()

    def _take(self) -> list[Item]:
        items: list[Item] = []
        total = pairs = 0
        while (
            self._queue and len(items) < self._batch and total < BATCH_WEIGHT and pairs < PAIRS_MAX
        ):
            item = self._queue.popleft()
            self._weight -= item.weight
            allowed = tuple(one for one in item.to if self._bus.may_run(one))
            if allowed:
                items.append(item._replace(to=allowed))
                total += item.weight
                pairs += len(allowed)
        return items

    async def _invoke(self, items: Sequence[Item], *, collect: bool) -> dict[str, Any]:
        if self.dispatcher is None:
            return {}
        batch = [
            [item.event, [[one.id, one.handler, one.filter] for one in item.to], item.depth]
            for item in items
        ]
        pairs = sum(len(item.to) for item in items)
        try:
            # Each handler's own time is kept in the prelude; this is for a prelude that doesn't.
            outcome = await self._host.invoke(
                self.dispatcher, [batch, collect], seconds=HANDLER_SECONDS * (pairs + 1)
            )
        except LlmspellError as error:
            for item in items:
                for one in item.to:
                    self._failed(one, error.message)
            return {}
        if not isinstance(outcome, dict):
            outcome = {}
        self._settle(items, outcome)
        return outcome

    def _settle(self, items: Sequence[Item], outcome: dict[str, Any]) -> None:
        """Counts what became of each delivery. The outcome is the worker's word, so checked."""
        failures: dict[tuple[int, str], str] = {}
        for failure in _list(outcome.get("failures")):
            if isinstance(failure, list) and len(failure) == 3:
                index, identity, message = failure
                if type(index) is int and isinstance(identity, str):
                    failures[index, identity] = str(message)[:500]
        for index, item in enumerate(items):
            for one in item.to:
                message = failures.get((index, one.id)) if failures else None
                if message is None:
                    self._bus.succeeded(one)
                else:
                    self._failed(one, message)
        for name in ("filtered", "stopped"):
            count = outcome.get(name)
            if type(count) is int and 0 < count <= BATCH_MAX * 1000:
                self._bus.counts[name] += count

    def _failed(self, subscription: Subscription, message: str) -> None:
        opened = self._bus.failed(subscription)
        self._noted += 1
        if self._noted <= NOTES_MAX:
            self._host.note(
                "warn",
                f"a handler of {subscription.pattern} failed: {message}",
                {"subscription": subscription.id},
            )
        if opened:
            self._announce(
                names.CIRCUIT_BREAKER_OPENED,
                {
                    "name": subscription.id,
                    "pattern": subscription.pattern,
                    "failures": subscription.failed,
                },
            )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of this thread, if one runs."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
