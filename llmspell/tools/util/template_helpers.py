"""The helpers of templates: each takes values and gives one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.data.json_reading import no_bytes
from llmspell.tools.util import words


def text_of(value: Any) -> str:
    """A value as a template prints it: nothing for null, JSON for objects, `a,b` for lists."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return ",".join(text_of(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=no_bytes)
    return str(value)


def is_true(value: Any) -> bool:
    """Handlebars' truth: false, null, 0, "", and an empty list are false."""
    return bool(value) or isinstance(value, dict)


def _json(value: Any, *, indent: Any = None) -> str:
    spaces = indent if type(indent) is int and 0 <= indent <= 10 else None
    return json.dumps(value, ensure_ascii=False, indent=spaces, default=no_bytes)


def _join(items: Any, separator: Any = ", ") -> str:
    if not isinstance(items, list):
        return text_of(items)
    return text_of(separator).join(text_of(item) for item in items)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"a number was expected, not {text_of(value)[:40]!r}")
    return value


def _divide(left: Any, right: Any) -> Any:
    if _number(right) == 0:
        raise InvalidInput("division by zero")
    result = _number(left) / right
    return int(result) if result.is_integer() and abs(result) < 2**53 else result


def _lookup(holder: Any, key: Any) -> Any:
    if isinstance(holder, dict):
        return holder.get(text_of(key))
    if isinstance(holder, list) and type(key) is int and 0 <= key < len(holder):
        return holder[key]
    return None


def _fixed(value: Any, digits: Any = 2) -> str:
    if type(digits) is not int or not 0 <= digits <= 15:
        raise InvalidInput("fixed takes 0 to 15 digits")
    return f"{_number(value):.{digits}f}"


def _truncate(value: Any, length: Any, ellipsis: Any = "…") -> str:
    text = text_of(value)
    size = int(_number(length))
    if len(text) <= size:
        return text
    return text[: max(size - len(text_of(ellipsis)), 0)] + text_of(ellipsis)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def _default(value: Any, fallback: Any = "") -> Any:
    return value if value is not None and value != "" else fallback


def _compare(compute: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def helper(left: Any, right: Any) -> bool:
        try:
            return compute(left, right)
        except TypeError:
            raise InvalidInput("values of different kinds can't be ordered") from None

    return helper


HELPERS: Final[Mapping[str, Callable[..., Any]]] = {
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "capitalize": lambda value: text_of(value)[:1].upper() + text_of(value)[1:],
    "title": lambda value: words.title(text_of(value)),
    "truncate": _truncate,
    "replace": lambda value, old, new: text_of(value).replace(text_of(old) or "\0", text_of(new)),
    "default": _default,
    "json": _json,
    "join": _join,
    "length": _length,
    "first": lambda items: items[0] if isinstance(items, list) and items else None,
    "last": lambda items: items[-1] if isinstance(items, list) and items else None,
    "reverse": lambda items: items[::-1] if isinstance(items, list) else text_of(items)[::-1],
    "keys": lambda holder: list(holder) if isinstance(holder, dict) else [],
    "lookup": _lookup,
    "fixed": _fixed,
    "add": lambda left, right: _number(left) + _number(right),
    "subtract": lambda left, right: _number(left) - _number(right),
    "multiply": lambda left, right: _number(left) * _number(right),
    "divide": _divide,
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": _compare(lambda left, right: left < right),
    "lte": _compare(lambda left, right: left <= right),
    "gt": _compare(lambda left, right: left > right),
    "gte": _compare(lambda left, right: left >= right),
    "and": lambda *values: all(is_true(value) for value in values),
    "or": lambda *values: next((value for value in values if is_true(value)), False),
    "not": lambda value: not is_true(value),
}
"""Aliases of these are in `ALIASES`."""

ALIASES: Final[Mapping[str, str]] = {
    "uppercase": "upper", "lowercase": "lower", "to_upper_case": "upper", "to_lower_case": "lower",
    "size": "length", "count": "length", "stringify": "json",
}  # fmt: skip
