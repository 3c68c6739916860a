"""FS: what changes while a run looks at it: names swapped, folders replaced, rules narrowed."""

from __future__ import annotations

import ctypes
import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial.fs_acts import tree
from tests.adversarial.proof import Control
from tests.e2e.program import LANGUAGES, LONGEST, SUFFIXES, Program

PROFILES = ("low", "medium", "high")
SECONDS = 5
TURNS = 100_000


@contextmanager
def flipping(*pairs: tuple[Path, Path]) -> Iterator[list[int]]:
    """Swaps both names of each pair as fast as the kernel can; the turns of each pair."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    names = [(os.fsencode(first), os.fsencode(second)) for first, second in pairs]
    turns = [0] * len(pairs)
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            for index, (first, second) in enumerate(names):
                # RENAME_EXCHANGE: no moment without either name.
                turns[index] += renameat2(-100, first, -100, second, 2) == 0

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield turns
    finally:
        stop.set()
        thread.join()


RACE = """
local seen, did = {}, 0
local function try(name, act, ...)
  local ok, e = pcall(fs[act], ...)
  local what = ok and (type(e) == "string" and e or "worked") or e.kind .. " " .. tostring(e.rule)
  seen[name .. " " .. act .. ": " .. what] = true
  did = did + 1
end
while not fs.exists("stop") do
  for _ = 1, 20 do
    try("file", "read", "file")
    try("file", "append", "file", "")
    try("kept", "write", "kept", "mine")
    try("folder", "read", "folder/s")
    try("folder", "append", "folder/s", "")
    try("folder", "list", "folder")
    try("pipe", "read", "pipe")
    try("pipe", "append", "pipe", "")
  end
