"""Many spells at once, with and without shards, in programs of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.many_client import ALSO_WITHOUT_SHARDS, WHAT
from tests.e2e.program import LONGEST, Orphanage, Program, all_gone, descendants

CLIENT = "tests.e2e.many_client"
ROOT = Path(__file__).resolve().parents[2]


def command(what: str, shards: int) -> list[str]:
    program = f"import sys; sys.path.append({str(ROOT)!r}); sys.argv = ['', {what!r}, '{shards}']"
    return [
        sys.executable,
        "-c",
        f"{program}\nimport runpy; runpy.run_module({CLIENT!r}, run_name='__main__')",
    ]


CASES = [(what, 1) for what in ALSO_WITHOUT_SHARDS] + [
    (what, 2) for what in WHAT if what != "orphans"
]


@pytest.mark.parametrize(("what", "shards"), CASES)
def test_many_at_once(program: Program, what: str, shards: int) -> None:
    with Orphanage() as orphans:
        done = subprocess.run(
            command(what, shards),
            cwd=program.folder,
            env=program.place.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not orphans.left()
    assert "Traceback" not in done.stderr and "never retrieved" not in done.stderr, done.stderr
    assert program.litter() == []


def test_shards_end_with_their_home_even_when_it_is_killed(program: Program) -> None:
    with Orphanage() as orphans:
        home = subprocess.Popen(
            command("orphans", 2),
            cwd=program.folder,
            env=program.place.environ,
            stdout=subprocess.PIPE,
        )
        assert home.stdout is not None
        forked = int(home.stdout.readline())
        below = descendants(home.pid) - {forked}
        assert len(below) >= 6, below
        home.kill()
        home.wait()
        home.stdout.close()
        assert all_gone(below, 3.0)
        os.kill(forked, signal.SIGKILL)
        assert not orphans.left(1.0)
