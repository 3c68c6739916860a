"""`python -m bench report`: runs benchmarks, each in a process of its own, and writes the pages.

`results.json` keeps what the pages are made of; a report of some benchmarks leaves the others'.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.catalogue import benchmark
from bench.machine import facts, load, versions
from bench.pages import index_page, page, picture
from bench.rounds import Outcome, Settings

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = "results.json"


def record(name: str, outcome: Outcome) -> dict[str, Any]:
    """All that the pages and a later comparison need of one run."""
    made = benchmark(name)
    return {
        "title": made.TITLE,
        "about": made.ABOUT,
        "machine": facts(),
        "versions": versions(),
        "figures": {one.name: one.summary() for one in outcome.figures},
        "does": {one.name: one.does for one in outcome.figures},
        "base": {one.name: one.base for one in outcome.figures if one.base},
        "left_out": [list(one) for one in outcome.left_out],
    }


def report(names: Sequence[str], settings: Settings, out: str) -> int:
    """Runs and writes; exit code 1 when a benchmark failed (the others are written anyway)."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / RESULTS
    results: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    failed = []
    before = load()  # Later it is our own.
    for name in names:
        begun = time.monotonic()
        found = _run(name, settings)
        spent = time.monotonic() - begun
        print(f"{name}: {'failed' if found is None else 'done'} after {spent:.0f} s", flush=True)
        if found is None:
            failed.append(name)
            continue
        results[name] = {
            **found,
            "quick": settings.quick,
            "seconds": round(spent, 1),
            "load": round(before, 2),
        }
        (folder / f"{name}.md").write_text(page(name, results[name]), "utf-8")
        (folder / f"{name}.svg").write_text(picture(results[name]), "utf-8")
    kept.write_text(
        json.dumps(results, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8"
    )
    (folder / "README.md").write_text(index_page(results), "utf-8")
    return 1 if failed else 0


def _run(name: str, settings: Settings) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record.json"
        words = [sys.executable, "-m", "bench", name, "--record", str(file)]
        words += ["--runs", str(settings.runs), *(["--quick"] if settings.quick else [])]
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            words,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            return None
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found
