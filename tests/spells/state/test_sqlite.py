"""The embedded store: kept, bounded, atomic, shared, migrated, and never silently lost."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.errors import ConfigurationError, LimitExceeded, OperationFailed
from llmspell.spells.state.places import Owner, owner_of
from llmspell.spells.state.sqlite import MIGRATIONS, SqliteStore
from llmspell.spells.state.values import Operation, Quota, decode, encode

MARK = Owner("spell", "", "/a/spell.lua").mark


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


@pytest.fixture
def store(path: str) -> Iterator[SqliteStore]:
    opened = SqliteStore(path, MARK)
    yield opened
    opened.close()


def test_STO_001_values_outlive_the_store_that_kept_them(path: str) -> None:
    first = SqliteStore(path, MARK)
    first.set("a", encode({"n": 1}))
    first.set("b", encode("two"))
    assert first.delete("b") is True
    assert first.delete("b") is False
    first.close()
    second = SqliteStore(path, MARK)
    assert decode(second.get("a")) == {"n": 1}
    assert second.get("b") is None
    assert second.keys() == ["a"]
    second.close()


def test_files_are_the_users_own_and_closed_to_others(store: SqliteStore, path: str) -> None:
    store.set("k", b"1")
    for suffix in ("", "-wal", "-shm"):
        assert stat.S_IMODE(os.stat(path + suffix).st_mode) == 0o600


def test_a_link_in_the_files_place_is_refused(tmp_path: Path, path: str) -> None:
    target = tmp_path / "victim"
    target.write_text("")
    os.symlink(target, path)
    with pytest.raises(ConfigurationError):
        SqliteStore(path, MARK)
    assert target.read_text() == ""


def test_values_end_at_their_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set("short", b"1", ttl=10)
    store.set("long", b"2")
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment + 11)
    assert store.get("short") is None
    assert store.keys() == ["long"]
    assert store.delete("short") is False
    store.compact()
    assert store.stats()["keys"] == 1


def test_pages_and_prefixes_come_in_order(store: SqliteStore) -> None:
    for name in ("b2", "a", "b1", "b3", "c"):
        store.set(name, b"0")
    assert store.keys("b") == ["b1", "b2", "b3"]
    assert store.keys("b", after="b1", limit=1) == ["b2"]


def test_RES_quotas_hold_and_leave_what_was_there(path: str) -> None:
    store = SqliteStore(path, MARK, Quota(keys=2, size=100))
    store.set("a", b"1")
    store.set("b", b"2")
    with pytest.raises(LimitExceeded) as keys:
        store.set("c", b"3")
    assert keys.value.code == 4009
    with pytest.raises(LimitExceeded):
        store.set("a", b"x" * 200)
    assert store.get("a") == b"1"
    store.set("a", b"11")  # a change needs no room for another key
    store.delete("b")
    store.set("c", b"3")
    assert store.keys() == ["a", "c"]
    store.close()


def test_API_100_a_transaction_is_all_or_nothing(store: SqliteStore) -> None:
    store.set("a", encode({"x": 1}))
    got = store.apply(
        [
            Operation("get", "a"),
            Operation("merge", "a", encode({"y": 2})),
            Operation("set", "b", b"5"),
            Operation("check", "b", b"5.0"),
        ]
    )
    assert [decode(text) for text in got] == [{"x": 1}, None, None, None]
    assert decode(store.get("a")) == {"x": 1, "y": 2}
    with pytest.raises(OperationFailed) as refused:
        store.apply([Operation("delete", "a"), Operation("check", "b", b"6")])
    assert (refused.value.code, refused.value.kind) == (6002, "conflict")
    assert decode(store.get("a")) == {"x": 1, "y": 2}


def test_an_older_schema_is_brought_up_with_its_values(path: str) -> None:
    database = sqlite3.connect(path)
    database.executescript(MIGRATIONS[0])
    database.execute("INSERT INTO meta VALUES('owner', ?)", (MARK,))
    database.execute("INSERT INTO kept VALUES(?, ?, ?, NULL, 0)", (b"old", b"", b"-[1]"))
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    store = SqliteStore(path, MARK)
    assert decode(store.get("old")) == [1]
    store.set("new", b"2")
    assert store.stats()["keys"] == 2
    store.close()


def test_a_newer_schema_is_left_alone(path: str) -> None:
    SqliteStore(path, MARK).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = Path(path).read_bytes()
    with pytest.raises(OperationFailed) as refused:
        SqliteStore(path, MARK)
    assert refused.value.code == 6010
    assert Path(path).read_bytes() == before


def test_damage_is_told_and_the_file_put_aside(path: str, tmp_path: Path) -> None:
    Path(path).write_bytes(b"this is no database, whatever it was" * 100)
    with pytest.raises(OperationFailed) as refused:
        SqliteStore(path, MARK)
    assert (refused.value.code, refused.value.kind) == (6002, "damaged")
    aside = [name for name in os.listdir(tmp_path) if ".damaged-" in name]
    assert len(aside) == 1
    assert b"no database" in (tmp_path / aside[0]).read_bytes()
    fresh = SqliteStore(path, MARK)
    fresh.set("k", b"1")
    fresh.close()


def test_damage_in_the_midst_is_told_too(path: str, tmp_path: Path) -> None:
    store = SqliteStore(path, MARK)
    for number in range(200):
        store.set(f"key-{number}", encode("x" * 500))
    store.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(40_000))
    with pytest.raises(OperationFailed) as refused:
        opened = SqliteStore(path, MARK)
        opened.keys()
        for number in range(200):
            opened.get(f"key-{number}")
    assert (refused.value.code, refused.value.kind) == (6002, "damaged")
    assert any(".damaged-" in name for name in os.listdir(tmp_path))


def test_a_file_of_another_owner_is_not_opened(path: str) -> None:
    SqliteStore(path, MARK).close()
    with pytest.raises(OperationFailed) as refused:
        SqliteStore(path, Owner("spell", "", "/another.lua").mark)
    assert refused.value.code == 6002


_WRITER = """
import sys
from llmspell.spells.state.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], sys.argv[2])
for number in range(100):
    store.set(f"{sys.argv[3]}-{number}", b"1")
