"""The command line as a person uses it, and what a run may have left behind."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import llmspell

PROFILES: Final = ("none", "low", "medium", "high")
SUFFIXES: Final = {"lua": ".lua", "javascript": ".js", "python": ".py"}
LANGUAGES: Final = tuple(SUFFIXES)
LONGEST: Final = 90.0
"""Seconds after which a command counts as hung: the first run of Python compiles its guest."""

_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)


class Place(NamedTuple):
    """Where a session's commands keep what they keep."""

    root: Path
    temporary: Path
    environ: dict[str, str]

    @classmethod
    def in_folder(cls, root: Path, cache: str | None) -> Place:
        """Private folders below `root`."""
        folders = {
            "HOME": root / "home",
            "XDG_CACHE_HOME": Path(cache) if cache else root / "cache",
            "XDG_STATE_HOME": root / "state",
            "XDG_DATA_HOME": root / "data",
            "XDG_CONFIG_HOME": root / "config",
            "TMPDIR": root / "tmp",
        }
        for folder in folders.values():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = ("PATH", "LANG", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
        environ = {name: os.environ[name] for name in kept if name in os.environ}
        # The package that the tests import, wherever it was found.
        package = str(Path(llmspell.__file__).resolve().parent.parent)
        tests = str(Path(__file__).resolve().parents[2])
        environ["PYTHONPATH"] = os.pathsep.join(
            dict.fromkeys([package, tests, *filter(None, [environ.get("PYTHONPATH")])])
        )
        environ |= {name: str(folder) for name, folder in folders.items()}
        return cls(root, folders["TMPDIR"], environ)


class Ended(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        """What it printed, as JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON: {self}") from None


class Program:
    """`python -m llmspell` in one folder; with `forked` its runs are forked from a zygote."""

    def __init__(self, place: Place, folder: Path, *, forked: bool = False) -> None:
        self.place = place
        self.folder = folder
        self.module = "tests.e2e.forked" if forked else "llmspell"

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def start(
        self,
        *words: str | Path,
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """The command, running, in a session of its own."""
        return subprocess.Popen(
            [*wrapper, sys.executable, "-m", self.module, *map(str, words)],
            cwd=self.folder,
            env={**self.place.environ, **(env or {})},
            start_new_session=True,
            **{"stdin": subprocess.DEVNULL, **options},
        )

    def __call__(
        self,
        *words: str | Path,
        stdin: bytes | str | None = None,
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        timeout: float = LONGEST,
    ) -> Ended:
        """Runs the command to its end; nothing of it may be left afterwards."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        begun = time.monotonic()
        before = set(self.litter())
        with Orphanage() as orphans:
            started = self.start(
                *words,
                wrapper=wrapper,
                env=env,
                stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            try:
                out, err = started.communicate(data, timeout)
            except subprocess.TimeoutExpired:
                started.kill()
                out, err = started.communicate()
                raise AssertionError(f"hung for {timeout} s: {words}\n{err[-2000:]!r}") from None
            seconds = time.monotonic() - begun
            left = orphans.left()
        ended = Ended(started.returncode, out.decode(), err.decode(), seconds)
        assert not left, (left, ended)
        assert set(self.litter()) == before
        assert "Traceback" not in ended.err, ended.err
        return ended

    def run(self, source: str, suffix: str, *flags: str, **options: Any) -> Ended:
        """Runs `source` as a spell; flags come before it."""
        name = f"spell{suffix}"
        self.write(name, source)
        return self("run", *flags, name, **options)

    def result(self, source: str, suffix: str, *flags: str, **options: Any) -> dict[str, Any]:
        """The result of a spell, with the exit code as `exit`."""
        ended = self.run(source, suffix, "--output", "json", *flags, **options)
        result: dict[str, Any] = ended.json()
        return {**result, "exit": ended.code, "stderr": ended.err}

    def litter(self) -> list[str]:
        """Files of a run in places that must be as before when it is over."""
        shared = [name for name in os.listdir("/dev/shm") if "llmspell" in name]
        return [str(path) for path in self.place.temporary.rglob("*")] + shared


class Orphanage:
    """Becomes the parent of what a command leaves behind, so that nothing can hide."""

    def __enter__(self) -> Orphanage:
        self._before = children(os.getpid())
        _subreaper(True)
        return self

    def left(self, grace: float = 0.05) -> list[str]:
        """Descendants that go on although their command ended, after `grace` seconds."""
        deadline = time.monotonic() + grace
        while True:
            found = [pid for pid in children(os.getpid()) - self._before if _is_alive(pid)]
            if not found or time.monotonic() > deadline:
                return [f"{pid}: {_words(pid)}" for pid in found]
            time.sleep(0.005)

    def __exit__(self, *_: object) -> None:
        _subreaper(False)
        for pid in children(os.getpid()) - self._before:
            try:
                if _is_alive(pid):
                    os.kill(pid, 9)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def children(pid: int) -> set[int]:
    """The direct children of a process, of all its threads."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found |= {int(word) for word in (task / "children").read_text().split()}
        except OSError:
            continue
    return found


def descendants(pid: int) -> set[int]:
    """Everything below a process."""
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for parent in new for child in _children_or_none(parent)} - found
        found |= new
    return found


def _children_or_none(pid: int) -> set[int]:
    try:
        return children(pid)
    except OSError:
        return set()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")


def all_gone(pids: set[int], grace: float) -> bool:
    """Whether none of the processes is alive, at the latest after `grace` seconds."""
    deadline = time.monotonic() + grace
    while any(_is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "gone"


def _subreaper(on: bool) -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, int(on), 0, 0, 0)
