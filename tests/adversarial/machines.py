"""Machines that refuse something, and what the very same runs come to in each of them.

One process for each machine does all of a machine's runs, once in a session of tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from tests.adversarial.batches import EXEC, WAYS, once, shared_folder
from tests.adversarial.conftest import ATTACKERS
from tests.e2e.program import LONGEST, Orphanage, Place

AS_IT_IS: Final[tuple[str, ...]] = ()
"""The wrapper of the machine that refuses nothing: the control."""

Came = dict[str, Any]
CameTo = Callable[..., Came]
"""`(wrapper, profile, start, allow_degraded=False)`: the result of the run."""

ORDERS: Final[list[dict[str, object]]] = [
    {"profile": profile, "start": start, "allow_degraded": degraded}
    for profile, start in WAYS
    for degraded in (False, True)
]


def run_in(wrapper: Sequence[str], place: Place) -> list[Came]:
    """What each of `ORDERS` came to; nothing of them is left afterwards."""
    made = tempfile.TemporaryDirectory(prefix="llmspell-machine-", dir="/tmp")
    with made as folder, Orphanage() as orphans:
        before = set(Path(place.temporary).rglob("*"))
        done = subprocess.run(
            [*wrapper, sys.executable, str(ATTACKERS / "machine.py")],
            input=json.dumps(ORDERS),
            cwd=folder,
            env=place.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        left = orphans.left()
        assert set(Path(place.temporary).rglob("*")) == before
    assert not left, left
    answers: list[Came] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="session")
def came_to(place: Place, tmp_path_factory: pytest.TempPathFactory) -> CameTo:
    """What a run comes to in a machine; all runs of a machine are done when the first is asked."""
    base = shared_folder(tmp_path_factory)

    def look(
        wrapper: Sequence[str], profile: str, start: str = EXEC, *, allow_degraded: bool = False
    ) -> Came:
        answers = once(base, f"machine {' '.join(wrapper)}", lambda: run_in(wrapper, place))
        order = {"profile": profile, "start": start, "allow_degraded": allow_degraded}
        answer: Came = answers[ORDERS.index(order)]
        return answer

    return look
