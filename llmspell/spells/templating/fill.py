"""Templates inside plain data: every text of a step's input that has a tag is rendered."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.plain import Room
from llmspell.spells.templating.rendering import value_of
from llmspell.spells.templating.values import Scope

if TYPE_CHECKING:
    from typing import Any, Final

DEPTH_MAX: Final = 24
"""Levels of data that are looked through."""

CHARACTERS_MAX: Final = 262_144
"""Characters of all templates in one piece of data."""


def fill(data: Any, scope: Scope) -> Any:
    """The data with its templates rendered; `"{{x}}"` alone becomes x itself, typed.

    What a value brings in is not looked through again. Raises `InvalidInput`.
    """
    return _fill(data, scope, DEPTH_MAX, [CHARACTERS_MAX], Room("the places of an input bring in"))


def _fill(data: Any, scope: Scope, depth: int, left: list[int], room: Room) -> Any:
    if isinstance(data, str):
        if "{{" not in data:
            return data
        left[0] -= len(data)
        if left[0] < 0:
            raise InvalidInput(
                f"the templates of a piece of data have over {CHARACTERS_MAX} characters"
            )
        return room.take(value_of(data, scope))
    # A record (a function of the spell's) is a tuple and stays what it is.
    if type(data) not in (list, dict):
        return data
    if depth == 0:
        raise InvalidInput(f"data with templates is nested deeper than {DEPTH_MAX} levels")
    if isinstance(data, list):
        return [_fill(item, scope, depth - 1, left, room) for item in data]
    return {key: _fill(item, scope, depth - 1, left, room) for key, item in data.items()}
