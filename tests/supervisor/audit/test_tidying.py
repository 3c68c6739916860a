"""Rotation in steps: the caps hold after every session, and most sessions need not look."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmspell.supervisor.audit import places
from llmspell.supervisor.audit.log import AuditLog


def session(folder: Path, number: int, records: int = 1) -> None:
    log = AuditLog.open(None, f"s{number:04d}", folder=str(folder))
    for _ in range(records):
        log.record("decision", {"target": "t"})
    log.close({})


def files(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".jsonl"))


def test_SL_14_the_cap_on_files_holds_after_every_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "FILES_MAX", 20)
    monkeypatch.setattr(places, "ROOM", 4)
    looked: list[str] = []
    real = places.rotate

    def counted(folder: str, keep: str) -> int:
        looked.append(folder)
        return real(folder, keep)

    monkeypatch.setattr(places, "rotate", counted)
    for number in range(60):
        session(tmp_path / "a", number)
        assert len(files(tmp_path / "a")) <= 20
    assert len(files(tmp_path / "a")) >= 15, "no more is removed than the room asks for"
    assert files(tmp_path / "a")[-1].endswith("s0059.jsonl")
    assert len(looked) == 10, "one look for six sessions: five of room, and the one that looks"


def test_SL_14_the_cap_on_bytes_holds_after_every_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "BYTES_MAX", 60_000)
    monkeypatch.setattr(places, "ROOM", 4)
    for number in range(60):
        session(tmp_path / "a", number, records=1 + number % 9)
        sizes = [(tmp_path / "a" / name).stat().st_size for name in files(tmp_path / "a")]
        assert sum(sizes) <= 60_000
    assert sum(sizes) > 35_000


def test_another_process_s_files_are_seen_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "FILES_MAX", 8)
    monkeypatch.setattr(places, "ROOM", 4)
    folder = tmp_path / "a"
    session(folder, 0)
    for number in range(20):
        (folder / f"2020-01-01T0000{number:02d}Z-old.jsonl").write_text("x")
    for number in range(1, 4):
        session(folder, number)
    assert len(files(folder)) <= 8 and "old" not in "".join(files(folder)[-4:])
