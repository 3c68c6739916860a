"""docs/threats.md and the tests say the same (EN-16)."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "threats.md"
ID = re.compile(r"(?<![A-Z])(FS|PR|RS|NW|IP|LU|JS|PY|WA|SL|KX|EN|OS)_(\d{2})(?!\d)")
ROW = re.compile(r"^\| ([A-Z]{2}-\d{2}) \|.*\| ([^|]*) \|$", re.MULTILINE)


def carried() -> dict[str, set[str]]:
    """Case id -> the files whose tests carry it in their names."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("*.py"):
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE):
            for area, number in ID.findall(name):
                found[f"{area}-{number}"].add(path.relative_to(TESTS).as_posix())
    return found


def test_EN_16_the_page_lists_each_case_with_the_tests_that_show_it() -> None:
    if not PAGE.is_file():
        pytest.skip("the tests were copied without the documentation")
    rows = ROW.findall(PAGE.read_text())
    listed = {case: set(re.findall(r"`([^`]+\.py)`", where)) for case, where in rows}
    assert len(listed) == len(rows), "an id is there twice"
    tests = carried()
    assert not set(tests) - set(listed), "a test carries an id that the page does not know"
    for case, files in listed.items():
        assert files <= tests.get(case, set()), f"{case}: no test of that id is in {files}"
        assert files or case not in tests, f"{case}: name its tests (python -m tests.test_threats)"


def rewrite() -> None:
    """Names the tests of each case anew."""
    tests = carried()
    lines = PAGE.read_text().splitlines()
    for at, line in enumerate(lines):
        if (found := ROW.match(line)) and found[1] in tests:
            files = "<br>".join(f"`{file}`" for file in sorted(tests[found[1]]))
            lines[at] = line[: found.start(2)] + files + " |"
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    rewrite()
