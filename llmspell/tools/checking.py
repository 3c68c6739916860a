"""Makes a checker of a declaration: closures built once, so that a call pays only for its data.

A checker returns the value with defaults filled in and camelCase keys in the declared spelling, or
raises `InvalidInput` (2002) naming the place. Nothing it was not told of passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near, snake
from llmspell.tools.schema import MISSING, Schema

Check = Callable[[Any, str], Any]

DEPTH_MAX: Final = 48
"""Nesting of a free value: what the channel carries."""


def compile_check(schema: Schema) -> Check:
    """The checker of a declaration: `check(value, place)`."""
    return _MAKERS[schema.kind](schema)


def refuse(place: str, what: str, hint: str | None = None) -> InvalidInput:
    """The error for a value at `place` (`operations[1].pattern`; empty is the whole input)."""
    return InvalidInput(f"{place or 'the input'} {what}", hint=hint)


def _kind_of(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return _KINDS.get(type(value), "a function")


_KINDS: Final[dict[type, str]] = {
    str: "text",
    int: "a number",
    float: "a number",
    bytes: "bytes",
    list: "a list",
    dict: "an object",
}


def _string(schema: Schema) -> Check:
    low, high = schema.minimum or 0, schema.maximum
    choices = frozenset(schema.choices)

    def check(value: Any, place: str) -> Any:
        if type(value) is not str:
            raise refuse(place, f"must be text, not {_kind_of(value)}")
        if choices and value not in choices:
            word = snake(value[:64])
            if word in choices:
                return word
            listed = ", ".join(schema.choices)
            raise refuse(place, f"must be one of {listed}", near(value, choices))
        if len(value) < low:
            raise refuse(place, f"must have at least {low:.0f} characters")
        if high is not None and len(value) > high:
            raise refuse(place, f"has {len(value)} characters; {high:.0f} are taken")
        return value

    return check


def _bounded(schema: Schema) -> Callable[[Any, str], None]:
    low, high = schema.minimum, schema.maximum

    def check(value: Any, place: str) -> None:
        if (low is not None and value < low) or (high is not None and value > high):
            if high is None:
                raise refuse(place, f"must be at least {low:g}")
            if low is None:
                raise refuse(place, f"must be at most {high:g}")
            raise refuse(place, f"must be from {low:.15g} to {high:.15g}")

    return check


def _integer(schema: Schema) -> Check:
    in_bounds = _bounded(schema)

    def check(value: Any, place: str) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise refuse(place, f"must be a whole number, not {_kind_of(value)}")
        in_bounds(value, place)
        return value

    return check


def _number(schema: Schema) -> Check:
    in_bounds = _bounded(schema)

    def check(value: Any, place: str) -> Any:
        if type(value) is not int and type(value) is not float:
            raise refuse(place, f"must be a number, not {_kind_of(value)}")
        if value != value or value in (float("inf"), float("-inf")):
            raise refuse(place, "must be a finite number")
        in_bounds(value, place)
        return value

    return check


def _boolean(_: Schema) -> Check:
    def check(value: Any, place: str) -> Any:
        if type(value) is not bool:
            raise refuse(place, f"must be true or false, not {_kind_of(value)}")
        return value

    return check


def _bytes(schema: Schema) -> Check:
    high = schema.maximum or 0

    def check(value: Any, place: str) -> Any:
        if type(value) is not str and type(value) is not bytes:
            raise refuse(place, f"must be text or bytes, not {_kind_of(value)}")
        if len(value) > high:
            raise refuse(place, f"has {len(value)} bytes; {high:.0f} are taken")
        return value

    return check


_PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})


def _free(value: Any, place: str, depth: int) -> None:
    kind = type(value)
    if kind in _PLAIN:
        return
    if depth > DEPTH_MAX:
        raise refuse(place, f"is nested deeper than {DEPTH_MAX} levels")
    if kind is list:
        for item in value:
            if type(item) not in _PLAIN:
                _free(item, place, depth + 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise refuse(place, "has a key that is no text")
            if type(item) not in _PLAIN:
                _free(item, place, depth + 1)
    else:
        raise refuse(place, "holds a function; only data is taken here")


def _any(_: Schema) -> Check:
    def check(value: Any, place: str) -> Any:
        _free(value, place, 0)
        return value

    return check


def _array(schema: Schema) -> Check:
    item_check = compile_check(schema.items) if schema.items is not None else _any(schema)
    low, high = schema.minimum or 0, schema.maximum

    def check(value: Any, place: str) -> Any:
        if value == {}:
            value = []
        if type(value) is not list:
            raise refuse(place, f"must be a list, not {_kind_of(value)}")
        if len(value) < low:
            raise refuse(place, f"must have at least {low:.0f} items")
        if high is not None and len(value) > high:
            raise refuse(place, f"has {len(value)} items; {high:.0f} are taken")
        return [item_check(item, f"{place}[{index}]") for index, item in enumerate(value)]

    return check


def _object(schema: Schema) -> Check:
    declared = schema.properties or {}
    children = {name: (child, compile_check(child)) for name, child in declared.items()}
    extra = None if schema.extra is None else compile_check(schema.extra)
    high = schema.maximum

    def check(value: Any, place: str) -> Any:
        if type(value) is list and not value:
            value = {}
        if type(value) is not dict:
            raise refuse(place, f"must be an object, not {_kind_of(value)}")
        if high is not None and len(value) > high:
            raise refuse(place, f"has {len(value)} entries; {high:.0f} are taken")
        prefix = f"{place}." if place else ""
        result: dict[str, Any] = {}
        for key, item in value.items():
            name = key if key in children else snake(key[:64])
            if name in children:
                child, child_check = children[name]
                if name in result:
                    raise refuse(prefix + name, "is given twice, in two spellings")
                if item is None and not child.required and child.kind != "any":
                    continue
                result[name] = child_check(item, prefix + name)
            elif extra is not None:
                result[key] = extra(item, prefix + key[:64])
            else:
                known = ", ".join(children) or "none"
                raise refuse(
                    prefix + key[:64], f"is not known here; known are {known}", near(key, children)
                )
        for name, (child, _) in children.items():
            if name not in result:
                if child.required:
                    raise refuse(prefix + name, "is missing")
                if child.default is not MISSING:
                    result[name] = child.default
        return result

    return check


def _union(schema: Schema) -> Check:
    checks = [(option, compile_check(option)) for option in schema.options]

    def check(value: Any, place: str) -> Any:
        closest: InvalidInput | None = None
        for option, option_check in checks:
            try:
                return option_check(value, place)
            except InvalidInput as error:
                # An option of the value's own kind says what is really wrong.
                if closest is None or _fits_kind(option, value):
                    closest = error
        raise closest if closest is not None else refuse(place, "can't be used")

    return check


def _fits_kind(option: Schema, value: object) -> bool:
    kinds = {"string": str, "array": list, "object": dict, "boolean": bool}
    return type(value) is kinds.get(option.kind)


_MAKERS: Final[dict[str, Callable[[Schema], Check]]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "bytes": _bytes,
    "any": _any,
    "array": _array,
    "object": _object,
    "union": _union,
}
