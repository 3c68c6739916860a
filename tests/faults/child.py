"""`python -m tests.faults.child FILE`: runs the cases of a JSON file, each in a fork of its own.

Everything is imported before the first fork, so that a case costs little more than its run. Each
line that is printed is one case's account, which `tests.faults.judge` judges.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import select
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.e2e.program import children
from tests.faults.failures import HANG_SECONDS
from tests.faults.scenarios import FROZEN, SCENARIOS, lay_out
from tests.faults.seams import Fault, Injector
from tests.faults.sites import Site, all_sites

ALL: Final = {**SCENARIOS, **FROZEN}

LONGEST: Final = 20.0
"""Seconds after which a case counts as hung."""

_SUBREAPER: Final = 36


def run_case(case: dict[str, Any], cache: str) -> dict[str, Any]:
    """One case in a forked process of its own: its account, or that it hung or died."""
    folder = Path(tempfile.mkdtemp(prefix="fault-"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setpgid(0, 0)
        try:
            account = _account(case, folder, cache)
        except BaseException as error:
            account = {"broken": f"{type(error).__name__}: {error}"}
        with os.fdopen(writer, "wb") as out:
            out.write(json.dumps(account, default=repr).encode())
        os._exit(0)
    os.close(writer)
    text, begun = b"", time.monotonic()
    while True:
        left = LONGEST - (time.monotonic() - begun)
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            os.killpg(pid, signal.SIGKILL)
            break
        data = os.read(reader, 1 << 16)
        if not data:
            break
        text += data
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    shutil.rmtree(folder, ignore_errors=True)
    if not text:
        return {"hung": True, "status": status}
    told: dict[str, Any] = json.loads(text)
    return told | {"seconds": round(time.monotonic() - begun, 3)}


def _account(case: dict[str, Any], folder: Path, cache: str) -> dict[str, Any]:
    scenario = ALL[case["scenario"]]
    work = folder / "work"
    for name in ("home", "state", "config", "data", "tmp", "work", "cache"):
        (folder / name).mkdir(mode=0o700)
    os.environ.update(
        HOME=str(folder / "home"), XDG_STATE_HOME=str(folder / "state"),
        XDG_CONFIG_HOME=str(folder / "config"), XDG_DATA_HOME=str(folder / "data"),
        TMPDIR=str(folder / "tmp"), XDG_CACHE_HOME=cache or str(folder / "cache"),
    )  # fmt: skip
    tempfile.tempdir = None
    lay_out(work)
    os.chdir(work)
    quiet = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(quiet, 2)
    os.close(quiet)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    faults = [Fault(Site.of(site), kind, turn) for site, kind, turn in case.get("faults", ())]
    injector = Injector(faults)
    injector.install()
    if scenario.threads:
        injector.install_streams()
    before = descriptors()
    told: dict[str, Any] = {"before": contents(work)}
    signals = Storm() if case.get("storm") else None
    begun = time.monotonic()
    try:
        told["result"] = scenario.act(case.get("given", {}))
    except BaseException as error:
        told["raised"] = raised(error)
    if signals is not None:
        told["signals"] = signals.over()
    told["took"] = round(time.monotonic() - begun, 3)
    struck, uses = len(injector.struck), dict(injector.uses)
    injector.faults = {}
    told |= {
        "struck": struck,
        "leaked": leaked_since(before),
        "children": left_over(injector.spawned),
        "files": contents(work),
        "litter": litter(folder),
        "audits": audits(folder),
        "stderr": (folder / "stderr").read_text(encoding="utf-8", errors="replace")[-3000:],
    }
    if case.get("trace"):
        told["uses"] = {str(site): count for site, count in uses.items()}
    return told


class Storm:
    """Signals with a handler that does nothing, more than a thousand a second."""

    def __init__(self) -> None:
        self._count = 0
        signal.signal(signal.SIGALRM, self._met)
        signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)

    def _met(self, *_: object) -> None:
        self._count += 1

    def over(self) -> int:
        """Ends it; how many signals were met."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self._count


