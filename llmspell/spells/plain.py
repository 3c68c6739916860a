"""Plain data of what crossed the channel: what may be kept, compared and handed on."""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


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


def encoded(value: Any, what: str) -> bytes:
    """The value as JSON text. Raises `InvalidInput` for what is no JSON."""
    try:
        return jsontext.encode(without_functions(value))
    except jsontext.Malformed as error:
        raise InvalidInput(f"{what}: {error}") from None
