"""A value that fits a JSON Schema, the plainest there is: what `fake` answers when asked for one.

Covers what people write for structured answers; patterns and conditions are left alone, and the
check of every structured answer says so where that is not enough.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final

DEPTH_MAX: Final = 32
STEPS_MAX: Final = 10_000
ITEMS_MAX: Final = 100
TEXT_MAX: Final = 1_000

_FORMATS: Final = {
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "date-time": "2025-01-01T00:00:00Z",
    "email": "a@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any) -> Any:
    """The plainest value for a schema; None where none is found."""
    return _Sampler(schema).value(schema, 0)


class _Sampler:
    """One walk over a schema. A schema that refers to itself twice would double at every level, so
    the steps are counted as well as the depth."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def value(self, schema: Any, depth: int) -> Any:
        """The plainest value for a part of the schema."""
        self._steps += 1
        if not isinstance(schema, dict) or depth > DEPTH_MAX or self._steps > STEPS_MAX:
            return None
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("enum", "examples"):
            if isinstance(schema.get(key), list) and schema[key]:
                return schema[key][0]
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self.value(_target(self._root, reference), depth + 1)
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self.value(schema[key][0], depth + 1)
        if isinstance(schema.get("allOf"), list):
            return self.value(_merged(schema), depth + 1)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0] if kind else None
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            count = min(_whole(schema.get("minItems")), ITEMS_MAX)
            return [self.value(schema.get("items"), depth + 1) for _ in range(count)]
        return _plain(kind, schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        known = schema.get("properties")
        properties = known if isinstance(known, dict) else {}
        wanted = schema.get("required")
        names = wanted if isinstance(wanted, list) else list(properties)
        return {
            str(name): self.value(properties.get(name, {"type": "string"}), depth + 1)
            for name in names[:ITEMS_MAX]
        }


def _plain(kind: Any, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        value = low if isinstance(low, (int, float)) else 0
        if "exclusiveMinimum" in schema and "minimum" not in schema:
            value += 1
        if isinstance(high, (int, float)) and value > high:
            value = high - 1 if "exclusiveMaximum" in schema else high
        return value
    if kind == "boolean":
        return False
    if kind == "string":
        text = _FORMATS.get(str(schema.get("format")), "text")
        least = min(_whole(schema.get("minLength")), TEXT_MAX)
        text += "x" * (least - len(text))
        most = schema.get("maxLength")
        return text[:most] if isinstance(most, int) and most >= 0 else text
    return None


def _whole(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        if not isinstance(part, dict):
            continue
        for key, value in part.items():
            if key == "properties" and isinstance(value, dict):
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required" and isinstance(value, list):
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged.setdefault(key, value)
    return merged


def _target(root: Any, reference: str) -> Any:
    if not reference.startswith("#"):
        return None
    found = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found
