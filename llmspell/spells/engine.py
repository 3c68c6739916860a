"""Which engine runs a spell: by shebang, else by extension (ENG-018, ENG-019)."""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

ENGINES: Final = ("lua", "javascript", "python")

EXTENSIONS: Final[Mapping[str, str]] = {
    ".lua": "lua",
    ".js": "javascript",
    ".mjs": "javascript",
    ".py": "python",
}

_TYPESCRIPT: Final = (".ts", ".tsx", ".mts", ".cts")

_INTERPRETERS: Final[Mapping[str, str]] = {
    "llmspell-lua": "lua",
    "lua": "lua",
    "llmspell-js": "javascript",
    "llmspell-javascript": "javascript",
    "node": "javascript",
    "deno": "javascript",
    "qjs": "javascript",
    "llmspell-python": "python",
    "llmspell-py": "python",
    "python": "python",
}

ALIASES: Final[Mapping[str, str]] = {
    "lua": "lua",
    "js": "javascript",
    "javascript": "javascript",
    "py": "python",
    "python": "python",
}
"""Names that `--engine` takes."""


def by_name(name: str) -> str:
    """The engine of this name. Raises `UsageError` for any other."""
    engine = ALIASES.get(name.lower())
    if engine is None:
        raise UsageError(
            f"there is no engine {name!r}", hint="engines are: lua, javascript (js), python (py)"
        )
    return engine


def detect(file_name: str, source: str) -> str:
    """The engine for this file. A shebang that names an engine wins over the extension.

    Raises `UsageError` when neither says one.
    """
    if source.startswith("#!"):
        for word in reversed(source[2:].partition("\n")[0].split()):
            program = word.rsplit("/", 1)[-1].lower()
            engine = _INTERPRETERS.get(program) or _INTERPRETERS.get(program.rstrip("0123456789."))
            if engine is not None:
                return engine
    dot = file_name.rfind(".")
    ending = file_name[dot:].lower() if dot >= 0 else ""
    engine = EXTENSIONS.get(ending)
    if engine is None and ending in _TYPESCRIPT:
        raise UsageError(
            f"{file_name!r} is TypeScript, which llmspell does not run",
            hint="run the JavaScript made of it: tsc or esbuild takes the types away; "
            "`llmspell types` writes the .d.ts to check it with",
        )
    if engine is None:
        raise UsageError(
            f"can't tell which language {file_name!r} is in",
            hint="name it .lua, .js, .mjs or .py, start it with #!/usr/bin/env llmspell-lua, "
            "or give --engine",
        )
    return engine
