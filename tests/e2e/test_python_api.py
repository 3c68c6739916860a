"""The Python API in programs of its own, so that nothing of this one is shared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.api_client import WHAT
from tests.e2e.program import LONGEST, Orphanage, Program

CLIENT = Path(__file__).with_name("api_client.py")


@pytest.mark.alone
@pytest.mark.parametrize("what", WHAT)
def test_the_python_api(program: Program, what: str) -> None:
    with Orphanage() as orphans:
        done = subprocess.run(
            [sys.executable, str(CLIENT), what],
            cwd=program.folder,
            env=program.place.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not orphans.left()
    assert program.litter() == []