def raised(error: BaseException) -> dict[str, Any]:
    """An error that came out instead of a result."""
    import traceback

    from llmspell.errors import LlmspellError

    typed = isinstance(error, LlmspellError)
    return {
        "type": type(error).__name__,
        "typed": typed,
        "code": getattr(error, "code", None),
        "kind": getattr(error, "kind", None),
        "message": str(error)[:300],
        "trace": [] if typed else traceback.format_exception(error)[-6:],
    }


def descriptors() -> set[str]:
    """What is open, without the listing's own descriptor."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            # What stands at 0 to 2 is the test's own.
            if int(name) > 2:
                found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue
    return found


def leaked_since(before: set[str]) -> list[str]:
    """What is still open that was not before, once threads under way had time to end."""
    deadline = time.monotonic() + HANG_SECONDS + 0.5
    while (left := descriptors() - before) and time.monotonic() < deadline:
        if not any(path.endswith(".db") for path in left):
            break
        time.sleep(0.02)
    return sorted(left)


def left_over(spawned: set[int]) -> list[str]:
    """Processes that still run a moment after the run, and zombies that nobody reaped.

    This process is a subreaper, so that no orphan can hide; an orphan that has ended would be
    reaped by init, so it is here.
    """
    deadline = time.monotonic() + 0.5
    while True:
        left = []
        for pid in children(os.getpid()):
            words = _words(pid)
            if " Z " in words and pid not in spawned:
                os.waitpid(pid, os.WNOHANG)
            else:
                left.append(words)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def _words(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return f"{pid} gone"
    return f"{pid} {state} {line}"[:200]


def contents(folder: Path) -> dict[str, str]:
    """Every file below the folder; a link as what it points at."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[name] = "/"
        elif not name.endswith(".jsonl"):
            found[name] = _told(path.read_bytes())
    return found


def _told(data: bytes) -> str:
    """A file's text; of a large one its size and digest."""
    if len(data) > 10_000:
        return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}"
    return data.decode("utf-8", "replace")


def litter(folder: Path) -> list[str]:
    """Temporary files, and databases that are not whole."""
    found = [str(path) for path in (folder / "tmp").rglob("*")]
    for place in ("state", "data", "cache", "work"):
        for path in (folder / place).rglob("*"):
            if path.name.endswith((".new", ".tmp", "-journal")):
                found.append(str(path))
            elif path.suffix in (".db", ".sqlite"):
                with closing(sqlite3.connect(path)) as database:
                    answer = database.execute("PRAGMA integrity_check").fetchone()
                    if answer != ("ok",):
                        found.append(f"{path}: {answer}")
    return found


def audits(folder: Path) -> dict[str, Any]:
    """Every audit file: how it verifies, and what was allowed to which target."""
    from llmspell.supervisor.audit.verify import verify

    found = {}
    for path in sorted(folder.rglob("*.jsonl")):
        report = verify(path)
        records = []
        for line in path.read_bytes().splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                records.append({"event": "half"})
        found[path.name] = {"status": report.status, "what": report.what, "records": records}
    return found


def main() -> None:
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import httpcore  # noqa: F401 - before the forks

    import llmspell.supervisor.drivers.blocking
    import llmspell.supervisor.session

    # Caches of the process (a compiled guest's descriptor, SELinux or CPU facts) are filled here.
    os.environ["XDG_CACHE_HOME"] = order["cache"]
    import llmspell as package

    package.run(package.Spell.from_source("return 1", language="lua"), profile="high",
                audit=str(Path(tempfile.mkdtemp()) / "warm.jsonl"))  # fmt: skip
    all_sites()
    for case in order["cases"]:
        account = run_case(case, "" if ALL[case["scenario"]].cold else order["cache"])
        print(json.dumps({"case": case, **account}), flush=True)


if __name__ == "__main__":
    main()
