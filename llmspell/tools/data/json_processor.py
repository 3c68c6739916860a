"""json_processor: reading, writing, querying, reshaping, checking, merging of JSON (TOOL-016)."""

from __future__ import annotations

import json
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools import json_changes
from llmspell.tools.data.json_path import is_single, query
from llmspell.tools.data.json_reading import check_depth, no_bytes, read_json, read_lines
from llmspell.tools.data.json_schema import FORMATS, Validator
from llmspell.tools.data.json_transform import STEPS, transform
from llmspell.tools.schema import (
    anything,
    array,
    boolean,
    enum,
    integer,
    mapping,
    record,
    string,
    union,
)
from llmspell.tools.tool import Example, Host, Tool

OPERATIONS: Final = (
    "parse", "stringify", "format", "minify", "query", "transform", "validate", "merge", "diff",
    "patch",
)  # fmt: skip


def _subject(given: dict[str, Any]) -> Any:
    """The value to work on: `data` as it is, or `json` read."""
    if ("data" in given) == ("json" in given):
        raise InvalidInput("exactly one of data (a value) and json (a text) is needed")
    if "data" in given:
        check_depth(given["data"])
        return given["data"]
    options = {
        "lenient": given["lenient"],
        "big_numbers": given["big_numbers"],
        "duplicates": given["duplicates"],
    }
    if given["lines"]:
        return read_lines(given["json"], **options)
    return read_json(given["json"], **options)


def _needed(given: dict[str, Any], name: str) -> Any:
    if name not in given:
        raise InvalidInput(f"{name} is missing; {given['operation']} needs it")
    return given[name]


def _write(value: Any, given: dict[str, Any]) -> dict[str, Any]:
    indent = None if given["operation"] == "minify" else given.get("indent")
    if indent is None and given["operation"] == "format":
        indent = 2
    compact = (",", ":") if indent is None else (",", ": ")

    def dump(part: Any, spaces: int | None) -> str:
        return json.dumps(
            part, ensure_ascii=given["ascii"], indent=spaces, sort_keys=given["sort_keys"],
            separators=compact, default=no_bytes,
        )  # fmt: skip

    if given["lines"]:
        if not isinstance(value, list):
            raise InvalidInput("lines needs a list, one value a line")
        text = "".join(dump(item, None) + "\n" for item in value)
    else:
        text = dump(value, indent or None)
    return {"result": text, "metadata": {"length": len(text)}}


def _query(value: Any, given: dict[str, Any]) -> dict[str, Any]:
    path = _needed(given, "path")
    if path.startswith("/") or not path:
        try:
            found = json_changes.resolve(value, path)
        except InvalidInput as error:
            if error.code == 2009 and "default" in given:
                return {"result": given["default"], "metadata": {"found": False, "count": 0}}
            raise
        return {"result": found, "metadata": {"found": True, "count": 1, "paths": [path]}}
    nodes = query(value, path)
    metadata = {
        "found": bool(nodes),
        "count": len(nodes),
        "paths": [node.pointer for node in nodes[:1_000]],
    }
    if is_single(path):
        result = nodes[0].value if nodes else given.get("default")
    else:
        result = [node.value for node in nodes]
    return {"result": result, "metadata": metadata}


def _validate(value: Any, given: dict[str, Any]) -> dict[str, Any]:
    failures = Validator(_needed(given, "schema")).failures(value)
    shown = [failure._asdict() for failure in failures]
    if failures and given["throw"]:
        first = failures[0]
        raise InvalidInput(
            f"{first.path or 'the value'} {first.message}"
            + (f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""),
            code=2009,
        )
    return {"result": not failures, "metadata": {"errors": shown}}


def merge(left: Any, right: Any, strategy: str, lists: str) -> Any:
    """Two values as one; `right` wins. `patch` is RFC 7386: null removes."""
    if isinstance(left, dict) and isinstance(right, dict):
        result = dict(left)
        for key, item in right.items():
            if strategy == "patch" and item is None:
                result.pop(key, None)
            elif strategy == "shallow" or key not in result:
                result[key] = merge({}, item, strategy, lists) if strategy == "patch" else item
            else:
                result[key] = merge(result[key], item, strategy, lists)
        return result
    if strategy == "patch" and isinstance(right, dict):
        return merge({}, right, strategy, lists)
    if isinstance(left, list) and isinstance(right, list) and strategy == "deep":
        if lists == "concat":
            return left + right
        if lists == "union":
            return [
                *left,
                *(
                    item
                    for item in right
                    if not any(json_changes.same(item, other) for other in left)
                ),
            ]
        if lists == "by_place":
            both = [merge(*pair, strategy, lists) for pair in zip(left, right, strict=False)]
            return both + left[len(both) :] + right[len(both) :]
    return right


def _merge(value: Any, given: dict[str, Any]) -> dict[str, Any]:
    others = _needed(given, "with")
    for other in others if isinstance(others, list) else [others]:
        check_depth(other)
        if given["lists"] == "union" and _longest(value) * _longest(other) > 10_000_000:
            raise InvalidInput("lists too long to unite", hint='use lists: "concat"')
        value = merge(value, other, given["strategy"], given["lists"])
    check_depth(value)
    return {"result": value, "metadata": {"strategy": given["strategy"]}}


