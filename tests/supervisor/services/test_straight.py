"""The straight walk gives what the whole walk gives, and leaves to it whatever is not straight."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from llmspell.policies.verdict import Verdict
from llmspell.supervisor.services import walk as module
from llmspell.supervisor.services.special import SpecialFileSystems
from llmspell.supervisor.services.walk import Place, Walker
from tests.supervisor.services.desk import Desk

PATHS = (
    ".", "f", "d", "d/f", "d/d/f", "absent", "d/absent", "absent/f", "f/f", "link", "link/f",
    "dlink", "dlink/f", "d/up", "d/up/f", "dangling", "loop", "fifo", "out", "out/s",
)  # fmt: skip


class Refused(Exception):
    """A denial of the walk's own."""


def refuse(verdict: Verdict) -> NoReturn:
    raise Refused(verdict.rule)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    (base / "d" / "d").mkdir(parents=True)
    for name in ("f", "d/f", "d/d/f"):
        (base / name).write_text(name)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "s").write_text("secret")
    for name, target in (("link", "f"), ("dlink", "d"), ("d/up", ".."), ("dangling", "no"),
                         ("loop", "loop"), ("out", "../outside")):  # fmt: skip
        (base / name).symlink_to(target)
    os.mkfifo(base / "fifo")
    return base


def seen(walker: Walker, path: str, **how: Any) -> object:
    """Everything a walk says about a path, and what it asked its judge."""
    asked: list[str] = []
    try:
        with walker.walk(path, asked.append, refuse, **how) as place:
            return (described(place), asked[-1])
    except (OSError, Refused, Exception) as error:
        return type(error).__name__, str(error)


def described(place: Place) -> tuple[object, ...]:
    status = None if place.status is None else (place.status.st_dev, place.status.st_ino)
    parent = os.fstat(place.parent).st_ino
    return place.path, place.names, place.kind, place.absent, status, parent


@pytest.mark.parametrize("follow_last", [True, False])
@pytest.mark.parametrize("looking", [True, False])
def test_both_walks_say_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, follow_last: bool, looking: bool
) -> None:
    walker = Walker([str(folder)])
    how = {"follow_last": follow_last, "looking": looking}
    before = len(os.listdir("/proc/self/fd"))
    quick = [seen(walker, os.path.normpath(folder / path), **how) for path in PATHS]
    monkeypatch.setattr(module, "_straight", lambda course, looking: None)
    slow = [seen(walker, os.path.normpath(folder / path), **how) for path in PATHS]
    assert quick == slow
    assert len(os.listdir("/proc/self/fd")) == before
    walker.close()


def test_straight_is_what_most_paths_are_and_no_link_is(folder: Path) -> None:
    walker = Walker([str(folder)])
    for path in PATHS:
        place = module._straight(walker._course(os.path.normpath(folder / path)), False)
        assert (place is not None) == (path in ("f", "d", "d/f", "d/d/f", "absent", "d/absent",
                                                "fifo")), path  # fmt: skip
        if place is not None:
            place.close()
    course = walker._course(str(folder / "f"))
    assert module._straight(course._replace(names=["..", "outside", "s"]), False) is None
    walker.close()


def test_FS_14_special_file_systems_are_refused_on_the_straight_walk() -> None:
    walker = Walker(["/tmp"])
    assert seen(walker, "/proc/version") == ("Refused", "files.special-filesystem")
    assert seen(walker, "/proc/version", looking=True) == ("Refused", "files.special-filesystem")
    assert seen(walker, "/proc/self/no-such") == ("Refused", "files.special-filesystem")
    assert seen(walker, "/etc/passwd") != ("Refused", "files.special-filesystem")
    walker.close()


def test_FS_14_a_root_that_is_special_itself(folder: Path) -> None:
    class Everything(SpecialFileSystems):
        def holds(self, device: int) -> bool:
            return device == folder.stat().st_dev

    walker = Walker([str(folder)], Everything())
    for path in ("f", "d/f", "absent", "link"):
        assert seen(walker, str(folder / path)) == ("Refused", "files.special-filesystem")
    walker.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, "low")
    yield made
    made.services.close()


def test_a_remembered_path_is_looked_at_anew(desk: Desk) -> None:
    assert desk.call("fs.exists", path="a/b") is False
    (desk.work / "a").mkdir()
    (desk.work / "a" / "b").write_text("one")
    assert desk.call("fs.stat", path="a/b")["size"] == 3
    (desk.work / "a" / "b").unlink()
    (desk.work / "a").rename(desk.work / "gone")
    (desk.work / "a").symlink_to(desk.outside)
    (desk.outside / "b").write_text("secret")
    assert desk.call("fs.exists", path="a/b") is False
    assert desk.broker.denials[-1].target == "a/b"
    (desk.work / "a").unlink()
    (desk.work / "a").write_text("a file now")
    assert desk.call("fs.exists", path="a/b") is False
    assert desk.call("fs.exists", path="a") is True


def test_a_lent_root_stays_open(desk: Desk) -> None:
    for _ in range(3):
        desk.call("fs.write", path="new/deep/f", data="x", create_parents=True)
        assert desk.call("fs.read", path="new/deep/f") == "x"
        desk.call("fs.remove", path="new", recursive=True)
        assert desk.call("fs.exists", path="new") is False
