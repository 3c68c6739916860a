"""What is looked at from outside: processes, descriptors, memory, files, audit records."""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from llmspell.supervisor.audit.verify import verify
from tests.e2e.program import children, descendants


def state_of(pid: int) -> str:
    """The letter of proc(5), or "" when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def zombies(pid: int) -> list[int]:
    """Those below `pid` that ended and were not waited for."""
    return [found for found in descendants(pid) if state_of(found) == "Z"]


def reap_adopted() -> int:
    """Waits for the dead that came to this process because their parent was killed; how many.

    What init does everywhere else. Those that live are none of its business: they stay, and count
    as orphans.
    """
    count = 0
    for pid in children(os.getpid()):
        if state_of(pid) == "Z" and os.waitpid(pid, os.WNOHANG)[0]:
            count += 1
    return count


def descriptors(pid: int) -> int:
    """Open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kib(pid: int) -> int:
    """Private and shared resident memory of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class _MallocInfo(ctypes.Structure):
    """`struct mallinfo2` of malloc.h (glibc 2.33)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    )


def allocated_kib() -> int:
    """What this process holds from malloc, in KiB: a leak in C shows here, fragments don't.

    0 where the C library can't say.
    """
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is None:
        return 0
    tell.restype = _MallocInfo
    told = tell()
    return int(told.uordblks + told.hblkhd) // 1024


def objects() -> int:
    """Python's own count of containers in this process, after a collection."""
    gc.collect()
    return len(gc.get_objects())


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def litter(root: Path) -> list[str]:
    """Files of runs where none may be once they are over: temporary ones and shared memory."""
    shared = [f"/dev/shm/{name}" for name in os.listdir("/dev/shm") if "llmspell" in name]
    return [str(path) for path in (root / "tmp").rglob("*")] + shared


def kept_files(root: Path) -> int:
    """Files below home, state, data and configuration, but for the audit files."""
    folders = ("home", "state", "data", "config")
    found = [path for name in folders for path in (root / name).rglob("*") if path.is_file()]
    return len([path for path in found if path.parent.name != "audit"])


class Audits(NamedTuple):
    """The records in a state folder, by what the verifier says of each."""

    counts: Counter[str]
    broken: list[str]
    unfinished: list[str]


def take_audits(root: Path) -> Audits:
    """Verifies every audit file and removes it, so that the next part finds only its own."""
    counts: Counter[str] = Counter()
    broken: list[str] = []
    unfinished: list[str] = []
    for path in sorted((root / "state" / "llmspell" / "audit").glob("*.jsonl")):
        report = verify(path)
        # A supervisor can be killed between creating the file and its first record.
        status = "empty" if path.stat().st_size == 0 else report.status
        counts[status] += 1
        if status == "broken":
            broken.append(f"{path.name} line {report.line}: {report.what}")
        elif status != "ok":
            last = path.read_bytes().splitlines()[-1:]
            unfinished.append(f"{path.name} {status}: {b''.join(last)[:300]!r}")
        path.unlink()
    return Audits(counts, broken, unfinished)
