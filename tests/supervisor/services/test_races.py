"""Names flipped in a loop while the broker opens them: nothing outside is ever reached."""

from __future__ import annotations

import ctypes
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmspell.errors import LlmspellError
from tests.supervisor.services.desk import Desk

SECONDS = 5.0
SECRET = "outside secret"


@contextmanager
def flipping(first: Path, second: Path) -> Iterator[list[int]]:
    """Swaps two names as fast as the kernel can (renameat2 RENAME_EXCHANGE), in a thread."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    names = os.fsencode(first), os.fsencode(second)
    turns = [0]
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            # Fails while one of the names is removed, which some of the tests do.
            turns[0] += renameat2(-100, names[0], -100, names[1], 2) == 0

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield turns
    finally:
        stop.set()
        thread.join()


def race(desk: Desk, calls: list[Callable[[], object]]) -> tuple[int, set[str]]:
    """Repeats calls for `SECONDS`; how often, and the texts that came back."""
    done, seen = 0, set()
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        for call in calls:
            try:
                seen.add(str(call()))
            except LlmspellError as error:
                seen.add(type(error).__name__)
            done += 1
            desk.audit.kept.clear()
            desk.broker.denials.clear()
    return done, seen


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, "low", limits={"calls": "unlimited", "transfer": "unlimited"})
    (made.outside / "s").write_text(SECRET)
    yield made
    made.services.close()


def test_FS_06_file_and_link_flipped(desk: Desk) -> None:
    (desk.work / "f").write_text("mine")
    (desk.work / "g").symlink_to(desk.outside / "s")
    with flipping(desk.work / "f", desk.work / "g") as turns:
        done, seen = race(
            desk,
            [
                lambda: desk.call("fs.read", path="f"),
                lambda: desk.call("fs.append", path="f", data=""),
            ],
        )
    assert turns[0] > 1_000 and done > 1_000
    assert "mine" in seen and "Denied" in seen
    assert SECRET not in seen
    assert (desk.outside / "s").read_text() == SECRET


def test_FS_06_writes_through_a_flipped_name(desk: Desk) -> None:
    (desk.work / "f").write_text("mine")
    (desk.work / "g").symlink_to(desk.outside / "s")
    with flipping(desk.work / "f", desk.work / "g") as turns:
        done, _ = race(
            desk,
            [
                lambda: desk.call("fs.write", path="f", data="mine"),
                lambda: desk.call("fs.exists", path="g"),
            ],
        )
        # A replaced link is gone for good, so the flipper works on two files by then.
    assert turns[0] > 100 and done > 100
    assert (desk.outside / "s").read_text() == SECRET
    assert os.listdir(desk.outside) == ["s"]


def test_FS_07_folder_and_link_flipped(desk: Desk) -> None:
    (desk.work / "d").mkdir()
    (desk.work / "d" / "s").write_text("mine")
    (desk.work / "e").symlink_to(desk.outside)
    with flipping(desk.work / "d", desk.work / "e") as turns:
        done, seen = race(
            desk,
            [
                lambda: desk.call("fs.read", path="d/s"),
                lambda: desk.call("fs.write", path="d/new", data="x"),
                lambda: desk.call("fs.remove", path="d/new"),
                lambda: desk.call("fs.mkdir", path="d/sub"),
                lambda: [item["name"] for item in desk.call("fs.list", path="d")],
                lambda: desk.call("fs.move", **{"from": "d/sub", "to": "d/sub2"}),
                lambda: desk.call("fs.remove", path="d/sub2", recursive=True),
            ],
        )
    assert turns[0] > 500 and done > 500
    assert "mine" in seen and SECRET not in seen
    assert os.listdir(desk.outside) == ["s"]
    assert (desk.outside / "s").read_text() == SECRET


def test_FS_07_recursive_removal_of_a_flipped_tree(desk: Desk) -> None:
    precious = desk.outside / "p"
    precious.mkdir()
    for index in range(20):
        (precious / f"p{index}").write_text("precious")
    ends = time.monotonic() + SECONDS
    removed = rounds = 0
    while time.monotonic() < ends:
        rounds += 1
        tree = desk.work / f"t{rounds}"
        (tree / "a" / "p").mkdir(parents=True)
        for index in range(20):
            (tree / "a" / "p" / f"p{index}").write_text("x")
        (tree / "b").symlink_to(desk.outside)
        with flipping(tree / "a", tree / "b"):
            for _ in range(5):
                try:
                    desk.call("fs.remove", path=tree.name, recursive=True)
                    removed += 1
                    break
                except LlmspellError:
                    continue
    assert rounds > 10 and removed > 0
    assert sorted(os.listdir(desk.outside)) == ["p", "s"]
    assert len(os.listdir(precious)) == 20


def test_FS_26_regular_at_stat_fifo_at_open(desk: Desk) -> None:
    (desk.work / "f").write_text("mine")
    os.mkfifo(desk.work / "p")
    with flipping(desk.work / "f", desk.work / "p") as turns:
        done, seen = race(
            desk,
            [
                lambda: desk.call("fs.read", path="f"),
                lambda: desk.call("fs.append", path="f", data=""),
            ],
        )
    assert turns[0] > 1_000 and done > 1_000
    assert seen == {"mine", "None", "OperationFailed"}
    kinds = {stat.S_IFMT(os.lstat(desk.work / name).st_mode) for name in ("f", "p")}
    assert kinds == {stat.S_IFREG, stat.S_IFIFO}
