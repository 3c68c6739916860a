"""The asyncio side of `admission`: runs wait here for a place and for the host's resources."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from llmspell.errors import InternalError, LimitExceeded, OperationFailed
from llmspell.policies.resources import ResourceAmounts, ResourceGuard, SharedResources
from llmspell.supervisor.admission import Admission, Stage, Ticket, draining


class Waiting:
    """One run at the gate: what it needs, what it got, and who is to be woken."""

    __slots__ = ("admitted", "guard", "needed")

    def __init__(self, needed: ResourceAmounts, admitted: asyncio.Future[None]) -> None:
        self.needed = needed
        self.admitted = admitted
        self.guard: ResourceGuard | None = None


class Bounds(NamedTuple):
    """How much a supervisor takes on. See `Admission` and `SharedResources`."""

    total: ResourceAmounts
    in_flight: int
    waiting: int
    wait: float
    per_tenant: int | None = None


class Gate:
    """Lets runs in, in fair order, while they fit; a `Pass` is held from start to end of a run."""

    def __init__(self, bounds: Bounds) -> None:
        self._total = bounds.total
        self._shared = SharedResources(bounds.total)
        self._admission: Admission[Waiting] = Admission(
            bounds.in_flight, bounds.waiting, bounds.wait, bounds.per_tenant
        )
        self._timer: asyncio.TimerHandle | None = None
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Runs that wait."""
        return self._admission.waiting

    @property
    def room_at_once(self) -> bool:
        """Whether a place is free and nobody waits for it."""
        return self._admission.room_at_once

    def enter(self, tenant: str, needed: ResourceAmounts) -> Pass:
        """A place in the queue, or already in flight; to be released whatever comes.

        Raises `LimitExceeded` for what can never fit and when nobody more may wait, `UsageError`
        for a tenant without a name, `OperationFailed` (6008) when the gate is closed.
        """
        self._check_it_can_fit(needed)
        loop = asyncio.get_running_loop()
        work = Waiting(needed, loop.create_future())
        ticket, displaced = self._admission.enter(tenant, work, loop.time())
        if displaced is not None:
            _refuse(displaced, self._admission.full())
        self._idle.clear()
        self._serve()
        return Pass(self, ticket)

    def close(self, *, keep_waiting: bool = False) -> int:
        """Lets nobody more in; how many were waiting and are refused now."""
        refused = self._admission.close(keep_waiting=keep_waiting)
        for ticket in refused:
            _refuse(ticket, draining())
        self._serve()
        return len(refused)

    async def emptied(self) -> None:
        """Returns once nobody runs and nobody waits."""
        await self._idle.wait()

    def _check_it_can_fit(self, needed: ResourceAmounts) -> None:
        for name, amount, total in zip(ResourceAmounts._fields, needed, self._total, strict=True):
            if not 0 <= amount < float("inf"):
                raise InternalError(f"{amount!r} is no amount of {name}")
            if amount > total:
                raise LimitExceeded(
                    f"total_{name}",
                    f"the run may use {amount:g} of {name}; all runs together have {total:g}",
                    hint="lower the run's own limit, or raise the supervisor's total",
                )

    def _acquire(self, work: Waiting) -> bool:
        try:
            work.guard = self._shared.acquire(work.needed)
        except LimitExceeded:
            return False
        return True

    def _serve(self) -> None:
        while (ticket := self._admission.start(self._acquire)) is not None:
            if not ticket.work.admitted.done():
                ticket.work.admitted.set_result(None)
        if not self._admission.in_flight and not self._admission.waiting:
            self._idle.set()
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._admission.next_deadline()
        if deadline is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            # A timer already set comes early at the worst, and is set anew then.
            self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for ticket in self._admission.expire(asyncio.get_running_loop().time()):
            _refuse(ticket, self._admission.late())
        self._serve()

    def _release(self, ticket: Ticket[Waiting]) -> None:
        guard, ticket.work.guard = ticket.work.guard, None
        if guard is not None:
            guard.release()
        self._admission.leave(ticket)
        self._serve()


class Pass:
    """A run's place, waiting or in flight, and its resources; given back exactly once."""

    __slots__ = ("_gate", "_released", "_ticket")

    def __init__(self, gate: Gate, ticket: Ticket[Waiting]) -> None:
        self._gate = gate
        self._ticket = ticket
        self._released = False

    @property
    def in_flight(self) -> bool:
        """Whether the run may start now."""
        return self._ticket.stage is Stage.IN_FLIGHT

    async def admitted(self) -> None:
        """Waits until the run may start.

        Raises `LimitExceeded` when it waited too long or gave way, `OperationFailed` (6008) when
        the gate was closed meanwhile.
        """
        await self._ticket.work.admitted

    def check(self, needed: ResourceAmounts) -> None:
        """Raises `OperationFailed` if a run needs more by now than was taken for it."""
        taken = self._ticket.work.needed
        if any(now > then for now, then in zip(needed, taken, strict=True)):
            raise OperationFailed(
                "the run's policy changed while it waited, and it may use more now",
                rule="limit.total_memory",
                hint="run it again",
            )

    def release(self) -> None:
        """Gives place and resources to whoever is next. Idempotent."""
        if not self._released:
            self._released = True
            self._gate._release(self._ticket)


def _refuse(ticket: Ticket[Waiting], error: Exception) -> None:
    admitted = ticket.work.admitted
    if not admitted.done():
        admitted.set_exception(error)
        admitted.exception()  # its task may be cancelled in this very moment and never ask
