"""FS: odd things on disk: special bits, trees without end, names that are no text, a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adversarial.fs_acts import Act, attempt, mounting, tree
from tests.adversarial.proof import Control
from tests.e2e.program import Program, all_gone, descendants

PROFILES = ("low", "medium", "high")


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_27_no_setuid_bit_is_left_on_what_a_spell_changes(
    program: Program, profile: str, control: Control
) -> None:
    proj = program.folder / "proj"
    for name in ("written", "appended", "moved", "kept"):
        program.write(f"proj/{name}", "old").chmod(0o6755)
    acts: list[Act] = [
        ("write", "proj/written", "new"), ("append", "proj/appended", "new"),
        ("write", "proj/made", "new"), ("mkdir", "proj/folder"),
    ]  # fmt: skip
    given = ("--allow-read", "proj", "--allow-write", "proj", "--profile", profile)
    control(attempt(program, acts, *given).short == ["worked"] * len(acts))
    assert (proj / "written").read_text() == "new" and "new" in (proj / "appended").read_text()
    for name in ("written", "appended", "made", "folder"):
        assert not (proj / name).stat().st_mode & 0o6000, name
    assert (proj / "kept").stat().st_mode & 0o6000 == 0o6000, "the file system keeps such bits"


BOTTOMLESS = """
import os, sys
handle = os.open("deep", os.O_RDONLY)
for _ in range(10_000):
    os.mkdir("d", dir_fd=handle)
    below = os.open("d", os.O_RDONLY, dir_fd=handle)
    os.close(handle)
    handle = below
os.close(handle)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_41_a_tree_of_ten_thousand_levels(
    program: Program, profile: str, control: Control
) -> None:
    """One that lies there: each act on all of it ends typed and soon, and changes nothing.

    It lies in a memory disk that goes with the run: to remove it from a disk takes a minute.
    """
    (program.folder / "proj").mkdir()
    deep = "proj/deep"
    acts: list[Act] = [
        ("list", deep, {"recursive": True}),
        # Looked at to the end before it is refused: a second of the broker's time, so only once.
        ("remove" if profile == "high" else "list", deep, {"recursive": True}),
        ("move", deep, "proj/other"),
        ("read", deep + "/d" * 1000),
        ("stat", deep + "/d" * 200),
        ("list", deep),
    ]
    given = ("--allow-read", "proj", "--allow-write", "proj", "--profile", profile)
    in_memory = mounting(
        "mount -t tmpfs none proj; mkdir proj/deep; cd proj; set -- "
        f"{sys.executable} -c '{BOTTOMLESS}' sh -ec 'cd ..; exec \"$@\"' sh \"$@\""
    )
    tried = attempt(program, acts, *given, timeout=30, wrapper=in_memory)
    *refused, inside, plain = tried.answers
    control(inside.kind == plain.kind == "worked")
    assert [one.kind for one in refused] == ["limit", "limit", "validation", "validation"]
    assert [item["name"] for item in plain.value] == ["d"]


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_63_names_that_are_no_text(program: Program, profile: str, control: Control) -> None:
    """Names on disk that are no UTF-8: not shown, not in the way, and no way around a rule."""
    proj = os.fsencode(program.folder / "proj")
    os.makedirs(proj + b"/sub/\xff\xfe")
    for name in (b"/sub/\xe9.txt", b"/sub/\xff\xfe/in", b"/plain", b"/sub/.git\xff"):
        with open(proj + name, "wb") as file:
            file.write(b"x")
    acts: list[Act] = [
        ("list", "proj", {"recursive": True}),
        ("read", "proj/sub/\ufffd.txt"),
        ("read", "proj/sub/\u00e9.txt"),
        ("move", "proj/sub", "proj/moved"),
        ("remove", "proj/moved", {"recursive": True}),
        ("read", "proj/plain"),
    ]
    given = ("--allow-read", "proj", "--allow-write", "proj", "--profile", profile)
    listed, *missing, moved, removed, plain = attempt(program, acts, *given).answers
    control(moved.kind == removed.kind == plain.kind == "worked")
    assert [item["path"] for item in listed.value] == ["proj/plain", "proj/sub"]
    assert [one.kind for one in missing] == ["not_found"] * 2
    assert os.listdir(proj) == [b"plain"]


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_52_a_crash_leaves_the_tree_as_it_was(
    program: Program, tmp_path: Path, profile: str, control: Control
) -> None:
    """The supervisor is killed in the middle of a run with grants, denials and protected names."""
    program.write("proj/in.txt", "inside")
    program.write("proj/deny/d.txt", "denied")
    program.write(
        "p.toml",
        f'extends = "{profile}"\n[files]\nread = ["proj", "absent/file"]\nwrite = ["proj"]\n'
        'deny_read = ["proj/deny", "proj/none"]\ndeny_write = ["proj/none"]\n',
    )
    program.write("busy.lua", "fs.read('proj/in.txt') print('up') while true do end")
    mounts = Path("/proc/self/mountinfo").read_text()
    before = tree(program.folder), set(os.listdir(program.place.temporary))
    running = program.start(
        "run",
        "--policy",
        "p.toml",
        "--audit",
        str(tmp_path / "audit.jsonl"),
        "busy.lua",
        stdout=subprocess.PIPE,
    )
    with running:
        assert running.stdout is not None
        control(running.stdout.read(3) == b"up\n")
        workers = descendants(running.pid)
        assert workers
        running.kill()
    assert all_gone(workers, 5)
    assert (tree(program.folder), set(os.listdir(program.place.temporary))) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts
