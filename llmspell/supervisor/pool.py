"""How a supervisor's workers start: one that waits already, a fork of a zygote, or an exec.

A spare is a worker that a zygote forked and that confined itself before anybody needed it; it
serves one run, of the tenant and the limits it was made for. Where no zygote can fork, runs start
by exec, and their audit says why.
"""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from llmspell.channel.states import Role
from llmspell.errors import OperationFailed
from llmspell.supervisor import worker
from llmspell.supervisor.crew import Ahead, Crew, give_plan
from llmspell.supervisor.nursery import Nursery, Place

if TYPE_CHECKING:
    from llmspell.platform import Confinement, Process
    from llmspell.platform.forking import Forked, Zygote
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.prepare import Prepared

SPARES_MAX: Final = 64
"""Workers that may wait in one supervisor, of all tenants together."""

SPARE_SECONDS: Final = 60.0
"""A spare nobody took for so long is ended."""

REFILL_SECONDS: Final = 0.002
"""Time after a spare was taken until another is made: most of a short run."""

SWEEP_SECONDS: Final = 5.0

WARM_SECONDS: Final = 30.0
"""Time `warm` waits for a zygote; one boots in a tenth of a second."""


class Order(NamedTuple):
    """What a spare was made for; another run may have it only if all of it is equal."""

    place: Place
    confinement: Confinement


class Waiting(NamedTuple):
    """A spare: confined, its hello said, no byte of any spell seen."""

    process: Forked
    channel: socket.socket
    since: float

    def close(self) -> None:
        """Ends it."""
        self.process.close()
        self.channel.close()


