"""What the audit costs: a record, a record on the disk, a trail's end, and checking a trail."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from bench.place import own_place
from bench.rounds import Outcome, Row, Settings, interleave
from llmspell.supervisor.audit.log import AuditLog
from llmspell.supervisor.audit.records import START
from llmspell.supervisor.audit.verify import verify

TITLE = "The audit trail"
ABOUT = """*Record*: made, chained by its hash and written to the file, as before every reply.
*Synced*: the same and on the disk, as before an act with an effect outside (`fsync`). *Trail*: a
session's file made, begun, ended, synced and closed. *Verify*: every hash and the order of a
thousand records. The bare rows write the same number of bytes without any of it."""

FIELDS: dict[str, Any] = {
    "origin": "spell",
    "method": "fs.exists",
    "action": "read",
    "target": "scratch:none",
    "decision": "allow",
    "rule": "high.files.scratch",
}
BYTES = 420
"""About the length of such a record."""

DOES = "audited: hash-chained, canonical JSON, one write a record"
VERIFY = "an audited run's trail: every hash, order and place"
BARE = "bytes of the same length: no JSON, no hash, no chain"


def measure(settings: Settings) -> Outcome:
    """Microseconds a record; milliseconds a trail and a thousand records checked."""
    records = 50 if settings.quick else 500
    checked = 100 if settings.quick else 1_000
    with own_place() as folder:
        names = (str(folder / f"{number}.jsonl") for number in count())
        trail = next(names)
        _trail(trail, checked - 2)
        rows = [
            Row("bare write", "µs", BARE, partial(_bare_us, folder, records, False)),
            Row(
                "record", "µs", DOES, lambda: _record_us(next(names), records, False), "bare write"
            ),
            Row("bare write, synced", "µs", BARE, partial(_bare_us, folder, 5, True)),
            Row(
                "record, synced",
                "µs",
                DOES,
                lambda: _record_us(next(names), 5, True),
                "bare write, synced",
            ),
            Row("trail of a run without a call", "ms", DOES, lambda: [_trail(next(names), 0)]),
            Row(
                "verify 1000 records",
                "ms",
                VERIFY,
                lambda: [_verify_ms(trail, checked)],
            ),
        ]
        return interleave(rows, settings.runs)


def _bare_us(folder: Path, records: int, sync: bool) -> list[float]:
    line = b"x" * BYTES
    handle = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    begun = time.perf_counter()
    for _ in range(records):
        os.write(handle, line)
        if sync:
            os.fsync(handle)
    spent = time.perf_counter() - begun
    os.close(handle)
    return [spent / records * 1e6]


def _record_us(path: str, records: int, effect: bool) -> list[float]:
    log = AuditLog.open(path, "bench")
    log.record(START, {})
    begun = time.perf_counter()
    for _ in range(records):
        log.record("call", FIELDS, effect=effect)
    spent = time.perf_counter() - begun
    log.close({})
    os.unlink(path)
    return [spent / records * 1e6]


def _trail(path: str, records: int) -> float:
    begun = time.perf_counter()
    log = AuditLog.open(path, "bench")
    log.record(START, {})
    for _ in range(records):
        log.record("call", FIELDS)
    log.close({})
    return (time.perf_counter() - begun) * 1000


def _verify_ms(path: str, records: int) -> float:
    begun = time.perf_counter()
    report = verify(path)
    spent = (time.perf_counter() - begun) * 1000
    if not report.ok or report.records != records:
        raise RuntimeError(f"the trail is not whole: {report}")
    return spent * 1000 / records
