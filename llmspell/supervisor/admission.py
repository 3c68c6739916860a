"""Who runs next when not all can: fair queues with bounded room and bounded waiting. Pure.

Each tenant has a queue of its own, first come first served; between tenants it goes round, one run
each. So a tenant with a thousand runs waiting delays another's first by one start at most. When
all places to wait are taken, the newest run of the tenant that has most of them gives way to a
tenant that has fewer: nobody keeps others out by filling the room (RS-28, ASY-013).

A run whose resources are all taken waits for them and lets smaller ones pass, `OVERTAKEN_MAX`
times; then nothing starts before it, or a large run would never start.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from llmspell.errors import LimitExceeded, LlmspellError, OperationFailed, UsageError

T = TypeVar("T")

OVERTAKEN_MAX: Final = 16
"""Starts that may pass a run that waits for resources before all others wait for it."""

UNAVAILABLE: Final = 6008

TENANT_MAX: Final = 256
"""Characters of a tenant's name."""


class Stage(enum.Enum):
    """Where a run is."""

    WAITING = "waiting"
    IN_FLIGHT = "in flight"
    GONE = "gone"


class Ticket(Generic[T]):
    """One run's place. `work` is the owner's own; `deadline` is in the clock of `now`, seconds."""

    __slots__ = ("deadline", "overtaken", "stage", "tenant", "work")

    def __init__(self, tenant: str, work: T, deadline: float) -> None:
        self.tenant: Final = tenant
        self.work: Final = work
        self.deadline: Final = deadline
        self.overtaken = 0
        self.stage = Stage.WAITING


