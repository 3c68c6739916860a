"""Brokered files on a real file system: every denial has an allowed twin."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, LimitExceeded, Missing, OperationFailed
from llmspell.supervisor.services import tree, whole
from tests.supervisor.services.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Desk] = []

    def build(*args: Any, **named: Any) -> Desk:
        made.append(Desk(tmp_path, *args, **named))
        return made[-1]

    yield build
    for desk in made:
        desk.services.close()


@pytest.fixture
def desk(make: Make) -> Desk:
    return make()


def denied(desk: Desk, rule: str, name: str, **args: Any) -> Denied:
    with pytest.raises(Denied) as caught:
        desk.call(name, **args)
    assert caught.value.code == 4008
    assert caught.value.rule is not None and caught.value.rule.endswith(rule), caught.value.rule
    assert desk.broker.denials[-1].rule == caught.value.rule
    assert str(desk.outside) not in caught.value.sentence()
    return caught.value


def test_write_then_read(desk: Desk) -> None:
    desk.call("fs.write", path="a.txt", data="häßlich")
    assert desk.call("fs.read", path="a.txt") == "häßlich"
    assert desk.call("fs.read", path="a.txt", encoding="binary") == "häßlich".encode()
    assert desk.call("fs.read", path="a.txt", encoding="binary", offset=1, length=2) == b"\xc3\xa4"
    desk.call("fs.append", path="a.txt", data=b"!")
    assert (desk.work / "a.txt").read_bytes() == "häßlich!".encode()
    assert [item.name for item in desk.work.iterdir()] == ["a.txt"]


def test_not_text_says_so(desk: Desk) -> None:
    (desk.work / "b").write_bytes(b"\xff\xfe")
    with pytest.raises(OperationFailed, match="not UTF-8") as caught:
        desk.call("fs.read", path="b")
    assert "binary" in (caught.value.hint or "")
    assert desk.call("fs.read", path="b", encoding="binary") == b"\xff\xfe"


def test_folders_list_stat_move_remove(desk: Desk) -> None:
    desk.call("fs.mkdir", path="x/y", parents=True)
    desk.call("fs.write", path="x/y/one.txt", data="1")
    desk.call("fs.write", path="x/two.md", data="22")
    found = desk.call("fs.list", path="x", recursive=True)
    assert [(item["path"], item["type"], item["size"]) for item in found] == [
        ("x/two.md", "file", 2),
        ("x/y", "directory", 0),
        ("x/y/one.txt", "file", 1),
    ]
    only = desk.call("fs.list", path="x", recursive=True, pattern="*.txt")
    assert [item["name"] for item in only] == ["one.txt"]
    assert len(desk.call("fs.list", path="x", recursive=True, limit=2)) == 2
    assert desk.call("fs.stat", path="x/two.md")["size"] == 2
    desk.call("fs.move", **{"from": "x", "to": "z"})
    assert desk.call("fs.exists", path="z/y/one.txt") is True
    assert desk.call("fs.exists", path="x") is False
    with pytest.raises(OperationFailed, match="not empty"):
        desk.call("fs.remove", path="z")
    desk.call("fs.remove", path="z", recursive=True)
    assert list(desk.work.iterdir()) == []


def test_missing_things_are_missing(desk: Desk) -> None:
    for name in ("fs.read", "fs.stat", "fs.list", "fs.remove"):
        with pytest.raises(Missing):
            desk.call(name, path="nowhere")
    with pytest.raises(Missing):
        desk.call("fs.write", path="no/such", data="x")
    desk.call("fs.write", path="no/such", data="x", create_parents=True)
    assert (desk.work / "no/such").read_text() == "x"


def test_FS_01_dots_lead_nowhere(desk: Desk) -> None:
    (desk.outside / "s").write_text("secret")
    (desk.work / "s").write_text("mine")
    (desk.work / "a").mkdir()
    for path in ("../outside/s", "a/../../outside/s", f"{desk.work}/../outside/s"):
        for name in ("fs.read", "fs.stat", "fs.remove"):
            with pytest.raises(Denied):
                desk.call(name, path=path)
        with pytest.raises(Denied):
            desk.call("fs.write", path=path, data="x")
        assert desk.call("fs.exists", path=path) is False
    assert (desk.outside / "s").read_text() == "secret"
    assert desk.call("fs.read", path="a/../s") == "mine"


@pytest.mark.parametrize("absolute", [True, False])
def test_FS_03_FS_04_links_to_outside(desk: Desk, absolute: bool) -> None:
    (desk.outside / "s").write_text("secret")
    (desk.work / "inside").write_text("mine")
    (desk.work / "out").symlink_to(desk.outside / "s" if absolute else "../outside/s")
    (desk.work / "chain").symlink_to("out")
    (desk.work / "folder").symlink_to(desk.outside if absolute else "../outside")
    (desk.work / "good").symlink_to("inside")
    (desk.work / "good2").symlink_to(desk.work / "good")
    for path in ("out", "chain", "folder/s"):
        denied(desk, "leads-outside", "fs.read", path=path)
        denied(desk, "leads-outside", "fs.stat", path=path)
        denied(desk, "leads-outside", "fs.write", path=path, data="x")
        denied(desk, "leads-outside", "fs.append", path=path, data="x")
        assert desk.call("fs.exists", path=path) is False
    denied(desk, "leads-outside", "fs.list", path="folder")
    denied(desk, "leads-outside", "fs.write", path="folder/new", data="x")
    denied(desk, "leads-outside", "fs.mkdir", path="folder/new")
    denied(desk, "leads-outside", "fs.move", **{"from": "inside", "to": "folder/new"})
    assert sorted(os.listdir(desk.outside)) == ["s"]
    assert (desk.outside / "s").read_text() == "secret"
    assert desk.call("fs.read", path="good") == "mine"
    assert desk.call("fs.read", path="good2") == "mine"
    # Removing a link removes the link.
    desk.call("fs.remove", path="out")
    assert (desk.outside / "s").exists() and not (desk.work / "out").is_symlink()


def test_FS_03_a_link_is_no_oracle_for_its_target(desk: Desk) -> None:
    (desk.work / "a").symlink_to(desk.outside / "there")
    (desk.work / "b").symlink_to(desk.outside / "not-there")
    (desk.outside / "there").write_text("x")
    first = denied(desk, "leads-outside", "fs.read", path="a")
    second = denied(desk, "leads-outside", "fs.read", path="b")
    assert first.message.replace(" a", "") == second.message.replace(" b", "")


def test_FS_04_mazes_of_links_end(desk: Desk) -> None:
    (desk.work / "loop").symlink_to("loop")
    (desk.work / "ping").symlink_to("pong")
    (desk.work / "pong").symlink_to("ping")
    for path in ("loop", "ping", "ping/x"):
        with pytest.raises(OperationFailed, match="links"):
            desk.call("fs.read", path=path)
    (desk.work / "d").mkdir()
    (desk.work / "d" / "f").write_text("ok")
    (desk.work / "hops").symlink_to("d/../d/../d/f")
    assert desk.call("fs.read", path="hops") == "ok"


def test_FS_48_hidden_and_absent_look_alike(make: Make) -> None:
    desk = make("low", ("deny-read:hidden",))
    (desk.work / "hidden").mkdir()
    (desk.work / "hidden" / "there").write_text("x")
    errors = [
        denied(desk, "", name, path=f"hidden/{leaf}")
        for leaf in ("there", "gone")
        for name in ("fs.read", "fs.stat", "fs.list")
    ]
    assert len({error.message.split(" hidden")[0].split()[0] for error in errors}) == 1
    assert errors[0].rule == errors[3].rule and errors[0].hint == errors[3].hint
    assert desk.call("fs.exists", path="hidden/there") is False
    assert [item["name"] for item in desk.call("fs.list", path=".", recursive=True)] == []
    (desk.work / "seen").write_text("x")
    assert [item["name"] for item in desk.call("fs.list", path=".")] == ["seen"]


def test_FS_49_exists_is_false_and_on_record(make: Make) -> None:
    desk = make("high")
    assert desk.call("fs.exists", path="/etc/passwd") is False
    assert desk.call("fs.exists", path="/no/such") is False
    assert [denial.target for denial in desk.broker.denials] == ["/etc/passwd", "/no/such"]
    desk.call("fs.write", path="scratch:a", data="x")
    assert desk.call("fs.exists", path="scratch:a") is True


def test_FS_09_FS_12_hard_links_and_read_only_files(desk: Desk) -> None:
    (desk.outside / "s").write_text("secret")
    os.link(desk.outside / "s", desk.work / "alias")
    denied(desk, "hard-link", "fs.write", path="alias", data="x")
    denied(desk, "hard-link", "fs.append", path="alias", data="x")
    denied(desk, "hard-link", "fs.move", **{"from": "alias", "to": "other"})
    assert (desk.outside / "s").read_text() == "secret"
    desk.call("fs.write", path="single", data="x")
    desk.call("fs.write", path="single", data="y")


def test_FS_23_FS_24_special_files_do_not_hang(desk: Desk) -> None:
    os.mkfifo(desk.work / "fifo")
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(desk.work)
    try:
        server.bind("sock")
    finally:
        os.chdir(here)
    for path in ("fifo", "sock", "."):
        with pytest.raises(OperationFailed) as caught:
            desk.call("fs.read", path=path)
        assert caught.value.kind == "not_a_file"
        with pytest.raises(OperationFailed):
            desk.call("fs.write", path=path, data="x")
        with pytest.raises(OperationFailed):
            desk.call("fs.append", path=path, data="x")
    server.close()


def test_FS_14_FS_16_kernel_file_systems(make: Make) -> None:
    desk = make("low", ("read:/proc", "read:/dev", "read:/sys"))
    for path in ("/proc/self/environ", "//proc/../proc/self/maps"[1:], "/proc/kcore", "/dev/null"):
        denied(desk, "special-filesystem", "fs.read", path=path)
    # A magic link is text here: it leads to a path that is judged like any other.
    denied(desk, "low.files.read", "fs.read", path="/proc/self/root/etc/passwd")
    (desk.work / "p").symlink_to("/proc/self/environ")
    denied(desk, "leads-outside", "fs.read", path="p")
    own = make("none")
    assert own.call("fs.read", path="/proc/self/status", encoding="binary").startswith(b"Name:")


def test_FS_27_setuid_bits_never_survive(desk: Desk) -> None:
    target = desk.work / "tool"
    target.write_text("old")
    target.chmod(0o6755)
    desk.call("fs.write", path="tool", data="new")
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    old = os.umask(0o027)
    try:
        desk.call("fs.write", path="fresh", data="x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((desk.work / "fresh").stat().st_mode) == 0o640


def test_FS_29_names_that_become_code(desk: Desk) -> None:
    (desk.work / ".git").mkdir()
    for path in (".git/hooks/pre-commit", "conftest.py", ".bashrc", "sub/x.pth"):
        denied(desk, "", "fs.write", path=path, data="x", create_parents=True)
        denied(desk, "", "fs.append", path=path, data="x")
    (desk.work / "harmless").write_text("x")
    denied(desk, "", "fs.move", **{"from": "harmless", "to": "conftest.py"})
    (desk.work / "link").symlink_to(".git")
    denied(desk, "", "fs.write", path="link/config", data="x")
    assert sorted(os.listdir(desk.work)) == [".git", "harmless", "link"]
    desk.call("fs.move", **{"from": "harmless", "to": "harmless2"})


def test_FS_08_FS_11_moving_around_a_denied_name(make: Make) -> None:
    desk = make("low", ("deny-write:keep/secret",))
    (desk.work / "keep").mkdir()
    (desk.work / "keep/secret").write_text("s")
    denied(desk, "", "fs.move", **{"from": "keep/secret", "to": "free"})
    denied(desk, "", "fs.move", **{"from": "keep", "to": "free"})
    denied(desk, "", "fs.remove", path="keep", recursive=True)
    (desk.work / "mine").mkdir()
    (desk.work / "mine/secret").write_text("forged")
    (desk.work / "mine/conftest.py").write_text("user's own")
    denied(desk, "", "fs.move", **{"from": "mine/secret", "to": "keep/secret"})
    denied(desk, "", "fs.move", **{"from": "mine", "to": "yours"})
    denied(desk, "", "fs.remove", path="mine", recursive=True)
    assert (desk.work / "keep/secret").read_text() == "s"
    assert (desk.work / "mine/conftest.py").exists()
    desk.call("fs.move", **{"from": "mine/secret", "to": "mine/other"})
    with pytest.raises(OperationFailed, match="already"):
        desk.call("fs.write", path="f", data="1")
        desk.call("fs.move", **{"from": "mine/other", "to": "f"})
    assert (desk.work / "f").read_text() == "1"


def test_FS_41_long_paths_and_deep_trees(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        desk.call("fs.read", path="x" * 4097)
    with pytest.raises(InvalidInput):
        desk.call("fs.read", path="x" * 256)
    deep(desk.work, 2_000)
    open_before = len(os.listdir("/proc/self/fd"))
    for name, args in (("fs.list", {"limit": 10_000}), ("fs.remove", {})):
        with pytest.raises(LimitExceeded):
            desk.call(name, path="deep", recursive=True, **args)
    handle = os.open(desk.work / "deep", os.O_RDONLY)
    assert sum(1 for _ in tree.clear(handle)) == 2_000
    os.close(handle)
    desk.call("fs.remove", path="deep")
    deep(desk.work, 500)
    assert len(desk.call("fs.list", path="deep", recursive=True, limit=10_000)) == 500
    desk.call("fs.remove", path="deep", recursive=True)
    assert not (desk.work / "deep").exists()
    assert len(os.listdir("/proc/self/fd")) == open_before


def test_FS_41_depth_is_bounded(desk: Desk) -> None:
    deep(desk.work, 200)
    desk.call("fs.mkdir", path="e/" * 100, parents=True)
    with pytest.raises(InvalidInput):
        desk.call("fs.move", **{"from": "deep", "to": "e/" * 100 + "x"})
    with pytest.raises(InvalidInput):
        desk.call("fs.mkdir", path="f/" * 300, parents=True)
    assert sorted(os.listdir(desk.work)) == ["deep", "e"]
    desk.call("fs.move", **{"from": "deep", "to": "e/x"})


def deep(folder: Path, levels: int) -> None:
    """Makes `deep/d/d/…` without any long path."""
    handle = os.open(folder, os.O_RDONLY)
    os.mkdir("deep", dir_fd=handle)
    for name in ["deep"] + ["d"] * (levels - 1):
        following = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = following
        os.mkdir("d", dir_fd=handle)
    os.close(handle)


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


def test_no_handle_is_left(desk: Desk) -> None:
    before = len(os.listdir("/proc/self/fd"))
    test_folders_list_stat_move_remove(desk)
    test_FS_03_FS_04_links_to_outside(desk, True)
    for path in ("nowhere", "nowhere/deeper", "../x", "/etc/passwd"):
        for name in ("fs.read", "fs.list", "fs.remove", "fs.mkdir"):
            with pytest.raises((Missing, Denied)):
                desk.call(name, path=path if name != "fs.mkdir" else f"{path}/a/b")
    assert len(os.listdir("/proc/self/fd")) == before


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
