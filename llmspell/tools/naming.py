"""Names as spells write them: camelCase in JavaScript, snake_case elsewhere, and typing slips."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NAMES_MAX: Final = 1_000
"""Names that are compared: a spell may choose them, and comparing takes time."""


def snake(name: str) -> str:
    """`toLowerCase` → `to_lower_case`; a snake_case name stays as it is."""
    if name.islower() or not name.isascii():
        return name
    result: list[str] = []
    for index, character in enumerate(name.replace("-", "_")):
        if character.isupper():
            if index and result[-1] != "_" and not name[index - 1].isupper():
                result.append("_")
            result.append(character.lower())
        else:
            result.append(character)
    return "".join(result)


def near(name: str, names: Iterable[str]) -> str | None:
    """A hint that names what was probably meant, or None."""
    from difflib import get_close_matches

    known = {each.lower(): each for each in list(names)[:NAMES_MAX]}
    close = get_close_matches(snake(name[:64]).lower(), list(known), n=3, cutoff=0.6)
    if not close:
        return None
    return "did you mean " + " or ".join(known[each][:80] for each in close) + "?"
