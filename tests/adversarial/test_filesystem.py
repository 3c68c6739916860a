"""FS: the ways around a path rule, through the brokered API; each beside a path that is granted."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

import pytest

from tests.e2e.program import Ended, Program

ATTEMPT = """
local out = {}
for _, a in ipairs(params.attempts) do
  local ok, e = pcall(fs[a[1]], table.unpack(a, 2))
  local typed = not ok and type(e) == "table"
  out[#out + 1] = ok and "worked" or typed and e.kind .. ":" .. tostring(e.rule) or "raw"
end
return out
"""


def attempts(
    program: Program, tries: list[list[Any]], *flags: str, profile: str = "high"
) -> list[str]:
    """What each call of `fs` came to: "worked" or "kind:rule"."""
    flags = ("--profile", profile, "--audit", "fs.jsonl", *flags)
    (program.folder / "fs.jsonl").unlink(missing_ok=True)
    given = ("--param", f"attempts={json.dumps(tries)}")
    result = program.result(ATTEMPT, ".lua", *flags, *given)
    assert result["status"] == "done", result
    verified = program("audit", "verify", "fs.jsonl")
    assert verified.code == 0, verified
    value: list[str] = result["value"]
    assert len(value) == len(tries)
    return value


def denied_ones(program: Program) -> list[str]:
    """The targets that the record calls denied."""
    lines = (program.folder / "fs.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [item.get("target", "") for item in records if item.get("allowed") is False]


@pytest.fixture
def granted(program: Program) -> Program:
    """A granted folder `proj` beside what must not be touched."""
    program.write("proj/in.txt", "inside")
    program.write("proj-secret/s.txt", "secret")
    program.write("outside.txt", "outside")
    (program.folder / "proj" / "absolute").symlink_to(program.folder / "outside.txt")
    (program.folder / "proj" / "relative").symlink_to("../outside.txt")
    (program.folder / "proj" / "chain").symlink_to("relative")
    (program.folder / "proj" / "folder").symlink_to("../proj-secret")
    (program.folder / "proj" / "self").symlink_to("self")
    (program.folder / "proj" / "within").symlink_to("in.txt")
    os.mkfifo(program.folder / "proj" / "fifo")
    return program


FLAGS = ("--allow-read", "proj", "--allow-write", "proj")
OPERATIONS = ("read", "list", "stat", "remove", "mkdir")
OUTSIDE = (
    "../outside.txt",
    "proj/../outside.txt",
    "proj/./../outside.txt",
    "proj/x/../../outside.txt",
    "proj//..//outside.txt",
    "/etc/passwd",
    "//etc/passwd",
    "/etc/../etc/passwd",
    "proj-secret/s.txt",
    "/proc/self/root/etc/passwd",
    "/proc/self/cwd/outside.txt",
    "/proc/self/exe",
    "/proc/self/environ",
    "/proc/1/cmdline",
    "/dev/mem",
    "/dev/tty",
    "/dev/zero",
    "/sys/kernel",
    "~/.ssh/id_rsa",
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_FS_01_FS_14_FS_16_FS_24_FS_34_nothing_outside_the_grant(
    granted: Program, operation: str
) -> None:
    found = attempts(granted, [[operation, path] for path in OUTSIDE], *FLAGS)
    for path, what in zip(OUTSIDE, found, strict=True):
        # A folder called "~" inside the working folder would be absent, not forbidden.
        assert what.startswith(("denied:high.files", "denied:protected", "validation:")), (
            path,
            what,
        )
    assert len(denied_ones(granted)) >= len(OUTSIDE) - 2
    assert (granted.folder / "outside.txt").read_text() == "outside"
    allowed = {"mkdir": "proj/new", "list": "proj", "remove": "proj/in.txt"}
    control = allowed.get(operation, "proj/in.txt")
    assert attempts(granted, [[operation, control]], *FLAGS) == ["worked"]


def test_FS_03_FS_04_links_never_lead_out(granted: Program) -> None:
    names = ("absolute", "relative", "chain", "folder/s.txt", "self")
    tries = [[op, f"proj/{name}"] for name in names for op in ("read", "append", "stat")]
    tries = [[*item, "x"] if item[0] == "append" else item for item in tries]
    found = attempts(granted, tries, *FLAGS)
    content = [what for item, what in zip(tries, found, strict=True) if item[0] != "stat"]
    assert "worked" not in content and "raw" not in content, found
    assert (granted.folder / "outside.txt").read_text() == "outside"
    assert (granted.folder / "proj-secret/s.txt").read_text() == "secret"
    assert attempts(granted, [["read", "proj/in.txt"]], *FLAGS) == ["worked"]


def test_FS_02_FS_39_FS_41_spellings_that_are_no_path(granted: Program) -> None:
    bad = ["proj/in.txt\0.png", "\0", "C:\\x", "\\\\?\\C:\\x", "\\\\.\\pipe\\x",
           "proj/" + "a" * 256, "a/" * 2048 + "b", "", "proj/\x1b[2J"]  # fmt: skip
    for operation in ("read", "stat", "list", "remove"):
        found = attempts(granted, [[operation, path] for path in bad], *FLAGS)
        assert "worked" not in found and "raw" not in found, list(zip(bad, found, strict=True))


def test_FS_08_FS_09_FS_11_FS_12_moves_do_not_launder(granted: Program) -> None:
    tries: list[list[Any]] = [
        ["move", "proj/in.txt", "outside2.txt"],
        ["move", "outside.txt", "proj/stolen.txt"],
        ["move", "proj-secret", "proj/taken"],
        ["move", "proj/in.txt", "outside.txt"],
        ["move", "proj/folder/s.txt", "proj/s.txt"],
        ["write", "outside.txt", ""],
        ["append", "proj/relative", "x"],
    ]
    found = attempts(granted, tries, *FLAGS)
    assert not {"worked", "raw"} & set(found), found
    assert (granted.folder / "outside.txt").read_text() == "outside"
    assert not (granted.folder / "outside2.txt").exists()
    assert attempts(granted, [["move", "proj/in.txt", "proj/out.txt"]], *FLAGS) == ["worked"]


def test_FS_12_a_read_grant_writes_nothing(granted: Program) -> None:
    tries: list[list[Any]] = [
        ["write", "proj/in.txt", "x"], ["append", "proj/in.txt", "x"], ["remove", "proj/in.txt"],
        ["mkdir", "proj/new"], ["move", "proj/in.txt", "proj/o.txt"], ["write", "proj/new.txt", ""],
    ]  # fmt: skip
    found = attempts(granted, tries, "--allow-read", "proj")
    assert all(what.startswith("denied:high.files.write") for what in found), found
    assert (granted.folder / "proj/in.txt").read_text() == "inside"


def test_FS_23_FS_26_a_pipe_in_a_files_place_does_not_hang(granted: Program) -> None:
    begun = time.monotonic()
    found = attempts(granted, [["read", "proj/fifo"], ["append", "proj/fifo", "x"]], *FLAGS)
    assert time.monotonic() - begun < 5 and not {"worked", "raw"} & set(found)


PROTECTED = (
    ".git/hooks/pre-commit", ".git/config", ".bashrc", ".profile", ".zshrc",
    ".vscode/tasks.json", ".mcp.json", "conftest.py", "sitecustomize.py", "evil.pth",
    "sub/.git/hooks/x", "sub/conftest.py",
)  # fmt: skip


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_FS_29_what_becomes_code_later_is_not_written(granted: Program, profile: str) -> None:
    (granted.folder / "proj/.git/hooks").mkdir(parents=True)
    (granted.folder / "proj/sub").mkdir()
    tries = [["write", f"proj/{name}", "x"] for name in PROTECTED]
    tries += [["mkdir", "proj/sub/.git"], ["move", "proj/in.txt", "proj/conftest.py"]]
    found = attempts(granted, tries, *FLAGS, profile=profile)
    assert all(what.startswith("denied:") for what in found), list(zip(tries, found, strict=True))
    assert not (granted.folder / "proj/conftest.py").exists()
    plain = [["write", "proj/tests.py", "x"]]
    assert attempts(granted, plain, *FLAGS, profile=profile) == ["worked"]


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_FS_32_llmspells_own_folders_are_never_reached(granted: Program, profile: str) -> None:
    own = [str(granted.place.root / kind / "llmspell") for kind in ("state", "config")]
    own.append(granted.place.environ["XDG_CACHE_HOME"] + "/llmspell")
    tries = [
        [op, f"{folder}/{name}", *more]
        for folder in own
        for op, name, more in (("read", "x", ()), ("write", "y", ("z",)), ("list", "", ()))
    ]
    flags = [word for folder in own for word in ("--allow-read", folder, "--allow-write", folder)]
    found = attempts(granted, tries, *flags, profile=profile)
    assert not {"worked", "raw"} & set(found), list(zip(tries, found, strict=True))


def test_FS_33_the_most_specific_rule_wins_in_both_orders(granted: Program) -> None:
    granted.write("proj/deny/s.txt", "secret")
    granted.write("proj/deny/open/o.txt", "open")
    tables = (
        'read = ["proj", "proj/deny/open"]\ndeny_read = ["proj/deny"]',
        'deny_read = ["proj/deny"]\nread = ["proj/deny/open", "proj"]',
    )
    for table in tables:
        granted.write("p.toml", f'extends = "high"\n[files]\n{table}\n')
        given = json.dumps(
            [["read", f"proj/{name}"] for name in ("in.txt", "deny/s.txt", "deny/open/o.txt")]
        )
        granted.write("s.lua", ATTEMPT)
        ended: Ended = granted(
            "run", "--policy", "p.toml", "--output", "json", "--param", f"attempts={given}", "s.lua"
        )
        value = ended.json()["value"]
        assert value[0] == "worked" and value[1].startswith("denied"), value
        assert value[2] == "worked", value


def test_FS_48_FS_49_hidden_and_absent_look_the_same(granted: Program) -> None:
    paths = ["/etc/passwd", "/etc/no-such-file", "/no/such/folder/x"]
    for operation in ("stat", "read", "list"):
        found = attempts(granted, [[operation, path] for path in paths], *FLAGS)
        assert len(set(found)) == 1 and found[0].startswith("denied:"), found
    source = "return {fs.exists('/etc/passwd'), fs.exists('/etc/none'), fs.exists('proj/in.txt')}"
    result = granted.result(source, ".lua", "--profile", "high", *FLAGS)
    assert result["value"] == [False, False, True]


def test_FS_42_FS_43_scratch_and_workspace_are_bounded(program: Program) -> None:
    fill = """
    local n, ok, e = 0, true, nil
    local piece = ("x"):rep(500000)
    while ok and n < 200 do
      ok, e = pcall(fs.append, params.where, piece)
      n = n + 1
    end
    return {n, ok, e and e.kind or "none", e and e.rule or "none"}
    """
    for profile, where in (("high", "scratch:f"), ("medium", "workspace:f")):
        flags = ("--profile", profile, "--limit", "scratch=4MiB", "--param", f"where={where}")
        value = program.result(fill, ".lua", *flags)["value"]
        assert value[1] is False and 8 <= value[0] <= 9 and "scratch" in value[3], value
    # Slower than others: ten thousand files are made before the quota says no.
    many = """
    local ok, e, n = true, nil, 0
    while ok and n < 12000 do
      n = n + 1
      ok, e = pcall(fs.write, params.where .. n, "")
    end
    return {n, e and e.kind or "none"}
    """
    for profile, where in (("high", "scratch:f"), ("medium", "workspace:f")):
        limits = ("--limit", "calls=unlimited", "--limit", "wall=600s")
        chosen = ("--profile", profile, *limits, "--param", f"where={where}")
        result = program.result(many, ".lua", *chosen)
        assert result["status"] == "done" and result["value"][0] <= 10_001, result


@pytest.mark.parametrize("what", ["file", "folder"])
def test_FS_06_FS_07_swapped_links_are_never_followed(granted: Program, what: str) -> None:
    """Slower than others: it reads while another process swaps file and link."""
    place = granted.folder / "proj"
    honest, link, name = place / "honest", place / "evil", place / "swapped"
    if what == "file":
        honest.write_text("inside")
        link.symlink_to("../outside.txt")
        path, leak = "proj/swapped", "outside"
    else:
        honest.mkdir()
        (honest / "s.txt").write_text("inside")
        link.symlink_to("../proj-secret")
        path, leak = "proj/swapped/s.txt", "secret"
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(honest, name)
            os.rename(name, honest)
            os.rename(link, name)
            os.rename(name, link)

    source = """
    local seen, worked = {}, 0
    for i = 1, 8000 do
      local ok, text = pcall(fs.read, params.path)
      if ok then seen[text] = true worked = worked + 1 end
    end
    local texts = {}
    for text in pairs(seen) do texts[#texts + 1] = text end
    return {texts, worked}
    """
    flags = ("--profile", "high", "--limit", "calls=unlimited", *FLAGS)
    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        result = granted.result(source, ".lua", *flags, "--param", f"path={path}")
    finally:
        stop.set()
        swapper.join()
    texts, worked = result["value"]
    assert texts == ["inside"] and worked > 5, (result["value"], leak)
