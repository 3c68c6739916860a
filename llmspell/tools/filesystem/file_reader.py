"""file_reader: a file's text or bytes, its encoding found out (TOOL-001)."""

from __future__ import annotations

import binascii
from typing import Any

from llmspell.tools import encodings
from llmspell.tools.filesystem.reading import read_bytes, read_piece
from llmspell.tools.schema import enum, integer, record, string, union
from llmspell.tools.sizes import parse_size
from llmspell.tools.tool import MIB, VARIES, Example, Host, Tool

SIZE_MAX = 11 * MIB
"""Bytes of one result: in Base64 still one channel message. Larger files are read in parts."""


async def _run(given: dict[str, Any], host: Host) -> dict[str, Any]:
    most = parse_size(given["max_size"], "max_size", SIZE_MAX)
    encoding = given["encoding"].lower()
    if encoding not in ("auto", "binary", "base64"):
        encoding = encodings.find_encoding(encoding)
    offset = given["offset"]
    if "length" in given:
        length = min(given["length"], most)
        data = await read_piece(host, given["path"], offset, length) if length else b""
    else:
        data = await read_bytes(host, given["path"], most, offset)
    metadata: dict[str, Any] = {"path": given["path"], "bytes": len(data)}
    if encoding in ("binary", "base64") or (encoding == "auto" and encodings.is_binary(data)):
        metadata |= {"encoding": "binary", "binary": True}
        if given["binary_as"] == "bytes":
            return {"result": data, "metadata": metadata}
        text = binascii.b2a_base64(data, newline=False).decode("ascii")
        return {"result": text, "metadata": metadata | {"encoding": "base64"}}
    decoded = encodings.decode(data, encoding)
    lines = decoded.text.splitlines(keepends=True)
    metadata |= {
        "encoding": decoded.encoding,
        "certain": decoded.certain,
        "binary": False,
        "lines": len(lines),
        "line_ending": _line_ending(decoded.text),
    }
    text = decoded.text
    if "first_line" in given or "max_lines" in given:
        first = given.get("first_line", 1)
        text = "".join(lines[first - 1 : first - 1 + given.get("max_lines", len(lines))])
        metadata["first_line"] = first
    return {"result": text, "metadata": metadata}


def _line_ending(text: str) -> str:
    pairs = text.count("\r\n")
    counts = {"crlf": pairs, "lf": text.count("\n") - pairs, "cr": text.count("\r") - pairs}
    used = [name for name, count in counts.items() if count]
    return used[0] if len(used) == 1 else "mixed" if used else "none"


TOOL = Tool(
    name="file_reader",
    category="filesystem",
    description="Reads a file as text, finding out its encoding, or as bytes.",
    security_level="high",
    needs=frozenset({"read"}),
    capabilities=("file_reading",),
    preload=encodings.preload,
    parameters=record(
        "",
        {
            "path": string("The file.", required=True, min_length=1, max_length=4096),
            "encoding": string(
                "auto (byte order mark, UTF-8, else a guess), binary, or a name such as utf-8, "
                "utf-16, latin-1, cp1252, shift_jis.",
                default="auto",
                max_length=40,
            ),
            "max_size": union(
                "A larger file is an error. A number of bytes or a text; 11MB at most.",
                (string("", max_length=40), integer("", 1, SIZE_MAX)),
                default="10MB",
            ),
            "offset": integer("Bytes to pass over first.", 0, 2**53, default=0),
            "length": integer("Bytes to read; without it the whole file.", 0, SIZE_MAX),
            "first_line": integer("First line of the text to give, from 1.", 1, 10**9),
            "max_lines": integer("Lines to give.", 0, 10**9),
            "binary_as": enum(
                "How bytes come back: Base64 text, or bytes.", ("base64", "bytes"), default="base64"
            ),
        },
    ),
    output=string("the text; of binary files the bytes in Base64 (`metadata.binary` is true)."),
    run=_run,
    examples=(
        Example(
            "A text file",
            {"path": "./research/data.txt", "encoding": "utf-8", "max_size": "10MB"},
            "Ada\nGrace\n",
        ),
        Example("Its second line", {"path": "./research/data.txt", "first_line": 2}, "Grace\n"),
        Example("Any file", {"path": "./images/chart.png"}, VARIES),
    ),
)