"""


def test_two_processes_write_one_store(path: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, path, MARK, name]) for name in ("a", "b")
    ]
    assert [writer.wait(30) for writer in writers] == [0, 0]
    store = SqliteStore(path, MARK)
    assert store.stats()["keys"] == 200
    assert len(store.keys("a-")) == 100
    store.close()


def test_a_writer_does_not_wait_for_ever(path: str) -> None:
    store = SqliteStore(path, MARK, busy=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationFailed) as refused:
        store.set("k", b"1")
    assert (refused.value.kind, refused.value.recoverable) == ("busy", True)
    other.execute("ROLLBACK")
    store.set("k", b"1")
    other.close()
    store.close()


def test_STO_014_compressed_values_come_back(path: str) -> None:
    store = SqliteStore(path, MARK, compress=True)
    text = encode("word " * 10_000)
    store.set("k", text)
    assert store.stats()["bytes"] < 2_000
    assert store.get("k") == text
    store.close()


def test_STO_013_a_copy_is_whole(store: SqliteStore, tmp_path: Path) -> None:
    store.set("k", b"1")
    store.backup(str(tmp_path / "copy.db"))
    store.set("k", b"2")
    copy = SqliteStore(str(tmp_path / "copy.db"), MARK)
    assert copy.get("k") == b"1"
    copy.close()


_KEYS = st.sampled_from(["a", "b", "ab", "ü", "a/b", " "])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), _KEYS, st.integers()),
        st.tuples(st.just("delete"), _KEYS, st.none()),
        st.tuples(st.just("clear"), st.just("a"), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS)
def test_a_store_does_what_a_mapping_does(
    steps: list[tuple[str, str, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = SqliteStore(str(tmp_path_factory.mktemp("s") / "s.db"), MARK)
    model: dict[str, int | None] = {}
    for kind, key, value in steps:
        if kind == "set":
            store.set(key, str(value).encode())
            model[key] = value
        elif kind == "delete":
            assert store.delete(key) is (model.pop(key, "none") != "none")
        else:
            assert store.clear() == len(model)
            model.clear()
    assert store.keys() == sorted(model)
    assert {key: int(store.get(key) or b"") for key in model} == model
    assert store.stats()["keys"] == len(model)
    store.close()


def test_owners_differ_by_every_part() -> None:
    owners = [
        owner_of("spell", None, "/a/b.lua"),
        owner_of("spell", None, "/a/c.lua"),
        owner_of("spell", "t", "/a/b.lua"),
        owner_of("events", None, "/a/b.lua"),
        owner_of("tenant", None, "/a/b.lua"),
        owner_of("tenant", "t", "/a/b.lua"),
        owner_of("global", "t", "/a/b.lua"),
        Owner("spell", "t/a", "/b.lua"),
    ]
    assert len({owner.mark for owner in owners if owner is not None}) == len(owners)
    assert owner_of("spell", None, None) is None
    # Everybody's is everybody's.
    assert owner_of("global", "a", "/x") == owner_of("global", "b", "/y")
