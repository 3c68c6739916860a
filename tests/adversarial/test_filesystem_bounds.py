"""FS: what is not a path rule: mounts, quotas, depth, crashes, and what does not exist."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llmspell.config.paths import workspace_folder
from llmspell.tools.registry import get, list_tools
from tests.adversarial.fs_acts import Act, attempt, mounting, tree
from tests.adversarial.fs_cases import Expected
from tests.adversarial.proof import Control
from tests.adversarial.test_filesystem import assert_as_expected
from tests.e2e.program import LONGEST, Program

PROFILES = ("low", "medium", "high")

MOUNTS = """
mount -t tmpfs none proj/other
mount --bind /dev/shm proj/memory
mount --rbind /proc proj/kernel
echo there > proj/other/x
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_51_FS_62_mounts_in_a_granted_folder(
    program: Program, profile: str, control: Control
) -> None:
    for name in ("other", "memory", "kernel", "sub"):
        (program.folder / "proj" / name).mkdir(parents=True)
    program.write("proj/in.txt", "inside")
    program.write("proj/sub/a", "a")
    acts: tuple[Expected, ...] = (
        (("move", "proj/in.txt", "proj/other/in.txt"), "other_file_system"),
        (("move", "proj/other/x", "proj/x"), "other_file_system"),
        (
            ("move", "proj", "moved"),
            "denied {p}.files.write" if profile != "low" else "other_file_system",
        ),
        (("remove", "proj", {"recursive": True}), "other_file_system"),
        (("read", "proj/kernel/self/environ"), "denied files.special-filesystem"),
        (("list", "proj/kernel"), "denied files.special-filesystem"),
        (("append", "proj/memory/x", ""), "denied files.special-filesystem"),
        (("list", "proj/memory"), "denied files.special-filesystem"),
        (("remove", "proj/kernel", {"recursive": True}), "denied files.special-filesystem"),
    )
    twins: list[Act] = [
        ("list", "proj", {"recursive": True}),
        ("read", "proj/other/x"),
        ("move", "proj/in.txt", "proj/sub/in.txt"),
        ("remove", "proj/sub", {"recursive": True}),
    ]
    tried = attempt(
        program, [*(act for act, _ in acts), *twins],
        *("--profile", profile, "--allow-read", "proj", "--allow-write", "proj"),
        wrapper=mounting(MOUNTS),
    )  # fmt: skip
    assert_as_expected(acts, tried._replace(answers=tried.answers[: len(acts)]), profile)
    listed, *others = tried.answers[len(acts) :]
    control(others[0].value == "there\n" and all(one.kind == "worked" for one in others))
    # A walk goes into a disk of the user's and not into the kernel's.
    paths = {item["path"] for item in listed.value}
    assert "proj/other/x" in paths and {"proj/kernel", "proj/memory"} <= paths
    assert not [path for path in paths if path.startswith(("proj/kernel/", "proj/memory/"))]


LEVELS = {"scratch:": 250, "many/": 20}
"""Folders made by one call: each is judged by its whole path, so fewer calls are not faster."""
DEEP = """
local made, ok, e = 0, true, nil
local below = ("/d"):rep(params.levels - 1)
while ok and made < 12000 do
  ok, e = pcall(fs.mkdir, params.where .. made .. below, {parents = true})
  if ok then made = made + params.levels end
end
return {made, ok and "unbounded" or e.kind, e and e.rule or ""}
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_42_so_many_files_and_no_more(program: Program, profile: str, control: Control) -> None:
    """10 000 objects in the scratch, and added to the user's own folders."""
    (program.folder / "many").mkdir()
    for where in ("scratch:", "many/")[: 2 if profile == "low" else 1]:
        result = program.result(
            DEEP, ".lua", "--profile", profile, "--allow-write", "many",
            "--param", f"where={json.dumps(where)}", "--param", f"levels={LEVELS[where]}",
        )  # fmt: skip
        assert result["status"] == "done", result
        made, kind, rule = result["value"]
        control(made >= 9_000)
        assert made <= 10_000 and (kind, rule) == ("limit", "limit.scratch"), result
    on_disk = sum(len(folders) for _, folders, _ in os.walk(program.folder / "many"))
    assert on_disk <= 10_000


