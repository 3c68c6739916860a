"""The typed-argument check of every brokered call, compiled once per function.

A broker runs one of these per call, so each parameter becomes one closure and a call without
optional arguments costs one loop. Nothing is coerced but what the channel itself blurs: an integral
float is an integer (Lua's and JavaScript's division), an empty array is an empty object (Lua).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import IDENTITY, Function, Param, Type

if TYPE_CHECKING:
    from typing import Any, Final

Check = Callable[[Mapping[str, "Any"]], dict[str, "Any"]]
_Convert = Callable[["Any"], "Any"]

INTEGER_MAX: Final = 2**53
"""Beyond this magnitude the channel's peers disagree about an integer's value."""

_ARTICLES: Final[Mapping[str, str]] = {
    "string": "text",
    "bytes": "bytes",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "any": "any value",
    "callback": "a function",
}


def compile_params(function: Function) -> Check:
    """A checker: the arguments as they arrived → a new dict with defaults filled in.

    The checker raises `InvalidInput` that names the function and the parameter: for a name that is
    not described, a required one that is missing or null, a wrong type, a value out of its bounds.
    Parameters without default that are absent or null stay out of the result.
    """
    # As spells write it: `agent.execute`, where the wire says `agent.execute_named`.
    prefix, dot, _ = function.wire.partition(".")
    label = prefix + dot + function.name
    known = frozenset(param.name for param in function.params)
    plan = tuple(
        (param.name, param.required, param.default, _converter(label, param))
        for param in function.params
    )

    def check(args: Mapping[str, Any]) -> dict[str, Any]:
        if not args.keys() <= known:
            raise _unknown(label, function, args)
        result: dict[str, Any] = {}
        for name, required, default, convert in plan:
            value = args.get(name)
            if value is not None:
                result[name] = convert(value)
            elif required and not (name in args and convert is _same):
                raise InvalidInput(f"{label}: {name} is missing", hint=_usage(label, function))
            elif required:
                result[name] = None
            elif default is not None:
                # A default may be a dict; the callee must not share it between calls.
                result[name] = dict(default) if isinstance(default, dict) else default
        return result

    return _check_of_one(function, check) or check


def _check_of_one(function: Function, check: Check) -> Check | None:
    """`check` with a short cut for a single text argument: what most calls are made of."""
    if not function.params or any(
        other.required or other.default is not None for other in function.params[1:]
    ):
        return None
    param = function.params[0]
    if param.types != ("string",) or param.choices:
        return None
    name = param.name
    low = 0 if param.minimum is None else param.minimum
    high = float("inf") if param.maximum is None else param.maximum

    def check_one(args: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) == 1:
            value = args.get(name)
            if type(value) is str and low <= len(value) <= high:
                return {name: value}
        return check(args)

    return check_one


def to_json_schema(function: Function) -> dict[str, Any]:
    """The parameters as a JSON Schema object (draft 2020-12), for docs, editors and models."""
    properties: dict[str, Any] = {}
    for param in function.params:
        alternatives = [_schema_of(kind, param) for kind in param.types]
        one: dict[str, Any] = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
        one = {"description": param.doc, **one}
        if param.choices:
            one["enum"] = list(param.choices)
        if param.default is not None:
            one["default"] = param.default
        properties[param.name] = one
    return {
        "type": "object",
        "description": function.doc,
        "properties": properties,
        "required": [param.name for param in function.params if param.required],
        "additionalProperties": False,
    }


def _same(value: Any) -> Any:
    return value


def _converter(label: str, param: Param) -> _Convert:
    if "any" in param.types:
        return _same
    converters = tuple(_ONE[kind] for kind in param.types)
    bounded = param.minimum is not None or param.maximum is not None
    choices = frozenset(param.choices)

    def convert(value: Any) -> Any:
        for one in converters:
            result = one(value)
            if result is not None:
                break
        else:
            raise InvalidInput(f"{label}: {param.name} must be {_wanted(param)}{_got(value)}")
        if bounded:
            _check_bounds(label, param, result)
        if choices and result not in choices:
            raise InvalidInput(f"{label}: {param.name} must be one of {', '.join(param.choices)}")
        return result

    return convert


def _string(value: Any) -> Any:
    return value if type(value) is str else None


def _bytes(value: Any) -> Any:
    return value if type(value) is bytes else None


def _integer(value: Any) -> Any:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -INTEGER_MAX <= value <= INTEGER_MAX else None


def _number(value: Any) -> Any:
    # NaN is the one number that differs from itself; no bound would catch it.
    return value if type(value) in (int, float) and value - value == 0 else None


def _boolean(value: Any) -> Any:
    return value if type(value) is bool else None


def _object(value: Any) -> Any:
    if type(value) is dict:
        return value
    return {} if value == [] else None


def _array(value: Any) -> Any:
    return value if type(value) is list else None


def _callback(value: Any) -> Any:
    # The channel's Callback, known by its shape: this room may not import `channel`'s codec types
    # into a description that the build reads.
    number = getattr(value, "number", None)
    return value if type(number) is int and number > 0 else None


_ONE: Final[Mapping[Type, _Convert]] = {
    "string": _string,
    "bytes": _bytes,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "object": _object,
    "array": _array,
    "any": _same,
    "callback": _callback,
}

_UNITS: Final[Mapping[type[Any], str]] = {str: "characters", bytes: "bytes", list: "items"}


def _check_bounds(label: str, param: Param, value: Any) -> None:
    unit = _UNITS.get(type(value))
    if unit is not None:
        size = len(value)
    elif type(value) in (int, float):
        size = value
    else:
        return
    if param.minimum is not None and size < param.minimum:
        raise InvalidInput(_out_of_bounds(label, param, "at least", param.minimum, unit))
    if param.maximum is not None and size > param.maximum:
        raise InvalidInput(_out_of_bounds(label, param, "at most", param.maximum, unit))


def _out_of_bounds(label: str, param: Param, side: str, bound: float, unit: str | None) -> str:
    return f"{label}: {param.name} must be {side} {bound:g}{'' if unit is None else ' ' + unit}"


def _wanted(param: Param) -> str:
    return " or ".join(_ARTICLES[kind] for kind in param.types)


_NAMES: Final[Mapping[type[Any], str]] = {
    str: "text",
    bytes: "bytes",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def _got(value: Any) -> str:
    return f", not {_NAMES.get(type(value), 'a function')}"


def _unknown(label: str, function: Function, args: Mapping[str, Any]) -> InvalidInput:
    known = {param.name for param in function.params}
    name = next(name for name in args if name not in known)
    return InvalidInput(f"{label} takes no parameter {name[:60]!r}", hint=_usage(label, function))


def _usage(label: str, function: Function) -> str:
    own = [p for p in function.params if p != IDENTITY and p.name != function.whole]
    names = (p.name if p.required else f"{p.name}?" for p in own)
    return f"it takes {{{', '.join(names)}}}" if own else "it takes no parameters"


def _schema_of(kind: Type, param: Param) -> dict[str, Any]:
    if kind == "any":
        return {}
    if kind == "bytes":
        return {"type": "object", "required": ["$bytes"]}
    if kind == "callback":
        return {"type": "object", "required": ["$callback"]}
    schema: dict[str, Any] = {"type": kind}
    low, high = {
        "string": ("minLength", "maxLength"),
        "array": ("minItems", "maxItems"),
        "integer": ("minimum", "maximum"),
        "number": ("minimum", "maximum"),
    }.get(kind, ("", ""))
    if low and param.minimum is not None:
        schema[low] = param.minimum
    if high and param.maximum is not None:
        schema[high] = param.maximum
    return schema
