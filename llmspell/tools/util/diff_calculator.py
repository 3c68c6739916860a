"""diff_calculator: differences of texts and of values, and patches (TOOL-042)."""

from __future__ import annotations

import difflib
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools import json_changes
from llmspell.tools.schema import anything, array, boolean, enum, integer, record, string, union
from llmspell.tools.schema import mapping as free_map
from llmspell.tools.tool import Example, Host, Tool
from llmspell.tools.util.text_patch import apply_unified

LINES_MAX: Final = 20_000
CHARACTERS_MAX: Final = 20_000
"""Of texts compared by words or characters: their comparison is quadratic at worst."""


def _lines(text: str, name: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if len(lines) > LINES_MAX:
        raise InvalidInput(f"{name} has over {LINES_MAX} lines")
    return lines


def _key(line: str, given: dict[str, Any]) -> str:
    if given["ignore_whitespace"]:
        line = " ".join(line.split())
    return line.casefold() if given["ignore_case"] else line


def _matcher(left: list[str], right: list[str], given: dict[str, Any]) -> Any:
    if given["ignore_whitespace"] or given["ignore_case"]:
        left = [_key(line, given) for line in left]
        right = [_key(line, given) for line in right]
    return difflib.SequenceMatcher(None, left, right, autojunk=len(left) > 2_000)


def _text(given: dict[str, Any]) -> dict[str, Any]:
    left, right = _side(given, "old"), _side(given, "new")
    form = given["format"]
    if form in ("words", "characters"):
        return _inline(left, right, given)
    first, second = _lines(left, "old"), _lines(right, "new")
    codes = _matcher(first, second, given).get_opcodes()
    statistics = _statistics(codes, len(first), len(second))
    if form == "stats":
        return {"result": statistics, "metadata": statistics}
    if form == "side_by_side":
        return {"result": _side_by_side(first, second, codes), "metadata": statistics}
    if given["ignore_whitespace"] or given["ignore_case"]:
        first = _adopt(first, second, codes)
    names = given["old_name"], given["new_name"]
    make = difflib.unified_diff if form == "unified" else difflib.context_diff
    lines = make(first, second, *names, n=given["context"])
    marked = [
        line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
    ]
    return {"result": "".join(marked), "metadata": statistics}


def _adopt(first: list[str], second: list[str], codes: Any) -> list[str]:
    """Lines that count as the same take the new spelling, so that the diff leaves them out."""
    result = list(first)
    for tag, start, end, other, _ in codes:
        if tag == "equal":
            result[start:end] = second[other : other + end - start]
    return result


def _statistics(codes: Any, old: int, new: int) -> dict[str, Any]:
    same = sum(end - start for tag, start, end, _, _ in codes if tag == "equal")
    return {
        "added": new - same,
        "removed": old - same,
        "unchanged": same,
        "changes": sum(1 for code in codes if code[0] != "equal"),
        "similarity": round(2 * same / (old + new), 6) if old + new else 1.0,
        "identical": all(code[0] == "equal" for code in codes),
    }


def _side_by_side(first: list[str], second: list[str], codes: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for tag, start, end, other, other_end in codes:
        for offset in range(max(end - start, other_end - other)):
            left, right = start + offset, other + offset
            rows.append(
                {
                    "kind": tag,
                    "old_line": left + 1 if left < end else None,
                    "old": first[left].rstrip("\r\n") if left < end else None,
                    "new_line": right + 1 if right < other_end else None,
                    "new": second[right].rstrip("\r\n") if right < other_end else None,
                }
            )
    return rows


def _inline(left: str, right: str, given: dict[str, Any]) -> dict[str, Any]:
    if max(len(left), len(right)) > CHARACTERS_MAX:
        raise InvalidInput(f"{given['format']} are compared up to {CHARACTERS_MAX} characters")
    if given["format"] == "words":
        import re

        first, second = re.findall(r"\s+|\w+|[^\w\s]", left), re.findall(r"\s+|\w+|[^\w\s]", right)
    else:
        first, second = list(left), list(right)
    codes = _matcher(first, second, given).get_opcodes()
    pieces: list[dict[str, str]] = []
    for tag, start, end, other, other_end in codes:
        if tag == "equal":
            pieces.append({"op": "equal", "text": "".join(second[other:other_end])})
            continue
        if end > start:
            pieces.append({"op": "remove", "text": "".join(first[start:end])})
        if other_end > other:
            pieces.append({"op": "add", "text": "".join(second[other:other_end])})
    return {"result": pieces, "metadata": _statistics(codes, len(first), len(second))}


def _side(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"{name} must be a text", hint='values are compared by mode "json"')
    return value


def _json(given: dict[str, Any]) -> dict[str, Any]:
    for name in ("old", "new"):
        if name not in given:
            raise InvalidInput(f"{name} is missing")
    found = json_changes.changes(given["old"], given["new"])
    counts = {
        op: sum(change["op"] == op for change in found) for op in ("add", "remove", "replace")
    }
    return {"result": found, "metadata": {**counts, "identical": not found}}


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    if given["operation"] == "patch":
        if "patch" not in given or "old" not in given:
            raise InvalidInput("patch needs old and patch")
        patch = given["patch"]
        if isinstance(patch, str):
            result: Any = apply_unified(_side(given, "old"), patch)
        else:
            result = json_changes.apply(given["old"], patch)
        return {
            "result": result,
            "metadata": {"changed": not json_changes.same(given["old"], result)},
        }
    mode = given["mode"]
    if mode == "auto":
        both = isinstance(given.get("old"), str) and isinstance(given.get("new"), str)
        mode = "text" if both else "json"
    return _text(given) if mode == "text" else _json(given)


TOOL = Tool(
    name="diff_calculator",
    category="util",
    description="Compares two texts or two values, and applies patches.",
    security_level="low",
    capabilities=("comparison", "patching"),
    parameters=record(
        "",
        {
            "operation": enum("What to do.", ("diff", "patch"), default="diff"),
            "old": anything("The text or value before."),
            "new": anything("The text or value after."),
            "mode": enum(
                "auto is text when both are texts.", ("auto", "text", "json"), default="auto"
            ),
            "format": enum(
                "Of text.",
                ("unified", "context", "side_by_side", "words", "characters", "stats"),
                default="unified",
            ),
            "context": integer("Unchanged lines around a change.", 0, 1_000, default=3),
            "ignore_whitespace": boolean("Whether spacing counts.", default=False),
            "ignore_case": boolean("Whether capitals count.", default=False),
            "old_name": string("In the head of the diff.", default="old", max_length=255),
            "new_name": string("In the head of the diff.", default="new", max_length=255),
            "patch": union(
                "Of patch: a unified diff of a text, or RFC 6902 operations on a value.",
                (string(""), array("", free_map("", anything("")), max_items=50_000)),
            ),
        },
    ),
    output=anything(
        "the diff as text, rows or pieces; of values RFC 6902 operations (with `old`); of patch "
        "the patched text or value."
    ),
    run=_run,
    examples=(
        Example(
            "Texts",
            {"old": "one\ntwo\n", "new": "one\n2\n"},
            "--- old\n+++ new\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
        ),
        Example(
            "Values",
            {"old": {"a": 1, "b": [1, 2]}, "new": {"a": 1, "b": [1, 2, 3]}},
            [{"op": "add", "path": "/b/2", "value": 3}],
        ),
        Example(
            "A patch",
            {
                "operation": "patch",
                "old": "one\ntwo\n",
                "patch": "@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
            },
            "one\n2\n",
        ),
    ),
)
