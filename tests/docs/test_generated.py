"""What the generated pages say is complete, and true of the code it is about."""

from __future__ import annotations

import re

import pytest

from docs.pages import api, cli, errors, profiles
from llmspell.errors import CODES
from llmspell.policies.limits import Limits
from llmspell.spells.api.catalogue import API, CALLS
from llmspell.spells.api.model import camel
from tests.docs.blocks import ROOT
from tests.examples.programs import examples

MARKS = ("(kernel)", "(broker only)", "(worker only)")


def section(page: str, title: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    text = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[2:]]


@pytest.mark.parametrize("title", ["What the worker itself can do", "Limits"])
def test_every_cell_says_who_holds_it(title: str) -> None:
    rows = section(profiles.render(), title)
    assert rows
    for name, *cells in rows:
        assert len(cells) == 4, name
        for cell in cells:
            assert cell == "–" or any(mark in cell for mark in MARKS), f"{name}: {cell}"


def test_every_limit_has_its_row() -> None:
    names = [row[0].strip("`") for row in section(profiles.render(), "Limits")]
    assert sorted(names) == sorted(Limits._fields)


@pytest.mark.parametrize(
    ("name", "level", "held"),
    [
        ("memory", "medium", True),
        ("memory", "high", True),
        ("cpu", "low", True),
        ("open_files", "high", True),
        ("processes", "low", True),
        ("processes", "none", False),
        ("threads", "low", False),
        ("threads", "medium", True),
        ("wall", "high", False),
        ("output", "high", False),
        ("scratch", "low", False),
        ("calls", "medium", False),
    ],
)
def test_who_holds_a_limit(name: str, level: str, held: bool) -> None:
    assert profiles.kernel_holds(name, level) is held


def test_nothing_is_said_to_be_held_at_none_but_output() -> None:
    page = profiles.render()
    for title in ("What the worker itself can do", "What the broker does for it", "Limits"):
        held = [row[0] for row in section(page, title) if any(mark in row[1] for mark in MARKS)]
        assert held == (["`output`"] if title == "Limits" else [])


def test_every_function_has_its_entry_and_its_spellings() -> None:
    page = api.render()
    for module in API:
        for function in module.functions:
            assert f"### {module.names[0]}.{function.name}\n" in page
            if "javascript" in module.languages and "javascript" in function.languages:
                assert f"{module.names[0]}.{camel(function.name)}(" in page
    for wire in CALLS:
        assert f"wire method `{wire}`" in page


def test_every_code_and_command_has_its_row() -> None:
    assert [code for code in CODES if f"| {code} |" not in errors.render()] == []
    shown = set(re.findall(r"`(--[a-z-]+)", cli.render()))
    assert {"--profile", "--allow-read", "--grant-requested", "--limit", "--audit"} <= shown


def test_the_readme_counts_the_examples() -> None:
    count = len(examples())
    assert f"{count} spells" in (ROOT / "README.md").read_text("utf-8")
    assert f"{count} examples" in (ROOT / "CHANGELOG.md").read_text("utf-8")
