"""docs/threats.md from the claims and the tests (`python -m tests.adversarial.page`)."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from tests.adversarial.claims import AREAS, NOTHING_PROMISED, PROFILES, Claim, area
from tests.adversarial.proof import cases_in

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "threats.md"
TEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)
LITERAL = re.compile(r"\"((?:[A-Z]{2}_\d{2}\w*))\"")

TOP = """\
# Threats

What an attacker tries, what must be observed, at which profiles it is held and by what, or why it
is not. Each case has a control: the same act works with its grant, or outside.

Made by `python -m tests.adversarial.page` from `tests/adversarial/claims`. To have the proof on a
machine of your own, as root and as an ordinary user:

```text
pytest tests/adversarial --threats-json held.json
```

It writes `{id, profile, user, control_ok, held}` per case, and ends as failed where a claim did
not hold or was shown without being claimed. `llmspell doctor --attack` runs a short, safe part.

"""


def files_of_cases() -> dict[str, list[str]]:
    """Case -> the files, relative to tests/, that have tests of it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("*.py"):
        text = path.read_text()
        names = TEST.findall(text)
        if names and TESTS / "adversarial" in path.parents:
            names += LITERAL.findall(text)
        for name in names:
            for case in cases_in(name):
                found[case].add(path.relative_to(TESTS).as_posix())
    return {case: sorted(files) for case, files in found.items()}


def cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def reasons(claim: Claim) -> str:
    """Why it is not held, the profiles of one reason together."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for profile in PROFILES:
        reason = claim.not_held.get(profile)
        if reason and reason != NOTHING_PROMISED:
            by_reason[reason].append(profile)
    return "<br>".join(
        f"{'every profile' if len(at) == len(PROFILES) else ', '.join(at)}: {cell(reason)}"
        for reason, at in by_reason.items()
    )


def row(claim: Claim, files: list[str]) -> str:
    """One line of an area's table."""
    users = "" if len(claim.users) > 1 else f" (as {claim.users[0]} only)"
    held = ", ".join(profile for profile in PROFILES if profile in claim.held)
    cells = (
        claim.case,
        cell(claim.attack),
        cell(claim.observed),
        f"{held}{users}" if held else "no",
        cell(claim.by),
        reasons(claim),
        "<br>".join(f"`{file}`" for file in files),
    )
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """The whole page."""
    tests = files_of_cases()
    parts = [TOP]
    for name, title in AREAS.items():
        claims = area(name)
        if not claims:
            continue
        rows = [row(item, tests.get(case, [])) for case, item in sorted(claims.items())]
        parts.append(
            f"## {title} ({name})\n\n"
            "| id | attack | must be observed | held at | by | not held, because | shown in |\n"
            "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n\n"
        )
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
