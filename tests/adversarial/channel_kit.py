"""Runs with `channel.py` in a worker's place, many in one process, and what must hold of each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.attackers import channel_frames
from tests.e2e.program import LONGEST, Orphanage, Program

IMPOSTORS = Path(channel_frames.__file__).with_name("impostors.py")
Order = dict[str, Any]
Answer = dict[str, Any]


def attacks(program: Program, orders: Iterable[Order | list[Order]]) -> list[Any]:
    """The answers, in order; afterwards no process and no file of theirs is left."""
    for folder in ("a", "b"):
        (program.folder.parent / folder).mkdir(exist_ok=True)
    before = program.litter()
    with Orphanage() as orphans:
        done = subprocess.run(
            [sys.executable, str(IMPOSTORS)],
            input=json.dumps(list(orders)),
            cwd=program.folder,
            env=program.place.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        left = orphans.left()
    assert not left, left
    assert program.litter() == before
    answers: list[Any] = json.loads(done.stdout)
    return answers


def events(answer: Answer, name: str) -> list[dict[str, Any]]:
    """The records of one kind of a run."""
    return [record for record in answer["audit"] if record["event"] == name]


def written(answer: Answer) -> list[str]:
    """What the record says that was allowed to be written."""
    return [
        record["target"]
        for record in events(answer, "decision")
        if record["allowed"] and record["action"] == "write"
    ]


def broke_the_protocol(answer: Answer) -> bool:
    """Whether a run ended as a broken protocol must: typed, recorded, cheap, without a value."""
    error = answer["error"] or {}
    return bool(
        (answer["status"], answer["reason"]) == ("violation", "protocol")
        and (error.get("code"), error.get("rule")) == (4006, "channel")
        and [item["kind"] for item in answer["violations"]] == ["SuspiciousSystemCall"]
        and answer["value"] is None
        and answer["audit_status"] == "ok"
        and [record["details"]["kind"] for record in events(answer, "violation")]
        == ["SuspiciousSystemCall"]
        and events(answer, "session_end")[0]["details"]["status"] == "violation"
        and cheap(answer)
    )


def cheap(answer: Answer) -> bool:
    """Nothing kept, no memory to speak of, no processor time: of the supervisor's."""
    return bool(answer["leaked"] == 0 and answer["grown_mib"] < 100 and answer["cpu"] < 3)
