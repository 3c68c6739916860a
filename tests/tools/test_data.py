"""json_processor and csv_processor: their languages, and hostile input (RS-22, RS-23)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from llmspell.errors import InvalidInput
from tests.tools.support import MemoryHost, use, use_whole


def process(operation: str, data: Any = None, **more: Any) -> Any:
    given = {"operation": operation, **more}
    if "json" not in more:
        given["data"] = data
    return use("json_processor", given)


def test_reading_is_strict_unless_asked() -> None:
    assert process("parse", json="\ufeff[1, 2.5, null]") == [1, 2.5, None]
    lenient = '{"a": "//no", /* c */ "b": [1, 2, /* x */ ], // end\n}'
    assert process("parse", json=lenient, lenient=True) == {"a": "//no", "b": [1, 2]}
    assert process("parse", json='{"a":1}\n\n[2]\n', lines=True) == [{"a": 1}, [2]]
    assert process("parse", json='{"a":1,"a":2}', duplicates="last") == {"a": 2}
    assert process("parse", json="9007199254740993", big_numbers="text") == "9007199254740993"
    assert process("parse", json="1e2") == 100.0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", "{'a':1}", "NaN", "[Infinity]", '{"a":1,"a":2}', "9007199254740993",
     "1e999", "[" * 50 + "]" * 50, "[" * 200_000, '{"a":' * 100_000, "[1] 2", '"\t"',
     "9" * 5000, "nul", '"\\ud800"', "[" + "1," * 1_100_000 + "1]"],
)  # fmt: skip
def test_RS_22_wrong_json_is_refused_quickly(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput):
        process("parse", json=text)
    assert time.monotonic() - started < 3


def test_the_place_of_an_error_is_named() -> None:
    with pytest.raises(InvalidInput, match="line 2, column 3"):
        process("parse", json="{\n  a}")
    with pytest.raises(InvalidInput, match="line 2: no JSON"):
        process("parse", json="1\n{", lines=True)


def test_writing() -> None:
    value = {"b": [1, "é"], "a": {}}
    assert process("minify", value) == '{"b":[1,"é"],"a":{}}'
    assert process("format", value, sort_keys=True) == json.dumps(
        value, indent=2, sort_keys=True, ensure_ascii=False
    )
    assert process("stringify", value, ascii=True) == '{"b":[1,"\\u00e9"],"a":{}}'
    assert process("stringify", [1, {"a": 2}], lines=True) == '1\n{"a":2}\n'
    with pytest.raises(InvalidInput, match="bytes"):
        process("stringify", {"a": b"x"})


STORE = {
    "books": [
        {"title": "A", "price": 8, "tags": ["x"]},
        {"title": "B, C", "price": 12, "isbn": "1"},
        {"title": "D", "price": 20},
    ],
    "odd key": {"a/b": 1, "price": 1},
}


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$.books[0].title", "A"), ("books.1.price", 12), ("$.books[-1].title", "D"),
        ("$.books[*].price", [8, 12, 20]), ("$..price", [8, 12, 20, 1]),
        ("$.books[0:2].title", ["A", "B, C"]), ("$.books[::2].title", ["A", "D"]),
        ("$.books[0,2].title", ["A", "D"]), ("$['odd key']['a/b']", 1),
        ("$.books[?(@.price < 15 && @.isbn)].title", ["B, C"]),
        ("$.books[?@.price > 10 || @.tags].title", ["A", "B, C", "D"]),
        ("$.books[?(@.title == 'B, C')].price", [12]), ("$.books[?(!@.isbn)].title", ["A", "D"]),
        ("$.books[?(@.title =~ /^[ad]$/i)].price", [8, 20]), ("$.missing", None), ("$", STORE),
        ("$.books[*]['title','price']", ["A", 8, "B, C", 12, "D", 20]),
        ("/books/0/price", 8), ("/odd key/a~1b", 1), ("", STORE),
    ],
)  # fmt: skip
def test_queries(path: str, result: Any) -> None:
    assert process("query", STORE, path=path) == result


def test_query_metadata_and_default() -> None:
    output = use_whole("json_processor", {"operation": "query", "data": STORE, "path": "$..isbn"})
    assert output["metadata"] == {"found": True, "count": 1, "paths": ["/books/1/isbn"]}
    assert process("query", STORE, path="/x/y", default=0) == 0
    assert process("query", STORE, path="$.x", default=0) == 0
    with pytest.raises(InvalidInput, match="nothing at /x"):
        process("query", STORE, path="/x")


@pytest.mark.parametrize(
    "path", ["$.a[", "$[?(@.a ==)]", "$[abc]", "a..", "$[0:1:0]", "a b", "[?(import)]", "x" * 2000]
)
def test_wrong_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        process("query", STORE, path=path)


def test_RS_23_queries_are_bounded() -> None:
    wide: Any = 1
    for _ in range(16):
        wide = [wide, wide]
    with pytest.raises(InvalidInput, match=r"steps|matches"):
        process("query", wide, path="$" + "..*" * 20)


@pytest.mark.parametrize(
    ("value", "steps", "result"),
    [
        ({"a": 1, "b": 2}, [{"pick": ["b", "x"]}], {"b": 2}),
        ([{"a": 1, "b": 2}], [{"map": {"sum": "$.a", "all": "$.*"}}], [{"sum": 1, "all": [1, 2]}]),
        ({"a": {"b": [1, {"c": 2}]}, "d": {}}, ["flatten"], {"a.b.0": 1, "a.b.1.c": 2, "d": {}}),
        ({"a.b.0": 1, "a.b.1.c": 2}, ["unflatten"], {"a": {"b": [1, {"c": 2}]}}),
        ([{"k": "x", "n": 1}, {"k": "y", "n": 2}, {"k": "x", "n": 3}],
         [{"group_by": "k"}, {"select": "$.x[*].n"}], [1, 3]),
        ([3, 1, 2], [{"sort": {"order": "desc"}}, {"limit": 2}], [3, 2]),
        ([{"a": 2}, {"a": 1}], [{"sort": {"by": "a"}}], [{"a": 1}, {"a": 2}]),
        ([1, True, 1.0, "1", [1], [1]], ["unique"], [1, True, "1", [1]]),
        ({"b": 1, "a": {"d": 1, "c": 2}}, ["sortKeys"], {"a": {"c": 2, "d": 1}, "b": 1}),
        ({"a": None, "b": [None, 1]}, ["remove_nulls"], {"b": [1]}),
        ({"a": {}}, [{"set": {"/a/b": 1}}], {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_transforms(value: Any, steps: list[Any], result: Any) -> None:
    assert process("transform", value, steps=steps) == result


@pytest.mark.parametrize(
    "steps", [["nothing"], [{"pick": "a"}], [{"pick": [], "omit": []}], [{"filter": "@"}],
              [{"set": {"a": 1}}], ["limit"]]
)  # fmt: skip
def test_wrong_transforms_name_the_step(steps: list[Any]) -> None:
    with pytest.raises(InvalidInput, match=r"steps\[0\]"):
        process("transform", {"a": 1}, steps=steps)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 3.0, 3.5), ({"type": ["string", "null"]}, None, 1),
        ({"enum": [1, "a"]}, "a", True), ({"const": {"a": [1]}}, {"a": [1]}, {"a": [2]}),
        ({"minLength": 2, "maxLength": 3}, "äö", "a"), ({"pattern": "^a+$"}, "aa", "ab"),
        ({"minimum": 1, "exclusiveMaximum": 3}, 2.9, 3), ({"multipleOf": 0.1}, 0.3, 0.35),
        ({"items": {"type": "string"}, "minItems": 1}, ["a"], []),
        ({"uniqueItems": True}, [1, True], [[1], [1.0]]),
        ({"prefixItems": [{"const": 1}], "items": False}, [1], [1, 2]),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 2], [1, 1]),
        ({"required": ["a"], "additionalProperties": False, "properties": {"a": {}}}, {"a": 1},
         {"a": 1, "b": 2}),
        ({"patternProperties": {"^x": {"type": "number"}}}, {"x1": 1}, {"x1": "1"}),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1}),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, 6, 4),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, 9, 3), ({"not": {"type": "null"}}, 1, None),
        ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 1}}, "ab", 0),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"minimum": 1}}}, 1, 0),
        ({"format": "date-time"}, "2025-01-20T15:30:00Z", "2025-01-20"),
        ({"format": "email"}, "a@b.example", "a@b"), ({"format": "ipv4"}, "1.2.3.4", "1.2.3.256"),
        (True, 1, None), ({"type": "object", "properties": {"child": {"$ref": "#"}}},
                          {"child": {"child": {}}}, {"child": {"child": 1}}),
    ],
)  # fmt: skip
def test_validation(schema: Any, good: Any, bad: Any) -> None:
    assert process("validate", good, schema=schema) is True
    if schema is not True:
        assert process("validate", bad, schema=schema) is False


def test_validation_names_each_place_and_can_raise() -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"minimum": 1}}, "required": ["c"]}
    given = {"operation": "validate", "data": {"a": 1, "b": 0}, "schema": schema}
    errors = use_whole("json_processor", given)["metadata"]["errors"]
    assert {(each["path"], each["keyword"]) for each in errors} == {
        ("", "required"), ("/a", "type"), ("/b", "minimum"),
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="and 2 more") as caught:
        use("json_processor", {**given, "throw": True})
    assert caught.value.code == 2009


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "http://example.com/x"}, {"$ref": "#/nothing"}, {"$ref": "#"}, {"type": "text"},
     {"pattern": "("}, {"minimum": "1"}, {"allOf": 1}, 5, {"pattern": 1}],
)  # fmt: skip
def test_schemas_that_can_not_be_used_are_refused(schema: Any) -> None:
    with pytest.raises(InvalidInput):
        process("validate", 1 if "pattern" not in str(schema) else "x", schema=schema)


def test_merging() -> None:
    left, right = {"a": {"x": 1, "l": [1, 2]}, "b": 1}, {"a": {"y": 2, "l": [2, 3]}, "b": None}
    assert process("merge", left, **{"with": right}) == {
        "a": {"x": 1, "l": [2, 3], "y": 2}, "b": None,
    }  # fmt: skip
    assert process("merge", left, **{"with": [right], "lists": "union"})["a"]["l"] == [1, 2, 3]
    assert process("merge", left, **{"with": right, "lists": "concat"})["a"]["l"] == [1, 2, 2, 3]
    shallow = process("merge", left, **{"with": right, "strategy": "shallow"})
    assert shallow == {"a": {"y": 2, "l": [2, 3]}, "b": None}
    assert "b" not in process("merge", left, **{"with": right, "strategy": "patch"})


def test_exactly_one_source_is_needed() -> None:
    for given in ({}, {"data": 1, "json": "1"}):
        with pytest.raises(InvalidInput, match="exactly one"):
            use("json_processor", {"operation": "parse", **given})


def table(text: str, operation: str = "parse", **more: Any) -> Any:
    return use("csv_processor", {"operation": operation, "text": text, **more})


@pytest.mark.parametrize(
    ("text", "more", "rows"),
    [
        ('a,b\n"x, ""y""",2\n', {}, [{"a": 'x, "y"', "b": 2}]),
        ('a\n"two\nlines"\n', {}, [{"a": "two\nlines"}]),
        ("a;b\n1,5;2\n", {"delimiter": "auto"}, [{"a": "1,5", "b": 2}]),
        ("a\tb\n1\t2\n", {"delimiter": "tab"}, [{"a": 1, "b": 2}]),
        ("1,2\n3,4\n", {"headers": False}, [[1, 2], [3, 4]]),
        ("1,2\n", {"headers": ["x", "y"]}, [{"x": 1, "y": 2}]),
        ("a,a,\n1,2,3\n", {}, [{"a": 1, "a_2": 2, "column3": 3}]),
        ("a,b\n1\n1,2,3\n", {}, [{"a": 1, "b": None, "column3": None},
                                 {"a": 1, "b": 2, "column3": 3}]),
        ("a\n007\n+1\n1.50\n-2e3\n9007199254740993\nNaN\n1e999\n", {},
         [{"a": v} for v in ("007", "+1", 1.5, -2000.0, "9007199254740993", "NaN", "1e999")]),
        ("a\n1\n", {"infer_types": False}, [{"a": "1"}]),
        ("note\na\n1\n", {"skip_rows": 1}, [{"a": 1}]), ("\ufeffa\r\n1\r\n", {}, [{"a": 1}]),
        ("", {}, []), ("a,b\n", {}, []),
        ("a , b\n x , y \n", {"trim": True}, [{"a": "x", "b": "y"}]),
    ],
)  # fmt: skip
def test_csv_reading(text: str, more: dict[str, Any], rows: Any) -> None:
    assert table(text, **more) == rows


