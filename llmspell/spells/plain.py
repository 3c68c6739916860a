"""Plain data of what crossed the channel: what may be kept, compared and handed on."""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.channel.jsontext import Callback, Place
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final

FUNCTIONS_MAX: Final = 64
"""Functions that one input may hold."""


def without_functions(value: Any) -> Any:
    """A copy without the functions in it: they don't pass from one part of a run to another."""
    kind = type(value)
    if kind is dict:
        return {
            key: without_functions(item)
            for key, item in value.items()
            if not isinstance(item, Callback)
        }
    if kind is list:
        return [without_functions(item) for item in value if not isinstance(item, Callback)]
    return None if isinstance(value, Callback) else value


def functions_in(value: Any, what: str) -> list[Place]:
    """Where the functions stand that `without_functions` takes out of a value's objects.

    Raises `InvalidInput` for more than `FUNCTIONS_MAX`. Those directly in a list are not among
    them: without them the list has other places.
    """
    found: list[Place] = []
    _find_functions(value, (), found)
    if len(found) > FUNCTIONS_MAX:
        raise InvalidInput(f"{what} holds over {FUNCTIONS_MAX} functions")
    return found


def _find_functions(value: Any, path: tuple[str | int, ...], found: list[Place]) -> None:
    if type(value) is dict:
        for key, item in value.items():
            if isinstance(item, Callback):
                found.append(Place((*path, key), item))
            else:
                _find_functions(item, (*path, key), found)
    elif type(value) is list:
        plain = [item for item in value if not isinstance(item, Callback)]
        for at, item in enumerate(plain):
            _find_functions(item, (*path, at), found)


def encoded(value: Any, what: str) -> bytes:
    """The value as JSON text. Raises `InvalidInput` for what is no JSON."""
    try:
        return jsontext.encode(without_functions(value))
    except jsontext.Malformed as error:
        raise InvalidInput(f"{what}: {error}") from None


ROOM: Final = 16_777_216
"""Characters and values that there is room for unless somebody says less: a message's size."""


CONTAINER: Final = 16
"""What a list or an object counts beside what is in it: an empty one is two characters, and in
memory thirty times that."""

_SMALL: Final = frozenset({int, float, bool, type(None)})
"""Values that count as one and need no further look."""


class Room:
    """Room for data of a spell's choosing: what the places (`{{x}}`) of one input bring in, or
    what a service keeps of a run. A place costs six characters and may name a megabyte, and a
    definition may come a hundred times, so each is charged before it is copied, sent or kept."""

    __slots__ = ("_left", "_most", "_what")

    def __init__(self, what: str, most: int = ROOM) -> None:
        self._what = what
        self._left = self._most = most

    def take(self, value: Any) -> Any:
        """The value, when there is room for it. Raises `InvalidInput`; looks no further then."""
        left: list[Any] = [value]
        self._left -= 1
        while left:
            item = left.pop()
            if isinstance(item, (str, bytes)):
                self._left -= len(item)
            elif isinstance(item, dict):
                self._left -= CONTAINER + len(item) + sum(map(len, item))
                left.extend([one for one in item.values() if type(one) not in _SMALL])
            elif isinstance(item, list):
                self._left -= CONTAINER + len(item)
                left.extend([one for one in item if type(one) not in _SMALL])
            if self._left < 0:
                raise InvalidInput(f"{self._what} over {self._most} characters and values")
        return value


def footprint(value: Any) -> int:
    """About how many bytes of memory plain data takes (an empty list: 64)."""
    total, left = 0, [value]
    while left:
        item = left.pop()
        total += 64
        if isinstance(item, str):
            total += len(item) if item.isascii() else 4 * len(item)
        elif isinstance(item, bytes):
            total += len(item)
        elif isinstance(item, list):
            total += 8 * len(item)
            left.extend(item)
        elif isinstance(item, dict):
            total += 64 * len(item) + sum(map(len, item))
            left.extend(item.values())
    return total
