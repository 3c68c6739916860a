"""The standard library's modules that a restricted Python spell may import.

They compute; none opens a file, a socket or a process by itself. This list is a courtesy that gives
a clear error early; the boundary is the kernel's.
"""

from __future__ import annotations

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

HIDDEN_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "datetime": ("_strptime",),
    "time": ("_strptime",),
    "uuid": ("hashlib",),
    "decimal": ("_decimal",),
    "html": ("html.entities",),
    "traceback": ("linecache", "tokenize"),
}
"""Modules that these import only when a function of theirs runs: too late after confinement."""
