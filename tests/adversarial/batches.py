"""Many hostile spells in one supervisor, run once for all the tests that look at what became of
them, also when several pytest processes share the work."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tests.attackers
from tests.e2e.program import LONGEST, Orphanage, Place

CLIENT = Path(tests.attackers.__file__).parent / "batch.py"
EXEC, FORK = "exec", "fork"
WAYS = (
    ("low", EXEC),
    ("medium", EXEC),
    ("medium", FORK),
    ("high", EXEC),
    ("high", FORK),
)
"""Profile and start of a worker: below `medium` nothing is forked."""
ONE_WAY_EACH = (("low", EXEC), ("medium", FORK), ("high", EXEC))
"""For what takes its wall limit's time: each profile once, and both starts."""

CANARY = ("canary", "of", "the", "supervisor")
"""Joined by dashes it is in the environment of every batch's supervisor, and in no spell."""

Results = Mapping[str, dict[str, Any]]
RunsAt = Callable[[str, str], list[dict[str, Any]]]
"""The runs of a profile and a start, but for the profile."""


class Case(NamedTuple):
    """One attack by a spell, and the same act of a harmless size or where it is allowed."""

    name: str
    attack: str
    twin: str = ""


def run_batch(
    place: Place,
    runs: list[dict[str, Any]],
    *,
    start: str = EXEC,
    at_once: int = 2,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Results:
    """Runs the spells; nothing of them may be left afterwards."""
    order = json.dumps({"start": start, "at_once": at_once, "runs": runs})
    # Not below the package's folder, which the interpreter of a worker at `low` may read.
    made = tempfile.TemporaryDirectory(prefix="llmspell-batch-", dir="/tmp")
    with made as own, Orphanage() as orphans:
        done = subprocess.run(
            [sys.executable, str(CLIENT)],
            input=order.encode(),
            cwd=folder or own,
            env={**place.environ, "LLMSPELL_API_KEY": "-".join(CANARY), **(env or {})},
            capture_output=True,
            timeout=LONGEST + 30,
        )
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        left = orphans.left()
    assert not left, left
    results: Results = json.loads(done.stdout)
    return results


def once(base: Path, key: str, make: Callable[[], Any]) -> Any:
    """What `make` gives, made once in a session of tests, whichever process asks first.

    `base` is a folder that the processes of the session share.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = base / f"{name}.json"
        if not kept.exists():
            try:
                made = {"value": make()}
            except Exception as error:
                # For the other tests as well: they would only fail the same way, and slowly.
                made = {"failed": f"{type(error).__name__}: {error}"}
            kept.with_suffix(".new").write_text(json.dumps(made))
            kept.with_suffix(".new").rename(kept)
        made = json.loads(kept.read_text())
    assert "failed" not in made, made["failed"]
    return made["value"]


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this session that all its pytest processes know."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


class Batches:
    """What became of spells that were run together, when a test first looked."""

    def __init__(self, place: Place, factory: pytest.TempPathFactory) -> None:
        self._place = place
        self._base = shared_folder(factory)

    def results(self, runs: list[dict[str, Any]], start: str, at_once: int = 2) -> Results:
        """By the name of each of these runs."""

        def make() -> dict[str, Any]:
            return dict(run_batch(self._place, runs, start=start, at_once=at_once))

        found: Results = once(self._base, json.dumps([start, at_once, runs]), make)
        return found

    def at(self, each: RunsAt, profile: str, start: str) -> Results:
        """The runs of one profile; those of all profiles with the same start are one batch."""
        runs = [
            {**run, "profile": one, "name": f"{one}.{run['name']}"}
            for one, way in WAYS
            if way == start
            for run in each(one, way)
        ]
        found = self.results(runs, start)
        mark = f"{profile}."
        return {
            name.removeprefix(mark): result
            for name, result in found.items()
            if name.startswith(mark)
        }


@pytest.fixture(scope="session")
def batches(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Batches:
    """Spells that were run together."""
    return Batches(place, tmp_path_factory)
