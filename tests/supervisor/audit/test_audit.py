"""The audit: written before the act, checkable afterwards, bounded, never half a record."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import ConfigurationError, Denied, UsageError
from llmspell.policies.policy import AuditRules
from llmspell.policies.verdict import allow
from llmspell.supervisor.audit import log as log_module
from llmspell.supervisor.audit import places
from llmspell.supervisor.audit.log import AuditFailure, AuditLog
from llmspell.supervisor.audit.records import canonical, seal
from llmspell.supervisor.audit.show import Filter, sentence, show
from llmspell.supervisor.audit.verify import verify
from llmspell.supervisor.masking import MASK, Masker
from tests.supervisor.services.desk import Desk


def written(folder: Path, records: int = 3, session: str = "s1") -> AuditLog:
    log = AuditLog.open(None, session, folder=str(folder / "audit"))
    log.record("session_start", {"spell": "x.lua", "profile": "high"})
    for index in range(records):
        log.record(
            "decision",
            {"origin": "spell", "action": "read", "target": f"f{index}", "allowed": index % 2 == 0},
            effect=True,
        )
    log.close({"status": "done"})
    return log


def path_of(log: AuditLog) -> Path:
    assert log.path is not None
    return Path(log.path)


def test_a_whole_file_is_ok(tmp_path: Path) -> None:
    log = written(tmp_path)
    report = verify(path_of(log), expected_head=log.head)
    assert report.ok and report.records == 5 and report.head == log.head
    assert stat.S_IMODE(path_of(log).stat().st_mode) == 0o600
    assert stat.S_IMODE(path_of(log).parent.stat().st_mode) == 0o700
    first = json.loads(path_of(log).read_bytes().splitlines()[1])
    names = ["seq", "time", "session", "event", "origin", "target", "allowed", "prev", "hash"]
    assert set(names) <= set(first)


Edit = Callable[[list[bytes]], list[bytes]]


def resealed(lines: list[bytes]) -> list[bytes]:
    """The chain made right again by somebody who can write the file."""
    head, result = "0" * 64, []
    for line in lines:
        record = json.loads(line)
        record.pop("hash")
        record.pop("prev")
        new, head = seal(record, head)
        result.append(new.rstrip(b"\n"))
    return result


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (lambda lines: lines[1:], "broken"),
        (lambda lines: lines[:1] + lines[2:], "broken"),
        (lambda lines: lines[:-1], "incomplete"),
        (lambda lines: lines[:1], "incomplete"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "broken"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "broken"),
        (lambda lines: [lines[0], lines[1].replace(b"f0", b"f9"), *lines[2:]], "broken"),
        (lambda lines: [lines[0], lines[1].replace(b'"f0"', b' "f0"'), *lines[2:]], "broken"),
        (lambda lines: [*lines, lines[-1]], "broken"),
        (lambda lines: [*lines, b""], "broken"),
        (lambda lines: [*lines, b"junk"], "broken"),
        (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], "broken"),
        (lambda lines: [lines[0], b"[" * 100_000, *lines[2:]], "broken"),
        (lambda lines: [lines[0] + b"\r", *lines[1:]], "broken"),
        (lambda lines: [], "broken"),
        # A chain made anew, with records left out: the end record counts them.
        (lambda lines: resealed(lines[:2] + lines[3:]), "broken"),
    ],
)
def test_SL_13_tampering_is_found(tmp_path: Path, edit: Edit, status: str) -> None:
    log = written(tmp_path)
    lines = path_of(log).read_bytes().splitlines()
    changed = edit(lines)
    path_of(log).write_bytes(b"".join(line + b"\n" for line in changed))
    report = verify(path_of(log))
    assert report.status == status and report.what, report


def test_SL_13_a_cut_record_and_a_new_chain(tmp_path: Path) -> None:
    log = written(tmp_path)
    data = path_of(log).read_bytes()
    for cut in (1, 5, len(data) - 10):
        path_of(log).write_bytes(data[:-cut])
        assert verify(path_of(log)).status == "broken"
    # Every record rewritten with right numbers: only the head kept elsewhere tells.
    lines = [line.replace(b"f1", b"g1") for line in data.splitlines()]
    new = resealed(lines[:-1])
    end = json.loads(lines[-1])
    end["details"]["head"] = json.loads(new[-1])["hash"]
    new = resealed([*new, canonical(end)])
    path_of(log).write_bytes(b"".join(line + b"\n" for line in new))
    assert verify(path_of(log)).ok
    assert verify(path_of(log), expected_head=log.head).status == "broken"


def test_SL_13_records_of_another_session(tmp_path: Path) -> None:
    one = path_of(written(tmp_path)).read_bytes().splitlines()
    two = path_of(written(tmp_path, session="s2")).read_bytes().splitlines()
    path = tmp_path / "mixed"
    path.write_bytes(b"".join(line + b"\n" for line in resealed(one[:2] + two[1:])))
    assert verify(path).status == "broken"


@pytest.mark.parametrize("size", range(0, 900, 37))
def test_SL_13_any_flipped_byte(tmp_path: Path, size: int) -> None:
    log = written(tmp_path)
    data = bytearray(path_of(log).read_bytes())
    data[size] ^= 0x01
    path_of(log).write_bytes(data)
    assert verify(path_of(log)).status == "broken"


def test_SL_06_SL_07_SL_12_hostile_text_stays_one_line(tmp_path: Path) -> None:
    mask = Masker(["topsecret"]).mask_record
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"), mask=mask)
    log.record("session_start", {})
    evil = 'x\n{"event":"decision","allowed":true}\r\x00\x1b]52;c;\x07\u202e\u2028\ud800\x7f'
    log.record("decision", {"target": evil, "action": evil, evil: evil, "allowed": False})
    log.record("decision", {"target": "a" * 10_000_000, "method": {"deep": [[[[[[1]]]]]]}})
    log.record("decision", {"target": "topsecret sk-abcdefghijklmnopqrst", "x": b"bytes"})
    log.record("decision", {f"k{index}": "v" * 2_000 for index in range(200)})
    log.close({})
    lines = path_of(log).read_bytes().split(b"\n")
    assert len(lines) == 7 and lines[-1] == b""
    assert all(32 <= byte < 127 for byte in path_of(log).read_bytes().replace(b"\n", b""))
    assert all(len(line) < 70_000 for line in lines)
    assert verify(path_of(log)).ok
    text = path_of(log).read_text()
    assert "topsecret" not in text and "sk-abc" not in text
    shown = [sentence(record) for record in show(path_of(log))]
    assert all(character.isprintable() for line in shown for character in line)
    assert "denied" in shown[1] and MASK in shown[3]


def test_SL_14_records_are_capped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RECORDS_MAX", 10)
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"))
    log.record("session_start", {})
    for index in range(100):
        log.record("decision", {"target": str(index)})
    log.record("violation", {"kind": "x"})
    log.close({})
    records = list(show(path_of(log)))
    assert len(records) == 12 and records[-1]["details"]["dropped"] == 91
    assert verify(path_of(log)).ok and not log.failed()


@pytest.mark.parametrize("fault", ["ENOSPC", "short", "EINTR", "half"])
def test_IP_23_a_record_that_can_not_be_kept_denies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    desk = Desk(tmp_path, "low")
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"))
    log.record("session_start", {})
    desk.broker._audit = log
    real = os.write

    def broken(handle: int, data: Any) -> int:
        if fault == "ENOSPC":
            raise OSError(28, "No space left on device")
        if fault == "EINTR":
            raise InterruptedError(4, "Interrupted")
        real(handle, bytes(data)[:40])
        if fault == "half":
            raise OSError(5, "Input/output error")
        return 40

    before = path_of(log).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        with pytest.raises(AuditFailure) as caught:
            desk.call("fs.write", path="f", data="x")
    assert caught.value.code == 6002
    assert not (desk.work / "f").exists()
    assert path_of(log).read_bytes() == before
    assert log.failed()
    desk.call("fs.write", path="f", data="x")
    assert (desk.work / "f").exists()
    log.close({})
    assert verify(path_of(log)).ok


def test_on_failure_warn_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = AuditRules(on_failure="warn", sync_each_effect=False)
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"), rules=rules)
    log.record("session_start", {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: (_ for _ in ()).throw(OSError(28, "full")))
        log.record("decision", {"target": "x"})
    assert log.failed()
    log.close({})
    assert verify(path_of(log)).ok
    assert list(show(path_of(log)))[-1]["details"]["lost"] == 1


@pytest.mark.parametrize("sync", [True, False])
def test_effects_are_synced_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool
) -> None:
    synced: list[int] = []
    real = os.fsync

    def counted(handle: int) -> None:
        synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", counted)
    rules = AuditRules(sync_each_effect=sync)
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"), rules=rules)
    log.record("session_start", {})
    log.record("decision", {}, effect=True)
    log.record("decision", {})
    assert len(synced) == (1 if sync else 0)
    log.close({})
    assert len(synced) == (2 if sync else 1)


def test_the_record_comes_before_the_act(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "low")
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"))
    desk.broker._audit = log
    log.record("session_start", {})
    seen: list[int] = []
    _, context, _ = desk.broker.admit("fs.write", {"path": "f", "data": "x"}, "spell", None)
    context.judge(allow("r", "why"), action="write", target="f")
    seen.append(len(list(show(path_of(log)))))
    assert seen == [2]
    with pytest.raises(Denied):
        desk.call("fs.read", path="/etc/passwd")
    last = list(show(path_of(log)))[-1]
    assert last["allowed"] is False and last["target"] == "/etc/passwd" and last["code"] == 4008
    log.abandon()
    log.abandon()
    assert verify(path_of(log)).status == "incomplete"
    with pytest.raises(AuditFailure):
        log.record("decision", {})


def test_places_are_private(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o700)
    open_folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match="others can write"):
        AuditLog.open(None, "s1", folder=str(open_folder))
    open_folder.chmod(0o755)
    AuditLog.open(None, "s1", folder=str(open_folder)).abandon()
    assert stat.S_IMODE(open_folder.stat().st_mode) == 0o700
    link = tmp_path / "link"
    link.symlink_to(open_folder)
    with pytest.raises((ConfigurationError, AuditFailure)):
        AuditLog.open(None, "s1", folder=str(link))
    for session in ("../x", "", "a/b", "x" * 65):
        with pytest.raises(ConfigurationError):
            AuditLog.open(None, session, folder=str(open_folder))


def test_a_file_of_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog.open(str(tmp_path / "mine.jsonl"), "s1")
    log.record("session_start", {})
    log.close({})
    assert verify(tmp_path / "mine.jsonl").ok
    with pytest.raises(ConfigurationError, match="exists"):
        AuditLog.open(str(tmp_path / "mine.jsonl"), "s1")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((ConfigurationError, AuditFailure)):
        AuditLog.open(str(tmp_path / "dangling"), "s1")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(AuditFailure):
        AuditLog.open(str(tmp_path / "no" / "such"), "s1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    default = AuditLog.open(None, "s1")
    assert path_of(default).parent == tmp_path / "state" / "llmspell" / "audit"
    default.abandon()


def test_rotation_keeps_the_newest_and_the_living(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "FILES_MAX", 3)
    folder = tmp_path / "audit"
    folder.mkdir(mode=0o700)
    (folder / "notes.txt").write_text("the user's own")
    for index in range(6):
        (folder / f"2020-01-0{index + 1}T000000Z-old{index}.jsonl").write_text("x")
    living = os.open(folder / "2020-01-01T000000Z-old0.jsonl", os.O_RDWR)
    places.hold(living)
    log = written(tmp_path)
    assert sorted(item.name for item in folder.iterdir()) == [
        "2020-01-01T000000Z-old0.jsonl",
        "2020-01-06T000000Z-old5.jsonl",
        path_of(log).name,
        "notes.txt",
    ]
    os.close(living)
    monkeypatch.setattr(places, "BYTES_MAX", 10)
    second = written(tmp_path, session="s2")
    assert sorted(item.name for item in folder.iterdir()) == [path_of(second).name, "notes.txt"]


def test_show_filters(tmp_path: Path) -> None:
    path = path_of(written(tmp_path, records=6))
    denied = list(show(path, Filter(allowed=False)))
    assert [record["target"] for record in denied] == ["f1", "f3", "f5"]
    assert len(list(show(path, Filter(events=frozenset({"session_start"}))))) == 1
    assert len(list(show(path, Filter(text="f2", origin="spell")))) == 1
    path.write_bytes(b"junk\n")
    with pytest.raises(UsageError):
        list(show(path))


def test_a_sync_that_fails_denies_and_the_chain_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"))
    log.record("session_start", {})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "io")))
        with pytest.raises(AuditFailure):
            log.record("decision", {}, effect=True)
    log.record("decision", {}, effect=True)
    log.close({})
    assert verify(path_of(log)).ok and verify(path_of(log)).records == 4


def test_half_a_record_that_stays_ends_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "a"))
    log.record("session_start", {})
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: real(handle, data[:10]))
        patch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(5, "io")))
        with pytest.raises(AuditFailure):
            log.record("decision", {})
    with pytest.raises(AuditFailure):
        log.record("decision", {})
    log.close({})
    assert log.failed() and verify(path_of(log)).status == "broken"