class Pool:
    """Zygotes and spares of one event loop. `spares` may wait for each kind of run (0: none)."""

    def __init__(self, spares: int) -> None:
        self._spares_wanted = spares
        self._nursery = Nursery(self._watch, self._forget)
        self._spares: dict[Order, list[Waiting]] = {}
        self._refilling: set[Order] = set()
        self._warming: dict[Place, list[asyncio.Future[bool]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def crew(self, prepared: Prepared, tenant: str) -> Crew:
        """The workers of one run, none of them started yet."""
        policy, spell = prepared.plan.policy, prepared.plan.spell

        def launch(role: Role, ours: socket.socket, theirs: int) -> Process | Forked:
            order = _order(tenant, role, policy, spell)
            if order is not None:
                try:
                    process = self._fork(order, ours, theirs)
                except OperationFailed as error:
                    crew.starts.append({"start": "exec", "reason": error.message})
                else:
                    crew.starts.append({"start": "fork"})
                    return process
            described = worker.describe(role, policy, spell, prepared.plan.script)
            give_plan(ours, described.preamble)
            return worker.start(described, theirs)

        def spare(role: Role) -> tuple[Process | Forked, socket.socket] | None:
            if role is Role.SPELL and prepared.ahead is not None:
                found = _settled(prepared.ahead)
                if found is not None:
                    crew.starts.append({"start": prepared.ahead.how})
                    return found
            order = _order(tenant, role, policy, spell)
            waiting = None if order is None else self._take(order)
            if waiting is None:
                return None
            crew.starts.append({"start": "spare"})
            return waiting.process, waiting.channel

        crew = Crew(launch, spare)
        return crew

    def ahead(self, policy: Policy, spell: Spell, tenant: str) -> Ahead | None:
        """A worker for a run that is being put together; None where none can be had at once."""
        order = _order(tenant, Role.SPELL, policy, spell)
        if order is None:
            return None
        waiting = self._take(order)
        if waiting is not None:
            return Ahead(waiting.process, waiting.channel, "spare")
        zygote = self._nursery.ready(order.place)
        if zygote is None:
            return None
        try:
            made = self._make(order, zygote)
        except (OperationFailed, OSError):
            return None
        self._soon(order)
        return Ahead(made.process, made.channel, "fork")

    async def warm(self, prepared: Prepared, tenant: str) -> bool:
        """Waits until runs like this one are forked; False where they have to be exec'ed."""
        order = _order(tenant, Role.SPELL, prepared.plan.policy, prepared.plan.spell)
        if order is None:
            return False
        if self._nursery.ready(order.place) is None:
            future = asyncio.get_running_loop().create_future()
            self._warming.setdefault(order.place, []).append(future)
            try:
                async with asyncio.timeout(WARM_SECONDS):
                    # A zygote that can't even be started answers nobody.
                    if self._nursery.is_coming(order.place):
                        await future
            except TimeoutError:
                return False
        self._fill(order)
        return self._nursery.ready(order.place) is not None

    def close(self) -> None:
        """Ends every spare and zygote, and every forked worker with them."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for waiting in self._spares.values():
            for spare in waiting:
                spare.close()
        self._spares.clear()
        self._nursery.close()

    # -- starting ------------------------------------------------------------------------------

    def _fork(self, order: Order, ours: socket.socket, theirs: int) -> Forked:
        zygote = self._nursery.ready(order.place)
        if zygote is None:
            raise OperationFailed(self._nursery.why_not(order.place))
        process = self._ordered(order.place, zygote, theirs)
        try:
            # Known to be there before anything is written: an exec must find an empty channel.
            process.settle()
            give_plan(ours, worker.child_preamble(order.confinement))
        except (OperationFailed, OSError):
            process.close()
            raise
        self._soon(order)
        return process

    def _ordered(self, place: Place, zygote: Zygote, theirs: int) -> Forked:
        from llmspell.platform.forking import ZygoteGone

        try:
            return zygote.order(theirs)
        except ZygoteGone as error:
            self._nursery.lost(place, zygote, error.message)
            raise

    def _take(self, order: Order) -> Waiting | None:
        waiting = self._spares.get(order)
        while waiting:
            found = waiting.pop(0)
            if found.process.poll() is None:
                self._soon(order)
                return found
            found.close()
        return None

    def _soon(self, order: Order) -> None:
        if self._spares_wanted > 0 and order not in self._refilling and not self._closed:
            # Not at once: the run that took the spare goes first.
            self._refilling.add(order)
            asyncio.get_running_loop().call_later(REFILL_SECONDS, self._refill, order)

    def _refill(self, order: Order) -> None:
        self._refilling.discard(order)
        self._fill(order)

    def _fill(self, order: Order) -> None:
        """Lets as many wait as may; what can't be forked now is no loss to anybody."""
        if self._closed:
            return
        waiting = self._spares.pop(order, [])
        self._spares[order] = waiting  # the most recently used is last
        while len(waiting) < self._spares_wanted:
            zygote = self._nursery.ready(order.place)
            if zygote is None:
                return
            try:
                waiting.append(self._make(order, zygote))
            except (OperationFailed, OSError):
                return
        self._make_room()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def _make(self, order: Order, zygote: Zygote) -> Waiting:
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            give_plan(ours, worker.child_preamble(order.confinement))
            process = self._ordered(order.place, zygote, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Waiting(process, ours, monotonic())

    def _make_room(self) -> None:
        while sum(map(len, self._spares.values())) > SPARES_MAX:
            oldest = next(iter(self._spares))
            for spare in self._spares.pop(oldest):
                spare.close()

    def _sweep(self) -> None:
        """Ends what waited too long, and zygotes that have served."""
        self._sweeper = None
        too_old = monotonic() - SPARE_SECONDS
        for order, waiting in list(self._spares.items()):
            for spare in [item for item in waiting if item.since < too_old]:
                waiting.remove(spare)
                spare.close()
            if not waiting:
                del self._spares[order]
        self._nursery.sweep()
        if not self._closed:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    # -- zygotes -------------------------------------------------------------------------------

    def _watch(self, place: Place, zygote: Zygote) -> None:
        asyncio.get_running_loop().add_reader(zygote.fileno(), self._heard, place, zygote)

    def _forget(self, zygote: Zygote) -> None:
        if zygote.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(zygote.fileno())

    def _heard(self, place: Place, zygote: Zygote) -> None:
        self._nursery.heard(place, zygote)
        if not self._nursery.is_coming(place):
            for future in self._warming.pop(place, []):
                if not future.done():
                    future.set_result(True)


def _settled(ahead: Ahead) -> tuple[Process | Forked, socket.socket] | None:
    """The worker, known to be there; None when its zygote could not fork it after all."""
    taken = ahead.take()
    if taken is None:
        return None
    process, channel = taken
    settle = getattr(process, "settle", None)
    try:
        if settle is not None:
            settle()
    except OperationFailed:
        process.close()
        channel.close()
        return None
    return process, channel


def _order(tenant: str, role: Role, policy: Policy, spell: Spell) -> Order | None:
    kind = worker.zygote_kind(role, policy, spell)
    if kind is None:
        return None
    return Order(Place(tenant, kind), worker.confinement_of(role, policy))
