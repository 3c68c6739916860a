"""Files, brokered: every path is judged and opened by the supervisor (API-116)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_PATH: Final = Param(
    "path",
    ("string",),
    "relative to the working folder, absolute, or under scratch:, workspace: or spell:",
    required=True,
    minimum=1,
    maximum=4096,
)
_DATA: Final = Param("data", ("string", "bytes"), "text (written as UTF-8) or bytes", required=True)

MODULE: Final = Module(
    "fs",
    ("fs",),
    "Files and folders, as far as the profile and the grants reach.",
    (
        Function(
            "read",
            "The content of a file.",
            (
                _PATH,
                Param(
                    "encoding",
                    ("string",),
                    "utf-8 gives text, binary gives bytes",
                    default="utf-8",
                    choices=("utf-8", "binary"),
                ),
                Param("offset", ("integer",), "first byte to read", default=0, minimum=0),
                Param("length", ("integer",), "most bytes to read", minimum=0),
            ),
            "text or bytes",
            wire="fs.read",
            positional=1,
        ),
        Function(
            "write",
            "Replaces or creates a file in one step.",
            (
                _PATH,
                _DATA,
                Param("create_parents", ("boolean",), "make missing folders", default=False),
            ),
            wire="fs.write",
            positional=2,
        ),
        Function(
            "append",
            "Adds to the end of a file, or creates it.",
            (_PATH, _DATA),
            wire="fs.append",
            positional=2,
        ),
        Function(
            "list",
            "The entries of a folder, sorted by path.",
            (
                _PATH,
                Param("recursive", ("boolean",), "also the folders within", default=False),
                Param("pattern", ("string",), "glob on the entry's name", maximum=1024),
                Param(
                    "limit",
                    ("integer",),
                    "most entries to give",
                    default=1000,
                    minimum=1,
                    maximum=10_000,
                ),
            ),
            "array of {name, path, type, size, modified}",
            wire="fs.list",
            positional=1,
        ),
        Function(
            "stat",
            "What a path is.",
            (_PATH,),
            "{type, size, modified, readonly}",
            wire="fs.stat",
            positional=1,
        ),
        Function(
            "exists",
            "Whether a path is there; false as well for what may not be seen.",
            (_PATH,),
            "boolean",
            wire="fs.exists",
            positional=1,
        ),
        Function(
            "mkdir",
            "Makes a folder.",
            (_PATH, Param("parents", ("boolean",), "make missing folders above", default=False)),
            wire="fs.mkdir",
            positional=1,
        ),
        Function(
            "remove",
            "Removes a file or a folder.",
            (_PATH, Param("recursive", ("boolean",), "a folder with its content", default=False)),
            wire="fs.remove",
            positional=1,
        ),
        Function(
            "move",
            "Renames a file or a folder; never over something that exists.",
            (
                _PATH._replace(name="from", doc="what to move"),
                _PATH._replace(name="to", doc="its new path"),
            ),
            wire="fs.move",
            positional=2,
        ),
    ),
)
