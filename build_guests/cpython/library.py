"""Which modules of the standard library go into the guest, as bytecode."""

from __future__ import annotations

from typing import Final, NamedTuple

BOOTSTRAP: Final[dict[str, str]] = {
    "_frozen_importlib": "importlib/_bootstrap.py",
    "_frozen_importlib_external": "importlib/_bootstrap_external.py",
    "zipimport": "zipimport.py",
}
"""What the import system itself is made of: name and file below `Lib`."""

_PACKAGES: Final = (
    *("collections", "encodings", "email", "html", "importlib", "json", "logging", "re"),
    *("tomllib", "urllib"),
)

# What safe modules (llmspell/sandboxes/engines/safe_modules.py) are or import, and what a grant can
# add that computes only.
_MODULES: Final = (
    *("__future__", "_collections_abc", "_colorize", "_compat_pickle", "_markupbase"),
    *("_opcode_metadata", "_py_abc", "_pydatetime", "_pydecimal", "_pylong", "_strptime"),
    *("_weakrefset", "abc", "argparse", "ast", "base64", "bisect", "calendar", "codecs"),
    *("collections", "colorsys", "configparser", "contextlib", "contextvars", "copy", "copyreg"),
    *("csv", "dataclasses", "datetime", "decimal", "difflib", "dis", "encodings", "enum"),
    *("fnmatch", "fractions", "functools", "genericpath", "getopt", "gettext", "graphlib"),
    *("gzip", "hashlib", "heapq", "hmac", "html", "html.entities", "html.parser", "importlib"),
    *("importlib._abc", "importlib.abc", "importlib.machinery", "importlib.util", "inspect"),
    *("io", "ipaddress", "json", "json.decoder", "json.encoder", "json.scanner", "keyword"),
    *("linecache", "locale", "logging", "ntpath", "numbers", "opcode", "operator", "optparse"),
    *("os", "pickle", "posixpath", "pprint", "queue", "quopri", "random", "re", "re._casefix"),
    *("re._compiler", "re._constants", "re._parser", "reprlib", "sched", "secrets", "shlex"),
    *("stat", "statistics", "string", "stringprep", "struct", "symtable", "textwrap"),
    *("threading", "timeit", "token", "tokenize", "tomllib", "tomllib._parser", "tomllib._re"),
    *("tomllib._types", "traceback", "types", "typing", "urllib", "urllib.parse", "uuid"),
    *("_compression", "_threading_local", "warnings", "weakref"),
)

_ENCODINGS: Final = (
    *("aliases", "ascii", "base64_codec", "charmap", "cp1250", "cp1251", "cp1252", "cp437"),
    *("cp850", "hex_codec", "idna", "iso8859_1", "iso8859_15", "iso8859_2", "koi8_r"),
    *("latin_1", "mac_roman", "punycode", "quopri_codec", "raw_unicode_escape", "rot_13"),
    *("undefined", "unicode_escape", "utf_16", "utf_16_be", "utf_16_le", "utf_32"),
    *("utf_32_be", "utf_32_le", "utf_7", "utf_8", "utf_8_sig", "zlib_codec"),
)


class Module(NamedTuple):
    """One module: its name, its file below `Lib`, and whether it holds others."""

    name: str
    file: str
    is_package: bool


def modules() -> list[Module]:
    """Every module but the import system's, in a fixed order."""
    names = {*_MODULES, *(f"encodings.{name}" for name in _ENCODINGS)}
    return [_module(name) for name in sorted(names)]


def _module(name: str) -> Module:
    path = name.replace(".", "/")
    is_package = name in _PACKAGES
    return Module(name, f"{path}/__init__.py" if is_package else f"{path}.py", is_package)
