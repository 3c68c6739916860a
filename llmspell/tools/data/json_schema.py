"""Checks a value against JSON Schema: the keywords of 2020-12 that need no other document."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from llmspell.errors import InvalidInput
from llmspell.tools.json_changes import escape, resolve, same
from llmspell.tools.patterns import compile_pattern

FAILURES_MAX: Final = 100
STEPS_MAX: Final = 500_000
REFERENCES_MAX: Final = 64


class Failure(NamedTuple):
    """One thing that is wrong: where (a JSON Pointer), which keyword, and what, in words."""

    path: str
    keyword: str
    message: str


def wrong_schema(what: str) -> InvalidInput:
    """The error for a schema that can't be used (2010)."""
    return InvalidInput(f"schema: {what}", code=2010)


_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}

FORMATS: Final = {
    "date": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])",
    "time": r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "date-time": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):[0-5]\d:"
    r"([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    "email": r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+",
    "hostname": r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    "ipv4": r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


class Validator:
    """One check of one value. Raises `InvalidInput` (2010) for a schema that can't be used."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0
        self._references = 0
        self._patterns: dict[str, re.Pattern[str]] = {}

    def failures(self, value: Any) -> list[Failure]:
        """What is wrong with the value, at most FAILURES_MAX things."""
        found: list[Failure] = []
        self._check(value, self._root, "", found)
        return found[:FAILURES_MAX]

    def _fits(self, value: Any, schema: Any, path: str) -> bool:
        found: list[Failure] = []
        self._check(value, schema, path, found)
        return not found

    def _check(self, value: Any, schema: Any, path: str, found: list[Failure]) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise InvalidInput(f"the check takes over {STEPS_MAX} steps")
        if schema is True or len(found) >= FAILURES_MAX:
            return
        if schema is False:
            found.append(Failure(path, "false", "nothing is allowed here"))
            return
        if not isinstance(schema, dict):
            raise wrong_schema("a schema is an object, true or false")
        self._refer(value, schema, path, found)
        self._general(value, schema, path, found)
        self._combined(value, schema, path, found)
        if isinstance(value, str):
            self._text(value, schema, path, found)
        elif isinstance(value, list):
            self._list(value, schema, path, found)
        elif isinstance(value, dict):
            self._object(value, schema, path, found)
        elif not isinstance(value, bool) and value is not None:
            self._number(value, schema, path, found)

    def _refer(self, value: Any, schema: dict[str, Any], path: str, found: list[Failure]) -> None:
        reference = schema.get("$ref")
        if reference is None:
            return
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise wrong_schema(f"$ref {str(reference)[:60]!r} leads outside this schema")
        self._references += 1
        if self._references > REFERENCES_MAX:
            raise wrong_schema(f"over {REFERENCES_MAX} references within each other")
        try:
            target = resolve(self._root, reference[1:])
        except InvalidInput:
            raise wrong_schema(f"$ref {reference[:60]} names nothing") from None
        self._check(value, target, path, found)
        self._references -= 1

    def _general(self, value: Any, schema: dict[str, Any], path: str, found: list[Failure]) -> None:
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            for name in names:
                if not isinstance(name, str) or name not in _TYPES:
                    raise wrong_schema(f"there is no type {str(name)[:40]}")
            if not any(_TYPES[name](value) for name in names):
                kind = next((name for name, fits in _TYPES.items() if fits(value)), "nothing")
                wanted = " or ".join(names)
                found.append(Failure(path, "type", f"must be {wanted}, not {kind}"))
        if "enum" in schema and not any(same(value, each) for each in _array(schema, "enum")):
            found.append(Failure(path, "enum", "is none of the listed values"))
        if "const" in schema and not same(value, schema["const"]):
            found.append(Failure(path, "const", "is not the one allowed value"))

    def _combined(
        self, value: Any, schema: dict[str, Any], path: str, found: list[Failure]
    ) -> None:
        for each in _array(schema, "allOf"):
            self._check(value, each, path, found)
        if "anyOf" in schema and not any(
            self._fits(value, each, path) for each in _array(schema, "anyOf")
        ):
            found.append(Failure(path, "anyOf", "fits none of the alternatives"))
        if "oneOf" in schema:
            count = sum(self._fits(value, each, path) for each in _array(schema, "oneOf"))
            if count != 1:
                found.append(Failure(path, "oneOf", f"fits {count} alternatives instead of one"))
        if "not" in schema and self._fits(value, schema["not"], path):
            found.append(Failure(path, "not", "is what it must not be"))
        if "if" in schema:
            branch = "then" if self._fits(value, schema["if"], path) else "else"
            if branch in schema:
                self._check(value, schema[branch], path, found)

    def _text(self, value: str, schema: dict[str, Any], path: str, found: list[Failure]) -> None:
        low, high = _bound(schema, "minLength"), _bound(schema, "maxLength")
        if low is not None and len(value) < low:
            found.append(Failure(path, "minLength", f"must have at least {low} characters"))
        if high is not None and len(value) > high:
            found.append(Failure(path, "maxLength", f"must have at most {high} characters"))
        if "pattern" in schema and not self._pattern(schema["pattern"]).search(value):
            found.append(Failure(path, "pattern", f"does not match {schema['pattern'][:100]}"))
        form = FORMATS.get(str(schema.get("format")))
        if form is not None and not self._pattern(form).fullmatch(value):
            found.append(Failure(path, "format", f"is no {schema['format']}"))

    def _pattern(self, text: Any) -> re.Pattern[str]:
        if not isinstance(text, str):
            raise wrong_schema("a pattern is a text")
        compiled = self._patterns.get(text)
        if compiled is None:
            compiled = self._patterns[text] = compile_pattern(text, "", "schema: pattern")
        return compiled

    def _number(self, value: Any, schema: dict[str, Any], path: str, found: list[Failure]) -> None:
        tests: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
            ("minimum", lambda bound: value >= bound, "at least"),
            ("maximum", lambda bound: value <= bound, "at most"),
            ("exclusiveMinimum", lambda bound: value > bound, "more than"),
            ("exclusiveMaximum", lambda bound: value < bound, "less than"),
        )
        for keyword, holds, words in tests:
            bound = _bound(schema, keyword)
            if bound is not None and not holds(bound):
                found.append(Failure(path, keyword, f"must be {words} {bound}"))
        step = _bound(schema, "multipleOf")
        if step is not None:
            if step <= 0:
                raise wrong_schema("multipleOf is positive")
            if not _is_multiple(value, step):
                found.append(Failure(path, "multipleOf", f"must be a multiple of {step}"))

    def _list(
        self, value: list[Any], schema: dict[str, Any], path: str, found: list[Failure]
    ) -> None:
        low, high = _bound(schema, "minItems"), _bound(schema, "maxItems")
        if low is not None and len(value) < low:
            found.append(Failure(path, "minItems", f"must have at least {low} items"))
        if high is not None and len(value) > high:
            found.append(Failure(path, "maxItems", f"must have at most {high} items"))
        if schema.get("uniqueItems") is True:
            self._unique(value, path, found)
        first = _array(schema, "prefixItems")
        for index, (item, each) in enumerate(zip(value, first, strict=False)):
            self._check(item, each, f"{path}/{index}", found)
        if "items" in schema:
            for index in range(len(first), len(value)):
                self._check(value[index], schema["items"], f"{path}/{index}", found)
        if "contains" in schema:
            count = sum(self._fits(item, schema["contains"], path) for item in value)
            least, most = _bound(schema, "minContains"), _bound(schema, "maxContains")
            if count < (1 if least is None else least) or (most is not None and count > most):
                found.append(Failure(path, "contains", f"{count} items fit, which is not allowed"))

    def _unique(self, value: list[Any], path: str, found: list[Failure]) -> None:
        seen: list[Any] = []
        plain: set[tuple[str, Any]] = set()
        for index, item in enumerate(value):
            self._steps += len(seen) if isinstance(item, dict | list) else 1
            if self._steps > STEPS_MAX:
                raise InvalidInput(f"the check takes over {STEPS_MAX} steps")
            if isinstance(item, dict | list):
                is_new = not any(same(item, other) for other in seen)
                seen.append(item)
            else:
                key = ("bool" if isinstance(item, bool) else "", item)
                is_new = key not in plain
                plain.add(key)
            if not is_new:
                found.append(Failure(f"{path}/{index}", "uniqueItems", "is there twice"))
                return

    def _object(
        self, value: dict[str, Any], schema: dict[str, Any], path: str, found: list[Failure]
    ) -> None:
        low, high = _bound(schema, "minProperties"), _bound(schema, "maxProperties")
        if low is not None and len(value) < low:
            found.append(Failure(path, "minProperties", f"must have at least {low} entries"))
        if high is not None and len(value) > high:
            found.append(Failure(path, "maxProperties", f"must have at most {high} entries"))
        for name in _names(schema, "required"):
            if name not in value:
                found.append(Failure(path, "required", f"{name[:80]} is missing"))
        dependent = _mapping(schema, "dependentRequired")
        for name in dependent:
            needed = _names(dependent, name)
            missing = [each for each in needed if each not in value] if name in value else []
            for each in missing:
                message = f"{each[:80]} is needed with {name[:80]}"
                found.append(Failure(path, "dependentRequired", message))
        known = _mapping(schema, "properties")
        patterns = _mapping(schema, "patternProperties")
        for name, item in value.items():
            place = f"{path}/{escape(name)}"
            if "propertyNames" in schema:
                self._check(name, schema["propertyNames"], place, found)
            is_known = name in known
            if is_known:
                self._check(item, known[name], place, found)
            for pattern, each in patterns.items():
                if self._pattern(pattern).search(name):
                    is_known = True
                    self._check(item, each, place, found)
            if not is_known and "additionalProperties" in schema:
                if schema["additionalProperties"] is False:
                    found.append(Failure(place, "additionalProperties", "is not known"))
                else:
                    self._check(item, schema["additionalProperties"], place, found)


def _array(schema: dict[str, Any], keyword: str) -> list[Any]:
    value = schema.get(keyword, [])
    if not isinstance(value, list):
        raise wrong_schema(f"{keyword} is a list")
    return value


def _names(schema: dict[str, Any], keyword: str) -> list[str]:
    value = _array(schema, keyword)
    if not all(isinstance(name, str) for name in value):
        raise wrong_schema(f"{keyword[:80]} is a list of names")
    return value


def _mapping(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    value = schema.get(keyword) or {}
    if not isinstance(value, dict):
        raise wrong_schema(f"{keyword} is an object")
    return value


def _is_multiple(value: float, step: float) -> bool:
    try:
        ratio = value / step
        return abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))
    except OverflowError:
        return False  # so many times that no float holds the number: none can be told


def _bound(schema: dict[str, Any], keyword: str) -> Any:
    value = schema.get(keyword)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise wrong_schema(f"{keyword} is a number")
    return value