def _longest(value: Any) -> int:
    if isinstance(value, list):
        return max(len(value), max(map(_longest, value), default=0))
    return max(map(_longest, value.values()), default=0) if isinstance(value, dict) else 0


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    operation = given["operation"]
    value = _subject(given)
    if operation == "parse":
        return {"result": value, "metadata": _shape(value)}
    if operation in ("stringify", "format", "minify"):
        return _write(value, given)
    if operation == "query":
        return _query(value, given)
    if operation == "transform":
        result = transform(value, _needed(given, "steps"))
        return {"result": result, "metadata": _shape(result)}
    if operation == "validate":
        return _validate(value, given)
    if operation == "merge":
        return _merge(value, given)
    if operation == "diff":
        changes = json_changes.changes(value, _needed(given, "with"))
        return {"result": changes, "metadata": {"count": len(changes), "identical": not changes}}
    patched = json_changes.apply(value, _needed(given, "patch"))
    return {"result": patched, "metadata": _shape(patched)}


def _shape(value: Any) -> dict[str, Any]:
    kind = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    shape: dict[str, Any] = {"type": kind.get(type(value), "number")}
    if isinstance(value, dict | list):
        shape["size"] = len(value)
    return shape


TOOL = Tool(
    name="json_processor",
    category="data",
    description="Reads, writes, queries, reshapes, checks, merges and compares JSON.",
    security_level="low",
    capabilities=("json", "data_transformation", "validation"),
    parameters=record(
        "",
        {
            "operation": enum("What to do.", OPERATIONS, required=True),
            "data": anything("The value to work on; or give json."),
            "json": string("The same as JSON text."),
            "path": string(
                "Of query: JSONPath ($.a[*].b, $..b, [?(@.n > 1)]), a dotted path (a.0.b) or a "
                "JSON Pointer (/a/0/b).",
                max_length=1_000,
            ),
            "default": anything("Of query: the result when nothing is there."),
            "steps": array(
                "Of transform, in order: " + ", ".join(STEPS) + '; as {"pick": ["a", "b"]}.',
                union("", (string("", max_length=64), mapping("", anything(""), max_items=1))),
                max_items=100,
            ),
            "schema": anything(
                "Of validate: JSON Schema 2020-12; references within it only. Formats checked: "
                + ", ".join(FORMATS)
                + "."
            ),
            "throw": boolean("Of validate: whether a failure is an error.", default=False),
            "with": anything("Of merge: the value or list of values to add. Of diff: the other."),
            "strategy": enum(
                "Of merge; patch is RFC 7386.", ("deep", "shallow", "patch"), default="deep"
            ),
            "lists": enum(
                "Of a deep merge.", ("replace", "concat", "union", "by_place"), default="replace"
            ),
            "patch": array(
                "Of patch: RFC 6902 operations.", mapping("", anything("")), max_items=50_000
            ),
            "indent": integer("Of stringify and format: spaces.", 0, 10),
            "sort_keys": boolean("Of writing: keys in order.", default=False),
            "ascii": boolean("Of writing: other characters as \\u escapes.", default=False),
            "lines": boolean("JSON Lines: one value a line.", default=False),
            "lenient": boolean("Of reading: comments and trailing commas pass.", default=False),
            "big_numbers": enum(
                "Of reading: whole numbers beyond ±2^53.",
                ("error", "text", "number"),
                default="error",
            ),
            "duplicates": enum("Of reading: keys given twice.", ("error", "last"), default="error"),
        },
    ),
    output=anything(
        "the value, text or list of changes; of validate true or false with "
        "`metadata.errors` [{path, keyword, message}]."
    ),
    run=_run,
    examples=(
        Example("Read", {"operation": "parse", "json": '{"a": [1, 2]}'}, {"a": [1, 2]}),
        Example(
            "Query",
            {
                "operation": "query",
                "data": {"books": [{"t": "A", "price": 8}, {"t": "B", "price": 12}]},
                "path": "$.books[?(@.price < 10)].t",
            },
            ["A"],
        ),
        Example(
            "Reshape",
            {
                "operation": "transform",
                "data": [{"id": 1, "name": "x", "secret": 0}, {"id": 2, "name": "y", "secret": 0}],
                "steps": [
                    {"omit": ["secret"]},
                    {"rename": {"name": "title"}},
                    {"filter": "@.id > 1"},
                ],
            },
            [{"id": 2, "title": "y"}],
        ),
        Example(
            "Check",
            {
                "operation": "validate",
                "data": {"age": -1},
                "schema": {"type": "object", "properties": {"age": {"minimum": 0}}},
            },
            False,
        ),
        Example(
            "Merge",
            {"operation": "merge", "data": {"a": {"b": 1}}, "with": {"a": {"c": 2}}},
            {"a": {"b": 1, "c": 2}},
        ),
    ),
)
