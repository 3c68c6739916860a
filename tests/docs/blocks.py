"""Fenced blocks of Markdown pages, and the commands in them.

A block whose first line is a comment with a file name, or whose fence names one, is saved under
that name. A `console` block holds commands (`$ …`) with their output, in which `…` stands for
anything. A `bash` block holds commands without output.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)(?: (\S+))?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:--|//|#) (\S+\.(?:lua|js|mjs|py|toml))\n")


class Block(NamedTuple):
    """One fenced block: its language, the name on its fence, its text and its line in the page."""

    page: str
    language: str
    title: str | None
    text: str
    line: int

    @property
    def file_name(self) -> str | None:
        """The name on the fence, or in the first comment."""
        found = FILE_NAME.match(self.text)
        return self.title if found is None else found.group(1)


class Command(NamedTuple):
    """One command of a console block, and what it must print."""

    words: str
    output: str


def pages() -> list[str]:
    """Every page of the repository, relative to its root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples" / "README.md"]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(page, match[1], match[2], match[3], text.count("\n", 0, match.start()) + 1)
        for match in FENCE.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ""))
        elif found:
            found[-1] = found[-1]._replace(output=f"{found[-1].output}{line}\n")
    return found


def fits(shown: str, printed: str) -> bool:
    """Whether what was printed is what the page shows."""
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown))
    # The ellipsis of llmspell's own hints is matched by itself as well.
    return re.fullmatch(pattern, printed, re.DOTALL) is not None
