"""The standard library's modules that a restricted Python spell may import.

They compute; none opens a file, a socket or a process by itself. This list is a courtesy that gives
a clear error early; the boundary is the kernel's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SAFE_MODULES: Final[tuple[str, ...]] = (
    "__future__",
    "abc",
    "array",
    "ast",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "colorsys",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "errno",
    "fnmatch",
    "fractions",
    "functools",
    "graphlib",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "io",
    "itertools",
    "json",
    "keyword",
    "math",
    "numbers",
    "operator",
    "pprint",
    "random",
    "re",
    "reprlib",
    "secrets",
    "shlex",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "time",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "uuid",
    "warnings",
    "weakref",
    "zlib",
)

INNER_MODULES: Final[tuple[str, ...]] = (
    "_pylong",
    "_strptime",
    "copyreg",
    "encodings",
    "html.entities",
    "linecache",
    "tokenize",
)
"""Modules that the interpreter or a safe module imports only when a function of theirs runs, under
the spell's own import. They are loaded beforehand too: after confinement it is too late."""

_LATE_IMPORTS: Final[dict[str, tuple[str, ...]]] = {
    "datetime": ("_strptime",),
    "time": ("_strptime",),
    "html": ("html.entities",),
    "traceback": ("linecache", "tokenize"),
    "warnings": ("linecache", "tokenize"),
}


def named_in(source: str) -> tuple[str, ...]:
    """The safe modules that a spell's text names, with what they import late, for `--needs`.

    Every word counts, so it finds more than is imported and nothing less, except a name that is
    put together at run time: importing that one raises 4007.
    """
    import re

    words = set(re.findall(r"\w+", source))
    named = [name for name in SAFE_MODULES if words.issuperset(name.split("."))]
    late = {inner for name in named for inner in _LATE_IMPORTS.get(name, ())}
    return (*named, *sorted(late))
