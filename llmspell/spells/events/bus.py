"""Who gets which event: subscriptions, patterns, the ring of past events, counts. Sans-IO.

Subscribers are sorted by priority, higher first, then by age (X30). The handlers themselves are
functions of the spell's, known here by number.
"""

from __future__ import annotations

from collections import deque

from llmspell.errors import OperationFailed
from llmspell.policies.breaker import BreakerState, CircuitBreaker
from llmspell.records import TYPE_CHECKING
from llmspell.spells.events.event import NAME_MAX, Event
from llmspell.spells.events.names import canonical
from llmspell.spells.events.patterns import Pattern, not_subscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final


RING_MAX: Final = 1_000
"""Events that are remembered for replay (EVT-018)."""

RING_WEIGHT: Final = 8 * 2**20
"""And what they may come to, in characters."""

SUBSCRIBERS_MAX: Final = 100
"""Subscriptions of one pattern (EVT-018)."""

ALL_SUBSCRIBERS_MAX: Final = 1_000
TYPES_COUNTED: Final = 256
"""Event names that are counted one by one; the others together as `…`."""

ROUTES_KEPT: Final = 512
LIST_MAX: Final = 1_000
LIST_WEIGHT: Final = 2**18
"""Events of one gathered list, and what they may come to in characters: then it goes early."""

PRIORITY_MAX: Final = 1_000

FAILURES: Final = 5
"""Failures in a row after which a subscriber's breaker opens, for as long as a handler may take."""

HANDLER_SECONDS: Final = 30.0
WHERE_MAX: Final = 16
"""Conditions of one subscription, each on a path of at most `NAME_MAX` characters."""

FILTER: Final = 5007


class Subscription:
    """One subscriber. `where` is what the event must hold; `batch` and `window` gather events.

    `window` in seconds, 0: it gathers until `batch` events are there.
    """

    __slots__ = (
        "_pattern",
        "batch",
        "breaker",
        "delivered",
        "failed",
        "filter",
        "gathered",
        "handler",
        "id",
        "once",
        "pattern",
        "priority",
        "weight",
        "where",
        "window",
    )  # fmt: skip

    def __init__(
        self,
        identity: str,
        pattern: str,
        handler: int,
        *,
        filter_number: int = 0,
        priority: int = 50,
        once: bool = False,
        where: Mapping[str, Any] | None = None,
        batch: int = 0,
        window: float = 0.0,
    ) -> None:
        self.id = identity
        self._pattern = Pattern.of(pattern)
        self.pattern = self._pattern.text
        self.handler = handler
        self.filter = filter_number
        self.priority = priority
        self.once = once
        self.where = _checked(where or {})
        self.batch = batch
        self.window = window
        self.gathered: list[Event] = []
        self.weight = 0
        self.breaker = CircuitBreaker(FAILURES, 2 * HANDLER_SECONDS, HANDLER_SECONDS)
        self.delivered = 0
        self.failed = 0

    @property
    def gathers(self) -> bool:
        """Whether its handler takes lists of events."""
        return self.batch > 0 or self.window > 0

    def gather(self, event: Event, weight: int) -> bool:
        """Adds to the list; whether it is full: by its number, or before it gets too large."""
        self.gathered.append(event)
        self.weight += weight
        full = min(self.batch or LIST_MAX, LIST_MAX)
        return len(self.gathered) >= full or self.weight >= LIST_WEIGHT

    def release(self) -> tuple[list[Event], int]:
        """The list so far and its weight; a new one begins."""
        released = self.gathered, self.weight
        self.gathered, self.weight = [], 0
        return released

    def fits(self, name: str) -> bool:
        """Whether its pattern fits the name."""
        return self._pattern.matches(name)

    def wants(self, event: Event) -> bool:
        """Whether what the event holds is what `where` says."""
        return all(_at(event, path) == wanted for path, wanted in self.where.items())

    def wants_named(self, event: Event) -> bool:
        """The same, and its name fits."""
        return self.fits(event["type"]) and self.wants(event)


