"""JSON text to a value and back, bounded and strict; lenient spellings only when asked for."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from llmspell.channel.bounds import INTEGER_MAX
from llmspell.errors import InvalidInput

VALUES_MAX: Final = 1_000_000
DEPTH_MAX: Final = 40
"""Nesting that still fits into a channel message with its envelope."""

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_LENIENT: Final = re.compile(
    r'(?P<text>"(?:[^"\\]++|\\.)*+")|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<comma>,(?=\s*[}\]]))',
    re.DOTALL,
)


def read_json(
    text: str, *, lenient: bool = False, big_numbers: str = "error", duplicates: str = "error"
) -> Any:
    """The value of a JSON text. Raises `InvalidInput` (2009) with line and column.

    `big_numbers` says what becomes of whole numbers beyond ±2^53: error, text or number (nearest).
    """
    text = text.removeprefix("\ufeff")
    if text.count("[") + text.count("{") + text.count(",") > VALUES_MAX:
        raise InvalidInput(f"the JSON holds over {VALUES_MAX} values")
    if lenient:
        text = _strict(text)

    def whole(digits: str) -> Any:
        if len(digits) <= 16 or abs(int(digits[:4_000])) <= INTEGER_MAX:
            value = int(digits)
            if abs(value) <= INTEGER_MAX:
                return value
        if big_numbers == "text":
            return digits
        if big_numbers == "number":
            return fraction(digits)
        raise InvalidInput(
            f"the number {digits[:24]}… is beyond ±2^53",
            code=2009,
            hint='ask for big_numbers: "text" or "number"',
        )

    def fraction(digits: str) -> float:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            raise InvalidInput(f"the number {digits[:24]} is too large", code=2009)
        return value

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items) and duplicates == "error":
            raise InvalidInput(
                "an object has a key twice", code=2009, hint='ask for duplicates: "last"'
            )
        return result

    try:
        value = json.loads(
            text, parse_int=whole, parse_float=fraction, parse_constant=_no_constant,
            object_pairs_hook=pairs,
        )  # fmt: skip
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}", code=2009
        ) from None
    except RecursionError:
        raise InvalidInput(f"the JSON is nested deeper than {DEPTH_MAX} levels") from None
    check_depth(value)
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidInput("a text in the JSON holds half a character", code=2009) from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise InvalidInput(f"{name} is no JSON", code=2009)


def check_depth(value: Any, most: int = DEPTH_MAX) -> None:
    """Raises `InvalidInput` for a value nested deeper than `most` levels; never recurses."""
    level = [value]
    for _ in range(most + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidInput(f"the value is nested deeper than {most} levels")


def _strict(text: str) -> str:
    """Without comments and trailing commas; positions stay."""

    def token(match: re.Match[str]) -> str:
        if match["text"]:
            return match["text"]
        return re.sub(r"[^\n]", " ", match.group())

    # A comment may stand between a comma and its bracket, so commas go in a second turn.
    return _LENIENT.sub(token, _LENIENT.sub(token, text))


def read_lines(text: str, **options: Any) -> list[Any]:
    """The values of JSON Lines, empty lines passed over. Raises `InvalidInput` with the line."""
    result: list[Any] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            result.append(read_json(line, **options))
        except InvalidInput as error:
            raise InvalidInput(f"line {number}: {error.message}", code=error.code) from None
        if len(result) > VALUES_MAX:
            raise InvalidInput(f"over {VALUES_MAX} lines")
    return result


def no_bytes(value: Any) -> NoReturn:
    """What a writer of JSON calls for anything that has no place there. Raises `InvalidInput`."""
    kind = "bytes" if isinstance(value, bytes) else "a function"
    raise InvalidInput(f"{kind} can't stand in JSON", hint="encode bytes with base64_encoder")


def json_bytes(value: Any) -> bytes:
    """The value as compact UTF-8 JSON text. Raises `InvalidInput` for bytes in it."""
    return json.dumps(value, ensure_ascii=False, default=no_bytes).encode("utf-8")