PEOPLE = "name,age,city\nAda,36,Paris\nBob,17,Rome\nCy,,paris\n"


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"operator": ">", "column": "age", "value": 18}, ["Ada"]),
        ({"operator": "is_empty", "column": "age"}, ["Cy"]),
        ({"column": "city", "value": "Paris"}, ["Ada"]),
        ({"column": "city", "value": "PARIS", "ignore_case": True}, ["Ada", "Cy"]),
        ({"operator": "in", "column": "age", "value": [17, "36"]}, ["Ada", "Bob"]),
        ({"operator": "matches", "column": "name", "value": "^[AB]"}, ["Ada", "Bob"]),
        ({"operator": "contains", "column": 3, "value": "ar"}, ["Ada", "Cy"]),
        ({"operator": "!=", "column": "age", "value": 17}, ["Ada", "Cy"]),
    ],
)
def test_csv_filtering(condition: dict[str, Any], names: list[str]) -> None:
    rows = table(PEOPLE, "filter", filter=[condition])
    assert [row["name"] for row in rows] == names


def test_csv_steps_can_be_combined() -> None:
    rows = table(
        "k,n\na,1\nb,2\na,3\nb,x\n", "aggregate", group_by=["k"],
        aggregations=["sum:n", "avg:n", "count:*", "min:n", "distinct:n", "std:n"],
        sort=[{"column": "sum_n", "order": "desc"}], limit=1,
    )  # fmt: skip
    assert rows == [{"k": "a", "sum_n": 4, "avg_n": 2, "count": 2, "min_n": 1, "distinct_n": 2,
                     "std_n": pytest.approx(1.41421356)}]  # fmt: skip
    assert table(PEOPLE, "select", columns=["city", "name"], offset=2) == [
        {"city": "paris", "name": "Cy"}
    ]


