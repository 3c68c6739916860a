"""Which tools fit behind each other, and how one's result becomes the other's input (API-056)."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def can_chain(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether the result of one tool can be the input of another, by their schemas.

    It can when the result is an object with every property that the other requires, when the other
    takes one property of the result's type, or when nobody said what the result is.
    """
    output = first.get("output_schema")
    if not isinstance(output, dict) or not ("type" in output or "properties" in output):
        return True
    needed = second.get("input_schema") or {}
    properties, required = _parts(needed)
    given, _ = _parts(output)
    if output.get("type") == "object" and given and set(required) <= given.keys():
        return all(_agree(given[name], properties.get(name, {})) for name in required)
    single = _single(properties, required)
    return single is not None and _agree(output, properties.get(single, {}))


def as_input(result: Any, second: Mapping[str, Any]) -> dict[str, Any]:
    """A result as the input of the next tool. Raises `InvalidInput`."""
    properties, required = _parts(second.get("input_schema") or {})
    if isinstance(result, dict) and set(required) <= result.keys():
        if not properties:
            return dict(result)
        chosen = {name: value for name, value in result.items() if name in properties}
        if chosen or not required:
            return chosen
    single = _single(properties, required)
    if single is None:
        raise InvalidInput(
            f"the result does not fit the input of {second.get('name')}",
            hint=f"it requires {', '.join(required) or 'other properties'}",
        )
    return {single: result}


def _parts(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    properties, required = schema.get("properties"), schema.get("required")
    return (
        properties if isinstance(properties, dict) else {},
        required if isinstance(required, list) else [],
    )


def _single(properties: Mapping[str, Any], required: list[str]) -> str | None:
    if len(required) == 1:
        return required[0]
    if not required and properties:
        return next(iter(properties))
    return None


def _agree(one: Any, other: Any) -> bool:
    """Whether a value of one schema may be of the other, by type alone."""
    kinds, wanted = _types(one), _types(other)
    if "integer" in kinds:
        kinds = kinds | {"number"}
    return not kinds or not wanted or bool(kinds & wanted)


def _types(schema: Any) -> frozenset[str]:
    if not isinstance(schema, dict):
        return frozenset()
    if "anyOf" in schema and isinstance(schema["anyOf"], list):
        return frozenset().union(*(_types(item) for item in schema["anyOf"]))
    kinds = schema.get("type", [])
    return frozenset([kinds] if isinstance(kinds, str) else kinds)
