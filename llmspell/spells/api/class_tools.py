"""Tools written as classes: `HttpTool.new{…}:call{…}`, `new HttpTool({…})` (API-059, X12).

One table for three languages. A class that is not listed is looked up by its name: `WebSearchTool`
is the tool `WebSearchTool`, `web_search_tool` or `web_search`, whichever there is, built in or
created by the spell; where there is none, making it is the error 2001 that names it.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class ClassTool(NamedTuple):
    """How a class becomes built-in tools.

    `tool` does a call without `action`, and is what an agent gets. `actions` names the tool of
    each `action`; `fixed` what an action adds to the input. `times` are options whose bare number
    has the language's unit (seconds in Lua and Python, milliseconds in JavaScript) where the tool
    wants milliseconds. `folder` is the option that says where relative paths begin, in calls
    through the object; `readonly` the option that refuses every action not in `reading`.
    Options given when the object is made are the defaults of its calls; those that the tool has no
    parameter for are left out.
    """

    tool: str
    actions: Mapping[str, str] = {}
    fixed: Mapping[str, Mapping[str, str]] = {}
    times: tuple[str, ...] = ()
    folder: str = ""
    readonly: str = ""
    reading: tuple[str, ...] = ()


CLASS_TOOLS: Final[Mapping[str, ClassTool]] = {
    "HttpTool": ClassTool("http_client", times=("timeout", "retry_delay")),
    "FileSystemTool": ClassTool(
        "file_reader",
        actions={
            "read": "file_reader",
            "write": "file_writer",
            "append": "file_writer",
            "create": "file_writer",
            "list": "directory_lister",
        },
        fixed={
            "write": {"mode": "overwrite"},
            "append": {"mode": "append"},
            "create": {"mode": "create"},
        },
        folder="base_path",
        readonly="readonly",
        reading=("read", "list"),
    ),
    "CSVReaderTool": ClassTool("csv_processor"),
}

OLD_NAMES: Final[Mapping[str, str]] = {
    "file_read": "file_reader",
    "file_write": "file_writer",
    "file_list": "directory_lister",
    "http_request": "http_client",
}
"""Names of tools in the older text (API-017): `tools.file_write(path, content)`."""
