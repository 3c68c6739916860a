"""Many runs in one process, each with `channel.py` in its worker's place: orders on stdin as JSON.

An order: {act, profile, driver, grants, limits, tool, policy, audit_room}; `tool` is what stands in
a tool worker's place. Lists of orders run at once, in one supervisor. The answer to each is its
result, and what was seen from here: seconds, memory (MiB), processor time, descriptors, audit.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import llmspell
from llmspell.channel.roles import Role
from llmspell.policies.paths import FileRules
from llmspell.policies.verdict import Verdict
from llmspell.supervisor import worker
from llmspell.supervisor.audit.verify import verify

PROGRAM = str(Path(__file__).with_name("channel.py"))
Order = dict[str, Any]


def put_in_place() -> None:
    """From now on a worker is what its spell's source says: an act, and a tool worker's act."""
    real = worker.describe

    def describe(role: Role, policy: Any, spell: Any, *more: Any) -> worker.Start:
        start = real(role, policy, spell, *more)
        act, tool, extra = json.loads(spell.source)
        if role is Role.TOOLS:
            if not tool:
                return start
            act = tool
        argv = (sys.executable, "-S", "-B", PROGRAM, act, spell.engine, *extra)
        return start._replace(argv=argv)

    worker.describe = describe  # type: ignore[assignment]


def spell_of(order: Order) -> Any:
    source = json.dumps([order["act"], order.get("tool"), order.get("extra", [])])
    return llmspell.Spell.from_source(source, language="lua")


def chosen(order: Order, number: int) -> dict[str, Any]:
    return {
        "profile": order.get("profile", "high"),
        "grants": order.get("grants", ["write:.", "read:."]),
        "limits": order.get("limits", {"wall": "10s", "calls": "unlimited"}),
        "audit": f"audit-{number}.jsonl",
    }


def judging(how: str | None) -> None:
    """Puts another engine of the file rules in place, or the real one back."""

    def judge(self: FileRules, operation: str, path: str, **_: Any) -> Any:
        if how == "raises":
            raise RuntimeError("the policy engine broke")
        if how == "none":
            return None
        answers: dict[str, Any] = {"yes": "yes", "one": 1, "nothing": None, "list": [True]}
        return Verdict(answers[str(how)], "test.engine", "odd")

    FileRules.judge = REAL if how is None else judge  # type: ignore[method-assign]


REAL = FileRules.judge


def seen(result: Any, number: int) -> dict[str, Any]:
    """A result, and the record of its run."""
    record = Path(f"audit-{number}.jsonl")
    report = verify(record)
    lines = [json.loads(line) for line in record.read_bytes().splitlines()]
    record.unlink()
    return {**result.to_json(), "audit_status": report.status, "audit": lines}


async def together(orders: list[Order], number: int) -> list[dict[str, Any]]:
    async with llmspell.Supervisor(zygotes=False, spares=0) as supervisor:
        results = await asyncio.gather(
            *(
                supervisor.run(spell_of(order), tenant=f"t{at}", **chosen(order, number + at))
                for at, order in enumerate(orders)
            )
        )
    return [seen(result, number + at) for at, result in enumerate(results)]


def run(order: Order, number: int) -> dict[str, Any]:
    if order.get("driver") == "asyncio":
        return asyncio.run(together([order], number))[0]
    judging(order.get("policy"))
    room = order.get("audit_room")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        result = llmspell.run(spell_of(order), **chosen(order, number))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        judging(None)
    return seen(result, number)


def measured(order: Order | list[Order], number: int) -> list[dict[str, Any]]:
    """The answers to one order or to those that run at once, and what they cost this process."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # The peak begins anew.
    base, descriptors = memory("VmRSS"), len(os.listdir("/proc/self/fd"))
    begun, used = time.monotonic(), time.process_time()
    if isinstance(order, list):
        found = asyncio.run(together(order, number))
    else:
        found = [run(order, number)]
    costs = {
        "seconds": time.monotonic() - begun,
        "cpu": time.process_time() - used,
        "grown_mib": memory("VmHWM") - base,
        "leaked": len(os.listdir("/proc/self/fd")) - descriptors,
    }
    return [answer | costs for answer in found]


def memory(what: str) -> int:
    """MiB of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) // 1024


def main() -> None:
    put_in_place()
    # What is opened once and kept (guest, image, imports) is no leak of the first attack.
    measured({"act": "honest"}, 0)
    measured({"act": "honest", "driver": "asyncio"}, 0)
    answers = []
    for number, order in enumerate(json.load(sys.stdin)):
        found = measured(order, 1 + number * 100)
        answers.append(found if isinstance(order, list) else found[0])
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
