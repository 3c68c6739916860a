"""docs/testing.md names every row of the inventory's TST, and only what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing.md"
PLACE = re.compile(r"`((?:tests|bench|scripts|examples|llmspell)/[\w./-]*)`")
ROWS = {f"TST-{number:03}" for number in range(1, 33)} | {"SEC-038"}


def test_TST_every_row_has_its_place() -> None:
    text = PAGE.read_text()
    assert set(re.findall(r"^\| ((?:TST|SEC)-\d{3}) \|", text, re.MULTILINE)) == ROWS
    named = PLACE.findall(text)
    assert len(named) > 30
    missing = {place for place in named if not (ROOT / place).exists()}
    assert not missing
    for link in re.findall(r"\]\((\w+\.md)\)", text):
        assert (PAGE.parent / link).is_file(), link
