"""The command line with its runs forked from a zygote, as a warm supervisor's are.

`python -m tests.e2e.forked run …` is `python -m llmspell run …` but for how the worker starts, so
that what is tested of the one can be tested of the other. What could be forked and was not ends
with exit code 99.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from llmspell.cli import main
from llmspell.cli import run as command
from llmspell.spells.spell import Spell
from llmspell.supervisor.crew import Crew
from llmspell.supervisor.drivers.aio import AsyncDriver
from llmspell.supervisor.drivers.blocking import Sink
from llmspell.supervisor.pool import Pool
from llmspell.supervisor.prepare import Prepared, RunOptions, prepare
from llmspell.supervisor.result import Result, Status
from llmspell.supervisor.runner import begin

if TYPE_CHECKING:
    from llmspell.supervisor.runner import InterruptPort

SPARES = int(os.environ.pop("LLMSPELL_TEST_SPARES", "0"))
NOT_FORKED = 99


def run_forked(
    spell: Spell, options: RunOptions, sink: Sink, interrupts: InterruptPort | None = None
) -> Result:
    """In the place of `runner.run_blocking`."""
    prepared = prepare(spell, options)
    try:
        return asyncio.run(_run(prepared, sink, interrupts))
    finally:
        prepared.close()


async def _run(prepared: Prepared, sink: Sink, interrupts: InterruptPort | None) -> Result:
    pool = Pool(SPARES)
    try:
        warm = await pool.warm(prepared, "tests")
        crew = pool.crew(prepared, "tests")
        return await _drive(prepared, crew, sink, interrupts, warm)
    finally:
        pool.close()


async def _drive(
    prepared: Prepared, crew: Crew, sink: Sink, interrupts: InterruptPort | None, warm: bool
) -> Result:
    try:
        session = begin(prepared, crew)
        driver = AsyncDriver(session, crew, sink)
        if interrupts is not None:
            loop = asyncio.get_running_loop()
            port = interrupts

            def woken() -> None:
                loop.remove_reader(port.wake)
                driver.interrupt(port.received[0])

            loop.add_reader(port.wake, woken)
        await driver.drive()
    finally:
        crew.abandon()
    assert session.result is not None
    forkable = prepared.plan.policy.confinement.level in ("medium", "high")
    # A machine that can't hold the profile starts no zygote either, and the exec path says so.
    if forkable and not warm and session.result.status is not Status.ISOLATION_REFUSED:
        print("no zygote", file=sys.stderr)
        os._exit(NOT_FORKED)
    return session.result


if __name__ == "__main__":
    vars(command)["run_blocking"] = run_forked
    sys.exit(main())
