"""What a confinement is, as data: the bytes that `sandboxes/confine` applies.

Format (all integers little-endian), read by confine.c with bounds checks:

    "LSPN" u32 version=1, then records of u32 type, u32 length, body
    1 base     u32 stages (1 first, 2 second, 3 both; 8 zygote, 9 first and zygote, 16 a
               zygote's child), wanted (1 << index in LAYERS), probe, drop_stage, uid, gid,
               parent_pid, handover
    2 limit    u32 resource, u64 value        3 keep     u32 descriptor
    4 path     u32 writable, bytes, NUL       5 filter   struct sock_filter[]

Pure but for `Machine.here()`, which reads who and where the supervisor is.
"""

from __future__ import annotations

import math
import os
import struct

from llmspell.errors import IsolationRefused
from llmspell.platform.linux import seccomp
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

LAYERS: Final = (
    "fds",
    "session",
    "rlimits",
    "userns",
    "netns",
    "pidns",
    "ipcns",
    "utsns",
    "mntns",
    "cgroupns",
    "uid",
    "groups",
    "caps",
    "no_new_privs",
    "parent_death",
    "undumpable",
    "empty_root",
    "landlock",
    "landlock_scope",
    "seccomp",
    "subreaper",
)
"""Every mechanism, in the order of `enum layer` in confine_internal.h."""

_BITS: Final = {layer: 1 << index for index, layer in enumerate(LAYERS)}

_NONE: Final = frozenset({"fds", "session", "rlimits", "parent_death", "subreaper"})
_LOW: Final = (_NONE - {"subreaper"}) | {
    "caps",
    "no_new_privs",
    "undumpable",
    "landlock",
    "landlock_scope",
    "seccomp",
}
_MEDIUM: Final = frozenset(LAYERS) - {"subreaper"}

WANTED: Final[Mapping[str, frozenset[str]]] = {
    "none": _NONE,
    "low": _LOW,
    "medium": _MEDIUM,
    "high": _MEDIUM,
}
"""The mechanisms each level tries; which of them must work is said by REQUIRED_EFFECTS alone."""

_RLIMIT_CPU: Final = 0
_RLIMIT_FSIZE: Final = 1
_RLIMIT_DATA: Final = 2
_RLIMIT_CORE: Final = 4
_RLIMIT_NOFILE: Final = 7
_RLIMIT_MEMLOCK: Final = 8
_RLIMIT_AS: Final = 9
_RLIMIT_MSGQUEUE: Final = 12

_MIB: Final = 1 << 20
_WASM_OVERHEAD: Final = 48 * _MIB
"""Data pages of the worker around a guest: library, stack, tables. The guest has its own limit."""
_WASM_MAPPINGS: Final = 12 << 30
"""Address space of the worker around a guest: 8.2 GiB are reserved for the largest. It is no memory
but for the page tables that only reading fills: this bounds them to 24 MiB."""
_NATIVE_MAPPINGS: Final = 512 * _MIB
"""Address space of an interpreter that is not memory: libraries, guard pages, locale files."""

_BOTH: Final = 3
_FIRST: Final = 1
_SECOND: Final = 2
_ZYGOTE: Final = 8
_CHILD: Final = 16
_UID_RANGE: Final = range(2_000_000_000, 2_100_000_000)
_NOBODY: Final = 65534
_HANDOVER_FD: Final = 4


class Machine(NamedTuple):
    """Who confines: the supervisor's own identity, as far as a plan depends on it."""

    pid: int
    uid: int
    may_drop: bool
    """Root, and able to become another uid and to signal it afterwards."""
    worker_uid: int
    """The uid that a root-run worker takes; a new one for each run where the machine has room."""

    @classmethod
    def here(cls) -> Machine:
        """This process, now."""
        uid = os.geteuid()
        caps = _effective_caps() if uid == 0 else 0
        needed = 1 << 5 | 1 << 6 | 1 << 7  # CAP_KILL, CAP_SETGID, CAP_SETUID
        return cls(os.getpid(), uid, caps & needed == needed, _pick_uid() if uid == 0 else uid)


