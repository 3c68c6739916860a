"""The one form in which a tool declares what it takes and gives.

A declaration is a tree of `Schema`; `checking.compile_check` makes a fast checker of it and
`to_json_schema` the JSON Schema (2020-12) that agents, editors and the docs get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MISSING: Final = object()
"""The default of a property that has none."""

TEXT_MAX: Final = 10 * 1024 * 1024
"""Characters of a text unless a declaration says less: under one channel message."""

ITEMS_MAX: Final = 100_000
"""Items of a list, keys of a free map, unless a declaration says less."""


class Schema:
    """One declared value. Bounds are inclusive: characters for text, items for lists and maps."""

    __slots__ = (
        "choices",
        "default",
        "doc",
        "extra",
        "items",
        "kind",
        "maximum",
        "minimum",
        "options",
        "properties",
        "required",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        doc: str,
        *,
        required: bool = False,
        default: Any = MISSING,
        minimum: float | None = None,
        maximum: float | None = None,
        choices: Sequence[str] = (),
        items: Schema | None = None,
        properties: Mapping[str, Schema] | None = None,
        extra: Schema | None = None,
        options: Sequence[Schema] = (),
    ) -> None:
        self.kind = kind
        self.doc = doc
        self.required = required
        self.default = default
        self.minimum = minimum
        self.maximum = maximum
        self.choices = tuple(choices)
        self.items = items
        self.properties = properties
        self.extra = extra
        self.options = tuple(options)

    def to_json_schema(self) -> dict[str, Any]:
        """This declaration as JSON Schema 2020-12 (JSON-able)."""
        result: dict[str, Any] = {}
        if self.kind == "union":
            result["anyOf"] = [option.to_json_schema() for option in self.options]
        elif self.kind == "bytes":
            result |= {"type": ["string", "object"], "contentEncoding": "base64"}
        elif self.kind != "any":
            result["type"] = self.kind
        if self.doc:
            result["description"] = self.doc
        if self.choices:
            result["enum"] = list(self.choices)
        self._add_bounds(result)
        if self.items is not None:
            result["items"] = self.items.to_json_schema()
        if self.kind == "object":
            self._add_properties(result)
        if self.default is not MISSING and self.default is not None:
            result["default"] = self.default
        return result

    def _add_bounds(self, result: dict[str, Any]) -> None:
        names = {
            "string": ("minLength", "maxLength"),
            "array": ("minItems", "maxItems"),
            "object": ("minProperties", "maxProperties"),
        }.get(self.kind, ("minimum", "maximum"))
        for name, bound in zip(names, (self.minimum, self.maximum), strict=True):
            if bound is not None and self.kind not in ("bytes", "any"):
                result[name] = bound

    def _add_properties(self, result: dict[str, Any]) -> None:
        if self.properties is None:
            return
        result["properties"] = {
            name: child.to_json_schema() for name, child in self.properties.items()
        }
        required = [name for name, child in self.properties.items() if child.required]
        if required:
            result["required"] = required
        result["additionalProperties"] = (
            False if self.extra is None else self.extra.to_json_schema()
        )


def string(
    doc: str,
    *,
    required: bool = False,
    default: str | object = MISSING,
    min_length: int | None = None,
    max_length: int = TEXT_MAX,
) -> Schema:
    """Text of `min_length` … `max_length` characters."""
    return Schema(
        "string",
        doc,
        required=required,
        default=default,
        minimum=min_length,
        maximum=max_length,
    )


def enum(
    doc: str, choices: Sequence[str], *, required: bool = False, default: str | object = MISSING
) -> Schema:
    """One of a few words."""
    return Schema("string", doc, required=required, default=default, choices=choices)


def integer(
    doc: str,
    minimum: int,
    maximum: int,
    *,
    required: bool = False,
    default: int | object = MISSING,
) -> Schema:
    """A whole number in bounds; `3.0` is one (Lua and JavaScript don't tell them apart)."""
    return Schema(
        "integer", doc, required=required, default=default, minimum=minimum, maximum=maximum
    )


def number(
    doc: str,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    required: bool = False,
    default: float | object = MISSING,
) -> Schema:
    """A finite number."""
    return Schema(
        "number", doc, required=required, default=default, minimum=minimum, maximum=maximum
    )


def boolean(doc: str, *, required: bool = False, default: bool | object = MISSING) -> Schema:
    """True or false."""
    return Schema("boolean", doc, required=required, default=default)


def binary(doc: str, *, required: bool = False) -> Schema:
    """Text or bytes (`{"$bytes": base64}` on the wire)."""
    return Schema("bytes", doc, required=required, maximum=TEXT_MAX)


def anything(doc: str, *, required: bool = False, default: Any = MISSING) -> Schema:
    """Any JSON value; a function of the spell's is none."""
    return Schema("any", doc, required=required, default=default)


def array(
    doc: str,
    items: Schema,
    *,
    required: bool = False,
    default: Any = MISSING,
    min_items: int | None = None,
    max_items: int = ITEMS_MAX,
) -> Schema:
    """A list; an empty table of Lua's is an empty list."""
    return Schema(
        "array",
        doc,
        required=required,
        default=default,
        minimum=min_items,
        maximum=max_items,
        items=items,
    )


def record(
    doc: str,
    properties: Mapping[str, Schema],
    *,
    extra: Schema | None = None,
    required: bool = False,
    default: Any = MISSING,
) -> Schema:
    """An object with exactly these properties (and any others of form `extra`)."""
    return Schema(
        "object", doc, required=required, default=default, properties=properties, extra=extra
    )


def mapping(
    doc: str,
    values: Schema,
    *,
    required: bool = False,
    default: Any = MISSING,
    max_items: int = ITEMS_MAX,
) -> Schema:
    """An object with free keys and values of one form."""
    return Schema(
        "object",
        doc,
        required=required,
        default=default,
        maximum=max_items,
        properties={},
        extra=values,
    )


def union(
    doc: str, options: Sequence[Schema], *, required: bool = False, default: Any = MISSING
) -> Schema:
    """A value that fits one of the options, tried in order."""
    return Schema("union", doc, required=required, default=default, options=options)
