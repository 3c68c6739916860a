"""Builds `_generated.py` from the TOML profiles, so that a run needs no TOML parser.

Run by the build, by hand (`python -m llmspell.profiles.compile`), and by a test that compares.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from llmspell.profiles.recipe import BUILTIN_ORDER, Recipe, merged

FOLDER = Path(__file__).parent
TARGET = FOLDER / "_generated.py"
PRESETS = ("development", "testing", "production", "data_analysis")


def read_all(folder: Path = FOLDER) -> dict[str, Recipe]:
    """Every profile, each merged onto what it extends."""
    raw = {
        name: tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        for name in (*BUILTIN_ORDER, *PRESETS)
    }
    complete: dict[str, Recipe] = {}
    for name, table in raw.items():
        base = table.pop("extends", None)
        complete[name] = table if base is None else merged(complete[base], table)
        # What a strict build or policy adds to must be a list already, never absent (EN-07).
        complete[name] = merged(_EMPTY, complete[name])
    return complete


_EMPTY: Recipe = {
    "files": {"read": [], "write": [], "deny_read": [], "deny_write": []},
    "net": {"allow": [], "deny": []},
    "tools": {"allow": [], "deny": [], "deny_categories": [], "refused_needs": []},
    "models": {"allow": [], "deny": []},
    "env": {"allow": [], "deny": []},
    "state": {"allow": [], "deny": []},
    "modules": {"allow": [], "deny": []},
}


def render(profiles: dict[str, Recipe]) -> str:
    """The source text of the generated module."""
    lines = [
        '"""The built-in profiles as literals. Made by `compile.py` from the TOML files."""',
        "",
        "from __future__ import annotations",
        "",
        "from llmspell.records import TYPE_CHECKING",
        "",
        "if TYPE_CHECKING:",
        "    from typing import Any, Final",
        "",
        "PROFILES: Final[dict[str, dict[str, Any]]] = {",
    ]
    for name, table in profiles.items():
        lines += [f"    {_text(name)}: {{", *_rows(table, 8), "    },"]
    return "\n".join([*lines, "}", ""])


def _rows(table: Recipe, indent: int) -> list[str]:
    rows: list[str] = []
    space = " " * indent
    for key, value in table.items():
        if isinstance(value, dict):
            rows += [f"{space}{_text(key)}: {{", *_rows(value, indent + 4), f"{space}}},"]
        else:
            rows.append(f"{space}{_text(key)}: {_literal(value)},")
    return rows


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    import json

    return json.dumps(value)


def main() -> None:
    """Writes the module."""
    TARGET.write_text(render(read_all()), encoding="utf-8")


if __name__ == "__main__":
    main()
