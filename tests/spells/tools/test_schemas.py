"""JSON Schema of a spell's choosing: what it means, what it may not be, what it may cost."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.spells.tools.schemas import STEPS_MAX, compile_schema


def check(schema: Any, value: Any) -> Any:
    return compile_schema(schema, "the schema")(value, "input")


FITS: list[tuple[Any, Any]] = [
    ({}, 1),
    (True, None),
    ({"type": "string"}, "a"),
    ({"type": ["string", "null"]}, None),
    ({"type": "integer"}, 3),
    ({"type": "number", "minimum": 1, "maximum": 2, "multipleOf": 0.5}, 1.5),
    ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 2]),
    ({"prefixItems": [{"type": "string"}], "items": False}, ["a"]),
    ({"enum": ["a", 1]}, 1),
    ({"const": {"a": [1]}}, {"a": [1]}),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "a"),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2),
    ({"not": {"type": "string"}}, 2),
    ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}, 2),
    ({"contains": {"type": "string"}}, [1, "a"]),
    ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, "x"),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
    ({"minProperties": 1, "maxLength": 1, "minItems": 1}, {"a": 1}),
    ({"format": "email", "title": "t", "description": "d", "examples": [1]}, "no email"),
]


@pytest.mark.parametrize(("schema", "value"), FITS)
def test_what_fits(schema: Any, value: Any) -> None:
    assert check(schema, value) == value


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (False, 1, "not allowed"),
        ({"type": "string"}, 1, "input must be text, not a number"),
        ({"type": "integer"}, 1.5, "whole number"),
        ({"type": "number"}, True, "not true or false"),
        ({"minimum": 1}, 0, "at least 1"),
        ({"exclusiveMaximum": 1}, 1, "under 1"),
        ({"exclusiveMinimum": 1}, 1, "over 1"),
        ({"multipleOf": 3}, 4, "multiple of 3"),
        ({"minLength": 2}, "a", "at least 2 characters"),
        ({"maxItems": 1}, [1, 2], "at most 1 items"),
        ({"uniqueItems": True}, [{"a": 1}, {"a": 1}], "twice"),
        ({"enum": ["a", 1]}, True, "one of a, 1"),
        ({"const": 1}, 2, "one value"),
        ({"anyOf": [{"type": "string"}]}, 1, "none of 1"),
        ({"oneOf": [{}, {"type": "integer"}]}, 1, "fits 2"),
        ({"not": {}}, 1, "must not be"),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1}, r"input\.a must be text"),
        ({"required": ["a"]}, {}, r"input\.a is missing"),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, r"input\.b is not"),
        ({"items": {"required": ["x"]}}, [{"x": 1}, {}], r"input\[1\]\.x is missing"),
        ({"contains": {"type": "string"}}, [1], "no item"),
    ],
)
def test_what_does_not_fit(schema: Any, value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        check(schema, value)
    assert caught.value.code == 2002


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "(a+)+$"},
        {"patternProperties": {"^a": {}}},
        {"properties": {"a": {"items": {"pattern": "x"}}}},
        {"type": "text"},
        {"type": 3},
        {"minimum": "1"},
        {"minLength": True},
        {"required": "a"},
        {"enum": "a"},
        {"anyOf": {"type": "string"}},
        {"properties": [1]},
        {"properties": {"a": 3}},
        {"$ref": "http://example.com/schema"},
        {"multipleOf": -1},
        "string",
        3,
        {"description": "x" * 70_000},
    ],
)
def test_COD_2010_a_schema_that_cant_be_used(schema: Any) -> None:
    with pytest.raises(InvalidInput, match="the schema") as caught:
        compile_schema(schema, "the schema")
    assert caught.value.code == 2010


def test_a_schema_nested_too_deep_is_2010() -> None:
    schema: Any = {}
    for _ in range(40):
        schema = {"items": schema}
    with pytest.raises(InvalidInput) as caught:
        compile_schema(schema, "the schema")
    assert caught.value.code == 2010


def test_defaults_fill_in_and_what_the_channel_blurs_is_put_right() -> None:
    schema = {
        "properties": {
            "n": {"type": "integer"},
            "o": {"type": "object"},
            "l": {"type": "array"},
            "d": {"default": ["x"]},
        }
    }
    assert check(schema, {"n": 3.0, "o": [], "l": {}}) == {"n": 3, "o": {}, "l": [], "d": ["x"]}


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False}
    assert check(tree, {"next": {"next": {}}}) == {"next": {"next": {}}}
    with pytest.raises(InvalidInput, match=r"next\.next\.x"):
        check(tree, {"next": {"next": {"x": 1}}})
    with pytest.raises(InvalidInput, match="too much"):
        check({"$ref": "#"}, 1)
    for wrong in ({"$ref": "#/$defs/none"}, {"$ref": "#/default", "default": {"type": None}}):
        with pytest.raises(InvalidInput) as caught:
            compile_schema(wrong, "the schema")
        assert caught.value.code == 2010


def test_alternatives_within_alternatives_are_bounded_in_steps_and_time() -> None:
    schema: Any = {"type": "string"}
    for _ in range(9):
        schema = {"anyOf": [schema, schema]}
    began = time.process_time()
    with pytest.raises(InvalidInput, match="none of 2"):
        check(schema, 1)
    nested: Any = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    with pytest.raises(InvalidInput, match="too much"):
        check(nested, 1)
    with pytest.raises(InvalidInput, match="too much"):
        check({"items": {"type": "integer"}}, [1] * (STEPS_MAX + 1))
    assert time.process_time() - began < 3


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_WORDS = ["type", "properties", "items", "required", "enum", "anyOf", "not", "minimum", "$ref"]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(_WORDS), _JSON, max_size=4), _JSON)
def test_any_schema_and_value_end_in_a_value_or_a_typed_error(schema: Any, value: Any) -> None:
    try:
        check(schema, value)
    except InvalidInput as error:
        assert error.code in (2002, 2010)


DEAR = {
    "enum": ({"enum": [1] * 20_000}, 0),
    "required": ({"required": ["a"] * 10_000}, {"a": 1}),
    "properties": ({"properties": {f"p{n}": {} for n in range(4_000)}}, {"a": 1}),
}


@pytest.mark.parametrize("name", DEAR)
def test_long_lists_of_a_schema_count_as_work(name: str) -> None:
    schema, item = DEAR[name]
    check = compile_schema({"type": "array", "items": {"anyOf": [schema, {}]}}, "s")
    assert check([item], "v") == [item]
    began = time.process_time()
    with pytest.raises(InvalidInput, match="too much to check"):
        check([item] * 40_000, "v")
    assert time.process_time() - began < 3


def test_true_is_not_1_among_many() -> None:
    check = compile_schema({"enum": [1, "a", False, {"x": 1}]}, "s")
    for good in (1, 1.0, "a", False, {"x": 1}):
        assert check(good, "v") == good
    for bad in (True, 0, {"x": 2}, None):
        with pytest.raises(InvalidInput):
            check(bad, "v")
