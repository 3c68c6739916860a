"""The Python API: `run` for one spell, `Supervisor` for many on one event loop.

result = llmspell.run("spell.lua", profile="high", params={"who": "moon"})

async with llmspell.Supervisor() as supervisor:
    spell = llmspell.Spell.from_source("return 1 + 1", language="lua")
    result = await supervisor.run(spell, profile="high", grants=["read:data/**"])
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmspell.errors import UsageError
from llmspell.policies.resources import ResourceAmounts
from llmspell.spells.spell import Spell
from llmspell.supervisor.decide import decide
from llmspell.supervisor.ending import number_of
from llmspell.supervisor.prepare import Prepared, RunOptions, choose_policy, complete, prepare
from llmspell.supervisor.result import Result

if TYPE_CHECKING:
    import socket

    from llmspell.channel.roles import Role
    from llmspell.platform import Process
    from llmspell.platform.forking import Forked
    from llmspell.policies.policy import Policy
    from llmspell.supervisor.crew import Ahead, Crew
    from llmspell.supervisor.decide import Decided
    from llmspell.supervisor.drivers.blocking import Sink
    from llmspell.supervisor.gate import Pass
    from llmspell.supervisor.pool import Pool
    from llmspell.supervisor.running import Begun, Run, Work
    from llmspell.supervisor.script_cache import Script
    from llmspell.supervisor.shards.home import Shards

OnOutput = Callable[[str], None]

HOST_TOTAL: Final = ResourceAmounts(
    memory=1 << 40, operations=256, connections=1_000, disk=1 << 40, cpu_percent=100_000
)
"""What one supervisor's runs may use together where the host says nothing else (RES-002)."""

IN_FLIGHT: Final = 256
"""Runs at a time where the host says nothing else; each is a process or more."""

WAITING: Final = 1_000
"""Runs that may wait where the host says nothing else: a spell's text and options each."""

WAIT_SECONDS: Final = 30.0
"""Seconds a run may wait where the host says nothing else."""

SHARDS_MAX: Final = 256
"""Shards of one supervisor: more than machines have cores for."""

PROVIDERS: Final = "llmspell.supervisor.providers.remote"
"""The module that starts provider processes."""

DRAINED: Final = "drained"
"""The reason in the result of a run that a drain had to end."""


def run(
    spell: Spell | str | os.PathLike[str],
    *,
    profile: str | Mapping[str, Any] | None = None,
    grants: Sequence[str] = (),
    limits: Mapping[str, str | int | float] | None = None,
    params: Mapping[str, Any] | None = None,
    args: Sequence[str] = (),
    policy_file: str | None = None,
    audit: str | None = None,
    allow_degraded: bool = False,
    on_output: OnOutput | None = None,
) -> Result:
    """Runs a spell to its end in this thread.

    `spell` is a `Spell` or a path. `grants` are texts such as `read:data/**` or `net:example.com`.
    `limits` are by name: numbers in the limit's own unit, or texts such as `512MiB` and `2s`.
    Raises `UsageError` when nothing was started; every other end is in the result.
    """
    from llmspell.supervisor.runner import run_blocking

    options = _options(profile, grants, limits, params, args, policy_file, audit, allow_degraded)
    return run_blocking(_spell(spell), options, OutputSink(on_output))


class Drained(NamedTuple):
    """What became of a supervisor's runs when it was drained."""

    finished: int
    """Runs that came to their own end in time."""
    ended: int
    """Runs that were ended when the time was over; their results are `killed`."""
    refused: int
    """Runs that waited and were never started."""


