"""The claims about threats, the tests that show them, and docs/threats.md say the same (EN-16)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adversarial.claims import AREAS, PROFILES, all_claims, area, claim, pairs
from tests.adversarial.page import PAGE, files_of_cases, page
from tests.adversarial.proof import Row, contradictions, merged

ROOT = Path(__file__).parents[1]
CASES = ROOT.parent / "shared" / "design" / "threats.md"


def test_the_page_is_made_of_the_claims_and_the_tests() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.adversarial.page"


def test_each_claim_has_a_test_at_its_profile_and_each_test_a_claim() -> None:
    """Both directions, by what pytest collects."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only"]
    listing = subprocess.run(
        [*words, "-p", "tests.adversarial.listing", "tests/adversarial"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert listing.returncode == 0, listing.stdout[-2000:] + listing.stderr[-2000:]
    shown = {
        (case, profile)
        for case, profile in re.findall(r"^shown (\S+) (\S+)$", listing.stdout, re.M)
    }
    claimed = pairs(all_claims().values())
    assert not claimed - shown, f"claimed without a test: {sorted(claimed - shown)}"
    assert not shown - claimed, f"shown without a claim: {sorted(shown - claimed)}"


def test_a_test_anywhere_carries_only_known_cases() -> None:
    assert not set(files_of_cases()) - set(all_claims())


@pytest.mark.skipif(not CASES.is_file(), reason="the list of cases lies beside the repository only")
def test_no_case_of_the_list_is_forgotten() -> None:
    listed = set(re.findall(rf"^\| ((?:{'|'.join(AREAS)})-\d\d) \|", CASES.read_text(), re.M))
    assert listed and not listed - set(all_claims())


def test_a_claim_says_each_profile_and_its_mechanism() -> None:
    written = {"attack": "a", "observed": "deny", "held": ["high"], "by": "seccomp"}
    why = {"low": "weaker", "medium": "weaker"}
    assert claim("FS-99", {**written, "not_held": why}).held == ("high",)
    for wrong in (
        written,
        {**written, "not_held": {**why, "high": "both"}},
        {**written, "not_held": why, "by": ""},
        {**written, "not_held": why, "more": 1},
        {**written, "not_held": {"low": "", "medium": "weaker"}},
    ):
        with pytest.raises(ValueError):
            claim("FS-99", wrong)
    for name in AREAS:
        assert area(name), name


def test_what_ran_is_held_against_the_claims() -> None:
    case = next(item for item in all_claims().values() if item.held)
    good = Row(case.case, case.held[0], "root", True, True)
    assert contradictions([good], whole=False) == []
    assert len(contradictions([good], whole=True)) > 1, "the others did not run"
    for bad in (
        good._replace(held=False),
        good._replace(control_ok=False),
        good._replace(id="FS-00"),
    ):
        assert len(contradictions(merged([good, bad]), whole=False)) == 1
    assert merged([good, good._replace(held=False)]) == [good._replace(held=False)]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_case_is_decided_at_every_profile(profile: str) -> None:
    for item in all_claims().values():
        assert (profile in item.held) != bool(item.not_held.get(profile)), item
