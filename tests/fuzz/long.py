"""All targets, or the named ones, one after the other by the long run, and its figures as JSON.

python -m tests.fuzz.long --seconds 185 --jobs 4 --json docs/fuzzing.json [TARGET …]

Guided by coverage wherever it can be seen. Figures of targets that are not run now stay.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS, UNSEEN


def run(name: str, seconds: int, out: Path) -> dict[str, Any]:
    """One target in a process of its own, at the lowest priority; its figures."""
    words = [name, "--seconds", str(seconds), "--out", str(out / name)]
    guided = [] if name in UNSEEN else ["--atheris"]
    begun = time.monotonic()
    done = subprocess.run(
        ["nice", "-n", "19", sys.executable, "-W", "ignore", "-m", "tests.fuzz", *words, *guided],
        capture_output=True,
        text=True,
        errors="replace",
    )
    log = done.stdout + done.stderr
    executions = re.findall(r"number_of_executed_units: (\d+)|: (\d+) inputs in", log)
    coverage = re.findall(r"cov: (\d+) ft", log)
    broken = done.returncode != 0
    print(name, "BROKEN: " + log[-2000:] if broken else executions, flush=True)
    return {
        "target": name,
        "seconds": round(time.monotonic() - begun),
        "executions": int("".join(executions[-1])) if executions else 0,
        "coverage": int(coverage[-1]) if coverage else None,
        "broken": broken,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.long", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=185)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a folder for what is found")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="llmspell-fuzz-"))
    kept = json.loads(chosen.json.read_text("utf-8")) if chosen.json.exists() else []
    rows = {row["target"]: row for row in kept if row["target"] in TARGETS}
    with ThreadPoolExecutor(chosen.jobs) as pool:
        names = chosen.targets or list(TARGETS)
        for row in pool.map(lambda name: run(name, chosen.seconds, out), names):
            rows[row["target"]] = row
    ordered = [rows[name] for name in TARGETS if name in rows]
    chosen.json.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    print(f"what was found is in {out}")
    return 1 if any(row["broken"] for row in ordered) else 0


if __name__ == "__main__":
    sys.exit(main())
