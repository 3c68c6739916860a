"""A long-lived process that runs spells by the Python API and tells of them in JSON lines.

python -m tests.soak.home SEED RUNS ROUNDS SHARDS

Each round is one `Supervisor`: opened, so many runs, closed. Somebody else does the killing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import llmspell
from llmspell.supervisor.audit.verify import verify
from tests.e2e.program import descendants
from tests.soak.kinds import CHILD, KINDS, SUFFIXES, Choice, choose
from tests.soak.measures import (
    allocated_kib,
    descriptors,
    objects,
    resident_kib,
    within,
    zombies,
)

IN_FLIGHT: Final = 6
"""Runs at a time."""

SLOWEST: Final = 60.0
"""Seconds after which a run counts as hung."""


class Tally:
    """What became of one round's runs."""

    def __init__(self) -> None:
        self.begun = 0
        self.ends: Counter[str] = Counter()
        """By status and reason."""
        self.odd: Counter[str] = Counter()
        """Ends that are not the kind's own: somebody disturbed the run."""
        self.wrong: list[str] = []
        """What may not be: an untyped end, a hang, a record that does not verify."""
        self.starts: Counter[str] = Counter()

    def ended(self, choice: Choice, result: llmspell.Result) -> None:
        kind = choice.kind
        end = f"{result.status.value}/{result.reason}"
        self.ends[end] += 1
        expected = result.status.value == kind.status
        if expected and kind.status == "done" and result.value != kind.value:
            self.wrong.append(f"{kind.name} {choice.profile}: value {result.value!r}")
        if not expected:
            code = 0 if result.error is None else result.error.code
            self.odd[f"{kind.name}/{kind.language} {choice.profile}: {end} {code}"] += 1
        self._check_record(choice, result)

    def _check_record(self, choice: Choice, result: llmspell.Result) -> None:
        if result.audit_path is None or result.audit_head is None:
            self.wrong.append(f"{choice.kind.name}: no record of {result}")
            return
        try:
            report = verify(result.audit_path, result.audit_head)
            lines = Path(result.audit_path).read_bytes()
        except FileNotFoundError:
            self.wrong.append(f"the record of {result.session} is gone")
            return
        self.starts.update(
            how for how in ("fork", "spare", "exec") if f'"start":"{how}"'.encode() in lines
        )
        # A shard that was killed leaves its runs' records without an end.
        lost = result.reason == "shard_lost" and report.status == "incomplete"
        if not report.ok and not lost:
            self.wrong.append(f"audit of {choice.kind.name} ({result.status}): {report}")


async def one(supervisor: llmspell.Supervisor, choice: Choice, tally: Tally) -> None:
    """One run to its end, whichever it is."""
    kind = choice.kind
    task = asyncio.ensure_future(
        supervisor.run(
            f"{kind.name}{SUFFIXES[kind.language]}",
            tenant=choice.tenant,
            profile=choice.profile,
            limits={"wall": "20s", **kind.limits},
            params={"n": 7},
        )
    )
    tally.begun += 1
    if choice.cancel_after is not None:
        asyncio.get_running_loop().call_later(choice.cancel_after, task.cancel)
    try:
        tally.ended(choice, await asyncio.wait_for(task, SLOWEST))
    except asyncio.CancelledError:
        tally.ends["cancelled"] += 1
    except TimeoutError:
        tally.wrong.append(f"{kind.name} at {choice.profile} hangs")
    except llmspell.LlmspellError as error:
        tally.ends[f"{type(error).__name__}/{error.code}"] += 1
        tally.wrong.append(f"refused: {error!r}")
    except Exception as error:
        tally.wrong.append(f"untyped: {kind.name} at {choice.profile}: {error!r}")


async def one_round(chance: random.Random, runs: int, shards: int) -> Tally:
    """Opens a supervisor, runs so many spells on it, closes it."""
    tally = Tally()
    choices = [choose(chance) for _ in range(runs)]
    async with llmspell.Supervisor(shards=shards) as supervisor:

        async def work() -> None:
            while choices:
                await one(supervisor, choices.pop(), tally)
                if tally.begun % 25 == 0:
                    tell(kind="going", begun=tally.begun)

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        # Zygotes and spares may have been killed a moment ago; the loop learns of it.
        for _ in range(200):
            if not zombies(os.getpid()):
                break
            await asyncio.sleep(0.01)
        else:
            tally.wrong.append(f"{len(zombies(os.getpid()))} zombies while open")
    return tally


def tell(**what: Any) -> None:
    """One line to whoever started this."""
    print(json.dumps(what), flush=True)


def main() -> None:
    seed, runs, rounds, shards = map(int, sys.argv[1:])
    for kind in KINDS:
        Path(f"{kind.name}{SUFFIXES[kind.language]}").write_text(kind.source)
    Path("child.lua").write_text(CHILD)
    chance = random.Random(seed)
    tell(kind="up")
    for number in range(rounds):
        begun = time.monotonic()
        try:
            tally = asyncio.run(one_round(chance, runs, shards))
        except llmspell.LlmspellError as error:
            # A shard was killed before it was there: no supervisor, and a sentence why.
            tell(kind="closed", why=error.message)
            continue
        if not within(1.0, lambda: not descendants(os.getpid())):
            tally.wrong.append(f"left after closing: {descendants(os.getpid())}")
        tell(
            kind="round", number=number, begun=tally.begun, ends=tally.ends, odd=tally.odd,
            wrong=tally.wrong, starts=tally.starts, seconds=time.monotonic() - begun,
            descriptors=descriptors(os.getpid()), resident_kib=resident_kib(os.getpid()),
            objects=objects(), allocated_kib=allocated_kib(),
        )  # fmt: skip


if __name__ == "__main__":
    main()