class Supervisor:
    """Runs spells on the running event loop; leaving the `async with` ends those under way.

    What does not fit now waits: each tenant in a queue of its own, served in turn. Everything is
    bounded, and whatever is over a bound is refused with a typed error.
    """

    def __init__(
        self,
        total: ResourceAmounts = HOST_TOTAL,
        *,
        in_flight: int = IN_FLIGHT,
        waiting: int = WAITING,
        wait: float = WAIT_SECONDS,
        per_tenant: int | None = None,
        zygotes: bool = True,
        spares: int = 2,
        shards: int = 1,
        script_cache_size: int = 100,
    ) -> None:
        """`total` is what all runs together may use; a run that never fits is refused at once.

        `in_flight` runs at a time at most, of one tenant `per_tenant`; `waiting` more may wait, for
        `wait` seconds at most. With `zygotes` runs at `medium` and `high` are forked from booted
        engines, of which each tenant has its own, and up to `spares` confined workers wait for each
        kind of run. With `shards` above 1 the sessions live in so many trusted helper processes
        (needs the extra `llmspell[shards]`), each with zygotes of its own, and this process only
        places them. What the sources of the last `script_cache_size` spells tell is kept from run
        to run, in each process; 0 keeps nothing. Raises `UsageError` for bounds that are none.
        """
        if type(shards) is not int or not 1 <= shards <= SHARDS_MAX:
            raise UsageError(f"shards is a whole number from 1 to {SHARDS_MAX}, not {shards!r}")
        from llmspell.supervisor.gate import Bounds, Gate
        from llmspell.supervisor.script_cache import ScriptCache

        self._scripts = ScriptCache(script_cache_size)
        self._bounds = Bounds(total, in_flight, waiting, wait, per_tenant)
        self._gate = Gate(self._bounds)
        self._runs: set[Run] = set()
        self._open = False
        self._zygotes = zygotes
        self._spares = spares
        self._pool: Pool | None = None
        self._shard_count = shards
        self._shards: Shards | None = None

    async def __aenter__(self) -> Supervisor:
        if self._shard_count > 1:
            from llmspell.supervisor.shards.home import Shards

            self._shards = Shards(
                self._shard_count, self._bounds, self._zygotes, self._spares, self._scripts.size
            )
            await self._shards.start()
        elif self._zygotes:
            from llmspell.supervisor.pool import Pool

            self._pool = Pool(self._spares)
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio

        self._open = False
        tasks = [run.task for run in self._runs]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._shards is not None:
            await self._shards.stop()
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if PROVIDERS in sys.modules:
            # Only a supervisor whose runs asked a real model has a process to end.
            sys.modules[PROVIDERS].close_all()

    async def warm(
        self,
        spell: Spell | str | os.PathLike[str],
        *,
        profile: str | Mapping[str, Any] | None = None,
        limits: Mapping[str, str | int | float] | None = None,
        policy_file: str | None = None,
        tenant: str = "default",
    ) -> bool:
        """Boots what runs of such spells are forked from, and waits for it.

        False when they will be started by exec: at `none` and `low`, or where no zygote starts.
        """
        options = _options(profile, (), limits, None, (), policy_file, None, False)
        return await self.make_ready(_spell(spell), options, tenant)

    async def make_ready(self, spell: Spell, options: RunOptions, tenant: str) -> bool:
        """As `warm`, for hosts that make their options themselves."""
        if self._shards is not None:
            return await self._shards.warm(spell, options, tenant)
        prepared = prepare(spell, options)
        try:
            return self._pool is not None and await self._pool.warm(prepared, tenant)
        finally:
            prepared.close()

    async def run(
        self,
        spell: Spell | str | os.PathLike[str],
        *,
        tenant: str = "default",
        profile: str | Mapping[str, Any] | None = None,
        grants: Sequence[str] = (),
        limits: Mapping[str, str | int | float] | None = None,
        params: Mapping[str, Any] | None = None,
        args: Sequence[str] = (),
        policy_file: str | None = None,
        audit: str | None = None,
        allow_degraded: bool = False,
        on_output: OnOutput | None = None,
    ) -> Result:
        """As `llmspell.run`; cancelling the awaiting task ends the run's whole tree.

        `tenant` names whose turn and whose share the run takes. Raises also `LimitExceeded` for a
        run that can't be taken on (`limit.waiting`, `limit.wait`, `limit.total_…`) and
        `OperationFailed` (6008) when the supervisor drains.
        """
        import asyncio

        options = _options(
            profile, grants, limits, params, args, policy_file, audit, allow_degraded
        )
        run = self.submit(_spell(spell), options, OutputSink(on_output), tenant)
        try:
            return await run.task
        except asyncio.CancelledError:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)
            raise

    def submit(
        self,
        spell: Spell,
        options: RunOptions,
        sink: Sink,
        tenant: str,
        on_begin: Callable[[Begun], None] | None = None,
    ) -> Run:
        """A run under way: it waits or works already. For hosts that drive runs themselves.

        Raises as `run` does, for what is known at once; later refusals come from its task.
        """
        import asyncio

        from llmspell.supervisor.running import Run

        if not self._open:
            raise UsageError("the supervisor is not open", hint="use: async with Supervisor()")
        prepared = None
        if self._shards is None and self._gate.room_at_once:
            prepared = self._prepared(spell, options, tenant)
            policy = prepared.plan.policy
        else:
            policy = choose_policy(spell, options)
        try:
            taken = self._gate.enter(tenant, _needed(policy))
        except BaseException:
            if prepared is not None:
                prepared.close()
            raise
        run = Run()
        try:
            if prepared is not None and taken.in_flight:
                working = run.drive(self._local(prepared, sink, tenant, on_begin))
            else:
                if prepared is not None:
                    # It holds descriptors: who waits only holds a text.
                    prepared.close()
                    prepared = None
                working = self._wait_and_work(run, taken, spell, options, sink, tenant, on_begin)
        except BaseException:
            if prepared is not None:
                prepared.close()
            taken.release()
            raise
        run.task = asyncio.ensure_future(working)
        # Not in the task: one that is cancelled before its first step runs nothing of it.
        run.task.add_done_callback(lambda _: self._over(run, taken, prepared))
        self._runs.add(run)
        return run

    async def drain(self, seconds: float, *, finish_waiting: bool = False) -> Drained:
        """Takes on nothing more, lets what runs finish within `seconds`, then ends it.

        Who waits is refused now, or with `finish_waiting` when the time is over. A run that had to
        be ended has a result like any other, `killed` for `drained`. Raises `UsageError` for a
        time that is no finite number of seconds.
        """
        import asyncio

        if isinstance(seconds, bool) or not 0 <= seconds < float("inf"):
            raise UsageError(f"a drain takes a finite number of seconds, not {seconds!r}")
        refused = self._gate.close(keep_waiting=finish_waiting)
        under_way = len(self._runs) - refused
        try:
            await asyncio.wait_for(self._gate.emptied(), seconds)
        except TimeoutError:
            late = self._gate.close()
            working = [run for run in self._runs if not run.task.done()]
            ended = len(working) - late
            for run in working:
                run.interrupt(DRAINED)
            await self._gate.emptied()
            return Drained(under_way - late - ended, ended, refused + late)
        return Drained(under_way, 0, refused)

    async def _wait_and_work(
        self,
        run: Run,
        taken: Pass,
        spell: Spell,
        options: RunOptions,
        sink: Sink,
        tenant: str,
        on_begin: Callable[[Begun], None] | None,
    ) -> Result:
        await taken.admitted()
        if self._shards is not None:
            work = await self._shards.place(spell, options, sink, tenant, on_begin)
            return await run.drive(work)
        prepared = self._prepared(spell, options, tenant)
        try:
            taken.check(_needed(prepared.plan.policy))
            return await run.drive(self._local(prepared, sink, tenant, on_begin))
        finally:
            prepared.close()

    def _prepared(self, spell: Spell, options: RunOptions, tenant: str) -> Prepared:
        """Everything a run needs, its worker already on its way where that is possible."""
        decided = decide(spell, options)
        script = self._scripts.script(spell)
        try:
            ahead = self._ahead(decided, script, tenant)
        except BaseException:
            decided.record.close()
            raise
        try:
            return complete(decided, script)._replace(ahead=ahead)
        except BaseException:
            if ahead is not None:
                ahead.close()
            raise

    def _ahead(self, decided: Decided, script: Script, tenant: str) -> Ahead | None:
        if self._pool is not None:
            return self._pool.ahead(decided.policy, decided.spell, tenant)
        from llmspell.supervisor.runner import start_ahead

        return start_ahead(decided.policy, decided.spell, script)

    def _over(self, run: Run, taken: Pass, prepared: Prepared | None) -> None:
        self._runs.discard(run)
        if prepared is not None:
            prepared.close()
        taken.release()

    def _local(
        self,
        prepared: Prepared,
        sink: Sink,
        tenant: str,
        on_begin: Callable[[Begun], None] | None,
    ) -> Work:
        from llmspell.supervisor.running import Begun, LocalWork

        if on_begin is not None:
            on_begin(Begun(prepared.plan.session, prepared.plan.audit_path))
        return LocalWork(prepared, self._crew(prepared, tenant), sink)

    def _crew(self, prepared: Prepared, tenant: str) -> Crew:
        """How this run's workers are started: the one place where that is chosen."""
        if self._pool is not None:
            return self._pool.crew(prepared, tenant)
        from llmspell.channel.roles import Role
        from llmspell.supervisor.crew import Crew
        from llmspell.supervisor.runner import launcher

        def on_its_way(role: Role) -> tuple[Process | Forked, socket.socket] | None:
            started = role is Role.SPELL and prepared.ahead is not None
            return prepared.ahead.take() if started and prepared.ahead is not None else None

        return Crew(launcher(prepared), on_its_way)


