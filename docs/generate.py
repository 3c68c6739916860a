"""Writes the generated pages: `python docs/generate.py`; `--check` only says which are stale."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from docs.pages import api, cli, errors, fuzzing, profiles, soak  # noqa: E402

PAGES = {
    "api.md": api.render,
    "cli.md": cli.render,
    "errors.md": errors.render,
    "fuzzing.md": fuzzing.render,
    "profiles.md": profiles.render,
    "soak.md": soak.render,
}


def rendered() -> dict[str, str]:
    """Every generated page by file name."""
    found = {}
    for name, render in PAGES.items():
        head, _, rest = render().partition("\n")
        mark = f"<!-- Written by docs/generate.py from docs/pages/{name[:-3]}.py; do not edit. -->"
        found[name] = f"{head}\n\n{mark}\n{rest.rstrip()}\n"
    return found


def main(words: list[str]) -> int:
    """Writes or checks. Returns 1 when `--check` found a stale page."""
    stale = [
        name
        for name, text in rendered().items()
        if not (HERE / name).is_file() or (HERE / name).read_text("utf-8") != text
    ]
    if "--check" in words:
        for name in stale:
            print(f"docs/{name} is stale: run python docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(rendered()[name], "utf-8")
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
