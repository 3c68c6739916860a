"""file_writer: writes or appends to a file, keeping a backup if asked (TOOL-002)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools import encodings
from llmspell.tools.filesystem.reading import read_bytes
from llmspell.tools.schema import binary, boolean, enum, record, string
from llmspell.tools.tool import MIB, VARIES, Example, Host, Tool
from llmspell.tools.util.base64_encoder import decode_base64

BACKUP_MAX: Final = 11 * MIB
"""Bytes of a file that is copied as backup: what one brokered write carries."""


def _data(given: dict[str, Any]) -> bytes:
    content = given["content"]
    if isinstance(content, bytes):
        return content
    if given["encoding"] == "base64":
        try:
            return decode_base64(content)
        except ValueError:
            raise InvalidInput("content is no base64") from None
    if given["line_ending"] != "keep":
        content = content.replace("\r\n", "\n").replace("\r", "\n")
        if given["line_ending"] == "crlf":
            content = content.replace("\n", "\r\n")
    name = encodings.find_encoding(given["encoding"])
    try:
        encoded: bytes = content.encode(name)
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name} has no {error.object[error.start]!r}", hint='write with encoding "utf-8"'
        ) from None
    return encoded


async def _back_up(path: str, form: str, host: Host) -> str:
    old = await read_bytes(host, path, BACKUP_MAX)
    suffix = ".bak"
    if form == "timestamp":
        suffix = datetime.now(UTC).strftime(".%Y%m%dT%H%M%SZ.bak")
    await host.call("fs.write", {"path": path + suffix, "data": old, "create_parents": False})
    return path + suffix


async def _run(given: dict[str, Any], host: Host) -> dict[str, Any]:
    path, mode = given["path"], given["mode"]
    data = _data(given)
    if mode == "append" and given.get("atomic_write") is True:
        raise InvalidInput("an append is not atomic", hint="leave atomic_write out, or overwrite")
    metadata: dict[str, Any] = {"bytes": len(data), "mode": mode, "backup": None}
    if mode == "create" or given["create_backup"]:
        exists = await host.call("fs.exists", {"path": path})
        if mode == "create" and exists:
            raise InvalidInput(
                f"{path} is already there", code=2003, hint='use mode "overwrite" or "append"'
            )
        if exists and given["create_backup"]:
            metadata["backup"] = await _back_up(path, given["backup_name"], host)
    if mode == "append":
        await host.call("fs.append", {"path": path, "data": data})
    else:
        args = {"path": path, "data": data, "create_parents": given["create_parents"]}
        await host.call("fs.write", args)
    return {"result": path, "metadata": metadata | {"atomic": mode != "append"}}


TOOL = Tool(
    name="file_writer",
    category="filesystem",
    description="Writes a file in one step, or appends to it; keeps a backup if asked.",
    security_level="high",
    needs=frozenset({"read", "write"}),
    capabilities=("file_writing",),
    preload=encodings.preload,
    parameters=record(
        "",
        {
            "path": string("The file.", required=True, min_length=1, max_length=4096),
            "content": binary("Text or bytes.", required=True),
            "mode": enum(
                "create refuses a file that is there.",
                ("overwrite", "append", "create"),
                default="overwrite",
            ),
            "create_backup": boolean("Copy the old content beside it first.", default=False),
            "backup_name": enum(
                "path.bak, or path.20250120T153000Z.bak.", ("simple", "timestamp"), default="simple"
            ),
            "atomic_write": boolean(
                "Writing is always atomic: a reader sees the old file or the new one. An append is "
                "not, and refuses true.",
            ),
            "create_parents": boolean("Make missing folders.", default=False),
            "encoding": string(
                "Of text, as in file_reader; base64 for bytes written as text.",
                default="utf-8",
                max_length=40,
            ),
            "line_ending": enum("Of text.", ("keep", "lf", "crlf"), default="keep"),
        },
    ),
    output=string("the path; `metadata.bytes` and `metadata.backup` say what was written."),
    run=_run,
    examples=(
        Example(
            "The seeds' report",
            {
                "path": "./output/report.md",
                "content": "# Report\n",
                "create_backup": True,
                "atomic_write": True,
            },
            "./output/report.md",
        ),
        Example(
            "A log", {"path": "./output/log.txt", "content": "done\n", "mode": "append"}, VARIES
        ),
    ),
)