class Bus:
    """The subscriptions and the past of one run. `clock` gives monotonic seconds."""

    def __init__(
        self,
        clock: Callable[[], float],
        ring: int = RING_MAX,
        subscribers: int = SUBSCRIBERS_MAX,
    ) -> None:
        self._subscribers = subscribers
        self._clock = clock
        self._subscriptions: dict[str, Subscription] = {}
        self._routes: dict[str, tuple[Subscription, ...]] = {}
        self._ring: deque[tuple[Event, int]] = deque(maxlen=ring)
        self._ring_weight = 0
        self._sequence = 0
        self._next_id = 1
        self.counts: dict[str, int] = dict.fromkeys(
            ("total_events", "delivered", "failed", "filtered", "dropped", "refused", "stopped"), 0
        )
        self._by_type: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    # -- subscriptions -------------------------------------------------------------------------

    def subscribe(self, pattern: str, handler: int, **options: Any) -> Subscription:
        """A new subscription. Raises `OperationFailed` 5006 for no pattern, or too many of them."""
        subscription = Subscription(f"sub-{self._next_id}", pattern, handler, **options)
        same = sum(1 for one in self._subscriptions.values() if one.pattern == subscription.pattern)
        if same >= self._subscribers:
            raise not_subscribed(f"{pattern!r} has {self._subscribers} subscribers already")
        if len(self._subscriptions) >= ALL_SUBSCRIBERS_MAX:
            raise not_subscribed(f"a run has at most {ALL_SUBSCRIBERS_MAX} subscribers")
        self._next_id += 1
        self._subscriptions[subscription.id] = subscription
        self._routes.clear()
        return subscription

    def unsubscribe(
        self, identity: str | None = None, pattern: str | None = None, handler: int | None = None
    ) -> int:
        """Ends the subscriptions that are all of what is given; how many."""
        pattern = None if pattern is None else canonical(pattern)
        found = [
            one.id
            for one in self._subscriptions.values()
            if identity in (None, one.id)
            and pattern in (None, one.pattern)
            and handler in (None, one.handler)
        ]
        for one in found:
            del self._subscriptions[one]
        self._routes.clear()
        return len(found)

    def find(self, identity: str) -> Subscription | None:
        """A subscription that is still there."""
        return self._subscriptions.get(identity)

    def all(self) -> Iterable[Subscription]:
        """Every subscription, the oldest first."""
        return list(self._subscriptions.values())

    # -- events --------------------------------------------------------------------------------

    def accept(self, event: Event, weight: int) -> None:
        """Numbers the event, remembers and counts it."""
        self._sequence += 1
        event["sequence"] = self._sequence
        if len(self._ring) == self._ring.maxlen:
            self._ring_weight -= self._ring[0][1]
        self._ring.append((event, weight))
        self._ring_weight += weight
        while self._ring_weight > RING_WEIGHT:
            self._ring_weight -= self._ring.popleft()[1]
        self.counts["total_events"] += 1
        name = event["type"]
        if name not in self._by_type and len(self._by_type) >= TYPES_COUNTED:
            name = "…"
        self._by_type[name] = self._by_type.get(name, 0) + 1

    def route(self, event: Event) -> tuple[Subscription, ...]:
        """Who gets it, in order. What was for once is then gone."""
        name = event["type"]
        routes = self._routes.get(name)
        if routes is None:
            routes = self._route(name)
        if not routes:
            return ()
        found = tuple(one for one in routes if not one.where or one.wants(event))
        for one in found:
            if one.once and not one.gathers:
                self.unsubscribe(one.id)
        return found

    def may_run(self, subscription: Subscription) -> bool:
        """Whether its breaker lets a delivery through."""
        return subscription.breaker.allow(self._clock())

    def succeeded(self, subscription: Subscription) -> None:
        """A delivery ended well."""
        subscription.delivered += 1
        self.counts["delivered"] += 1
        subscription.breaker.succeeded(self._clock())

    def failed(self, subscription: Subscription) -> bool:
        """A delivery failed; whether that opened the breaker."""
        now = self._clock()
        subscription.failed += 1
        self.counts["failed"] += 1
        was_open = subscription.breaker.state(now) is BreakerState.OPEN
        subscription.breaker.failed(now)
        return not was_open and subscription.breaker.state(now) is BreakerState.OPEN

    def past(
        self, begin: float | None, end: float | None, pattern: str | None, limit: int
    ) -> list[Event]:
        """Remembered events, the oldest first; at most the last `limit`."""
        return select((event for event, _ in self._ring), begin, end, pattern, limit)

    def stats(self) -> dict[str, Any]:
        """Every count, and each subscriber's."""
        return {
            **self.counts,
            "buffered": len(self._ring),
            "subscriptions": len(self._subscriptions),
            "by_type": dict(self._by_type),
            "subscribers": [
                {
                    "id": one.id,
                    "pattern": one.pattern,
                    "priority": one.priority,
                    "delivered": one.delivered,
                    "failed": one.failed,
                    "breaker": one.breaker.state(self._clock()).value,
                }
                for one in self._subscriptions.values()
            ],
        }

    def _route(self, name: str) -> tuple[Subscription, ...]:
        if len(self._routes) >= ROUTES_KEPT:
            self._routes.clear()
        found = [one for one in self._subscriptions.values() if one.fits(name)]
        # Sorting keeps the order of age among equals.
        found.sort(key=lambda one: -one.priority)
        routes = self._routes[name] = tuple(found)
        return routes


def select(
    events: Iterable[Event],
    begin: float | None,
    end: float | None,
    pattern: str | None,
    limit: int,
) -> list[Event]:
    """The events in a time and of a pattern; at most the last `limit`."""
    wanted = None if pattern is None else Pattern.of(pattern)
    found = deque(
        (
            event
            for event in events
            if (begin is None or event["timestamp"] >= begin)
            and (end is None or event["timestamp"] <= end)
            and (wanted is None or wanted.matches(event["type"]))
        ),
        maxlen=limit,
    )
    return list(found)


def _checked(where: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions, kept for the whole run: few and small. Raises `OperationFailed` 5007."""
    if len(where) > WHERE_MAX:
        raise _no_filter(f"over {WHERE_MAX} conditions")
    for path, wanted in where.items():
        if len(path) > NAME_MAX:
            raise _no_filter(f"a path of over {NAME_MAX} characters")
        if isinstance(wanted, str):
            if len(wanted) > NAME_MAX:
                raise _no_filter(f"{path}: text of over {NAME_MAX} characters")
        elif not (wanted is None or isinstance(wanted, (bool, int, float))):
            raise _no_filter(f"{path}: only text, numbers, booleans and null are compared")
    return dict(where)


def _no_filter(why: str) -> OperationFailed:
    return OperationFailed(f"where: {why}", code=FILTER, kind="filter")


def _at(event: Event, path: str) -> Any:
    """What the event holds at `data.user.name`; a name that is no field is looked up in `data`."""
    head, _, rest = path.partition(".")
    value: Any = event
    if head not in event:
        value, rest = event.get("data"), path
    else:
        value = event[head]
    for name in rest.split(".") if rest else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value
