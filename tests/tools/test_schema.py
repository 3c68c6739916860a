"""Declarations refuse everything they were not told of."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.tools.checking import compile_check
from llmspell.tools.schema import (
    Schema,
    anything,
    array,
    binary,
    boolean,
    enum,
    integer,
    mapping,
    number,
    record,
    string,
    union,
)

FORM = record(
    "",
    {
        "name": string("", required=True, min_length=1, max_length=5),
        "maxCount": integer("", 1, 9, default=3),
        "escape_html": boolean(""),
        "kind": enum("", ("to_lower", "other"), default="other"),
        "ratio": number("", 0, 1),
        "tags": array("", string("", max_length=3), max_items=2),
        "extra": mapping("", number(""), max_items=2),
        "data": binary(""),
        "free": anything(""),
        "either": union("", (string("", max_length=2), integer("", 0, 5))),
    },
)
check = compile_check(FORM)


def test_defaults_and_spellings() -> None:
    given = {"name": "a", "escapeHtml": True, "kind": "toLower"}
    assert check(given, "") == {
        "name": "a", "escape_html": True, "kind": "to_lower", "maxCount": 3,
    }  # fmt: skip


def test_numbers_of_lua_and_javascript_are_whole_when_they_are() -> None:
    assert check({"name": "a", "maxCount": 4.0}, "")["maxCount"] == 4


def test_empty_table_of_lua_is_both() -> None:
    checked = check({"name": "a", "tags": {}, "extra": []}, "")
    assert checked["tags"] == [] and checked["extra"] == {}


def test_null_is_absent_when_optional() -> None:
    assert "ratio" not in check({"name": "a", "ratio": None}, "")


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({}, "name is missing"),
        ({"name": None}, "name must be text"),
        ({"name": ""}, "name must have at least 1"),
        ({"name": "abcdef"}, "name has 6 characters"),
        ({"name": "a", "nam": 1}, "nam is not known"),
        ({"name": "a", "maxCount": 10}, "maxCount must be from 1 to 9"),
        ({"name": "a", "maxCount": 1.5}, "maxCount must be a whole number"),
        ({"name": "a", "maxCount": True}, "maxCount must be a whole number"),
        ({"name": "a", "escape_html": 1}, "escape_html must be true or false"),
        ({"name": "a", "escape_html": True, "escapeHtml": True}, "escape_html is given twice"),
        ({"name": "a", "ratio": float("nan")}, "ratio must be a finite"),
        ({"name": "a", "tags": ["ab", 1]}, r"tags\[1\] must be text"),
        ({"name": "a", "tags": ["a", "b", "c"]}, "tags has 3 items"),
        ({"name": "a", "extra": {"x": "y"}}, r"extra\.x must be a number"),
        ({"name": "a", "data": 1}, "data must be text or bytes"),
        ({"name": "a", "free": [{"f": Callback(1)}]}, "free holds a function"),
        ({"name": "a", "either": "abc"}, "either has 3 characters"),
        ({"name": "a", "either": 9}, "either must be"),
        ({"name": "a", "kind": "to_lowr"}, "kind must be one of"),
        ("text", "the input must be an object"),
    ],
)
def test_refusals_name_the_place(given: Any, place: str) -> None:
    with pytest.raises(InvalidInput, match=place) as caught:
        check(given, "")
    assert caught.value.code == 2002


def test_deep_free_values_are_refused() -> None:
    value: Any = []
    for _ in range(60):
        value = [value]
    with pytest.raises(InvalidInput, match="deeper"):
        check({"name": "a", "free": value}, "")


def test_a_misspelled_name_is_suggested() -> None:
    with pytest.raises(InvalidInput) as caught:
        check({"name": "a", "escape_htm": True}, "")
    assert caught.value.hint == "did you mean escape_html?"


def test_json_schema_says_the_same() -> None:
    shown = FORM.to_json_schema()
    assert shown["required"] == ["name"]
    assert shown["additionalProperties"] is False
    assert shown["properties"]["maxCount"] == {
        "type": "integer", "minimum": 1, "maximum": 9, "default": 3,
    }  # fmt: skip
    assert shown["properties"]["extra"]["additionalProperties"] == {"type": "number"}
    assert [each["type"] for each in shown["properties"]["either"]["anyOf"]] == [
        "string", "integer",
    ]  # fmt: skip


def test_every_declared_default_passes_its_own_check() -> None:
    from llmspell.tools.registry import get, list_tools

    def walk(schema: Schema) -> None:
        for child in (schema.properties or {}).values():
            if isinstance(child.default, str | int | float | bool | list | dict):
                compile_check(child)(child.default, "default")
            walk(child)

    for entry in list_tools():
        walk(get(entry.name).parameters)
