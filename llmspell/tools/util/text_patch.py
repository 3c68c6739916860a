"""Applies a unified diff to a text."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from llmspell.errors import InvalidInput

_HEAD: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
FUZZ: Final = 100
"""Lines around its place where a hunk is looked for."""


class Hunk(NamedTuple):
    """A change: where the old text stands (from 0), the old lines and the new ones."""

    start: int
    old: list[str]
    new: list[str]


def parse_unified(patch: str) -> list[Hunk]:
    """The hunks of a unified diff. Raises `InvalidInput` naming the line."""
    hunks: list[Hunk] = []
    lines = patch.splitlines(keepends=True)
    index = 0
    while index < len(lines):
        match = _HEAD.match(lines[index])
        index += 1
        if match is None:
            continue
        before = int(match[2] or 1) if match[2] != "0" else 0
        after = int(match[4] or 1) if match[4] != "0" else 0
        old: list[str] = []
        new: list[str] = []
        while len(old) < before or len(new) < after:
            if index >= len(lines):
                raise InvalidInput(f"patch ends within the change {match.group()}")
            line = lines[index]
            index += 1
            if line[:1] in (" ", "-") or line in ("\n", "\r\n"):
                old.append(line[1:] if line[:1] in (" ", "-") else line)
            if line[:1] in (" ", "+") or line in ("\n", "\r\n"):
                new.append(line[1:] if line[:1] in (" ", "+") else line)
            if line[:1] not in (" ", "-", "+", "\\", "\n", "\r"):
                raise InvalidInput(f"patch, line {index}: a line starts with ' ', - or +")
            if line.startswith("\\"):
                _without_newline(old, new, lines[index - 2])
        if index < len(lines) and lines[index].startswith("\\"):
            _without_newline(old, new, lines[index - 1])
            index += 1
        start = int(match[1])
        hunks.append(Hunk(start if before == 0 else start - 1, old, new))
    if not hunks and patch.strip():
        raise InvalidInput("patch is no unified diff", hint="it has lines @@ -1,2 +1,2 @@")
    return hunks


def _without_newline(old: list[str], new: list[str], previous: str) -> None:
    for lines, marks in ((old, " -"), (new, " +")):
        if lines and previous[:1] in marks:
            lines[-1] = lines[-1].rstrip("\r\n")


def apply_unified(text: str, patch: str) -> str:
    """`text` with the diff applied. Raises `InvalidInput` (2009) for a change that has no place."""
    lines = text.splitlines(keepends=True)
    shift = 0
    for number, hunk in enumerate(parse_unified(patch), start=1):
        place = _find(lines, hunk, hunk.start + shift)
        if place is None:
            raise InvalidInput(
                f"change {number} of the patch does not fit the text",
                code=2009,
                hint="the text is not the one that the patch was made of",
            )
        lines[place : place + len(hunk.old)] = hunk.new
        shift += len(hunk.new) - len(hunk.old) + place - (hunk.start + shift)
    return "".join(lines)


def _find(lines: list[str], hunk: Hunk, expected: int) -> int | None:
    for distance in range(FUZZ + 1):
        for place in {expected - distance, expected + distance}:
            if 0 <= place <= len(lines) and lines[place : place + len(hunk.old)] == hunk.old:
                return place
    return None
