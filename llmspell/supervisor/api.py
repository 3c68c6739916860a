"""The Python API: `run` for one spell, `Supervisor` for many on one event loop.

result = llmspell.run("spell.lua", profile="high", params={"who": "moon"})

async with llmspell.Supervisor() as supervisor:
    spell = llmspell.Spell.from_source("return 1 + 1", language="lua")
    result = await supervisor.run(spell, profile="high", grants=["read:data/**"])
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LimitExceeded, UsageError
from llmspell.policies.resources import ResourceAmounts, SharedResources
from llmspell.spells.spell import Spell
from llmspell.supervisor.ending import number_of
from llmspell.supervisor.prepare import Prepared, RunOptions, prepare
from llmspell.supervisor.result import Result

if TYPE_CHECKING:
    import asyncio

    from llmspell.supervisor.pool import Pool

OnOutput = Callable[[str], None]

HOST_TOTAL: Final = ResourceAmounts(
    memory=1 << 40, operations=256, connections=1_000, disk=1 << 40, cpu_percent=100_000
)
"""What one supervisor's runs may use together where the host says nothing else (RES-002)."""


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
    return run_blocking(_spell(spell), options, _Sink(on_output))


class Supervisor:
    """Runs spells on the running event loop; leaving the `async with` ends those under way."""

    def __init__(
        self, total: ResourceAmounts = HOST_TOTAL, *, zygotes: bool = True, spares: int = 2
    ) -> None:
        """`total` is what all runs together may use; a run that does not fit is refused.

        With `zygotes` runs at `medium` and `high` are forked from booted engines, of which each
        tenant has its own, and up to `spares` confined workers wait for each kind of run.
        """
        self._zygotes = zygotes
        self._spares = spares
        self._pool: Pool | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._shared = SharedResources(total)
        self._open = False

    async def __aenter__(self) -> Supervisor:
        self._open = True
        if self._zygotes:
            from llmspell.supervisor.pool import Pool

            self._pool = Pool(self._spares)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio

        self._open = False
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._pool is not None:
            self._pool.close()
            self._pool = None

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
        prepared = prepare(_spell(spell), options)
        try:
            return self._pool is not None and await self._pool.warm(prepared, tenant)
        finally:
            prepared.close()

    async def run(
        self,
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
        tenant: str = "default",
    ) -> Result:
        """As `llmspell.run`; cancelling the awaiting task ends the run's whole tree."""
        import asyncio

        if not self._open:
            raise UsageError("the supervisor is not open", hint="use: async with Supervisor()")
        options = _options(
            profile, grants, limits, params, args, policy_file, audit, allow_degraded
        )
        prepared = prepare(_spell(spell), options)
        try:
            guard = self._shared.acquire(_needed(prepared))
        except LimitExceeded:
            prepared.close()
            raise
        task = asyncio.ensure_future(_run(prepared, _Sink(on_output), self._pool, tenant))
        task.add_done_callback(lambda _: guard.release())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise


def _needed(prepared: Prepared) -> ResourceAmounts:
    memory = number_of(prepared.plan.policy.limits.memory)
    return ResourceAmounts(memory=0 if memory is None else memory, operations=1)


async def _run(prepared: Prepared, sink: _Sink, pool: Pool | None, tenant: str) -> Result:
    from llmspell.supervisor.crew import Crew
    from llmspell.supervisor.drivers.aio import AsyncDriver
    from llmspell.supervisor.runner import begin, launcher

    crew = Crew(launcher(prepared)) if pool is None else pool.crew(prepared, tenant)
    try:
        session = begin(prepared, crew)
        await AsyncDriver(session, crew, sink).drive()
    finally:
        crew.abandon()
        prepared.close()
    assert session.result is not None
    return session.result


class _Sink:
    """Output goes to the caller's function; logs go to `logging`."""

    def __init__(self, on_output: OnOutput | None) -> None:
        self._on_output = on_output

    def show(self, stream: str, text: str) -> None:
        if self._on_output is not None:
            self._on_output(text)

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
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
