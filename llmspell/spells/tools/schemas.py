"""JSON Schema for what spells choose: compiled once, bounded in size, depth and steps.

The keywords of 2020-12 that need no other document, but for `pattern`, `patternProperties` and
`format` as a check: a regular expression of a spell's choosing never runs in the supervisor (2010
says so). As the channel blurs them, an integral float is an integer and an empty list an empty
object. Absent properties get their `default`.
"""

from __future__ import annotations

from collections.abc import Callable

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.plain import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

SIZE_MAX: Final = 65_536
"""Bytes of a schema as JSON."""

DEPTH_MAX: Final = 32
"""Nesting of a schema, and of a value where the schema refers to itself."""

STEPS_MAX: Final = 100_000
"""Values looked at in one check: some tens of milliseconds."""

BYTES_A_STEP: Final = 128
"""What a step may compare a value with: a long `enum` is looked at as a whole each time."""

BYTES_WRITTEN_A_STEP: Final = 1_024
"""What a step may write of a value to compare it: `uniqueItems` writes each item as JSON, and a
thousand alternatives would write it a thousand times."""

Check = Callable[["Any", str], "Any"]
"""`check(value, name)`: the value with its defaults. Raises `InvalidInput` naming the place."""

_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null")
_WORDS: Final[Mapping[str, str]] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
}
_REGEX: Final = ("pattern", "patternProperties")
_BOUNDS: Final = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
)
_MISSING: Final = object()


def compile_schema(schema: Any, name: str) -> Check:
    """A checker. Raises `InvalidInput` (2010) for a schema that can't be used here."""
    if len(encoded(schema, name)) > SIZE_MAX:
        raise _wrong(name, f"it has over {SIZE_MAX} bytes")
    _Looking(schema, name).look(schema, 0)

    def check(value: Any, what: str) -> Any:
        return _Checking(schema).check(value, schema, what, 0)

    return check


def _wrong(name: str, what: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"{name} is a schema that can't be used: {what}", code=2010, hint=hint)


class _Looking:
    """Refuses what a check would stumble over later, also where a `$ref` leads."""

    __slots__ = ("_name", "_referred", "_root")

    def __init__(self, root: Any, name: str) -> None:
        self._root = root
        self._name = name
        self._referred: set[str] = set()

    def look(self, schema: Any, depth: int) -> None:
        name = self._name
        if schema is True or schema is False or schema == []:
            return
        if type(schema) is not dict:
            raise _wrong(name, "a schema is an object, true or false")
        if depth > DEPTH_MAX:
            raise _wrong(name, f"it is nested over {DEPTH_MAX} deep")
        for keyword in _REGEX:
            if keyword in schema:
                raise _wrong(
                    name,
                    f"{keyword} is a regular expression, and those don't run here",
                    "check the text in the tool's own function",
                )
        kinds = schema.get("type", "null")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind not in _TYPES:
                raise _wrong(name, f"there is no type {str(kind)[:40]!r}")
        for keyword in _BOUNDS:
            bound = schema.get(keyword, 0)
            if type(bound) not in (int, float) or (keyword == "multipleOf" and bound < 0):
                raise _wrong(name, f"{keyword} must be a number")
        required = schema.get("required", [])
        if required != {} and not (
            type(required) is list and all(type(item) is str for item in required)
        ):
            raise _wrong(name, "required must be a list of names")
        if type(schema.get("enum", [])) is not list:
            raise _wrong(name, "enum must be a list")
        if "$ref" in schema:
            self._refer(schema["$ref"])
        for child in _children(schema, name):
            self.look(child, depth + 1)

    def _refer(self, reference: Any) -> None:
        if type(reference) is not str or not reference.startswith("#"):
            raise _wrong(self._name, "$ref may only lead to a place in the same schema")
        if reference in self._referred:
            return
        self._referred.add(reference)
        target = _target(self._root, reference)
        if target is _MISSING:
            raise _wrong(self._name, f"$ref leads to {reference[:80]}, which is not there")
        # Nesting is counted anew: a place is looked at once, so this ends.
        self.look(target, 0)


def _target(root: Any, reference: str) -> Any:
    """The place in a schema that a reference names, or `_MISSING`."""
    target = root
    for part in reference[1:].split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if type(target) is not dict or part not in target:
            return _MISSING
        target = target[part]
    return target


