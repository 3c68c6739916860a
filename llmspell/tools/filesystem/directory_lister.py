"""directory_lister: what a folder holds (TOOL-003)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fnmatch import translate
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.schema import anything, array, boolean, enum, integer, mapping, record, string
from llmspell.tools.tool import VARIES, Example, Host, Tool

ENTRIES_MAX: Final = 10_000
"""Entries of one brokered listing."""


def display_of(name: str) -> str:
    """A name with invisible and direction-changing characters escaped (FS-38)."""
    return "".join(
        character if character.isprintable() else f"\\u{{{ord(character):x}}}" for character in name
    )


def _patterns(globs: list[str]) -> list[re.Pattern[str]]:
    return [re.compile(translate(glob)) for glob in globs]


def _keeps(entry: dict[str, Any], given: dict[str, Any], skipped: list[re.Pattern[str]]) -> bool:
    if given["type"] != "any" and entry["type"] != given["type"]:
        return False
    if not given["hidden"] and any(part.startswith(".") for part in _below(entry, given)):
        return False
    if "max_depth" in given and len(_below(entry, given)) > given["max_depth"]:
        return False
    return not any(pattern.match(entry["name"]) for pattern in skipped)


def _below(entry: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """The components under the listed folder."""
    root = given["path"].rstrip("/").removeprefix("./")
    path = entry["path"].removeprefix("./")
    if root not in ("", "."):
        path = path.removeprefix(root)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return parts or [entry["name"]]


def _shown(entry: dict[str, Any], *, with_metadata: bool) -> dict[str, Any]:
    name, path = entry["name"], entry["path"]
    shown = {"name": name, "path": path, "type": entry["type"]}
    if display_of(path) != path:
        shown["display"] = display_of(path)
    if with_metadata:
        shown["size"] = entry.get("size")
        modified = entry.get("modified")
        shown["modified"] = modified
        if isinstance(modified, int | float):
            moment = datetime.fromtimestamp(modified, UTC)
            shown["modified_iso"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        stem, dot, extension = name.rpartition(".")
        shown["extension"] = extension.lower() if dot and stem and entry["type"] == "file" else ""
    return shown


async def _run(given: dict[str, Any], host: Host) -> dict[str, Any]:
    args: dict[str, Any] = {
        "path": given["path"],
        "recursive": given["recursive"],
        "limit": ENTRIES_MAX,
    }
    if "pattern" in given:
        args["pattern"] = given["pattern"]
    listed = await host.call("fs.list", args)
    if not isinstance(listed, list):
        raise InvalidInput("the folder could not be listed", code=2003)
    skipped = _patterns(given["exclude"])
    kept = [entry for entry in listed if _keeps(entry, given, skipped)]
    key = given["sort_by"]
    if key == "name":
        kept.sort(key=lambda entry: str(entry["path"]).casefold())
    elif key == "type":
        kept.sort(key=lambda entry: (str(entry["type"]), str(entry["path"]).casefold()))
    elif key in ("size", "modified"):
        kept.sort(key=lambda entry: entry.get(key) or 0)
    if given["order"] == "desc":
        kept.reverse()
    first = kept[: given["limit"]]
    counts: dict[str, int] = {}
    for entry in kept:
        counts[entry["type"]] = counts.get(entry["type"], 0) + 1
    metadata = {
        "path": given["path"],
        "count": len(first),
        "total": len(kept),
        "truncated": len(first) < len(kept) or len(listed) >= ENTRIES_MAX,
        "types": counts,
        "bytes": sum(entry.get("size") or 0 for entry in kept if entry["type"] == "file"),
    }
    shown = [_shown(entry, with_metadata=given["include_metadata"]) for entry in first]
    return {"result": shown, "metadata": metadata}


TOOL = Tool(
    name="directory_lister",
    category="filesystem",
    description="Lists what a folder holds, also below, by pattern, with sizes and dates.",
    security_level="medium",
    needs=frozenset({"read"}),
    capabilities=("file_listing",),
    parameters=record(
        "",
        {
            "path": string("The folder.", default=".", min_length=1, max_length=4096),
            "recursive": boolean("Also the folders within.", default=False),
            "pattern": string("Of the name: *.pdf.", min_length=1, max_length=1024),
            "exclude": array(
                "Names to leave out, as patterns.",
                string("", max_length=255),
                default=[],
                max_items=100,
            ),
            "type": enum("", ("any", "file", "directory", "symlink"), default="any"),
            "hidden": boolean("Whether names that begin with a dot count.", default=False),
            "max_depth": integer("Levels below the folder; 1 is the folder itself.", 1, 255),
            "include_metadata": boolean("Sizes, dates and extensions.", default=False),
            "sort_by": enum("", ("name", "size", "modified", "type", "none"), default="name"),
            "order": enum("", ("asc", "desc"), default="asc"),
            "limit": integer("Entries to give.", 1, ENTRIES_MAX, default=1_000),
        },
    ),
    output=array(
        "a list of {name, path, type} and with metadata {size, modified, modified_iso, extension}; "
        "`display` shows a name that has invisible characters.",
        mapping("", anything("")),
    ),
    run=_run,
    examples=(
        Example(
            "The seeds' documents",
            {
                "path": "./documents",
                "recursive": True,
                "pattern": "*.pdf",
                "include_metadata": True,
            },
            VARIES,
        ),
        Example(
            "A folder",
            {"path": "./research"},
            [{"name": "data.txt", "path": "./research/data.txt", "type": "file"}],
        ),
    ),
)
