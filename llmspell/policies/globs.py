"""Wildcards inside one name, without regular expressions: time is bounded by len × len.

`*` any run of characters, `?` one character, `[abc]`, `[a-z]`, `[!a]` one of a set. A wildcard is
taken literally after a backslash (`\\*`) or alone in a set (`[*]`).
"""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final


class CharacterSet(NamedTuple):
    """`[…]`: inclusive ranges, and whether the set is turned around."""

    ranges: tuple[tuple[str, str], ...]
    inverted: bool

    def has(self, character: str) -> bool:
        """Whether one character belongs to the set."""
        found = any(low <= character <= high for low, high in self.ranges)
        return found != self.inverted


class Wildcard(NamedTuple):
    """`*` (any run) or `?` (exactly one)."""

    run: bool


RUN: Final = Wildcard(True)
ONE: Final = Wildcard(False)

Token = str | CharacterSet | Wildcard
Glob = tuple[Token, ...]


def compile_glob(pattern: str) -> str | Glob:
    """The pattern as tokens, or as a plain string when it holds no wildcard.

    Raises `UsageError` for an unfinished set or a trailing backslash.
    """
    tokens: list[Token] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            if index + 1 == len(pattern):
                raise UsageError(f"pattern {pattern!r} ends in a lone backslash")
            tokens.append(pattern[index + 1])
            index += 2
        elif character == "[":
            members, index = _set(pattern, index)
            tokens.append(members)
        else:
            if character == "*":
                if not tokens or tokens[-1] is not RUN:
                    tokens.append(RUN)
            else:
                tokens.append(ONE if character == "?" else character)
            index += 1
    if all(isinstance(token, str) for token in tokens):
        return "".join(token for token in tokens if isinstance(token, str))
    return tuple(tokens)


def _set(pattern: str, start: int) -> tuple[str | CharacterSet, int]:
    index = start + 1
    inverted = pattern[index : index + 1] in ("!", "^")
    if inverted:
        index += 1
    end = pattern.find("]", index + 1)
    if end < 0:
        raise UsageError(f"pattern {pattern!r} has a '[' without its ']'")
    body = pattern[index:end]
    ranges: list[tuple[str, str]] = []
    place = 0
    while place < len(body):
        if place + 2 < len(body) and body[place + 1] == "-":
            ranges.append((body[place], body[place + 2]))
            place += 3
        else:
            ranges.append((body[place], body[place]))
            place += 1
    if len(body) == 1 and not inverted:
        return body, end + 1
    return CharacterSet(tuple(ranges), inverted), end + 1


def matches(glob: str | Glob, name: str) -> bool:
    """Whether the whole name matches. Never slower than len(glob) × len(name) steps."""
    if isinstance(glob, str):
        return glob == name
    at = place = 0
    star = mark = -1
    while place < len(name):
        token = glob[at] if at < len(glob) else None
        if token is RUN:
            star, mark = at, place
            at += 1
        elif token is not None and _one(token, name[place]):
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(token is RUN for token in glob[at:])


def _one(token: Token, character: str) -> bool:
    if isinstance(token, str):
        return token == character
    if isinstance(token, CharacterSet):
        return token.has(character)
    return not token.run


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern means more than one name."""
    return not isinstance(compile_glob(pattern), str)


def fold_glob(glob: Glob) -> Glob:
    """The same glob for names in lower case; sets get both cases."""
    folded: list[Token] = []
    for token in glob:
        if isinstance(token, str):
            folded.extend(token.casefold())
        elif isinstance(token, CharacterSet) and not token.inverted:
            both = [
                *token.ranges,
                *((low.lower(), high.lower()) for low, high in token.ranges),
            ]
            folded.append(CharacterSet(tuple(both), False))
        else:
            folded.append(token)
    return tuple(folded)
