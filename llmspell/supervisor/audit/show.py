"""Audit records for people: filtered, one safe line each."""

from __future__ import annotations

import json
import os

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.audit.verify import READ_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class Filter(NamedTuple):
    """What to show; a field that is None (or empty) does not narrow. `text` is looked for in
    target, method and rule."""

    events: frozenset[str] = frozenset()
    allowed: bool | None = None
    origin: str | None = None
    text: str | None = None

    def keeps(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is wanted."""
        if self.events and record.get("event") not in self.events:
            return False
        if self.allowed is not None and record.get("allowed") is not self.allowed:
            return False
        if self.origin is not None and record.get("origin") != self.origin:
            return False
        if self.text is None:
            return True
        return any(self.text in str(record.get(name, "")) for name in ("target", "method", "rule"))


def show(path: str | os.PathLike[str], wanted: Filter | None = None) -> Iterator[dict[str, Any]]:
    """The records of a file, in order. Raises `UsageError` for a line that is none."""
    chosen = Filter() if wanted is None else wanted
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(READ_MAX):
            number += 1
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not isinstance(record, dict):
                raise UsageError(
                    f"line {number} of {os.fspath(path)} is no audit record",
                    hint="see what is wrong with it: llmspell audit verify",
                )
            if chosen.keeps(record):
                yield record


def sentence(record: Mapping[str, Any]) -> str:
    """A record as one line that is safe on a terminal: time, verb first, then the rest."""
    words = [_safe(record.get("time", "")), _safe(record.get("event", ""))]
    if "allowed" in record:
        words.append("allowed" if record["allowed"] is True else "denied")
    words += [_safe(record[name]) for name in ("action", "target") if name in record]
    for name in ("method", "rule", "origin", "code"):
        if name in record:
            words.append(f"{name}={_safe(record[name])}")
    details = record.get("details")
    if isinstance(details, dict):
        words += [f"{_safe(name)}={_safe(value)}" for name, value in details.items()]
    return "  ".join(words)


def _safe(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in text
    )
