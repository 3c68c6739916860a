"""Writes docs/seed-examples.md from the cases: `python -m tests.seeds.page`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from tests.seeds.case import VERDICTS
from tests.seeds.cases import CASES
from tests.seeds.scripts import BY_NAME

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "seed-examples.md"

_HEAD: Final = """# The example spells of the design documents

<!-- Written by tests/seeds/page.py from the cases of tests/seeds; do not edit. -->

llmspell was designed in five documents with ninety example scripts. `tests/seeds` cuts each of them
out of the documents and runs it unchanged, with the fake model, at the profile named. *runs*: its
main function is called and what it gives is asserted; agents and tools that a fragment only names
are fixtures of the test. *waits*: what it needs is not built, and it ends with the error named.
*broken*: the script itself is wrong.

"""


def render() -> str:
    """The page."""
    counts = Counter(case.verdict for case in CASES.values())
    lines = [
        f"{', '.join(f'{counts[verdict]} {verdict}' for verdict in VERDICTS)}.\n",
        "| script | document, lines | language | profile | verdict | |",
        "|---|---|---|---|---|---|",
    ]
    for name, case in CASES.items():
        script = BY_NAME[name]
        said = "; ".join(filter(None, (case.why, case.remark)))
        error = f" (ends with {case.code})" if case.code is not None else ""
        lines.append(
            f"| {name} | {script.document}, {script.first}–{script.last} | {script.language} "
            f"| {case.profile} | {case.verdict} | {said}{error} |"
        )
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
    print(f"wrote {PAGE}")
