"""A guest that was booted once and is started from its memory: the same spell's world, not the
same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmspell import platform
from llmspell.sandboxes.engines.safe_modules import INNER_MODULES, SAFE_MODULES
from llmspell.supervisor import guest_image, guests
from tests.parity import workers
from tests.sandboxes.wasm.worker import MIB, Worker, require

GENERATED = guests.BUILT.parent / "preludes" / "_generated"
ENGINES = ["lua", "javascript", "python"]


@pytest.fixture(autouse=True)
def real_preludes(own_preludes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    require("lua")
    monkeypatch.setattr(guests, "PRELUDES", GENERATED)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Machine code is there already, images are not."""
    for engine in ENGINES:
        guests.guest(engine)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(guest_image, "_opened", {})
    return tmp_path / "llmspell" / "guests"


def images(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.image"))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_is_made_once_and_belongs_to_the_user_alone(engine: str, cache: Path) -> None:
    first = guests.booted(engine)
    (image,) = images(cache)
    assert image.stat().st_mode & 0o777 == 0o600
    assert image.stat().st_size % 65536 == 0
    made = image.stat().st_mtime_ns
    guest_image._opened.clear()
    second = guests.booted(engine)
    assert (first.image_path, made) == (second.image_path, image.stat().st_mtime_ns)


def test_another_prelude_has_another_image(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guests.booted("lua")
    changed = tmp_path / "preludes"
    changed.mkdir()
    source = (GENERATED / "prelude.lua").read_text("utf-8")
    (changed / "prelude.lua").write_text(source + "-- changed\n", "utf-8")
    monkeypatch.setattr(guests, "PRELUDES", changed)
    guests.booted("lua")
    assert len(images(cache)) == 2


def test_an_image_that_others_could_have_written_is_made_again(cache: Path) -> None:
    guests.booted("lua")
    (image,) = images(cache)
    good = image.read_bytes()
    image.write_bytes(b"evil" + good[4:])
    image.chmod(0o620)
    guest_image._opened.clear()
    guests.booted("lua")
    assert image.read_bytes()[:4] == good[:4]
    assert image.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("source", ["error('not today')", "return nil, while", "os.exit(0)"])
def test_a_prelude_that_does_not_boot_gives_no_image(
    source: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prelude.lua").write_text(source, "utf-8")
    monkeypatch.setattr(guests, "PRELUDES", tmp_path)
    assert guests.booted("lua").image_path is None
    assert images(cache) == []


def test_a_warm_start_loads_no_openssl(cache: Path) -> None:
    guests.booted("lua")
    program = (
        "import sys; from llmspell.supervisor import guests\n"
        "assert guests.booted('lua').image_path\n"
        "print([m for m in ('hashlib', 'asyncio', 'subprocess', 'logging') if m in sys.modules])"
    )
    root = str(Path(guests.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    for _ in range(2):  # the first compiles into this test's cache
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


RANDOM = {
    "lua": "return {math.random(1 << 53), math.random(1 << 53)}",
    "javascript": "return [Math.random(), Math.random()]",
    "python": "import random, secrets, uuid\n"
    "[random.random(), random.Random().random(), secrets.token_hex(8), str(uuid.uuid4())]",
}
CLOCKS = {
    "lua": "return os.clock() < 5 and math.abs(os.time() - params.now) < 100",
    "javascript": "return performance.now() < 5000 && Math.abs(Date.now()/1000 - params.now) < 100",
    "python": "import datetime, time\nnow = datetime.datetime.now().timestamp()\n"
    "time.process_time() < 5 and abs(time.time() - params.now) < 100 > abs(now - params.now)",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_KX_18_no_two_runs_of_one_image_see_the_same_numbers(engine: str) -> None:
    seen = [tuple(workers.run(engine, RANDOM[engine], kind="high").value) for _ in range(4)]
    assert len(set(seen)) == 4, seen


@pytest.mark.alone
@pytest.mark.parametrize("engine", ENGINES)
def test_clocks_begin_with_the_run_and_not_with_the_image(engine: str) -> None:
    import time

    guests.booted(engine)
    ended = workers.run(engine, CLOCKS[engine], kind="high", params={"now": time.time()})
    assert ended.value is True, ended


@pytest.mark.parametrize("engine", ENGINES)
def test_what_one_run_leaves_behind_no_other_finds(engine: str) -> None:
    source = {
        "lua": "local had = string.mine; string.mine = 1; return had == nil",
        "javascript": "const had = Array.prototype.mine; Array.prototype.mine = 1;"
        " return had === undefined",
        "python": "import json\nhad = hasattr(json, 'mine')\njson.mine = 1\nnot had",
    }[engine]
    assert [workers.run(engine, source, kind="high").value for _ in range(3)] == [True] * 3


class Started(Worker):
    """A worker of this suite that maps an image."""

    def __init__(self, folder: Path, engine: str, image: Path, **options: Any) -> None:
        super().__init__(folder, engine, "", options={"--image": str(image)}, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_WA_02_an_image_larger_than_the_memory_limit_is_said(engine: str, tmp_path: Path) -> None:
    guest = guests.booted(engine)
    image = tmp_path / "image"
    image.write_bytes(os.pread(guest.pass_fds[guest_image.IMAGE_FD], 64 * MIB, 0))
    with image.open("ab") as file:
        file.truncate(64 * MIB)
    with Started(tmp_path, engine, image, memory=32 * MIB) as worker:
        worker.message()
        error = worker.message()["error"]
        assert (error["kind"], error["message"]) == (
            "memory",
            "the memory limit is too small for the engine",
        )
        assert worker.end().code == 70


@pytest.mark.parametrize("content", [b"", b"x" * 1000, b"x" * 65536])
def test_WA_04_a_file_that_is_no_image_is_refused(content: bytes, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(content)
    with Started(tmp_path, "lua", image) as worker:
        assert worker.rest() == []
        assert worker.end().code == 64
        assert "is no image" in worker.stderr()


def test_WA_04_an_image_full_of_noise_stays_in_its_guest(tmp_path: Path) -> None:
    """The worker trusts no byte of it: the guest ends, and nothing else happens."""
    image = tmp_path / "image"
    image.write_bytes(os.urandom(4 * MIB))
    with Started(tmp_path, "javascript", image, level="high") as worker:
        worker.message()
        frames = worker.rest()
        assert worker.end().code in (0, 70)
        assert not any(b'"call"' in each for each in frames)


@pytest.mark.parametrize("engine", ENGINES)
def test_WA_02_the_memory_limit_holds_in_a_guest_from_an_image(engine: str) -> None:
    fill = {
        "lua": "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "javascript": "let a = []; for (;;) a.push(new Array(1000).fill(1))",
        "python": "x = []\nwhile True: x.append(bytearray(1000000))",
    }[engine]
    catch = {
        "lua": f"local ok = pcall(function() {fill} end) return ok == false",
        "javascript": f"try {{ (function() {{ {fill} }})() }} catch (e) {{ return true }}",
        "python": "x = []\ntry:\n  while True: x.append(bytearray(1000000))\n"
        "except MemoryError: del x\nTrue",
    }[engine]
    assert workers.run(engine, catch, kind="high", memory=48 * MIB).value is True
    error = workers.run(engine, fill, kind="high", memory=48 * MIB).error
    assert error is not None
    assert error["kind"] == "memory"


def test_making_an_image_is_confined(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    plans = []
    original = platform.plan

    def watch(chosen: platform.Confinement, *more: Any) -> platform.Plan:
        plans.append(chosen)
        return original(chosen, *more)

    monkeypatch.setattr(platform, "plan", watch)
    guests.booted("lua")
    assert [(plan.level, plan.kind, plan.processes) for plan in plans] == [("high", "wasm", 0)]


def test_python_has_every_safe_module_ready() -> None:
    """Nothing is read or unpacked when a spell imports one: it is there already."""
    source = (
        "import time, sys\nt = time.perf_counter()\nfor name in params.names: __import__(name)\n"
        "time.perf_counter() - t"
    )
    names = [*SAFE_MODULES, *INNER_MODULES]
    ended = workers.run("python", source, kind="high", params={"names": names})
    assert ended.error is None
    assert ended.value < 0.5


def test_python_imports_by_grant_what_is_frozen_into_the_guest() -> None:
    source = "import argparse, pickle\npickle.loads(pickle.dumps({'a': [1, 2.5]}))['a']"
    grant = {"modules.load": lambda args: {"own_folder": False}}
    ended = workers.run("python", source, grant, kind="high", modules=["argparse", "pickle"])
    assert ended.value == [1, 2.5]
    denied = workers.run("python", source, kind="high")
    assert denied.error is not None
    assert denied.error["code"] == 4008