end
local all = {}
for what in pairs(seen) do all[#all + 1] = what end
return {all, did}
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_06_FS_07_FS_26_names_swapped_all_the_while(
    program: Program, tmp_path: Path, profile: str, control: Control
) -> None:
    """10^5 turns, or 5 s of them: file and link, folder and link, file and FIFO."""
    outside, work = tmp_path / "outside", program.folder
    for folder in (outside, work / "folder"):
        folder.mkdir()
        (folder / "s").write_text("SECRET" if folder == outside else "mine")
    for name in ("file", "kept", "pipe"):
        (work / name).write_text("mine")
    (work / "file-link").symlink_to(outside / "s")
    (work / "folder-link").symlink_to(outside)
    os.mkfifo(work / "fifo")
    before = tree(outside)
    program.write("race.lua", RACE)
    flags = ("--profile", profile, "--allow-read", ".", "--allow-write", ".")
    limits = ("--limit", "calls=unlimited", "--limit", "transfer=unlimited", "--limit", "cpu=60s")
    pairs = [("file", "file-link"), ("folder", "folder-link"), ("pipe", "fifo")]
    with flipping(*((work / one, work / other) for one, other in pairs)) as turns:
        started = program.start(
            "run", "--output", "json", *flags, *limits, "race.lua",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        ends = time.monotonic() + SECONDS
        while min(turns) < TURNS and time.monotonic() < ends:
            time.sleep(0.05)
        (work / "stop").write_text("")
        out, err = started.communicate(timeout=LONGEST)
    assert started.returncode == 0, err
    seen, did = json.loads(out)["value"]
    assert min(turns) > 5_000 and did > 200, (turns, did)
    # Both sides of each race were met, so the races were run.
    control({"file read: mine", "file append: worked", "kept write: worked"} <= set(seen), "FS-06")
    control({"folder read: mine", "folder append: worked"} <= set(seen), "FS-07")
    control({"pipe read: mine", "pipe append: worked"} <= set(seen), "FS-26")
    denied = {what for what in seen if "denied" in what}
    assert any(what.startswith("file read: denied") for what in denied), seen
    assert any(what.startswith("folder read: denied") for what in denied), seen
    assert "pipe read: not_a_file nil" in seen, seen
    assert not [what for what in seen if "SECRET" in what], seen
    assert tree(outside) == before
    kinds = sorted(stat.S_IFMT(os.lstat(work / name).st_mode) for name in ("pipe", "fifo"))
    assert kinds == sorted([stat.S_IFREG, stat.S_IFIFO])


REPLACED = """
local paths = {"proj/in.txt", params.parent .. "/proj/in.txt", "link/in.txt", "in.txt"}
local before, after = {}, {}
for i, path in ipairs(paths) do before[i] = fs.read(path) end
fs.write("ready", "")
local tries = 0
while not fs.exists("go") and tries < 20000 do tries = tries + 1 end
for i, path in ipairs(paths) do
  local ok, e = pcall(fs.read, path)
  after[i] = ok and e or e.kind .. " " .. tostring(e.rule)
  local wrote, why = pcall(fs.append, path, "")
  after[#paths + i] = wrote and "worked" or why.kind .. " " .. tostring(why.rule)
end
return {before, after}
"""


def until(there: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    """Waits for something that a running command does; fails when it ends without."""
    deadline = time.monotonic() + LONGEST
    while not there():
        assert running.poll() is None and time.monotonic() < deadline, running.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_61_granted_folders_replaced_while_the_run_goes_on(
    program: Program, tmp_path: Path, profile: str, control: Control
) -> None:
    """The granted folder, its parent, a granted link and the working folder lead elsewhere."""
    work, evil, parent = program.folder, tmp_path / "evil", tmp_path / "parent"
    for folder, text in ((work, "mine"), (evil, "SECRET"), (parent, "mine")):
        for name in ("proj/in.txt", "in.txt"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (work / "linked").mkdir()
    (work / "linked/in.txt").write_text("mine")
    (work / "link").symlink_to("linked")
    program.write("replaced.lua", REPLACED)
    before = tree(evil)
    granted = [word for folder in (".", "link", "proj", str(parent / "proj"))
               for word in ("--allow-read", folder, "--allow-write", folder)]  # fmt: skip
    running = program.start(
        "run", "--output", "json", "--profile", profile, *granted,
        "--limit", "calls=unlimited", f"--param=parent={json.dumps(str(parent))}", "replaced.lua",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until((work / "ready").exists, running)
    os.rename(work / "proj", work / "proj-old")
    (work / "proj").symlink_to(evil / "proj")
    os.rename(parent, tmp_path / "parent-old")
    parent.symlink_to(evil)
    (work / "link").unlink()
    (work / "link").symlink_to(evil / "proj")
    (work / "go").write_text("")
    os.rename(work, tmp_path / "work-old")
    work.symlink_to(evil)
    out, err = running.communicate(timeout=LONGEST)
    result = json.loads(out)
    assert result["status"] == "done", (result, err)
    was, found = result["value"]
    control(was == ["mine"] * 4 and found[3] == "mine")
    for what in found[:3] + found[4:7]:
        assert what.startswith(("denied ", "not_found ", "links ")), found
    assert tree(evil) == before


NARROWED = """
held = open("in.txt", "a")
held.write(" and more")
before = await fs.read("in.txt")
await Config.configure_security(level="high")
found = []
for act in (lambda: fs.read("in.txt"), lambda: fs.append("in.txt", "x")):
    try:
        await act()
        found.append("worked")
    except LLMSpellError as error:
        found.append(f"{error.code} {error.rule}")
try:
    held.close()
    found.append("worked")
except LLMSpellError as error:
    found.append(f"{error.code} {error.rule}")
[before, found]
"""


@pytest.mark.parametrize("profile", ["low", "medium"])
def test_FS_53_what_was_opened_before_the_rules_were_narrowed(
    program: Program, profile: str, control: Control
) -> None:
    program.write("in.txt", "inside")
    flags = ("--profile", profile, "--allow-read", "in.txt", "--allow-write", "in.txt",
             "--allow-module", "io")  # fmt: skip
    result = program.result(NARROWED, ".py", *flags)
    assert result["status"] == "done", result
    before, found = result["value"]
    assert before == "inside"
    assert [what.split()[0] for what in found] == ["4008"] * 3, found
    assert (program.folder / "in.txt").read_text() == "inside"
    twin = NARROWED.replace("await Config.configure_security", "(lambda **_: None)")
    free = program.result(twin, ".py", *flags)
    control(free["value"][1] == ["worked"] * 3, "FS-53")
    assert "and more" in (program.folder / "in.txt").read_text()


FUNCTIONS = {
    "lua": "local n = {} for name in pairs(fs) do n[#n + 1] = name end return n",
    "javascript": "return Object.keys(fs);",
    "python": "[name for name in dir(fs) if not name.startswith('_')]",
}


@pytest.mark.profile("high")
@pytest.mark.parametrize("language", LANGUAGES)
def test_FS_53_no_file_is_ever_held_open(program: Program, language: str, control: Control) -> None:
    """At `high` nothing is left to narrow: the API has whole acts only, no handle and no link."""
    found: Any = program.result(FUNCTIONS[language], SUFFIXES[language], "--profile", "high")
    expected = {"read", "write", "append", "list", "stat", "exists", "mkdir", "remove", "move"}
    control("read" in found["value"])
    assert set(found["value"]) == expected
