"""Processes as the benchmarks see them: commands timed, trees found, memory read.

Source: proc(5), `smaps_rollup`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from bench.rounds import Unavailable

MIB = 1024 * 1024
SECONDS = 60
"""A command that takes longer has gone wrong."""


def _spawn(argv: Sequence[str], output: int | None) -> int:
    silent = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        actions = [
            (os.POSIX_SPAWN_DUP2, silent, 0),
            (os.POSIX_SPAWN_DUP2, silent if output is None else output, 1),
            (os.POSIX_SPAWN_DUP2, silent, 2),
        ]
        return os.posix_spawn(argv[0], list(argv), os.environ, file_actions=actions)
    finally:
        os.close(silent)


def command_ms(argv: Sequence[str]) -> float:
    """Wall time of a whole command, from its spawn until it is reaped. Raises when it fails."""
    begun = time.perf_counter()
    pid = _spawn(argv, None)
    _, status = os.waitpid(pid, 0)
    spent = (time.perf_counter() - begun) * 1000
    if status:
        raise Unavailable(f"it failed with {os.waitstatus_to_exitcode(status)}")
    return spent


def first_output_ms(argv: Sequence[str]) -> float:
    """From a command's spawn until its first byte of output; its end is awaited, not counted."""
    with _speaking(argv) as (pid, spent):
        end_tree(pid)
        return spent


@contextmanager
def spoken(argv: Sequence[str]) -> Iterator[int]:
    """The number of a command that has printed its first byte; who leaves has ended it.

    Raises `Unavailable` when it ends without a word.
    """
    with _speaking(argv) as (pid, _):
        yield pid


@contextmanager
def _speaking(argv: Sequence[str]) -> Iterator[tuple[int, float]]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    begun = time.perf_counter()
    pid = _spawn(argv, writing)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], SECONDS)
        if not ready or not os.read(reading, 65536):
            end_tree(pid)
            raise Unavailable("it ended without a word")
        yield pid, (time.perf_counter() - begun) * 1000
    finally:
        os.close(reading)


def end_tree(pid: int, below: Sequence[int] | None = None) -> None:
    """Kills a child with its tree and reaps the child."""
    for one in (*(descendants(pid) if below is None else below), pid):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue
    os.waitpid(pid, 0)


def parents() -> dict[int, int]:
    """The parent of every process."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue  # It ended meanwhile.
    return found


def descendants(root: int) -> list[int]:
    """Every process below `root`."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def trees(pids: Iterable[int]) -> list[list[int]]:
    """The processes grouped into trees: each begins with the one whose parent is not among them."""
    among, parent = set(pids), parents()
    grouped: dict[int, list[int]] = {}
    for pid in sorted(among):
        root = pid
        while parent.get(root) in among:
            root = parent[root]
        grouped.setdefault(root, []).append(pid)
    return list(grouped.values())


class Memory(NamedTuple):
    """Bytes: `pss` shares what is shared among its holders, `uss` is what is its own alone."""

    pss: int
    uss: int

    def __add__(self, other: object) -> Memory:
        assert isinstance(other, Memory)
        return Memory(self.pss + other.pss, self.uss + other.uss)


def memory_of(pids: Iterable[int]) -> Memory:
    """What these processes hold together. Raises `Unavailable` where it may not be read."""
    total = Memory(0, 0)
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += _read_rollup(file.readlines())
        except PermissionError:
            raise Unavailable("only root may read the memory of confined processes") from None
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended, or is a zombie: it holds nothing.
    return total


def _read_rollup(lines: Sequence[str]) -> Memory:
    size: dict[str, int] = {}
    for line in lines[1:]:
        name, _, rest = line.partition(":")
        size[name] = int(rest.split()[0]) * 1024
    return Memory(size["Pss"], size["Private_Clean"] + size["Private_Dirty"])
