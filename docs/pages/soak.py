"""docs/soak.md: the long soak made by hand, from the report that it wrote beside the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from docs.pages.tables import table

REPORT: Final = Path(__file__).resolve().parents[1] / "soak.json"

WHAT: Final = """\
`python -m tests.soak --runs 10000 --json docs/soak.json` makes some ten thousand runs and kills at
random while they are under way; a short one with the same checks is part of the tests
(`tests/soak/test_soak.py`). It has three parts:

* **lasting**: one process with one `Supervisor` after the other, six runs at a time over the
  profiles none, low, medium and high, three languages, exec'ed and forked workers, files, storage,
  tools, nested spells, thrown errors, denials, limits and cancelled tasks. Somebody else kills
  workers, tool workers and zygotes with SIGKILL, some four a second. The first round is the
  control: nobody is killed, and every run must end as its spell does alone.
* **taken over**: supervisors (one in six with shards) that are killed with SIGKILL with runs under
  way; the next one starts in the same home.
* **commands**: `llmspell run`, exec'ed and forked; the command, its worker or nothing is killed,
  or it gets Ctrl-C.

What must hold, or the soak fails: every result is typed; no more runs end otherwise than their
spell alone than were hit by a signal; each finished run has an audit file that verifies against
the head in its result; what a killed supervisor leaves is `incomplete`, never `broken`; no zombie
below a living supervisor, no process below a dead one; no temporary file and nothing in
`/dev/shm`; the same descriptors after every round; and growth under the bounds below.
"""


def render() -> str:
    """The whole page."""
    report = json.loads(REPORT.read_text("utf-8"))
    killed = sum(report["killed"].values())
    growth = [(_NAMES[name], *found) for name, found in report["growth"].items()]
    parts = [
        "# Soak\n",
        WHAT,
        "## The last long run\n",
        f"{report['runs']} runs, {killed} signals and {report['seconds']:.0f} s on Python "
        f"{report['python']}, seed {report['seed']}: {_verdict(report)}.\n",
        table(("what was killed or interrupted", "times"), _rows(report["killed"])),
        table(("workers of the lasting part started by", "runs"),
              _rows(report["workers started by"])),
        table(("how runs ended", "runs"), _rows(report["ends"])),
        table(("audit files left after each part", "files"), _rows(report["audit records"])),
        "`empty`: the supervisor was killed between making the file and its first record.\n",
        "## Growth of the lasting process\n",
        table(("after the warm-up", "per 1000 runs (median)", "bound", "in all", "bound"), growth),
        table(("runs", "seconds", "descriptors", "objects", "malloc KiB", "resident KiB"),
              _rounds(report["rounds"])),
        f"Processes that were dead when their own parent had been killed, and so were init's to "
        f"reap (here the soak's): {report['dead processes adopted']}. Alive: "
        f"{report['orphans']}.\n",
    ]  # fmt: skip
    return "\n".join(parts)


_NAMES: Final = {
    "objects": "Python objects",
    "allocated_kib": "KiB held from malloc",
    "resident_kib": "KiB resident, with what the allocators' fragments touch",
}


def _verdict(report: dict[str, Any]) -> str:
    return "everything held" if not report["wrong"] else f"NOT held: {report['wrong']}"


def _rows(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda row: (-row[1], row[0]))


def _rounds(rounds: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows, runs = [], 0
    for item in rounds:
        runs += item["begun"]
        rows.append((runs, f"{item['seconds']:.0f}", item["descriptors"], item["objects"],
                     item["allocated_kib"], item["resident_kib"]))  # fmt: skip
    return rows
