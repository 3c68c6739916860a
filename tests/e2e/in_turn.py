"""Many runs, one after the other, by one process, once for all the tests that look at them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adversarial.batches import once, shared_folder
from tests.e2e.program import LONGEST, Orphanage, Place

CLIENT = Path(__file__).with_name("in_turn_client.py")

Came = dict[str, Any]


class Order(NamedTuple):
    """One run: `start` is `exec` or `fork`, `options` are those of `RunOptions`."""

    start: str
    source: str
    language: str
    options: dict[str, Any]


InTurn = Callable[..., Came]
"""`(order, orders, wrapper=())`: what this one of the orders came to."""


def run_in_turn(place: Place, orders: Sequence[Order], wrapper: Sequence[str] = ()) -> list[Came]:
    """What each run came to; nothing of them is left afterwards."""
    made = tempfile.TemporaryDirectory(prefix="llmspell-in-turn-", dir="/tmp")
    with made as folder, Orphanage() as orphans:
        before = set(place.temporary.rglob("*"))
        done = subprocess.run(
            [*wrapper, sys.executable, str(CLIENT)],
            input=json.dumps([order._asdict() for order in orders]),
            cwd=folder,
            env=place.environ,
            capture_output=True,
            text=True,
            timeout=LONGEST + 2 * len(orders),
        )
        assert done.returncode == 0, done.stderr[-3000:]
        left = orphans.left()
        assert set(place.temporary.rglob("*")) == before
    assert not left, left
    answers: list[Came] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="session")
def in_turn(place: Place, tmp_path_factory: pytest.TempPathFactory) -> InTurn:
    """What a run came to; all its orders are carried out when the first of them is asked for."""
    base = shared_folder(tmp_path_factory)

    def look(order: Order, orders: Sequence[Order], wrapper: Sequence[str] = ()) -> Came:
        key = json.dumps(["in turn", orders, [*wrapper]])
        answers = once(base, key, lambda: run_in_turn(place, orders, wrapper))
        answer: Came = answers[orders.index(order)]
        return answer

    return look