def _children(schema: Mapping[str, Any], name: str) -> list[Any]:
    children: list[Any] = []
    for keyword in ("items", "additionalProperties", "not", "if", "then", "else", "contains"):
        if keyword in schema:
            children.append(schema[keyword])
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        several = schema.get(keyword, [])
        if type(several) is not list:
            raise _wrong(name, f"{keyword} must be a list of schemas")
        children += several
    for keyword in ("properties", "$defs", "definitions"):
        named = schema.get(keyword) or {}
        if type(named) is not dict:
            raise _wrong(name, f"{keyword} must be an object of schemas")
        children += named.values()
    return children


class _Checking:
    """One check of one value."""

    __slots__ = ("_costs", "_root", "_steps")

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0
        self._costs: dict[int, int] = {}

    def check(self, value: Any, schema: Any, place: str, depth: int) -> Any:
        self._pay(self._cost(schema) if type(schema) is dict else 1, place, depth)
        if schema is True or (not schema and schema is not False):
            return value
        if schema is False:
            raise InvalidInput(f"{place} is not allowed")
        if "$ref" in schema:
            value = self.check(value, _target(self._root, schema["$ref"]), place, depth + 1)
        if "type" in schema:
            value = _of_type(value, schema["type"], place)
        if "enum" in schema and not _among(value, schema["enum"]):
            shown = ", ".join(_shown(item) for item in schema["enum"][:10])
            raise InvalidInput(f"{place} must be one of {shown}")
        if "const" in schema and not _same(value, schema["const"]):
            raise InvalidInput(f"{place} is not the one value allowed")
        value = self._combined(value, schema, place, depth)
        kind = type(value)
        if kind is str:
            _bound(len(value), schema, "Length", place, "characters")
        elif kind is dict:
            value = self._object(value, schema, place, depth)
        elif kind is list:
            value = self._list(value, schema, place, depth)
        elif kind in (int, float):
            _number(value, schema, place)
        return value

    def _pay(self, steps: int, place: str, depth: int = 0) -> None:
        self._steps += steps
        if self._steps > STEPS_MAX or depth > 2 * DEPTH_MAX:
            raise InvalidInput(f"{place[:200]}: there is too much to check")

    def _cost(self, schema: dict[str, Any]) -> int:
        """Steps that this schema takes for each value, by the size of its lists."""
        cost = self._costs.get(id(schema))
        if cost is None:
            size = sum(
                len(encoded(schema[word], word))
                for word in ("enum", "const", "required")
                if word in schema
            )
            size += 16 * len(schema.get("properties") or ())
            cost = self._costs[id(schema)] = 1 + size // BYTES_A_STEP
        return cost

    def _tried(self, value: Any, schema: Any, place: str, depth: int) -> Any:
        """The value as the schema takes it, or `_MISSING` when it does not."""
        try:
            return self.check(value, schema, place, depth + 1)
        except InvalidInput:
            if self._steps > STEPS_MAX:
                raise
            return _MISSING

    def _combined(self, value: Any, schema: Mapping[str, Any], place: str, depth: int) -> Any:
        for each in schema.get("allOf", ()):
            value = self.check(value, each, place, depth + 1)
        if "anyOf" in schema:
            value = self._one_of(value, schema["anyOf"], place, depth, several=True)
        if "oneOf" in schema:
            value = self._one_of(value, schema["oneOf"], place, depth, several=False)
        if "not" in schema and self._tried(value, schema["not"], place, depth) is not _MISSING:
            raise InvalidInput(f"{place} is what it must not be")
        if "if" in schema:
            fits = self._tried(value, schema["if"], place, depth) is not _MISSING
            branch = "then" if fits else "else"
            if branch in schema:
                value = self.check(value, schema[branch], place, depth + 1)
        return value

    def _one_of(
        self, value: Any, options: list[Any], place: str, depth: int, *, several: bool
    ) -> Any:
        fitting: list[Any] = []
        for option in options:
            taken = self._tried(value, option, place, depth)
            if taken is not _MISSING:
                fitting.append(taken)
                if several:
                    break
        if not fitting:
            raise InvalidInput(f"{place} fits none of {len(options)} alternatives")
        if len(fitting) > 1:
            raise InvalidInput(f"{place} fits {len(fitting)} alternatives instead of one")
        return fitting[0]

    def _object(
        self, value: dict[str, Any], schema: Mapping[str, Any], place: str, depth: int
    ) -> dict[str, Any]:
        known = schema.get("properties") or {}
        extra = schema.get("additionalProperties", True)
        result: dict[str, Any] = {}
        for name, item in value.items():
            inner = f"{place}.{name[:64]}"
            if name in known:
                result[name] = self.check(item, known[name], inner, depth + 1)
            elif extra is False:
                listed = ", ".join(list(known)[:20]) or "nothing"
                raise InvalidInput(f"{inner} is not known here; known is {listed}")
            else:
                result[name] = self.check(item, extra, inner, depth + 1)
        for name, child in known.items():
            if name not in result and type(child) is dict and "default" in child:
                result[name] = child["default"]
        for name in schema.get("required", ()):
            if name not in result:
                raise InvalidInput(f"{place}.{name[:64]} is missing")
        _bound(len(result), schema, "Properties", place, "entries")
        return result

    def _list(
        self, value: list[Any], schema: Mapping[str, Any], place: str, depth: int
    ) -> list[Any]:
        _bound(len(value), schema, "Items", place, "items")
        first, rest = schema.get("prefixItems", ()), schema.get("items", True)
        result = [
            self.check(
                item, first[index] if index < len(first) else rest, f"{place}[{index}]", depth + 1
            )
            for index, item in enumerate(value)
        ]
        if schema.get("uniqueItems") is True:
            seen: set[bytes] = set()
            for item in result:
                text = encoded(item, place)
                self._pay(len(text) // BYTES_WRITTEN_A_STEP, place)
                seen.add(text)
            if len(seen) < len(result):
                raise InvalidInput(f"{place} has an item twice")
        if "contains" in schema and not any(
            self._tried(item, schema["contains"], place, depth) is not _MISSING for item in result
        ):
            raise InvalidInput(f"{place} has no item of the kind that must be there")
        return result


def _of_type(value: Any, wanted: Any, place: str) -> Any:
    kinds = wanted if isinstance(wanted, list) else [wanted]
    for kind in kinds:
        fitted = _fit(value, kind)
        if fitted is not _MISSING:
            return fitted
    words = " or ".join(_WORDS[kind] for kind in kinds)
    raise InvalidInput(f"{place} must be {words}, not {_name(value)}")


def _fit(value: Any, kind: str) -> Any:
    actual = type(value)
    if kind == "object":
        return {} if value == [] else value if actual is dict else _MISSING
    if kind == "array":
        return [] if value == {} else value if actual is list else _MISSING
    if kind == "integer" and actual is float and value.is_integer():
        return int(value)
    fits = {
        "string": actual in (str, bytes),
        "number": actual in (int, float),
        "integer": actual is int,
        "boolean": actual is bool,
        "null": value is None,
    }[kind]
    return value if fits else _MISSING


def _shown(item: Any) -> str:
    return _name(item) if isinstance(item, (dict, list)) else str(item)[:40]


def _name(value: Any) -> str:
    for kind in ("null", "boolean", "number", "string", "object", "array"):
        if _fit(value, kind) is not _MISSING:
            return _WORDS[kind]
    return "a function"


def _bound(size: int, schema: Mapping[str, Any], what: str, place: str, unit: str) -> None:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if low is not None and size < low:
        raise InvalidInput(f"{place} must have at least {low:g} {unit}, not {size}")
    if high is not None and size > high:
        raise InvalidInput(f"{place} must have at most {high:g} {unit}, not {size}")


def _number(value: float, schema: Mapping[str, Any], place: str) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and value < low:
        raise InvalidInput(f"{place} must be at least {low:g}")
    if high is not None and value > high:
        raise InvalidInput(f"{place} must be at most {high:g}")
    if over is not None and value <= over:
        raise InvalidInput(f"{place} must be over {over:g}")
    if under is not None and value >= under:
        raise InvalidInput(f"{place} must be under {under:g}")
    step = schema.get("multipleOf")
    if step and not _is_multiple(value, step):
        raise InvalidInput(f"{place} must be a multiple of {step:g}")


def _is_multiple(value: float, step: float) -> bool:
    try:
        ratio = value / step
        return abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))
    except OverflowError:
        return False  # so many times that no float holds the number: none can be told


def _among(value: Any, listed: list[Any]) -> bool:
    """Whether it is one of them; as `_same`, but quick where there are many."""
    is_bool = type(value) is bool
    return value in [item for item in listed if (type(item) is bool) is is_bool]


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: `true` is not 1."""
    return (type(one) is bool) is (type(other) is bool) and bool(one == other)
