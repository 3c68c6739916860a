"""Regular expressions that spells write: JavaScript's and Python's spellings, bounded.

A pattern may still take for ever: it only ever runs in the tool worker, which the supervisor's
deadline ends.
"""

from __future__ import annotations

import re
from typing import Final

from llmspell.errors import InvalidInput

PATTERN_MAX: Final = 2_000
REPEAT_MAX: Final = 10_000

_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_IGNORED: Final = frozenset("guvyd")
_NAMED: Final = re.compile(r"(?<!\\)\(\?<(?=[A-Za-z_])")
_REPEAT: Final = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}")
_REFERENCE: Final = re.compile(r"\$(?:(\$)|(&)|(\d{1,2})|<(\w+)>|\{(\w+)\})")

Pattern = re.Pattern[str]


def compile_pattern(pattern: str, flags: str, place: str) -> Pattern:
    """The pattern, compiled. Raises `InvalidInput` saying where it is wrong."""
    if len(pattern) > PATTERN_MAX:
        raise InvalidInput(f"{place} has over {PATTERN_MAX} characters")
    for match in _REPEAT.finditer(pattern):
        if any(len(count) > 5 or int(count or 0) > REPEAT_MAX for count in match.groups()):
            raise InvalidInput(f"{place} repeats something over {REPEAT_MAX} times")
    mode = re.UNICODE
    for letter in flags:
        if letter in _FLAGS:
            mode |= _FLAGS[letter]
        elif letter not in _IGNORED:
            known = "known: g i m s x u"
            raise InvalidInput(f"{place} has the unknown flag {letter!r}", hint=known)
    try:
        return re.compile(_NAMED.sub("(?P<", pattern), mode)
    except re.error as error:
        raise InvalidInput(f"{place} is no regular expression: {error}") from None
    except (RecursionError, OverflowError):
        raise InvalidInput(f"{place} is too complex") from None


def replace(pattern: Pattern, replacement: str, text: str, count: int, most: int) -> str:
    """`text` with matches replaced; `$1`, `$<name>`, `$&`, `$$` work. `count` 0 is all.

    Raises `InvalidInput` when the result has over `most` characters, before it is built.
    """
    size = 0

    def expand(match: re.Match[str]) -> str:
        nonlocal size
        piece = _REFERENCE.sub(lambda reference: _group(match, reference), replacement)
        size += len(piece)
        if size > most:
            raise InvalidInput(f"the result has over {most} characters")
        return piece

    return pattern.sub(expand, text, count=count)


def _group(match: re.Match[str], reference: re.Match[str]) -> str:
    dollar, whole, number, name, braced = reference.groups()
    if dollar:
        return "$"
    if whole:
        return match.group()
    key = name or braced or number
    try:
        return match.group(int(key) if key.isdecimal() else key) or ""
    except (IndexError, re.error):
        raise InvalidInput(f"the replacement names group {key}, which the pattern lacks") from None
