"""Every mutant is caught by the tests it names, and these pass without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tests.mutants import every, page
from tests.mutants.source import ROOT, Change
from tests.mutants.sources import CHANGES, GROUPS

MISTAKES = {"NameError", "ImportError", "SyntaxError", "UnboundLocalError", "LookupError"}
"""How a mutant fails that is merely broken code: that proves nothing."""


def run(changes: Sequence[Change]) -> dict[str, Any]:
    """The runner's answers for these mutants."""
    command = [sys.executable, "-m", "tests.mutants.runner"]
    # Under xdist the other processors have work already.
    at_once = 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1
    done = subprocess.run(
        command,
        input=json.dumps({"changes": list(changes), "at_once": at_once}),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests of the code itself know no user")
@pytest.mark.parametrize("group", GROUPS)
def test_every_mutant_is_caught(group: str) -> None:
    changes = GROUPS[group]
    answers = run(changes)
    control = answers.pop("")
    assert control["passed"] and not control["failed"] and not control["wrong"], control
    assert answers.keys() == {change.name for change in changes}
    survived = {
        name: answer
        for name, answer in answers.items()
        if answer["wrong"]
        or not answer["failed"]
        or MISTAKES & {exception for _, exception in answer["failed"]}
    }
    assert survived == {}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_every_mutant_still_applies_and_compiles(change: Change) -> None:
    source = (ROOT / change.path).read_text(encoding="utf-8")
    compile(change.apply(source), change.path, "exec", dont_inherit=True)


def test_names_are_unique_and_every_mutant_names_what_catches_it() -> None:
    mutants = every()
    assert len({mutant.name for mutant in mutants}) == len(mutants) >= 80
    assert [mutant.name for mutant in mutants if not mutant.caught_by] == []


def test_the_page_is_the_list() -> None:
    told = page.PATH.read_text(encoding="utf-8")
    assert told == page.page(), "python -m tests.mutants.page writes it"