def test_csv_files_are_read_and_written_through_the_broker() -> None:
    host = MemoryHost({"in.csv": "naïve;n\nx;1\n".encode("utf-16")})
    given: dict[str, Any] = {"operation": "filter", "file_path": "in.csv", "delimiter": "auto",
             "output_path": "out", "filter": [{"column": "n", "value": 1}],
             "line_ending": "crlf"}  # fmt: skip
    assert use("csv_processor", given, host) == "out"
    assert host.files["out"] == "naïve,n\r\nx,1\r\n".encode()
    given = {"operation": "write", "file_path": "w.csv", "rows": [["=1+1", True, {"a": 1}]],
             "headers": False, "guard_formulas": True}  # fmt: skip
    use("csv_processor", given, host)
    assert host.files["w.csv"] == b'\'=1+1,true,"{""a"": 1}"\n'


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ('a,"b\n', {}, "no CSV"), ('a\n"b"c\n', {}, "no CSV"), (PEOPLE, {"delimiter": "ab"}, "one"),
        (PEOPLE, {"delimiter": '"'}, "quote"), (PEOPLE, {"columns": ["nam"]}, "no column nam"),
        (PEOPLE, {"aggregations": ["fly:age"]}, "no aggregation"),
        (PEOPLE, {"rows": []}, "exactly"),
        ("," * 20_000, {}, "cells"), ("a\n" + "x" * 1_100_000 + "\n", {}, "CSV"),
        (("," * 9_000 + "\n") * 700, {"headers": False}, "cells"),
        ("a\n" + "\n".join("1" for _ in range(9_000)) + "\n" + "," * 9_000, {}, "missing"),
        (PEOPLE, {"filter": [{"column": "name", "operator": "in", "value": 1}]}, "list"),
    ],
)  # fmt: skip
def test_RS_22_wrong_csv_is_refused(text: str, more: dict[str, Any], words: str) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput, match=words):
        table(text, **more)
    assert time.monotonic() - started < 8


def test_random_tables_go_both_ways() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)
    rows = st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5)

    @settings(max_examples=150, deadline=None)
    @given(rows)
    def agrees(rows: list[list[str]]) -> None:
        text = use("csv_processor", {"operation": "stringify", "rows": rows, "headers": False,
                                     "quote": "all"})  # fmt: skip
        back = table(text, headers=False, infer_types=False)
        expected = [[cell.removeprefix("\ufeff") if text.startswith(cell) else cell
                     for cell in row] for row in rows]  # fmt: skip
        assert back == expected

    agrees()
