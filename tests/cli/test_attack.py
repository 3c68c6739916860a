"""`llmspell doctor --attack`: what it says holds, and what it says where a mechanism is away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tests.attackers
from llmspell.cli.attack import ACTS, Outcome, show
from tests.adversarial.claims import all_claims
from tests.e2e.program import Program

REFUSING = Path(tests.attackers.__file__).parent / "refusing.py"


def states(outcomes: list[dict[str, Any]], attack: str) -> dict[str, bool | None]:
    return {item["profile"]: item["held"] for item in outcomes if item["attack"] == attack}


def test_every_attack_is_held_and_its_control_succeeded(program: Program) -> None:
    ended = program("doctor", "--attack", "--output", "json")
    outcomes = ended.json()["attacks"]
    assert ended.code == 0, outcomes
    assert len(outcomes) == 50
    assert all(item["held"] and item["control_ok"] for item in outcomes), outcomes
    assert {item["case"] for item in outcomes} <= set(all_claims())
    assert {item["attack"] for item in outcomes} >= set(ACTS)
    assert list(program.folder.iterdir()) == [], "nothing of it stays"


def test_what_is_not_held_is_said(program: Program) -> None:
    """Without Landlock `low` opens files; `medium` and `high` hold by their filter and uid."""
    words = (sys.executable, str(REFUSING), "landlock_create_ruleset=ENOSYS", "--")
    ended = program("doctor", "--attack", wrapper=words)
    assert ended.code == 5
    (line,) = [line for line in ended.out.splitlines() if "read a file" in line]
    assert line.split(maxsplit=4)[-1] == ("low NOT HELD (it worked), medium held, high held"), (
        ended.out
    )


def test_a_profile_that_refuses_is_not_judged(program: Program) -> None:
    words = (sys.executable, str(REFUSING), "seccomp=EPERM", "--")
    ended = program("doctor", "--attack", "--output", "json", wrapper=words)
    outcomes = ended.json()["attacks"]
    assert ended.code == 5
    assert {item["held"] for item in outcomes if item["profile"] == "high"} == {None}
    assert states(outcomes, "connect")["low"] is False


def test_the_words(capsys: Any) -> None:
    show(
        [
            Outcome("FS-01", "read", "medium", True, True),
            Outcome("FS-01", "read", "high", True, False, "it worked"),
            Outcome("NW-01", "connect", "high", False, None, "no control"),
        ]
    )
    told = capsys.readouterr().out
    assert "read                         medium held, high NOT HELD (it worked)" in told
    assert "high not judged (no control)" in told
    assert "1 of 3 held" in told
