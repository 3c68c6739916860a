"""Brokered files on a real file system: every denial has an allowed twin."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from llmspell.errors import Denied, InvalidInput, LimitExceeded, Missing, OperationFailed
from llmspell.supervisor.services import tree
from tests.supervisor.services.desk import Desk
from tests.supervisor.services.files_kit import Make, denied


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


def test_no_handle_is_left(desk: Desk) -> None:
    before = len(os.listdir("/proc/self/fd"))
    test_folders_list_stat_move_remove(desk)
    test_FS_03_FS_04_links_to_outside(desk, True)
    for path in ("nowhere", "nowhere/deeper", "../x", "/etc/passwd"):
        for name in ("fs.read", "fs.list", "fs.remove", "fs.mkdir"):
            with pytest.raises((Missing, Denied)):
                desk.call(name, path=path if name != "fs.mkdir" else f"{path}/a/b")
    assert len(os.listdir("/proc/self/fd")) == before
