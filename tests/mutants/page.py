"""`python -m tests.mutants.page`: writes docs/mutants.md from the list of mutants."""

from __future__ import annotations

from itertools import groupby

from tests.mutants import Mutant, every
from tests.mutants.source import ROOT

PATH = ROOT / "docs" / "mutants.md"
HEAD = """\
# Mutants

Layers overlap on purpose, so each mechanism is proven alone: it is taken away, and the tests named
here must fail. A mutant that no test noticed would be a missing test or dead code. The list is run
by `pytest tests/mutants`; this page is generated from it (`python -m tests.mutants.page`).

"""


def page() -> str:
    """The text of docs/mutants.md."""
    mutants = every()
    mechanisms = len({mutant.mechanism for mutant in mutants})
    text = f"{HEAD}{len(mutants)} mutants of {mechanisms} mechanisms.\n"
    for mechanism, group in groupby(mutants, key=lambda mutant: mutant.mechanism):
        text += f"\n## {mechanism}\n\n| mutant | taken away | caught by |\n| --- | --- | --- |\n"
        text += "".join(_row(mutant) for mutant in group)
    return text


def _row(mutant: Mutant) -> str:
    tests = "<br>".join(f"`{_cell(test)}`" for test in mutant.caught_by)
    return f"| `{mutant.name}` | {_cell(mutant.what)} | {tests} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
