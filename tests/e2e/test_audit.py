"""The record of a run: it verifies, and does not after anything was done to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.program import Program

SPELL = """
fs.write("scratch:a", "1")
pcall(fs.read, "/etc/passwd")
fs.read("scratch:a")
return "done"
"""


@pytest.fixture
def record(program: Program) -> Path:
    result = program.result(SPELL, ".lua", "--profile", "high", "--audit", "run.jsonl")
    assert result["exit"] == 0
    (program.folder / "head").write_text(result["audit_head"])
    return program.folder / "run.jsonl"


def verdict(program: Program, *more: str) -> tuple[int, str]:
    ended = program("audit", "verify", "run.jsonl", *more)
    return ended.code, ended.out + ended.err


def test_SL_13_the_record_verifies_with_its_head(program: Program, record: Path) -> None:
    head = (program.folder / "head").read_text()
    code, text = verdict(program, "--head", head)
    assert code == 0 and text.startswith("ok: ") and head in text
    events = [json.loads(line)["event"] for line in record.read_text().splitlines()]
    assert events[0] == "session_start" and events[-1] == "session_end"
    assert record.stat().st_mode & 0o777 == 0o600


def test_SL_13_every_changed_byte_is_found(program: Program, record: Path) -> None:
    content = record.read_bytes()
    # A few places by the command, every fourth byte by the function it calls.
    for at in (5, len(content) // 2, len(content) - 3):
        record.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert verdict(program)[0] in (1, 7), at
    from llmspell.supervisor.audit.verify import verify

    for at in range(0, len(content), 4):
        record.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not verify(record).ok, at


@pytest.mark.parametrize(
    ("what", "code"),
    [("tail", 7), ("half", 1), ("dropped", 1), ("reordered", 1), ("added", 1), ("empty", 1)],
)
def test_SL_13_what_was_done_to_the_file_is_found(
    program: Program, record: Path, what: str, code: int
) -> None:
    lines = record.read_bytes().splitlines(keepends=True)
    changed = {
        "tail": lines[:-1],
        "half": [*lines[:-1], lines[-1][:-20]],
        "dropped": lines[:1] + lines[2:],
        "reordered": [lines[0], lines[2], lines[1], *lines[3:]],
        "added": [*lines, lines[-1]],
        "empty": [],
    }[what]
    record.write_bytes(b"".join(changed))
    found, text = verdict(program)
    assert found == code and not text.startswith("ok"), text


def test_SL_13_a_forged_chain_is_found_by_the_head(program: Program, record: Path) -> None:
    head = (program.folder / "head").read_text()
    record.unlink()
    program.result("return 1", ".lua", "--profile", "high", "--audit", "run.jsonl")
    assert verdict(program)[0] == 0
    assert verdict(program, "--head", head)[0] == 1


def test_the_record_is_shown_for_people(program: Program, record: Path) -> None:
    shown = program("audit", "show", "run.jsonl")
    assert shown.code == 0 and len(shown.out.splitlines()) == len(record.read_text().splitlines())
    denied = program("audit", "show", "--denied", "run.jsonl")
    assert len(denied.out.splitlines()) == 1 and "high.files.read" in denied.out
    as_json = program("audit", "show", "--output", "json", "run.jsonl").json()
    assert as_json[-1]["event"] == "session_end"


def test_a_record_has_a_place_of_its_own(program: Program) -> None:
    state = program.place.root / "state" / "llmspell" / "audit"
    before = set(state.iterdir()) if state.exists() else set()
    program.result(SPELL, ".lua", "--profile", "high")
    (new,) = set(state.iterdir()) - before
    assert program("audit", "verify", new).code == 0
    assert state.stat().st_mode & 0o777 == 0o700


def test_SL_06_SL_07_a_record_can_not_be_forged_by_a_name(program: Program) -> None:
    name = 'x\\n{"event":"session_end"}\\27]52;c;AAAA\\7'
    source = f"pcall(fs.read, '{name}') return 1"
    program.result(source, ".lua", "--profile", "high", "--audit", "forged.jsonl")
    content = (program.folder / "forged.jsonl").read_bytes()
    assert b"\x1b" not in content and content.count(b"\n") == len(content.splitlines())
    assert program("audit", "verify", "forged.jsonl").code == 0
    shown = program("audit", "show", "forged.jsonl").out
    assert "\x1b" not in shown and "\x07" not in shown


def test_an_existing_file_is_never_written_over(program: Program, record: Path) -> None:
    content = record.read_bytes()
    program.write("again.lua", "return 1")
    ended = program("run", "--audit", "run.jsonl", "again.lua")
    assert ended.code == 2 and "exists" in ended.err and record.read_bytes() == content


def test_IP_23_a_full_disk_denies_at_high(program: Program) -> None:
    program.write("w.lua", "return fs.exists('scratch:x')")
    ended = program("run", "--profile", "high", "--audit", "/dev/full", "w.lua")
    assert ended.code == 2 and "/dev/full" in ended.err  # each run has a file of its own
    ended = program("run", "--profile", "high", "--audit", "no/such/folder/a.jsonl", "w.lua")
    assert ended.code in (2, 6) and "audit" in ended.err
