"""The long run, by hand.

python -m tests.fuzz TARGET --seconds 300              mutations of the corpus
python -m tests.fuzz TARGET --seconds 300 --atheris    guided by coverage (`pip install .[fuzz]`)

What breaks a target is printed and kept as `crash-…` in `--out` (a temporary folder by default).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOTS = ("llmspell",)
"""Packages whose coverage guides."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true")
    parser.add_argument("--out", type=Path, help="a folder for what is found")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix=f"llmspell-fuzz-{chosen.target}-"))
    out.mkdir(parents=True, exist_ok=True)
    if chosen.atheris:
        return _guided(chosen.target, chosen.seconds, chosen.seed, out)
    from tests.fuzz import mutation
    from tests.fuzz.targets import TARGETS, corpus

    begun = time.monotonic()
    seeds = corpus(chosen.target)
    done = mutation.run(TARGETS[chosen.target], seeds, chosen.seed, seconds=chosen.seconds)
    print(f"{chosen.target}: {done} inputs in {time.monotonic() - begun:.0f} s, nothing found")
    return 0


def _guided(name: str, seconds: int, seed: int, out: Path) -> int:
    import atheris

    with atheris.instrument_imports(include=list(ROOTS)):
        from tests.fuzz.targets import TARGETS, corpus_folder

    found = out / "corpus"
    found.mkdir(exist_ok=True)
    words = [
        sys.argv[0],
        str(found),
        str(corpus_folder(name)),
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-artifact_prefix={out}/",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-max_len=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup(words, TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