class Admission(Generic[T]):
    """Places for `in_flight` runs at a time and for `waiting` more; nobody waits over `wait` s.

    A run that waits for resources while a place is free waits in that place.

    `per_tenant` bounds one tenant's runs in flight (None: by `in_flight` alone). Raises
    `UsageError` for bounds that are no positive finite numbers (`waiting` may be 0).
    """

    def __init__(
        self, in_flight: int, waiting: int, wait: float, per_tenant: int | None = None
    ) -> None:
        if per_tenant is None:
            per_tenant = in_flight
        for name, number, least in (
            ("in_flight", in_flight, 1),
            ("waiting", waiting, 0),
            ("per_tenant", per_tenant, 1),
        ):
            if type(number) is not int or number < least:
                raise UsageError(f"{name} is a whole number from {least} up, not {number!r}")
        if isinstance(wait, bool) or not 0 < wait < float("inf"):
            raise UsageError(f"wait is a positive, finite number of seconds, not {wait!r}")
        self._in_flight = in_flight
        self._waiting = waiting
        self._wait = wait
        self._per_tenant = per_tenant
        self._queues: OrderedDict[str, deque[Ticket[T]]] = OrderedDict()
        """Tenants with somebody waiting, the one whose turn is next first."""
        self._arrivals: OrderedDict[Ticket[T], None] = OrderedDict()
        """Everybody waiting, in order of arrival, and so of deadline."""
        self._running: dict[str, int] = {}
        self._total = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Runs that started and did not leave."""
        return self._total

    @property
    def waiting(self) -> int:
        """Runs that wait."""
        return len(self._arrivals)

    @property
    def room_at_once(self) -> bool:
        """Whether one that entered now would find a free place and nobody before it."""
        return not self._closed and not self._arrivals and self._total < self._in_flight

    def enter(self, tenant: str, work: T, now: float) -> tuple[Ticket[T], Ticket[T] | None]:
        """A place in the tenant's queue, and who gave way for it, if anybody had to.

        Raises `UsageError` for a name that is none, `LimitExceeded` when all places are taken and
        none is this tenant's due, `OperationFailed` (6008) when it is closed.
        """
        if type(tenant) is not str or not 0 < len(tenant) <= TENANT_MAX:
            raise UsageError(f"a tenant is named by 1 to {TENANT_MAX} characters")
        if self._closed:
            raise draining()
        displaced = None
        if self._total + len(self._arrivals) >= self._in_flight + self._waiting:
            displaced = self._one_to_give_way(tenant)
            if displaced is None:
                raise self.full()
            self._remove(displaced)
        ticket = Ticket(tenant, work, now + self._wait)
        self._queues.setdefault(tenant, deque()).append(ticket)
        self._arrivals[ticket] = None
        return ticket, displaced

    def start(self, acquire: Callable[[T], bool]) -> Ticket[T] | None:
        """The next run to start, in flight from now on; None when none can.

        `acquire` takes a run's resources, or takes nothing and says no.
        """
        if self._total >= self._in_flight:
            return None
        passed: list[Ticket[T]] = []
        for tenant, queue in self._queues.items():
            if self._running.get(tenant, 0) >= self._per_tenant:
                continue
            ticket = queue[0]
            if acquire(ticket.work):
                for overtaken in passed:
                    overtaken.overtaken += 1
                self._begin(ticket)
                return ticket
            if ticket.overtaken >= OVERTAKEN_MAX:
                return None
            passed.append(ticket)
        return None

    def leave(self, ticket: Ticket[T]) -> None:
        """A run that ended, or does not wait any more. Idempotent."""
        if ticket.stage is Stage.WAITING:
            self._remove(ticket)
        elif ticket.stage is Stage.IN_FLIGHT:
            ticket.stage = Stage.GONE
            self._total -= 1
            left = self._running[ticket.tenant] - 1
            if left:
                self._running[ticket.tenant] = left
            else:
                del self._running[ticket.tenant]

    def expire(self, now: float) -> list[Ticket[T]]:
        """Those that waited as long as they may; their places are free."""
        late = []
        for ticket in self._arrivals:
            if ticket.deadline > now:
                break
            late.append(ticket)
        for ticket in late:
            self._remove(ticket)
        return late

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do."""
        first = next(iter(self._arrivals), None)
        return None if first is None else first.deadline

    def close(self, *, keep_waiting: bool = False) -> list[Ticket[T]]:
        """Nobody enters any more. Those that waited, who are refused unless kept."""
        self._closed = True
        if keep_waiting:
            return []
        refused = list(self._arrivals)
        for ticket in refused:
            self._remove(ticket)
        return refused

    def full(self) -> LimitExceeded:
        """What a run is told that finds no place to wait, or must give its own way."""
        return LimitExceeded(
            "waiting",
            f"{self._total} runs are under way and {len(self._arrivals)} wait already",
            hint="try again later, or raise the supervisor's in_flight or waiting",
        )

    def late(self) -> LimitExceeded:
        """What a run is told that waited too long."""
        return LimitExceeded(
            "wait",
            f"the run waited {self._wait:g} s and could not start",
            hint="try again later, or raise the supervisor's in_flight or wait",
        )

    def _one_to_give_way(self, tenant: str) -> Ticket[T] | None:
        if not self._queues:
            return None
        longest = max(self._queues.values(), key=len)
        own = len(self._queues.get(tenant, ()))
        return longest[-1] if len(longest) > own + 1 else None

    def _begin(self, ticket: Ticket[T]) -> None:
        tenant = ticket.tenant
        self._remove(ticket)
        if tenant in self._queues:
            self._queues.move_to_end(tenant)
        ticket.stage = Stage.IN_FLIGHT
        self._total += 1
        self._running[tenant] = self._running.get(tenant, 0) + 1

    def _remove(self, ticket: Ticket[T]) -> None:
        ticket.stage = Stage.GONE
        del self._arrivals[ticket]
        queue = self._queues[ticket.tenant]
        queue.remove(ticket)
        if not queue:
            del self._queues[ticket.tenant]


def draining() -> LlmspellError:
    """What a run is told that comes when no more are taken, or waited then."""
    return OperationFailed(
        "the supervisor is draining: it starts no more runs",
        code=UNAVAILABLE,
        kind="draining",
        rule="supervisor.draining",
        hint="use another supervisor; this one ends",
    )
