"""SL: what people are shown on a terminal and in the record, and what a terminal is to a worker."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmspell.supervisor.audit import log as audit_log
from llmspell.supervisor.audit.log import AuditLog
from llmspell.supervisor.audit.show import sentence, show
from llmspell.supervisor.audit.verify import verify
from tests.adversarial.conftest import ATTACKERS
from tests.adversarial.proof import Control
from tests.attackers import build
from tests.e2e.program import Program

PROFILES = ["low", "medium", "high"]
CLOAKED = '\\u{202e}fdp\\u{200b}\\u{2028}","allowed", true'
"""What a path may hold: no control character, but what forges JSON or turns text around."""
EVIL = 'x\\n{"event":"decision","allowed":true}\\r\\27]52;c;QUFB\\7\\27[2J\\u{202e}fdp\\u{200b}'


def on_a_terminal(program: Program, *words: str, rows: bytes = b"") -> str:
    """Everything that the command writes to its terminal."""
    ours, theirs = pty.openpty()
    running = program.start(*words, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break  # the other side is closed
        if not more:
            break
        shown += more
    os.close(ours)
    running.wait(60)
    return shown.decode()


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character in "\r\n\t" for character in text)


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_07_SL_08_SL_12_a_terminal_is_shown_escaped_text(
    program: Program, control: Control, profile: str
) -> None:
    long = "/" + "/".join(["deep" * 30] * 12)
    program.write("t.lua", f"print('{EVIL}') log.error('{EVIL}') fs.read('/evil/{CLOAKED}')")
    plain = program("run", "--profile", profile, "t.lua")
    shown = on_a_terminal(program, "run", "--profile", profile, "t.lua")
    control("\x1b[2J" in plain.out and "\u202e" in plain.out, "SL-07", "SL-08")
    assert plain.code == 3 and is_harmless(shown) and "\\x1b" in shown, shown
    assert "denied read" in shown and "fdp" in shown
    # A log goes to a pipe as it is; llmspell's own words are escaped wherever they go.
    assert is_harmless("".join(line for line in plain.err.split("\n") if "denied" in line))
    program.write("long.lua", f"fs.read('{long}')")
    program.write("short.lua", "fs.read('/short/path')")
    told = on_a_terminal(program, "run", "--profile", profile, "long.lua")
    brief = on_a_terminal(program, "run", "--profile", profile, "short.lua")
    control("denied read /short/path" in brief, "SL-12")
    line = next(line for line in told.splitlines() if "denied" in line)
    assert line.index("denied read") < 40, line
    assert f"{profile}.files.read" in told


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_08_SL_11_a_spells_words_are_marked_as_its_own(
    program: Program, control: Control, profile: str
) -> None:
    program.write(
        "asks.lua",
        '-- /// spell\n-- description = "approved by admin\\u001b[31m \\u202e"\n'
        '-- [requests]\n-- read = ["' + "a" * 400 + '", "in\\u202efdp"]\n-- ///\nreturn 1',
    )
    told = program("explain", "--profile", profile, "asks.lua")
    assert told.code == 0 and is_harmless(told.out), told.out
    assert 'the spell says of itself: "approved by admin' in told.out
    assert all(len(line) < 600 for line in told.out.splitlines() if "--allow-read" in line)
    program.write(
        "plain.lua",
        '-- /// spell\n-- description = "reads"\n-- [requests]\n-- read = ["in"]\n-- ///\nreturn 1',
    )
    plain = program("explain", "--profile", profile, "plain.lua").out
    control('the spell says of itself: "reads"' in plain and "--allow-read in" in plain)


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_06_a_field_can_not_forge_a_record(
    program: Program, control: Control, profile: str
) -> None:
    source = "local told = {} for i, path in ipairs({%s}) do told[i] = (pcall(fs.read, path)) end"
    words = ("--profile", profile, "--audit", "a.jsonl")
    evil = f"'/{CLOAKED}', '/nul\\0byte', '/{EVIL}', '/{CLOAKED}'"
    ended = program.result(source % evil + " return told", ".lua", *words)
    assert ended["value"] == [False] * 4
    raw = (program.folder / "a.jsonl").read_bytes()
    assert all(32 <= byte < 127 for byte in raw.replace(b"\n", b"")), raw
    kept = [json.loads(line) for line in raw.splitlines()]
    refused = [item for item in kept if item.get("allowed") is False]
    # What holds a control character is refused before it is judged, and that is on record, too.
    assert [item["rule"] for item in refused] == [f"{profile}.files.read"] * 2, refused
    assert all(item["target"].startswith("/\u202efdp") for item in refused)
    failed = [item["code"] for item in kept if item["event"] == "failed_call"]
    assert failed == [2002, 2002] and not any(item.get("allowed") for item in kept), kept
    assert verify(program.folder / "a.jsonl").ok
    (program.folder / "a.jsonl").unlink()
    program.result(source % "'/a', '/b'" + " return told", ".lua", *words)
    twin = (program.folder / "a.jsonl").read_bytes().splitlines()
    control(sum(b'"allowed":false' in line for line in twin) == 2)


Edit = Callable[[list[bytes]], list[bytes]]
EDITS: dict[str, Edit] = {
    "drop": lambda lines: [*lines[:2], *lines[3:]],
    "reorder": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "edit": lambda lines: [line.replace(b"/etc/b", b"/etc/x") for line in lines],
    "truncate": lambda lines: lines[:-1],
    "cut": lambda lines: [*lines[:-1], lines[-1][:-9]],
    "repeat": lambda lines: [*lines[:2], lines[1], *lines[2:]],
}


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_13_a_changed_record_is_found(program: Program, control: Control, profile: str) -> None:
    source = "for _, n in ipairs({'a', 'b', 'c'}) do pcall(fs.read, '/etc/' .. n) end"
    program.result(source, ".lua", "--profile", profile, "--audit", "a.jsonl")
    path = program.folder / "a.jsonl"
    control(verify(path).ok and program("audit", "verify", path).code == 0)
    lines = path.read_bytes().splitlines(keepends=True)
    for name, edit in EDITS.items():
        changed = edit(list(lines))
        assert changed != lines
        path.write_bytes(b"".join(changed))
        report = verify(path)
        assert report.status in ("broken", "incomplete") and report.what, (name, report)
    assert program("audit", "verify", path).code != 0


@pytest.mark.profile("none", "low", "medium", "high")
def test_SL_14_records_are_capped_and_counted(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log knows no profile; a run of 100 000 records would take longer than it shows."""

    def told(records: int) -> dict[str, Any]:
        log = AuditLog.open(None, f"s{records}", folder=str(tmp_path / "a"))
        log.record("session_start", {})
        for index in range(records):
            log.record("decision", {"target": str(index), "allowed": False})
        log.close({})
        assert log.path is not None and verify(Path(log.path)).ok
        lines = Path(log.path).read_text().splitlines()
        return {"lines": len(lines), **json.loads(lines[-1])["details"]}

    assert audit_log.RECORDS_MAX <= 1_000_000
    monkeypatch.setattr(audit_log, "RECORDS_MAX", 10)
    within = told(5)
    control(within["lines"] == 7 and not within.get("dropped"))
    over = told(100)
    assert over["lines"] <= 12 and over["dropped"] >= 90, over


