"""Brokered files: quotas, bounds, faults and what two runs share."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.supervisor.services import tree, whole
from tests.supervisor.services.desk import Desk
from tests.supervisor.services.files_kit import Make, denied


def test_FS_42_FS_43_quota(make: Make) -> None:
    desk = make("medium", limits={"scratch": "100kB"})
    desk.call("fs.write", path="workspace:a", data=b"x" * 60_000)
    with pytest.raises(LimitExceeded) as caught:
        desk.call("fs.write", path="workspace:b", data=b"x" * 60_000)
    assert caught.value.code == 4009 and caught.value.limit == "scratch"
    assert os.listdir(desk.kept) == ["a"]
    for _ in range(20):
        desk.call("fs.write", path="workspace:a", data=b"x" * 90_000)
    desk.call("fs.remove", path="workspace:a")
    desk.call("fs.write", path="workspace:b", data=b"x" * 60_000)
    again = make("medium", limits={"scratch": "100kB"})
    with pytest.raises(LimitExceeded):
        again.call("fs.append", path="workspace:b", data=b"x" * 60_000)
    assert (desk.kept / "b").stat().st_size == 60_000
    assert stat.S_IMODE(desk.kept.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.kept / "b").stat().st_mode) == 0o600


def test_FS_42_file_count(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmspell.supervisor.services.quota.FILES_MAX", 5)
    for index in range(5):
        desk.call("fs.write", path=f"f{index}", data="")
    with pytest.raises(LimitExceeded):
        desk.call("fs.write", path="f5", data="")
    with pytest.raises(LimitExceeded):
        desk.call("fs.mkdir", path="d")
    desk.call("fs.remove", path="f0")
    desk.call("fs.mkdir", path="d")


def test_entries_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = os.open(desk.work, os.O_RDONLY)
    for index in range(20):
        (desk.work / f"f{index}").write_text("")
    assert len(list(tree.entries(handle, most=20))) == 20
    with pytest.raises(LimitExceeded):
        list(tree.entries(handle, most=19))
    os.close(handle)


def test_grants_reach_folders_that_are_not_there_yet(make: Make) -> None:
    desk = make("high", ("write:out/deep",))
    denied(desk, "files.write", "fs.write", path="other/x", data="x")
    denied(desk, "files.write", "fs.mkdir", path="out")
    desk.call("fs.write", path="out/deep/report.md", data="x")
    assert (desk.work / "out/deep/report.md").read_text() == "x"
    denied(desk, "files.write", "fs.write", path="out/x", data="x")


def test_profiles_reach(make: Make) -> None:
    high = make("high")
    (high.work / "a").write_text("x")
    denied(high, "high.files.read", "fs.read", path="a")
    denied(high, "high.files.write", "fs.write", path="a", data="y")
    medium = make("medium")
    assert medium.call("fs.read", path="spell:a") == "x"
    denied(medium, "medium.files.write", "fs.write", path="spell:b", data="y")
    assert medium.call("fs.list", path="workspace:") == []
    medium.call("fs.write", path="workspace:n/b", data="y", create_parents=True)
    assert medium.call("fs.list", path="workspace:")[0]["path"] == "workspace:n"
    assert medium.call("fs.list", path="workspace:n")[0]["path"] == "workspace:n/b"


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("fault", ["ENOSPC", "short", "EINTR", "zero"])
def test_a_failed_write_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: str, existing: bool
) -> None:
    if existing:
        (desk.work / "f").write_text("old")
    real = os.write

    def broken(handle: int, data: Any) -> int:
        if fault == "ENOSPC":
            real(handle, bytes(data)[:3])
            raise OSError(28, "No space left on device")
        if fault == "EINTR":
            raise InterruptedError(4, "Interrupted")
        return 0 if fault == "zero" else real(handle, bytes(data)[:1])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        if fault == "short":
            desk.call("fs.write", path="f", data="brandnew")
            desk.call("fs.append", path="f", data="er")
        else:
            with pytest.raises(OperationFailed):
                desk.call("fs.write", path="f", data="brandnew")
            with pytest.raises(OperationFailed):
                desk.call("fs.append", path="f", data="brandnew")
    names = os.listdir(desk.work)
    if fault == "short":
        assert names == ["f"] and (desk.work / "f").read_text() == "brandnewer"
    elif existing:
        assert names == ["f"] and (desk.work / "f").read_text() == "old"
    else:
        assert names == []


def test_without_unnamed_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    desk.call("fs.write", path="f", data="1")
    desk.call("fs.write", path="f", data="2")
    assert os.listdir(desk.work) == ["f"] and (desk.work / "f").read_text() == "2"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "io")))
        with pytest.raises(OperationFailed):
            desk.call("fs.write", path="g", data="1")
    assert os.listdir(desk.work) == ["f"]


def test_leftovers_of_killed_writers_go(desk: Desk) -> None:
    old = desk.work / f".llmspell-{'0' * 16}.tmp"
    new = desk.work / f".llmspell-{'1' * 16}.tmp"
    old.write_text("x")
    new.write_text("x")
    os.utime(old, (1, 1))
    assert desk.call("fs.list", path=".") == []
    desk.call("fs.write", path="a", data="x")
    assert not old.exists() and new.exists()
    with pytest.raises(InvalidInput):
        desk.call("fs.write", path=new.name, data="x")


def test_large_files_are_read_in_pieces(desk: Desk) -> None:
    with open(desk.work / "big", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(OperationFailed, match="bytes") as caught:
        desk.call("fs.read", path="big")
    assert "in pieces" in (caught.value.hint or "")
    piece = desk.call("fs.read", path="big", encoding="binary", offset=2**39, length=10)
    assert piece == b"\0" * 10


def test_transfer_is_charged_before(make: Make) -> None:
    desk = make("low", limits={"transfer": 100})
    (desk.work / "a").write_bytes(b"x" * 101)
    with pytest.raises(LimitExceeded):
        desk.call("fs.read", path="a")
    with pytest.raises(LimitExceeded):
        desk.call("fs.write", path="b", data=b"x" * 101)
    assert not (desk.work / "b").exists()
    desk.call("fs.write", path="b", data=b"x" * 60)
    with pytest.raises(LimitExceeded):
        desk.call("fs.read", path="b")


def test_the_working_folder_is_pinned(desk: Desk) -> None:
    (desk.work / "a").write_text("mine")
    (desk.outside / "a").write_text("secret")
    desk.work.rename(desk.work.with_name("moved"))
    desk.work.symlink_to(desk.outside)
    assert desk.call("fs.read", path="a") == "mine"


def test_temporary_names_are_private() -> None:
    names = {whole._temporary_name() for _ in range(100)}
    assert len(names) == 100
    assert all(whole.LEFTOVER.fullmatch(name) for name in names)


def test_two_runs_share_a_workspace(make: Make) -> None:
    first, second = make("medium"), make("medium")
    whole_texts = {"a" * 5_000, "b" * 9_000}
    first.call("fs.write", path="workspace:f", data="a" * 5_000)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for text in sorted(whole_texts):
                first.call("fs.write", path="workspace:f", data=text)

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        seen = {second.call("fs.read", path="workspace:f") for _ in range(500)}
        for _ in range(50):
            second.call("fs.write", path="workspace:f", data="a" * 5_000)
    finally:
        stop.set()
        thread.join()
    assert seen <= whole_texts
    assert os.listdir(first.kept) == ["f"]


def test_FS_51_moves_stay_on_their_file_system(make: Make) -> None:
    desk = make("none")
    if os.stat("/dev/shm").st_dev == os.stat(desk.work).st_dev:
        pytest.skip("there is only one file system")
    (desk.work / "a").write_text("x")
    target = Path("/dev/shm") / f"llmspell-test-{os.getpid()}"
    with pytest.raises(OperationFailed) as caught:
        desk.call("fs.move", **{"from": "a", "to": str(target)})
    assert caught.value.kind == "other_file_system"
    assert not target.exists() and (desk.work / "a").exists()


def test_moving_takes_the_right_to_read(make: Make) -> None:
    desk = make("low", ("deny-read:blind",))
    (desk.work / "blind").mkdir()
    (desk.work / "blind" / "s").write_text("secret")
    denied(desk, "", "fs.move", **{"from": "blind/s", "to": "seen"})
    assert not (desk.work / "seen").exists()
    (desk.work / "plain").write_text("x")
    desk.call("fs.move", **{"from": "plain", "to": "seen"})


def test_FS_12_a_file_its_owner_made_read_only(tmp_path: Path) -> None:
    """As an ordinary user: root may write anything."""
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from tests.supervisor.services.desk import Desk
os.setgroups([]); os.setgid(65534); os.setuid(65534)
base = Path({str(tmp_path / "open")!r})
desk = Desk(base)
(desk.work / "f").write_text("old")
(desk.work / "f").chmod(0o444)
for name in ("fs.write", "fs.append"):
    try:
        desk.call(name, path="f", data="new")
    except Exception as error:
        print(type(error).__name__, error.kind)
print((desk.work / "f").read_text())
(desk.work / "f").chmod(0o644)
desk.call("fs.write", path="f", data="new")
print((desk.work / "f").read_text())
"""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    folder = tmp_path
    while folder != folder.parent and folder != Path("/tmp"):
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n")[:4] == [
        "OperationFailed permission",
        "OperationFailed permission",
        "old",
        "new",
    ], done.stderr