def _needed(policy: Policy) -> ResourceAmounts:
    memory = number_of(policy.limits.memory)
    return ResourceAmounts(memory=0 if memory is None else memory, operations=1)


class OutputSink:
    """Output goes to the caller's function; logs go to `logging`."""

    def __init__(self, on_output: Callable[[str], None] | None) -> None:
        self._on_output = on_output

    def show(self, stream: str, text: str) -> None:
        """Hands the text over, in the order in which it was printed."""
        if self._on_output is not None:
            self._on_output(text)

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """Logs as `llmspell.spell`."""
        import logging

        number = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "error": 40}[level]
        logging.getLogger("llmspell.spell").log(number, "%s", message, extra={"fields": fields})


def _spell(spell: Spell | str | os.PathLike[str]) -> Spell:
    return spell if isinstance(spell, Spell) else Spell.from_file(spell)


def _options(
    profile: str | Mapping[str, Any] | None,
    grants: Sequence[str],
    limits: Mapping[str, str | int | float] | None,
    params: Mapping[str, Any] | None,
    args: Sequence[str],
    policy_file: str | None,
    audit: str | None,
    allow_degraded: bool,
) -> RunOptions:
    pairs: list[tuple[str, str]] = []
    for grant in grants:
        kind, colon, value = grant.partition(":")
        if not colon:
            raise UsageError(f"a grant is KIND:VALUE, not {grant!r}", hint="such as read:data/**")
        pairs.append((kind, value))
    return RunOptions(
        profile=profile,
        policy_file=policy_file,
        grants=tuple(pairs),
        limits={name: str(value) for name, value in (limits or {}).items()},
        allow_degraded=allow_degraded,
        params=dict(params or {}),
        args=tuple(args),
        audit=audit,
        stdin=None,
        keep_output=True,
    )