class Confinement(NamedTuple):
    """One worker's confinement, before it becomes bytes. A limit of None means unlimited.

    A limit has to be said: zero is the strictest, and there is no default.
    """

    level: str
    """"none", "low", "medium" or "high"."""
    kind: str
    """"native": an interpreter behind the launcher; "wasm": the native worker around a guest."""
    memory: int | None
    """Bytes."""
    cpu: float | None
    """Seconds of the whole process; rounded up to full ones."""
    threads: int | None
    """At `medium` and `high` always 1. At `low` held by memory (8 MiB of stack each) only."""
    processes: int | None
    """New processes: at `low` and above always 0, by the filter."""
    open_files: int | None
    file_size: int | None = None
    """Bytes of one file."""
    read_paths: tuple[str, ...] = ()
    """Absolute real paths that the worker itself may read; used at `low` only."""
    write_paths: tuple[str, ...] = ()
    """What Landlock would let it write; the filter of `low` opens nothing for writing."""
    keep_fds: tuple[int, ...] = ()
    """Descriptors besides 0-3 that survive stage 1."""
    without: frozenset[str] = frozenset()
    """Mechanisms left out on purpose, for tests that show what each one holds."""


class Plan(NamedTuple):
    """Frames for the worker. `stage2` is empty when one frame holds both stages (kind "wasm")."""

    stage1: bytes
    stage2: bytes


def make_plan(confinement: Confinement, machine: Machine | None = None) -> Plan:
    """The bytes of a confinement.

    Raises ValueError for a limit or path that is no limit or path, IsolationRefused when the
    system-call filter is not there.
    """
    machine = machine or Machine.here()
    unknown = confinement.without - set(LAYERS)
    if unknown or confinement.level not in WANTED or confinement.kind not in ("wasm", "native"):
        raise ValueError(f"no such confinement: {confinement.level} {confinement.kind} {unknown}")
    wanted = WANTED[confinement.level] - confinement.without
    handover = confinement.kind == "native"
    if handover and _HANDOVER_FD in confinement.keep_fds:
        raise ValueError("descriptor 4 carries the launcher's report and can't be kept")
    # Both kinds drop late: interpreter or library may lie below a home that only root may enter.
    drops = machine.may_drop and "uid" in wanted
    drop = (_SECOND, machine.worker_uid, machine.worker_uid) if drops else (0, 0, 0)
    # 0: nothing is promised; 1: effects are tried; 2: and root without rights is a leak.
    probe = {"none": 0, "low": 1}.get(confinement.level, 2)

    def base(stages: int) -> bytes:
        body = (stages, _mask(wanted), probe, *drop, machine.pid, int(handover))
        return _record(1, struct.pack("<8I", *body))

    early = _limits(confinement) + b"".join(
        _record(3, struct.pack("<I", fd)) for fd in confinement.keep_fds
    )
    late = _paths(confinement) + _filter(confinement, wanted)
    header = struct.pack("<4sI", b"LSPN", 1)
    if handover:
        return Plan(header + base(_FIRST) + early, header + base(_SECOND) + late)
    return Plan(header + base(_BOTH) + early + late, b"")


def make_zygote_plan(level: str, kind: str, machine: Machine | None = None) -> Plan:
    """The bytes for a zygote: namespaces and an empty root, which its children share.

    `level` is "medium" or "high", `kind` as in `Confinement`. Every other mechanism, and every
    limit of a run, comes with each child's own plan. Raises ValueError for another level.
    """
    if level not in ("medium", "high") or kind not in ("wasm", "native"):
        raise ValueError(f"there is no zygote for {level} {kind}")
    machine = machine or Machine.here()
    unlimited = Confinement(level, kind, None, None, 1, 0, None)
    # What the children give up for good is what stage 1 has to leave to the zygote.
    drop = (_SECOND, machine.worker_uid, machine.worker_uid) if machine.may_drop else (0, 0, 0)

    def base(stages: int, handover: bool) -> bytes:
        body = (stages, _mask(WANTED[level]), 0, *drop, machine.pid, int(handover))
        return _record(1, struct.pack("<8I", *body))

    header, early = struct.pack("<4sI", b"LSPN", 1), _limits(unlimited)
    if kind == "native":
        return Plan(header + base(_FIRST, True) + early, header + base(_ZYGOTE, True))
    return Plan(header + base(_FIRST | _ZYGOTE, False) + early, b"")


