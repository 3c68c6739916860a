"""Machine code is run, so where it comes from is checked each time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmspell.errors import IsolationRefused
from llmspell.supervisor import guest_cache, guests
from tests.sandboxes.wasm.worker import require


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a process that has opened no guest yet."""
    require("lua")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(guests, "_opened", {})
    return tmp_path / "llmspell" / "guests"


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.name != "lock")


def test_compiled_once_with_one_line_and_then_taken(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first = guests.guest("lua")
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "compiling the lua guest" in said
    (kept,) = files(cache)
    assert guests.WASMTIME in kept
    assert (cache / kept).stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700

    monkeypatch.setattr(guests, "_opened", {})
    monkeypatch.setattr(guest_cache, "_compile", None)
    second = guests.guest("lua")
    assert capfd.readouterr().err == ""
    opened = [os.fstat(guest.pass_fds[5]) for guest in (first, second)]
    assert opened[0].st_ino == opened[1].st_ino


def test_a_warm_start_hashes_nothing_and_imports_nothing_heavy(cache: Path) -> None:
    guests.guest("lua")
    program = (
        "import sys; from pathlib import Path\n"
        "from llmspell.supervisor import guests\n"
        f"guests.PRELUDES = Path({str(guests.PRELUDES)!r})\n"
        "guests.guest('lua')\n"
        "print([m for m in ('hashlib', 'asyncio', 'subprocess', 'logging', 'dataclasses',"
        " 'inspect', 'tomllib', 'wasmtime', 'pydantic') if m in sys.modules])"
    )
    root = str(Path(guests.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    assert done.stdout.strip() == "[]"


def spoil(cache: Path, how: str) -> None:
    cache.mkdir(parents=True, mode=0o700)
    os.chmod(cache, 0o700)
    if how == "foreign owner":
        os.chown(cache, 65534, 65534)
    elif how == "group writable":
        os.chmod(cache, 0o770)
    elif how == "readable by others":
        os.chmod(cache, 0o704)
    elif how == "symlink":
        cache.rename(cache.with_name("elsewhere"))
        cache.symlink_to("elsewhere")
    elif how == "a file":
        cache.rmdir()
        cache.touch()


@pytest.mark.parametrize(
    "how", ["foreign owner", "group writable", "readable by others", "symlink", "a file"]
)
def test_WA_04_a_folder_others_could_have_written_is_not_used(
    how: str, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if how == "foreign owner" and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    spoil(cache, how)
    guest = guests.guest("lua")
    said = capfd.readouterr().err
    assert "for this run only" in said
    assert said.count("\n") == 1
    link = os.readlink(f"/proc/self/fd/{guest.pass_fds[5]}")
    assert link.startswith("/memfd:")
    if how != "a file":
        assert files(cache) == []


@pytest.mark.parametrize("how", ["foreign owner", "group writable", "symlink", "empty"])
def test_WA_04_a_file_others_could_have_written_is_replaced(
    how: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "foreign owner" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    good = os.fstat(guests.guest("lua").pass_fds[5]).st_size
    (name,) = files(cache)
    path = cache / name
    original = path.read_bytes()
    path.write_bytes(b"" if how == "empty" else b"evil" + original[4:])
    if how == "foreign owner":
        os.chown(path, 65534, 65534)
    elif how == "group writable":
        os.chmod(path, 0o620)
    elif how == "symlink":
        path.rename(cache.parent / "evil")
        path.symlink_to(cache.parent / "evil")
    monkeypatch.setattr(guests, "_opened", {})
    again = guests.guest("lua").pass_fds[5]
    assert os.fstat(again).st_size == good
    assert os.pread(again, 4, 0) == original[:4]
    assert not path.is_symlink()


def test_code_that_can_not_be_kept_is_used_all_the_same(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    guests.guest("lua")
    (name,) = files(cache)
    (cache / name).unlink()
    (cache / name).mkdir()
    monkeypatch.setattr(guests, "_opened", {})
    assert os.fstat(guests.guest("lua").pass_fds[5]).st_size > 100_000
    assert "could not be kept" in capfd.readouterr().err


def test_a_folder_that_cannot_be_written_still_runs(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    guest = guests.guest("lua")
    assert os.fstat(guest.pass_fds[5]).st_size > 100_000
    assert "for this run only" in capfd.readouterr().err


def test_many_at_once_compile_once(cache: Path) -> None:
    program = (
        "from pathlib import Path; from llmspell.supervisor import guests\n"
        f"guests.PRELUDES = Path({str(guests.PRELUDES)!r})\n"
        "guests.guest('lua')"
    )
    root = str(Path(guests.__file__).parents[2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        for _ in range(6)
    ]
    said = "".join(process.communicate(timeout=60)[1] for process in started)
    assert [process.returncode for process in started] == [0] * 6, said
    assert said.count("compiling the lua guest") == 1
    assert len(files(cache)) == 1


def test_a_killed_compile_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(guest_cache, "_publish", killed)
    with pytest.raises(KilledError):
        guests.guest("lua")
    assert files(cache) == []


def test_a_guest_with_other_content_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = guests._order("lua", guests.find_wasmtime())
    changed = tmp_path / "lua.wasm"
    changed.write_bytes(order.source.read_bytes() + b"\0")
    with pytest.raises(IsolationRefused, match="not the guest this llmspell was made with"):
        guest_cache.machine_code(order._replace(source=changed))
    assert files(cache) == []
    found = guest_cache.machine_code(order)
    assert os.fstat(found).st_size > 0
    os.close(found)


def test_a_guest_that_is_no_wasm_is_refused_with_the_compilers_reason(
    cache: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wasm"
    broken.write_bytes(b"\0asm\x01\0\0\0\xff\xff")
    order = guests._order("lua", guests.find_wasmtime())._replace(
        source=broken, sha256=hashlib.sha256(broken.read_bytes()).hexdigest()
    )
    with pytest.raises(IsolationRefused, match="can't be compiled"):
        guest_cache.machine_code(order)
    assert files(cache) == []


def test_another_wasmtime_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = os.uname().machine
    (tmp_path / "wasmtime" / f"linux-{machine}").mkdir(parents=True)
    (tmp_path / "wasmtime" / f"linux-{machine}" / "_libwasmtime.so").touch()
    (tmp_path / "wasmtime-49.0.0.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(IsolationRefused, match=r"wasmtime 49\.0\.0 is installed") as refused:
        guests.find_wasmtime()
    assert refused.value.hint == f"pip install wasmtime=={guests.WASMTIME}"
    (tmp_path / "wasmtime-49.0.0.dist-info").rename(
        tmp_path / f"wasmtime-{guests.WASMTIME}.dist-info"
    )
    assert guests.find_wasmtime().name == "_libwasmtime.so"


def test_the_current_folder_is_never_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "wasmtime" / f"linux-{os.uname().machine}" / "_libwasmtime.so"
    library.parent.mkdir(parents=True)
    library.touch()
    (tmp_path / f"wasmtime-{guests.WASMTIME}.dist-info").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "."])
    with pytest.raises(IsolationRefused, match="not installed"):
        guests.find_wasmtime()


def test_a_build_without_the_python_guest_says_what_to_do(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "_BUILT_GUESTS", {**guests._BUILT_GUESTS, "python": "nowhere"})
    with pytest.raises(IsolationRefused, match="built without its Python guest") as refused:
        guests.guest("python")
    assert "LLMSPELL_SOURCES" in (refused.value.hint or "")
    assert guests.guest("lua").engine == "lua"
