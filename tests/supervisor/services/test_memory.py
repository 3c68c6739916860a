"""What services keep in memory: the scratch, session storage, standard input."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmspell.errors import Denied, InvalidInput, LimitExceeded, Missing, OperationFailed
from llmspell.supervisor.services.storage import KEYS_MAX, Storage
from tests.supervisor.services.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, "high", limits={"scratch": "100kB"})
    yield made
    made.services.close()


def test_scratch_is_a_file_tree(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkstemp", None)
    desk.call("fs.write", path="scratch:a/b.txt", data="one", create_parents=True)
    desk.call("fs.append", path="scratch:/a/b.txt", data=b"+two")
    assert desk.call("fs.read", path="scratch:a/b.txt") == "one+two"
    assert desk.call("fs.read", path="scratch:a/b.txt", offset=1, length=3) == "ne+"
    assert desk.call("fs.stat", path="scratch:a/b.txt")["size"] == 7
    desk.call("fs.mkdir", path="scratch:c/d", parents=True)
    desk.call("fs.move", **{"from": "scratch:a", "to": "scratch:c/e"})
    found = desk.call("fs.list", path="scratch:", recursive=True)
    assert [item["path"] for item in found] == [
        "scratch:c",
        "scratch:c/d",
        "scratch:c/e",
        "scratch:c/e/b.txt",
    ]
    assert [item["name"] for item in desk.call("fs.list", path="scratch:", pattern="c*")] == ["c"]
    with pytest.raises(OperationFailed, match="not empty"):
        desk.call("fs.remove", path="scratch:c")
    desk.call("fs.remove", path="scratch:c", recursive=True)
    assert desk.call("fs.list", path="scratch:") == []
    assert os.listdir(desk.work) == []


def test_scratch_errors_are_those_of_the_disk(desk: Desk) -> None:
    desk.call("fs.write", path="scratch:f", data="x")
    for name in ("fs.read", "fs.stat", "fs.list", "fs.remove"):
        with pytest.raises(Missing):
            desk.call(name, path="scratch:gone")
    with pytest.raises(Missing):
        desk.call("fs.write", path="scratch:no/such", data="x")
    with pytest.raises(OperationFailed):
        desk.call("fs.write", path="scratch:f/x", data="x")
    with pytest.raises(OperationFailed):
        desk.call("fs.write", path="scratch:", data="x")
    with pytest.raises(OperationFailed):
        desk.call("fs.remove", path="scratch:", recursive=True)
    with pytest.raises(InvalidInput):
        desk.call("fs.read", path="scratch:../etc/passwd")
    desk.call("fs.mkdir", path="scratch:d")
    with pytest.raises(InvalidInput):
        desk.call("fs.move", **{"from": "scratch:d", "to": "scratch:d/e"})
    with pytest.raises(OperationFailed):
        desk.call("fs.move", **{"from": "scratch:d", "to": "scratch:f"})
    with pytest.raises(Denied):
        desk.call("fs.move", **{"from": "scratch:f", "to": "out"})


def test_FS_43_FS_44_scratch_is_bounded(desk: Desk) -> None:
    desk.call("fs.write", path="scratch:a", data=b"x" * 60_000)
    for name in ("fs.write", "fs.append"):
        with pytest.raises(LimitExceeded):
            desk.call(name, path="scratch:b", data=b"x" * 60_000)
    with pytest.raises(LimitExceeded):
        for _ in range(100):
            desk.call("fs.append", path="scratch:a", data=b"x" * 1_000)
    assert desk.call("fs.stat", path="scratch:a")["size"] == 100_000
    desk.call("fs.remove", path="scratch:a")
    desk.call("fs.write", path="scratch:b", data=b"x" * 60_000)


def test_FS_42_scratch_holds_so_many_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmspell.supervisor.services.quota.FILES_MAX", 3)
    with pytest.raises(LimitExceeded):
        desk.call("fs.mkdir", path="scratch:a/b/c/d", parents=True)


def test_two_runs_have_two_scratches(desk: Desk, tmp_path: Path) -> None:
    desk.call("fs.write", path="scratch:a", data="x")
    assert Desk(tmp_path, "high").call("fs.exists", path="scratch:a") is False


def test_storage(desk: Desk) -> None:
    desk.call("storage.set", key="b", value={"x": [1, None, "ü"]})
    desk.call("storage.set", key="a", value=b"bytes")
    assert desk.call("storage.get", key="b") == {"x": [1, None, "ü"]}
    assert desk.call("storage.get", key="a") == b"bytes"
    assert desk.call("storage.get", key="c") is None
    assert desk.call("storage.list") == ["a", "b"]
    assert desk.call("storage.list", prefix="b") == ["b"]
    assert desk.call("storage.exists", key="a") is True
    assert desk.call("storage.delete", key="a") is True
    assert desk.call("storage.delete", key="a") is False
    desk.call("storage.clear")
    assert desk.call("storage.list") == []


def test_storage_hands_out_copies(desk: Desk) -> None:
    value = {"x": [1]}
    desk.call("storage.set", key="a", value=value)
    value["x"].append(2)
    desk.call("storage.get", key="a")["x"].append(3)
    assert desk.call("storage.get", key="a") == {"x": [1]}


def test_storage_forgets() -> None:
    now = [0.0]
    storage = Storage(lambda: now[0])
    storage.set(None, {"key": "a", "value": 1, "ttl": 5})  # type: ignore[arg-type]
    assert storage.get(None, {"key": "a"}) == 1  # type: ignore[arg-type]
    now[0] = 5.0
    assert storage.get(None, {"key": "a"}) is None  # type: ignore[arg-type]
    assert storage.list(None, {}) == []  # type: ignore[arg-type]


def test_storage_is_bounded(desk: Desk) -> None:
    storage = Storage()
    with pytest.raises(LimitExceeded):
        desk.call("storage.set", key="a", value="x" * 1_048_577)
    for key in ("", "k" * 257):
        with pytest.raises(InvalidInput):
            desk.call("storage.set", key=key, value=1)
    for index in range(KEYS_MAX):
        storage.set(None, {"key": str(index), "value": 1})  # type: ignore[arg-type]
    with pytest.raises(LimitExceeded):
        storage.set(None, {"key": "more", "value": 1})  # type: ignore[arg-type]
    storage.set(None, {"key": "1", "value": 2})  # type: ignore[arg-type]
    storage.clear(None, {})  # type: ignore[arg-type]
    for index in range(15):
        storage.set(None, {"key": str(index), "value": "x" * 1_000_000})  # type: ignore[arg-type]
    with pytest.raises(LimitExceeded):
        for index in range(15, 20):
            storage.set(None, {"key": str(index), "value": "x" * 1_000_000})  # type: ignore[arg-type]


def test_stdin_from_a_file(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.write_bytes("a\u00fc\n".encode() * 3 + b"\xff")
    with open(source, "rb") as file:
        desk = Desk(tmp_path, "high", stdin=file.fileno())
        assert desk.call("stdin.read", length=2) == "aü"
        assert desk.call("stdin.read") == "\naü\naü\n\ufffd"
        assert desk.call("stdin.read") is None
        assert desk.call("stdin.read") is None
    assert Desk(tmp_path, "high").call("stdin.read") is None


def test_stdin_is_waited_for_without_blocking(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    desk = Desk(tmp_path, "high", stdin=reading)

    def later() -> None:
        time.sleep(0.2)
        os.write(writing, b"hello")
        os.close(writing)

    async def both() -> tuple[object, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.ensure_future(tick())
        value = await desk.acall("stdin.read")
        ticker.cancel()
        return value, ticks

    thread = threading.Thread(target=later)
    thread.start()
    value, ticks = asyncio.run(both())
    thread.join()
    assert value == "hello" and ticks >= 5
    assert desk.call("stdin.read") is None
    os.close(reading)