@pytest.mark.profile("medium")
def test_FS_42_a_workspace_counts_what_is_in_it(program: Program, control: Control) -> None:
    """Also what other runs left there: 9 995 files lie in it before."""
    source = """
    local made, ok, e = 0, true, nil
    while ok and made < 20 do
      ok, e = pcall(fs.write, "workspace:new" .. made, "")
      if ok then made = made + 1 end
    end
    return {made, e and e.kind, e and e.rule}
    """
    spell = program.write("spell.lua", source)
    kept = workspace_folder(str(spell), program.place.environ)
    assert kept is not None
    os.makedirs(kept, mode=0o700)
    for number in range(9_995):
        os.close(os.open(f"{kept}/{number}", os.O_CREAT | os.O_WRONLY, 0o600))
    result = program.result(source, ".lua", "--profile", "medium")
    made, kind, rule = result["value"]
    control(made > 0, "FS-42")
    assert (made, kind, rule) == (5, "limit", "limit.scratch")
    assert len(os.listdir(kept)) == 10_000
    shutil.rmtree(kept)


FILL = """
local piece, found = ("x"):rep(500000), {}
for _, where in ipairs(params.places) do
  local n, ok, e = 0, true, nil
  while ok and n < params.most do
    ok, e = pcall(fs.append, where .. (n % 4), piece)
    if ok then n = n + 1 end
  end
  local whole, why = pcall(fs.write, where .. "whole", piece:rep(5))
  local sparse, how = pcall(fs.write, where .. "sparse", "x", {offset = 1099511627776})
  found[#found + 1] = {n, ok and "unbounded" or tostring(e.rule),
    whole and "worked" or tostring(why.rule), sparse and "worked" or how.kind}
end
return found
"""
PIECE = 500_000
ON_DISK = {"low": "proj/f", "medium": "workspace:f", "high": "scratch:g"}