def make_child_plan(confinement: Confinement, machine: Machine | None = None) -> bytes:
    """The bytes for a worker that its zygote forked: limits and the whole second stage.

    Raises as `make_plan` does.
    """
    machine = machine or Machine.here()
    wanted = WANTED[confinement.level] - confinement.without
    drops = machine.may_drop and "uid" in wanted
    drop = (_SECOND, machine.worker_uid, machine.worker_uid) if drops else (0, 0, 0)
    base = struct.pack("<8I", _CHILD, _mask(wanted), 2, *drop, machine.pid, 0)
    parts = _record(1, base) + _limits(confinement) + _filter(confinement, wanted)
    return struct.pack("<4sI", b"LSPN", 1) + parts


def _mask(wanted: Iterable[str]) -> int:
    return sum(_BITS[layer] for layer in wanted)


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body


def _limits(confinement: Confinement) -> bytes:
    limits = confinement
    for name in ("memory", "cpu", "threads", "processes", "open_files", "file_size"):
        value = getattr(limits, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"the limit {name} must be zero or more, not {value!r}")
    if limits.level in ("medium", "high") and (limits.threads or 0) > 1:
        raise ValueError(f"a worker at {limits.level} has one thread")
    if limits.level != "none" and limits.processes != 0:
        raise ValueError(f"a worker at {limits.level} starts no process")
    records = {_RLIMIT_CORE: 0}
    if confinement.level != "none":
        records |= {_RLIMIT_MEMLOCK: 0, _RLIMIT_MSGQUEUE: 0}
    if limits.memory is not None:
        if confinement.kind == "wasm":
            records[_RLIMIT_DATA] = limits.memory + _WASM_OVERHEAD
            records[_RLIMIT_AS] = _WASM_MAPPINGS
        else:
            records[_RLIMIT_DATA] = limits.memory
            records[_RLIMIT_AS] = limits.memory + _NATIVE_MAPPINGS
    if limits.cpu is not None:
        # As process 1 of a namespace SIGXCPU is ignored: the hard limit is the limit.
        records[_RLIMIT_CPU] = math.ceil(limits.cpu)
    if limits.open_files is not None:
        # 0, 1, 2, the channel and the launcher's report are ours, not the spell's.
        records[_RLIMIT_NOFILE] = limits.open_files + 5
    if limits.file_size is not None and confinement.level in ("none", "low"):
        # Above `low` nothing can be opened, and a limit would kill a writer to a logged stderr.
        records[_RLIMIT_FSIZE] = limits.file_size
    return b"".join(
        _record(2, struct.pack("<IQ", resource, value)) for resource, value in records.items()
    )


def _paths(confinement: Confinement) -> bytes:
    if confinement.level != "low":
        if confinement.read_paths or confinement.write_paths:
            raise ValueError(f"a worker at {confinement.level} has no path of its own")
        return b""
    records = []
    for writable, paths in enumerate((confinement.read_paths, confinement.write_paths)):
        for path in paths:
            raw = os.fsencode(path)
            if not raw.startswith(b"/") or b"\0" in raw:
                raise ValueError(f"not an absolute path: {path!r}")
            records.append(_record(4, struct.pack("<I", writable) + raw + b"\0"))
    if len(records) > 128:
        raise ValueError("more than 128 paths")
    return b"".join(records)


def _filter(confinement: Confinement, wanted: frozenset[str]) -> bytes:
    if "seccomp" not in wanted:
        return b""
    program = seccomp.program(confinement.level, confinement.kind)
    if not program:
        raise IsolationRefused("the system-call filter is an empty file", hint="reinstall llmspell")
    return _record(5, program)


def _effective_caps() -> int:
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return int(line.split()[1], 16)
    return 0


_mapped: tuple[int, list[tuple[int, int]]] = (0, [])
"""The ranges of uids that the process of this number may use; its namespace is for life."""


def _mapped_uids() -> list[tuple[int, int]]:
    global _mapped
    if _mapped[0] != os.getpid():
        with open("/proc/self/uid_map", "rb") as file:
            lines = [tuple(map(int, line.split())) for line in file]
        _mapped = (os.getpid(), [(first, first + count) for first, _outside, count in lines])
    return _mapped[1]


def _pick_uid() -> int:
    """A uid that no account and no other run has; nobody's where the namespace maps too few."""
    wanted = _UID_RANGE.start + int.from_bytes(os.urandom(4), "little") % len(_UID_RANGE)
    mapped = any(first <= wanted < end for first, end in _mapped_uids())
    return wanted if mapped else _NOBODY
