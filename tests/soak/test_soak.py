"""A short soak: what the long one by hand (`python -m tests.soak`) shows of ten thousand runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.conductor import Sizes, soak

SHORT = Sizes(rounds=2, runs_per_round=45, supervisors=2, commands=4)


@pytest.mark.alone
@pytest.mark.parametrize("seed", [20261121])
def test_PR_28_nothing_is_left_of_many_runs_with_random_kills(tmp_path: Path, seed: int) -> None:
    report = soak(tmp_path, SHORT, seed, os.environ.get("LLMSPELL_TEST_CACHE"))
    assert not report["wrong"], report["wrong"]
    assert report["runs"] >= 94 and report["orphans"] == 0
    # The control: somebody was killed, and the runs that were hit ended otherwise than alone.
    assert report["killed"].get("supervisor") == 2
    assert sum(report["killed"].values()) >= 5
