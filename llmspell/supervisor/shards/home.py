"""All shards of one supervisor: started, given runs, replaced when they end, stopped."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from llmspell.channel.jsontext import Malformed
from llmspell.errors import OperationFailed, UsageError
from llmspell.supervisor.admission import UNAVAILABLE
from llmspell.supervisor.shards import wire
from llmspell.supervisor.shards.frames import Kind
from llmspell.supervisor.shards.placement import Placement
from llmspell.supervisor.shards.remote import RemoteWork, Warming

if TYPE_CHECKING:
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.drivers.blocking import Sink
    from llmspell.supervisor.gate import Bounds
    from llmspell.supervisor.prepare import RunOptions
    from llmspell.supervisor.running import Begun
    from llmspell.supervisor.shards.process import Shard

REST_MAX: Final = 30.0
"""Longest rest, in seconds, before a shard that keeps ending is started again."""


class Shards:
    """The shards by number. A shard that ends is replaced, after a rest when it ends repeatedly."""

    def __init__(
        self, count: int, bounds: Bounds, zygotes: bool, spares: int, scripts: int
    ) -> None:
        self._count = count
        self._start: dict[str, Any] = {
            "total": list(bounds.total),
            "in_flight": bounds.in_flight,
            "wait": bounds.wait,
            "per_tenant": bounds.per_tenant,
            "zygotes": zygotes,
            "spares": spares,
            "scripts": scripts,
        }
        self._live: dict[int, Shard] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._failures = [0] * count
        self._restarts: dict[int, asyncio.TimerHandle] = {}
        self._placement = Placement()
        self._numbers = itertools.count(1)
        self._stopping = False

    async def start(self) -> None:
        """Starts all of them. Raises `OperationFailed` when one can't be, `UsageError` when the
        package that carries their logs is not installed."""
        try:
            import multiprocessing_logging  # noqa: F401  the logs' way home
        except ImportError as error:
            raise UsageError(
                f"shards need a package that is not installed ({error.name})",
                hint="pip install llmspell[shards]",
            ) from None
        try:
            for index in range(self._count):
                self._spawn(index)
            readiness = [shard.ready for shard in self._live.values()]
            # Bounded: one that does not get ready is ended, and says so here.
            await asyncio.gather(*readiness)
        except BaseException:
            await self.stop()
            raise

    async def place(
        self,
        spell: Spell,
        options: RunOptions,
        sink: Sink,
        tenant: str,
        on_begin: Callable[[Begun], None] | None,
    ) -> RemoteWork:
        """Hands a run to the shard whose turn it is; waits while that one is behind with reading.

        Raises `UsageError` for parameters that can't travel, `LimitExceeded` for a run that is too
        large to, `OperationFailed` when there is no shard now.
        """
        # Output comes home as it is printed, and is put together there.
        payload = _order(spell, options._replace(keep_output=False), tenant)
        shard = await self._reach(tenant)
        number = next(self._numbers)
        shard.tell(Kind.RUN, number, payload)
        work = RemoteWork(shard, number, sink, options.keep_output, on_begin)
        shard.runs[number] = work
        return work

    async def warm(self, spell: Spell, options: RunOptions, tenant: str) -> bool:
        """Boots a zygote in the tenant's shard; whether its runs will be forked there."""
        payload = _order(spell, options, tenant)
        shard = await self._reach(tenant)
        number = next(self._numbers)
        shard.tell(Kind.WARM, number, payload)
        warming = shard.runs[number] = Warming()
        return await warming.answer

    async def stop(self) -> None:
        """Ends all of them and waits until they and their workers are gone. Idempotent."""
        self._stopping = True
        for timer in self._restarts.values():
            timer.cancel()
        self._restarts.clear()
        for index in list(self._live):
            self._leave(self._live.pop(index))
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _reach(self, tenant: str) -> Shard:
        """The shard whose turn it is, told where we stand and ready to be written to."""
        shard = self._choose(tenant)
        await shard.pipe.room()
        if not shard.pipe.open:
            shard = self._choose(tenant)
        place = wire.place_to_wire()
        if place != shard.place:
            shard.tell(Kind.PLACE, 0, place)
            shard.place = place
        return shard

    def _choose(self, tenant: str) -> Shard:
        loads = {index: len(shard.runs) for index, shard in self._live.items()}
        if not loads:
            raise _none_left("no shard is running now")
        return self._live[self._placement.choose(tenant, loads)]

    def _spawn(self, index: int) -> None:
        from llmspell.supervisor.shards.process import Shard

        self._live[index] = Shard(self._start, lambda shard: self._gone(index, shard))

    def _gone(self, index: int, shard: Shard) -> None:
        if self._live.get(index) is not shard:
            return
        del self._live[index]
        self._leave(shard)
        if self._stopping:
            return
        failures = 1 if shard.served else self._failures[index] + 1
        self._failures[index] = failures
        rest = 0.0 if failures == 1 else min(REST_MAX, 0.1 * 2.0**failures)
        logging.getLogger(__name__).error(
            "shard %d ended unexpectedly; a new one starts in %.1f s", index, rest
        )
        self._restarts[index] = asyncio.get_running_loop().call_later(rest, self._restart, index)

    def _restart(self, index: int) -> None:
        del self._restarts[index]
        try:
            self._spawn(index)
        except (OperationFailed, OSError) as error:
            self._failures[index] += 1
            logging.getLogger(__name__).error("shard %d can't be started: %s", index, error)
            rest = min(REST_MAX, 0.1 * 2.0 ** self._failures[index])
            timer = asyncio.get_running_loop().call_later(rest, self._restart, index)
            self._restarts[index] = timer

    def _leave(self, shard: Shard) -> None:
        task = asyncio.ensure_future(shard.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _order(spell: Spell, options: RunOptions, tenant: str) -> bytes:
    # Level 0 would mean there: as the logger above says.
    level = max(1, logging.getLogger("llmspell.spell").getEffectiveLevel())
    try:
        return wire.Order(spell, options, tenant, level).to_wire()
    except Malformed as error:
        raise UsageError(f"the run can't be carried to its shard: {error}") from None


def _none_left(what: str) -> OperationFailed:
    return OperationFailed(
        what,
        code=UNAVAILABLE,
        kind="shard_lost",
        rule="supervisor.shards",
        hint="try again later; the log says why shards ended",
    )
