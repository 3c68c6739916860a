"""Writes the preludes: the API's tables and the hand-written parts, joined in one order.

Run as `python llmspell/spells/api/generate.py [FOLDER]` by the build hook; the result is committed
and a test keeps it fresh. Standard library only, no third-party import.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = PACKAGE / "sandboxes" / "preludes"

if __name__ == "__main__":
    # The script's own folder would come first and shadow modules of the standard library.
    sys.path[0] = str(PACKAGE.parent)

from llmspell.sandboxes.engines.safe_modules import SAFE_MODULES  # noqa: E402
from llmspell.spells.api import API  # noqa: E402
from llmspell.spells.api.model import Function, Module, camel  # noqa: E402

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "lua": (
        "base",
        "errors",
        "base64",
        "json_encode",
        "json_decode",
        "*api",
        "channel",
        "output",
        "tasks",
        "calls",
        "async",
        "log",
        "clock",
        "stdin",
        "files",
        "modules",
        "environment",
        "main",
    ),
    "javascript": (
        "base",
        "errors",
        "base64",
        "plain",
        "*api",
        "channel",
        "output",
        "inspect",
        "calls",
        "async",
        "log",
        "stdin",
        "modules",
        "environment",
        "main",
    ),
    "python": (
        "adapter",
        "errors",
        "plain",
        "*api",
        "channel",
        "tasks",
        "calls",
        "coordination",
        "output",
        "log",
        "stdin",
        "files",
        "modules",
        "environment",
        "main",
    ),
}
"""The parts of each prelude, in the order they are evaluated; `*api` is the generated table."""

SUFFIXES: Final = {"lua": "lua", "javascript": "js", "python": "py"}


def describe(module: Module, language: str) -> dict[str, Any]:
    """What a prelude has to know of a module."""
    return {
        "name": module.name,
        "names": list(module.names),
        "functions": [
            _describe_function(function)
            for function in module.functions
            if language in function.languages
        ],
    }


def table(language: str) -> str:
    """The API's table as source text of `language`."""
    modules = [describe(module, language) for module in API if language in module.languages]
    if language == "lua":
        return f"P.api = {_lua(modules)}\n"
    if language == "javascript":
        return f"P.api = {_javascript(modules)};\n"
    return f"API_TABLE: list[dict[str, Any]] = {modules!r}\nSAFE_MODULES = {SAFE_MODULES!r}\n"


def prelude(language: str) -> str:
    """The whole prelude of `language`."""
    suffix = SUFFIXES[language]
    pieces = []
    for name in PARTS[language]:
        if name == "*api":
            text = table(language)
        else:
            text = (SOURCES / language / f"{name}.{suffix}").read_text("utf-8")
        pieces.append(_scoped(language, name, text.rstrip("\n") + "\n"))
    body = "".join(pieces)
    # A function of its own: top-level names of a script would be visible to the spell.
    return f'(function () {{\n"use strict";\n{body}}})();\n' if language == "javascript" else body


def files() -> dict[str, str]:
    """Every generated file: its name and content."""
    result = {}
    for language, suffix in SUFFIXES.items():
        result[f"api.{suffix}"] = table(language)
        result[f"prelude.{suffix}"] = prelude(language)
    return result


def write(folder: Path) -> list[Path]:
    """Writes every file that changed; gives the paths of those."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, text in files().items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def _scoped(language: str, name: str, text: str) -> str:
    """Each part has a scope of its own where the language can: parts share only `P` by intent."""
    if name == "base" or language == "python":
        return text
    if language == "lua":
        return f"do -- {name}\n{text}end\n"
    return f"{{ // {name}\n{text}}}\n" if name != "main" else text


def _describe_function(function: Function) -> dict[str, Any]:
    first = function.params[0].types if function.params else ()
    return {
        "name": function.name,
        "camel": camel(function.name),
        "wire": function.wire,
        "params": [param.name for param in function.params],
        "camels": [camel(param.name) for param in function.params],
        "required": sum(1 for param in function.params if param.required),
        "positional": function.positional,
        "object_first": "object" in first or "any" in first,
        "after": function.after,
        "fixed": dict(function.fixed),
    }


def _lua(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}={_lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    return _scalar(value)


def _javascript(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_javascript(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_javascript, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isprintable() and '"' not in value:
        return f'"{value}"'
    raise TypeError(f"{value!r} has no literal in every language")


if __name__ == "__main__":
    for written in write(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCES / "_generated"):
        print(f"wrote {written}")