def filled(program: Program, profile: str, limit: str, most: int) -> tuple[Any, int]:
    """What filling disk and scratch came to, and the supervisor's largest memory in bytes."""
    program.write("fill.lua", FILL)
    places = [ON_DISK[profile], "scratch:f"]
    running = program.start(
        "run", "--output", "json", "--profile", profile, "--limit", f"scratch={limit}",
        "--param", f"places={json.dumps(places)}", "--param", f"most={most}",
        "--allow-write", "proj", "fill.lua", stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    peak = 0
    while not select.select([running.stdout], [], [], 0.005)[0]:
        peak = peak_memory(running.pid) or peak
    out = running.stdout.read()
    assert running.wait(LONGEST) == 0, out
    return json.loads(out)["value"], peak


def peak_memory(pid: int) -> int:
    """The largest resident memory of a process in bytes; 0 when it is gone.

    Not `ru_maxrss`: that begins with what the process held before its exec, which is pytest's.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_43_FS_44_bytes_on_disk_and_in_memory_are_bounded(
    program: Program, profile: str, control: Control
) -> None:
    """Appends in a loop, one large write, a hole of 1 TiB; in the scratch memory is what fills."""
    (program.folder / "proj").mkdir()
    refused, small = filled(program, profile, "2MiB", 64)
    on_disk = [path.stat().st_size for path in (program.folder / "proj").iterdir()]
    for path in (program.folder / "proj").iterdir():
        path.unlink()
    most = 32 if profile == "high" else 8
    free, large = filled(program, profile, "64MiB", most)
    control(all(found[:3] == [most, "unbounded", "worked"] for found in free))
    if profile == "high":
        assert large > small + 16 * PIECE, "what the quota holds back is memory of the supervisor"
    pieces = [found[0] for found in refused]
    assert pieces[0] == 4 and sum(pieces) <= 8, refused
    for found in refused:
        assert found[1:] == ["limit.scratch", "limit.scratch", "validation"], refused
    assert sum(on_disk) <= 2 << 20


def on_a_terminal(program: Program, *words: str) -> str:
    """What a command shows a person."""
    ours, theirs = pty.openpty()
    running = program.start(*words, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # how a terminal says that its other side is closed
            break
        shown += more
    os.close(ours)
    running.wait(LONGEST)
    return shown.decode()


MISLEADING = {
    "zero-width": "pay\u200broll", "bidi": "\u202etxt.exe", "isolate": "a\u2066b\u2069",
    "invisible": "a\u2062b", "filler": "a\u3164b", "joiner": "a\u034fb", "tag": "a\U000e0041b",
}  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_38_misleading_names_are_shown_escaped(
    program: Program, profile: str, control: Control
) -> None:
    """In a denial, in the list of what a spell asks for, and in the record."""
    wanted = [f"/srv/{name}" for name in MISLEADING.values()]
    raw = {character for path in wanted for character in path if not character.isascii()}
    requests = json.dumps([*wanted, "/srv/plain"], ensure_ascii=False)
    program.write(
        "names.lua",
        f"-- /// spell\n-- [requests]\n-- read = {requests}\n-- ///\n"
        "local said = {}\n"
        "for _, path in ipairs(params.paths) do\n"
        "  local ok, e = pcall(fs.read, path) said[#said + 1] = e.message\n"
        "end\n"
        "error(table.concat(said, ' ') .. ' /srv/plain')",
    )
    given = ("--profile", profile, "--audit", "names.jsonl", "--param", f"paths={requests}")
    denial = on_a_terminal(program, "run", *given, "names.lua")
    asked = on_a_terminal(program, "explain", "--profile", profile, "names.lua")
    for shown in (denial, asked):
        control("/srv/plain" in shown)
        assert not raw & set(shown), shown
        assert shown.count("\\u{") >= len(MISLEADING), shown
    record = (program.folder / "names.jsonl").read_bytes()
    assert record.isascii() and record.count(b'"allowed":false') == len(MISLEADING) + 1


TOOLS = """
local out = {}
for _, try in ipairs(params.tries) do
  local ok, found = pcall(Tools.execute, try[1], try[2])
  out[#out + 1] = ok and {"worked", found.result} or {found.kind, tostring(found.rule), found.code}
end
return out
"""


def by_tools(
    program: Program, tries: list[tuple[str, dict[str, Any]]], *flags: str
) -> list[list[Any]]:
    """What each tool came to."""
    given = ("--param", f"tries={json.dumps(tries)}", "--audit", "tools.jsonl")
    (program.folder / "tools.jsonl").unlink(missing_ok=True)
    result = program.result(TOOLS, ".lua", *flags, *given)
    assert result["status"] == "done", result
    found: list[list[Any]] = result["value"]
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_01_FS_03_FS_12_FS_29_by_the_tools(
    program: Program, tmp_path: Path, profile: str, control: Control
) -> None:
    """A tool reads and writes what its spell may, and by the same way."""
    (tmp_path / "outside.txt").write_text("outside")
    program.write("proj/in.txt", "inside")
    program.write("proj/ro/r.txt", "read me")
    (program.folder / "proj/link").symlink_to(tmp_path / "outside.txt")
    program.write(
        "p.toml",
        f'extends = "{profile}"\n[files]\nread = ["proj"]\nwrite = ["proj"]\n'
        'deny_write = ["proj/ro"]\n',
    )
    before = tree(tmp_path, "work")
    reading = [
        (name, {"path": path})
        for name in ("file_reader", "directory_lister")
        for path in ("../outside.txt", "proj/../../outside.txt", "/etc/passwd", "proj/link", "..")
    ]
    writing = [
        ("file_writer", {"path": path, "content": "x", "mode": mode})
        for path in ("../outside.txt", "/etc/llmspell-test", "proj/link", "proj/ro/r.txt",
                     "proj/conftest.py", "proj/.git/hooks/x", "proj/.GIT/config")
        for mode in ("overwrite", "append")
    ]  # fmt: skip
    twins = [("file_reader", {"path": "proj/in.txt"}),
             ("file_writer", {"path": "proj/new.txt", "content": "x"})]  # fmt: skip
    found = by_tools(program, [*reading, *writing, *twins], "--policy", "p.toml")
    control([what[0] for what in found[-2:]] == ["worked", "worked"])
    for try_, what in zip([*reading, *writing], found, strict=False):
        assert what[0] == "denied" and what[2] == 4008, (try_, what)
    denials = (program.folder / "tools.jsonl").read_text().count('"allowed":false')
    assert denials >= len(reading) + len(writing)
    assert tree(tmp_path, "work") == before
    assert (program.folder / "proj/ro/r.txt").read_text() == "read me"
    assert not (program.folder / "proj/conftest.py").exists()


def bombs(folder: Path) -> dict[str, int]:
    """Archives of the kinds that hurt, and how much each would become."""
    with zipfile.ZipFile(folder / "inner.zip", "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("zeros", bytes(30_000_000))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as outer:
        outer.write(folder / "inner.zip", "inner.zip")
        outer.writestr("../slipped.txt", "slipped")
    with tarfile.open(folder / "link.tar", "w") as archive:
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, ".."
        archive.addfile(link)
        through = tarfile.TarInfo("way/through.txt")
        through.size = 1
        archive.addfile(through, io.BytesIO(b"x"))
    (folder / "zeros.gz").write_bytes(gzip.compress(bytes(30_000_000)))
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_46_FS_47_nothing_unpacks(
    program: Program, tmp_path: Path, profile: str, control: Control
) -> None:
    """Every tool that takes a path is given each archive: no file more, no byte more."""
    proj = program.folder / "proj"
    proj.mkdir()
    sizes = bombs(proj)
    before = tree(tmp_path, "work"), tree(proj)
    # A tool that unpacks would say so: then this case asks for its bounds.
    words = " ".join(f"{entry.name} {get(entry.name).describe()}" for entry in list_tools())
    assert not re.search(r"(?i)\b(unzip|unpack|archive|zip|tar|gzip)\b", words)
    tries: list[tuple[str, dict[str, Any]]] = [
        (tool, given)
        for name in sizes
        for tool, given in (
            ("file_reader", {"path": f"proj/{name}", "encoding": "base64"}),
            ("directory_lister", {"path": f"proj/{name}", "recursive": True}),
            ("directory_lister", {"path": f"proj/{name}/zeros"}),
            ("csv_processor", {"operation": "read", "file_path": f"proj/{name}"}),
        )
    ]
    found = by_tools(program, tries, "--profile", profile, "--allow-read", "proj",
                     "--allow-write", "proj")  # fmt: skip
    for (tool, given), what in zip(tries, found, strict=True):
        if tool == "file_reader":
            name = given["path"].rpartition("/")[2]
            content = base64.b64decode(what[1])
            control(content == (proj / name).read_bytes(), "FS-46")
        else:
            # What is no archive's content may still be read as a table of one odd row.
            size = (
                (proj / str(given.get("file_path", given.get("path"))).split("/")[1]).stat().st_size
            )
            assert what[0] != "worked" or len(str(what[1])) < 8 * size, (tool, given)
    assert (tree(tmp_path, "work"), tree(proj)) == before
    # The same archives in the hands of something that does unpack.
    free = tmp_path / "free" / "inside"
    free.mkdir(parents=True)
    with zipfile.ZipFile(proj / "inner.zip") as archive:
        archive.extractall(free)
    control((free / "zeros").stat().st_size > 1_000 * sizes["inner.zip"], "FS-46")
    subprocess.run(["tar", "-P", "-xf", proj / "link.tar"], cwd=free, check=True)
    control((tmp_path / "free" / "through.txt").exists(), "FS-47")
