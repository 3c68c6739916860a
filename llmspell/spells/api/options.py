"""Options as the three languages write them: key spellings and units, in one place.

JavaScript writes `maxTokens`, Lua and Python `max_tokens` (CON-013); a bare number of time has the
unit that the language's seeds give it: seconds in Lua and Python, milliseconds in JavaScript. Text
as "30s" always works.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, UsageError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Set
    from typing import Any, Final

SECONDS_MAX: Final = 30 * 86_400.0
"""Longest time an option may say: thirty days."""

DATA_KEYS: Final = frozenset(
    {"input", "data", "payload", "params", "parameters", "context", "metadata", "schema",
     "input_schema", "output_schema", "variables", "arguments", "state"}
)  # fmt: skip
"""Options whose values are the spell's own data: their keys stay as they were written."""

_DEPTH: Final = 8


def snake(name: str) -> str:
    """`maxTokens` → `max_tokens`; `HTTPTool` → `http_tool`. What is snake_case stays."""
    if name.islower() or not name.isidentifier():
        return name
    pieces: list[str] = []
    for index, letter in enumerate(name):
        if letter.isupper():
            after_lower = index > 0 and (name[index - 1].islower() or name[index - 1].isdigit())
            ends_capitals = (
                index > 0
                and name[index - 1].isupper()
                and index + 1 < len(name)
                and name[index + 1].islower()
            )
            if after_lower or ends_capitals:
                pieces.append("_")
        pieces.append(letter.lower())
    return "".join(pieces)


def normalise(options: Mapping[str, Any], keep: Set[str] = DATA_KEYS) -> dict[str, Any]:
    """The options with snake_case keys, nested ones too but for the values of `keep`.

    A key given in both spellings is an error: raises `InvalidInput`.
    """
    return _normalise(options, keep, _DEPTH)


def _normalise(options: Mapping[str, Any], keep: Set[str], depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in options.items():
        key = snake(name)
        if key in result:
            raise InvalidInput(f"the option {key} is given twice, in two spellings")
        result[key] = value if key in keep or depth == 0 else _value(value, keep, depth - 1)
    return result


def _value(value: Any, keep: Set[str], depth: int) -> Any:
    if isinstance(value, dict):
        return _normalise(value, keep, depth)
    if isinstance(value, list) and depth > 0:
        return [_value(item, keep, depth - 1) for item in value]
    return value


def seconds(value: Any, engine: str, what: str = "a time") -> float:
    """Seconds of a time option. `engine` is the spell's language, which gives a number its unit.

    Raises `InvalidInput` for what is no time, negative, or over `SECONDS_MAX`.
    """
    if isinstance(value, str):
        from llmspell.policies.limits import parse_seconds

        try:
            result = parse_seconds(value)
        except UsageError as error:
            raise InvalidInput(f"{what}: {error.message}") from None
    elif type(value) in (int, float):
        result = value / 1000 if engine == "javascript" else float(value)
    else:
        raise InvalidInput(f"{what} must be a number or text like '30s'")
    if not 0 <= result <= SECONDS_MAX:
        raise InvalidInput(f"{what} must be from 0 to {SECONDS_MAX:g} seconds")
    return result


def handle_id(value: Any, kind: str) -> str | None:
    """The id of a handle of this kind (`{"handle": kind, "id": …}`), else None."""
    if isinstance(value, dict) and value.get("handle") == kind and isinstance(value.get("id"), str):
        identity: str = value["id"]
        return identity
    return None