TERMINAL = (
    "window", "settings", "group", "push", "push_high_bits", "console", "console_high_bits",
    "take", "take_group", "raw", "open_tty", "open_console", "open_ptmx",
)  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_16_SL_17_a_worker_has_no_terminal(
    program: Program, control: Control, profile: str
) -> None:
    """A supervisor on a terminal of its own; a program in the worker's place tries to get at it."""
    attacker = build.program("terminal")
    order = {
        "argv": [attacker, "@plan", "@lib", "@engine"],
        "audit": "t.jsonl",
        "profile": profile,
    }
    outside = in_session(program, "may", [attacker, "free"])
    works = {act for act, error in outside.items() if not error}
    control({"window", "settings", "group", "open_tty"} <= works)
    command = [sys.executable, str(ATTACKERS / "impostor.py"), json.dumps(order)]
    result = in_session(program, "may not", command)
    assert result["status"] == "done", result
    assert set(result["value"]) == set(TERMINAL)
    assert not {act for act, error in result["value"].items() if not error}, result["value"]
    assert result["typed"] == "", "nothing was pushed into the terminal's input"


LEADER = """
import fcntl, os, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
before = termios.tcgetattr(0)
done = subprocess.run(sys.argv[2:], stdout=3, pass_fds=[3])
assert sys.argv[1] == "may" or termios.tcgetattr(0) == before, "left raw"
sys.exit(done.returncode)
"""


def in_session(program: Program, change: str, words: list[str]) -> dict[str, Any]:
    """What a command prints that has a terminal, with what is in the terminal's input later."""
    ours, theirs = pty.openpty()
    read, write = os.pipe()
    launcher = f"import os; os.dup2({write}, 3); import sys; exec({LEADER!r})"
    running = subprocess.Popen(
        [sys.executable, "-c", launcher, change, *words],
        cwd=program.folder,
        env=program.place.environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=[write],
    )
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        told = answer.read()
    code = running.wait(60)
    os.set_blocking(theirs, False)
    try:
        typed = os.read(theirs, 100).decode()
    except BlockingIOError:
        typed = ""
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        said = os.read(ours, 65536).decode()
    except OSError:
        said = ""
    os.close(ours)
    assert code == 0, said
    found: dict[str, Any] = json.loads(told)
    return {**found, "typed": typed} if "status" in found else found


def test_what_is_shown_of_a_record_is_one_line_each(program: Program) -> None:
    """`audit show` of hostile fields: a person reads it on a terminal, too."""
    program.result(f"pcall(fs.read, '/{CLOAKED}')", ".lua", "--audit", "a.jsonl")
    for record in show(program.folder / "a.jsonl"):
        assert sentence(record).isprintable()
    shown = on_a_terminal(program, "audit", "show", "a.jsonl")
    assert is_harmless(shown) and len(re.findall("denied", shown)) == 1, shown
