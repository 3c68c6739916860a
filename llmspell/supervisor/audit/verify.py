"""Checks an audit file: dropped, edited, reordered or cut records and bytes that don't belong.

Whoever can write the file can also write a new chain; compare `head` with the one that the run's
result carried to find that (`expected_head`).
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.audit.records import END, FIRST, LINE_MAX, START, canonical

if TYPE_CHECKING:
    from typing import Any, Final

READ_MAX: Final = LINE_MAX * 2


class Report(NamedTuple):
    """`status` is `ok`, `incomplete` (no end record: the run was killed, or is under way) or
    `broken`; `line` is where (from 1, 0 when nowhere), `what` says it for people."""

    status: str
    line: int
    what: str
    records: int
    head: str

    @property
    def ok(self) -> bool:
        """Whether the file is whole and unchanged."""
        return self.status == "ok"


class _BrokenError(Exception):
    pass


def verify(path: str | os.PathLike[str], expected_head: str | None = None) -> Report:
    """Checks every record of a file. Raises `OSError` when it can't be read."""
    head, count, session, ended = FIRST, 0, None, False
    with open(path, "rb") as file:
        while True:
            line = file.readline(READ_MAX)
            if not line:
                break
            try:
                if ended:
                    raise _BrokenError("there is more after the end record")
                record = _parse(line)
                _check_chain(record, head, count + 1)
                session = _check_place(record, session, count)
                if record["event"] == END:
                    _check_end(record, head, count)
                    ended = True
            except _BrokenError as wrong:
                return Report("broken", count + 1, str(wrong), count, head)
            head = record["hash"]
            count += 1
    if count == 0:
        return Report("broken", 0, "the file is empty", 0, head)
    if expected_head is not None and head != expected_head:
        return Report("broken", count, "the last record is not the expected one", count, head)
    if not ended:
        return Report("incomplete", count, "there is no end record", count, head)
    return Report("ok", 0, "every record is in place", count, head)


def _parse(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        long = len(line) >= READ_MAX
        raise _BrokenError("the line is too long" if long else "the record is cut in the middle")
    try:
        record = json.loads(line)
        spelled = canonical(record)
    except (ValueError, RecursionError):
        raise _BrokenError("the line is not a record") from None
    if not isinstance(record, dict):
        raise _BrokenError("the line is not a record")
    if spelled + b"\n" != line:
        raise _BrokenError("the line holds bytes that no record has")
    return record


def _check_chain(record: dict[str, Any], head: str, seq: int) -> None:
    if record.get("seq") != seq:
        raise _BrokenError(f"record {seq} is missing or not in its place")
    if record.get("prev") != head:
        raise _BrokenError("the record does not follow the one before it")
    body = {name: value for name, value in record.items() if name != "hash"}
    if sha256(head.encode("ascii") + canonical(body)).hexdigest() != record.get("hash"):
        raise _BrokenError("the record was changed")


def _check_place(record: dict[str, Any], session: str | None, count: int) -> str:
    found = record.get("session")
    if not isinstance(found, str) or not isinstance(record.get("event"), str):
        raise _BrokenError("the record names no session or no event")
    if count == 0 and record["event"] != START:
        raise _BrokenError("the first record is not the session's start")
    if count > 0 and (record["event"] == START or found != session):
        raise _BrokenError("the record belongs to another session")
    return found


def _check_end(record: dict[str, Any], head: str, count: int) -> None:
    details = record.get("details")
    if not isinstance(details, dict) or details.get("records") != count:
        raise _BrokenError("the end record counts other records")
    if details.get("head") != head:
        raise _BrokenError("the end record names another head")
