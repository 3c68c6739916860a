"""What the operators and functions of an expression do, on plain data."""

from __future__ import annotations

import operator
from datetime import UTC, datetime

from llmspell.records import TYPE_CHECKING
from llmspell.spells.templating.values import is_true, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

NUMBER_MAX: Final = 2.0**53
"""Numbers beyond this are refused: no language carries them exactly."""


def _numeric(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return value


def _arithmetic(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: act(_numeric(left), _numeric(right))


def _ordered(act: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return bool(act(left, right))
        return bool(act(_numeric(left), _numeric(right)))

    return compare


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) or isinstance(right, str):
        return text_of(left) + text_of(right)
    return _numeric(left) + _numeric(right)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        return text_of(part) in whole
    if isinstance(whole, (list, dict)):
        return part in whole
    raise TypeError


def _length(value: Any) -> int:
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise TypeError


def _join(values: Any, between: Any = ", ") -> str:
    if not isinstance(values, list):
        raise TypeError
    return text_of(between).join(map(text_of, values))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


ACTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "==": lambda left, right: type(left) in (int, float, type(right)) and left == right,
    "!=": lambda left, right: not (type(left) in (int, float, type(right)) and left == right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "+": _add,
    "..": lambda left, right: text_of(left) + text_of(right),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(operator.truediv),
    "%": _arithmetic(operator.mod),
    "minus": lambda value: -_numeric(value),
    "not": lambda value: not is_true(value),
    "now": _now,
    "today": lambda: _now()[:10],
    "length": _length,
    "len": _length,
    "contains": _contains,
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "trim": lambda value: text_of(value).strip(),
    "json": lambda value: text_of(value) if not isinstance(value, str) else text_of([value])[1:-1],
    "join": _join,
    "default": lambda value, other: other if value is None or value == "" else value,
}

FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = {
    "now": (0, 0), "today": (0, 0), "length": (1, 1), "len": (1, 1), "contains": (2, 2),
    "upper": (1, 1), "lower": (1, 1), "trim": (1, 1), "json": (1, 1), "join": (1, 2),
    "default": (2, 2),
}  # fmt: skip
