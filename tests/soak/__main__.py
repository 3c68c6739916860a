"""The long soak, by hand: `python -m tests.soak --runs 10000 [--seed N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.conductor import Sizes, soak

CACHE = "LLMSPELL_TEST_CACHE"
"""Names a folder of compiled guests, as for the tests."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="about so many runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the report goes as well")
    chosen = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="llmspell-soak-"))
    try:
        report = soak(root, Sizes.of(chosen.runs), chosen.seed, os.environ.get(CACHE))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    if chosen.json is not None:
        chosen.json.write_text(text + "\n")
    print(text)
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
