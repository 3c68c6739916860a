"""Values that spells and models hand in: checked for shape and size before they are kept."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_MAX: Final = 32
"""Nesting of a kept value."""

INTEGER_MAX: Final = 2**53
ANSWER_MAX: Final = 1_048_576
"""Characters of an answer that is tried as JSON."""

RESERVED: Final = frozenset({"$bytes", "$callback"})
"""Keys by which the channel marks what is no JSON: data that spells them is not passed on."""


@contextmanager
def naming(function: str) -> Iterator[None]:
    """Wrong input within is told with the name of the function that was given it."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(
            f"{function}: {error.message}", code=error.code, kind=error.kind, hint=error.hint
        ) from None


def plain(value: Any, what: str, characters: int) -> Any:
    """The value, if it is data that JSON can hold in so many characters.

    Raises `InvalidInput` naming `what` for a function, bytes, a NaN or too much.
    """
    if not is_plain(value):
        raise InvalidInput(f"{what} must be plain data: no functions, no bytes, no cycles")
    size = len(json.dumps(value, ensure_ascii=False))
    if size > characters:
        raise InvalidInput(f"{what} has {size} characters as JSON; {characters} are kept")
    return value


def is_plain(value: Any, depth: int = DEPTH_MAX) -> bool:
    """Whether the value is JSON that also survives the channel."""
    kind = type(value)
    if kind is str:
        return _is_text(value)
    if kind is bool or value is None:
        return True
    if kind is int:
        return bool(-INTEGER_MAX <= value <= INTEGER_MAX)
    if kind is float:
        return bool(math.isfinite(value))
    if depth == 0:
        return False
    if kind is list:
        return all(is_plain(item, depth - 1) for item in value)
    if kind is dict:
        return all(
            type(key) is str and key not in RESERVED and _is_text(key) and is_plain(item, depth - 1)
            for key, item in value.items()
        )
    return False


def _is_text(text: str) -> bool:
    """Whether it holds no half of a surrogate pair, which a model can write as `\\ud800`."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def without_functions(value: Any, depth: int = DEPTH_MAX) -> Any:
    """The value without the spell's functions: they can't be handed back."""
    if isinstance(value, dict):
        if depth == 0:
            return {}
        return {
            key: without_functions(item, depth - 1)
            for key, item in value.items()
            if not isinstance(item, (Callback, bytes))
        }
    if isinstance(value, list):
        if depth == 0:
            return []
        return [
            without_functions(item, depth - 1)
            for item in value
            if not isinstance(item, (Callback, bytes))
        ]
    return None if isinstance(value, (Callback, bytes)) else value


def holds_bytes(value: Any, depth: int = DEPTH_MAX) -> bool:
    """Whether there are bytes anywhere in the value, or it is nested too deep to tell."""
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return depth == 0 or any(holds_bytes(item, depth - 1) for item in inner)
    return isinstance(value, bytes)


def as_json(value: Any) -> str:
    """A value for a prompt: text as it is, anything else as JSON without functions."""
    if isinstance(value, str):
        return value
    return json.dumps(without_functions(value), ensure_ascii=False)


def json_answer(content: str) -> dict[str, Any] | None:
    """The object that an answer is, also inside one fenced block; None for any other text."""
    text = content.strip()
    if len(text) > ANSWER_MAX:
        return None
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3].strip()
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and is_plain(value) else None


def table(value: Any, what: str) -> dict[str, Any]:
    """An object; an empty list is Lua's empty table. Raises `InvalidInput` 1004."""
    if value == [] or value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} must be an object", code=1004)
    return value


def items(value: Any, what: str, most: int) -> list[Any]:
    """A list of at most `most` items; one thing alone is a list of it. Raises `InvalidInput`."""
    if value is None or value == {}:
        return []
    found = value if isinstance(value, list) else [value]
    if len(found) > most:
        raise InvalidInput(f"{what} has {len(found)} items; {most} are taken", code=1004)
    return found


def text(value: Any, what: str, most: int) -> str:
    """Text of at most `most` characters. Raises `InvalidInput` 1004."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be text", code=1004)
    if len(value) > most:
        raise InvalidInput(f"{what} has {len(value)} characters; {most} are taken", code=1004)
    return value


def number(value: Any, what: str, low: float, high: float) -> float:
    """A number in bounds. Raises `InvalidInput` 1004."""
    if type(value) not in (int, float) or not low <= value <= high:
        raise InvalidInput(f"{what} must be a number from {low:g} to {high:g}", code=1004)
    return float(value)


def integer(value: Any, what: str, low: int, high: int) -> int:
    """A whole number in bounds. Raises `InvalidInput` 1004."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise InvalidInput(f"{what} must be a whole number from {low} to {high}", code=1004)
    return int(value)
