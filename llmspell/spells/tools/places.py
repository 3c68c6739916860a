"""`{{name.path}}` in a pipeline's inputs: places in its context, no expressions (API-068).

A text that is one place becomes the value there; places within text become text. Bounded: nesting,
the length of a text, the parts of a path.
"""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.plain import Room

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

DEPTH_MAX: Final = 32
TEXT_MAX: Final = 2**20
PARTS_MAX: Final = 32


def filled(value: Any, context: Mapping[str, Any]) -> Any:
    """The value with its places filled in. Raises `InvalidInput` naming a wrong one."""
    return _filled(value, context, 0, Room("the places of an input bring in"))


def _filled(value: Any, context: Mapping[str, Any], depth: int, room: Room) -> Any:
    if depth > DEPTH_MAX:
        raise InvalidInput(f"an input is nested over {DEPTH_MAX} deep")
    if isinstance(value, str):
        return room.take(_text(value, context)) if "{{" in value else value
    if isinstance(value, dict):
        return {key: _filled(item, context, depth + 1, room) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, context, depth + 1, room) for item in value]
    return value


def _text(text: str, context: Mapping[str, Any]) -> Any:
    if text.startswith("{{") and text.find("}}") == len(text) - 2:
        return place(text[2:-2], context)
    pieces: list[str] = []
    size, position = 0, 0
    while True:
        start = text.find("{{", position)
        end = -1 if start < 0 else text.find("}}", start)
        if end < 0:
            pieces.append(text[position:])
            return "".join(pieces)
        shown = _shown(place(text[start + 2 : end], context))
        pieces += (text[position:start], shown)
        size += start - position + len(shown)
        if size > TEXT_MAX:
            raise InvalidInput(f"an input's text has over {TEXT_MAX} characters")
        position = end + 2


def place(path: str, context: Mapping[str, Any]) -> Any:
    """The value at `results[0].title`; None where there is nothing. Raises `InvalidInput`."""
    path = path.strip()
    parts = path.replace("[", ".").replace("]", "").split(".")
    if len(parts) > PARTS_MAX or not all(_is_name(part) for part in parts):
        raise InvalidInput(
            f"{{{{{path[:80]}}}}} names no place",
            hint="only names, dots and [numbers] stand in {{ }} here; a function can do the rest",
        )
    value: Any = context
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and len(part) < 8:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _is_name(part: str) -> bool:
    return bool(part) and part.replace("_", "a").replace("-", "a").isalnum()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return jsontext.encode(value).decode("utf-8")
