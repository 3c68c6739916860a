"""Mutants of the confinement: each mechanism alone, by its own effect, and that effect without it.

A plan with one mechanism and what it needs is applied to tests/attackers/kernel.c; its acts answer
with errors. The mutant is the same without the mechanism: a layer left out of the plan, or a step
of the library that is passed over while it says that it was done. Rules of the filter are in
`confinement_filter.py`.
"""

from __future__ import annotations

from errno import EACCES, EBADF, EMFILE, ENETUNREACH, ENOENT, ENOMEM, EPERM, ESRCH
from typing import Final, NamedTuple

from tests.mutants import Mutant

RUN_BY: Final = "tests/mutants/test_confinement.py::test_a_mechanism_holds_alone"
NAMESPACE: Final = "tests/mutants/test_confinement.py::test_a_namespace_is_ones_own"
WORKER: Final = "tests/mutants/test_confinement.py::test_what_is_seen_of_a_worker"


class Alone(NamedTuple):
    """One mechanism: what is switched on, what the mutant takes, and what shows it.

    `act` is a call of kernel.c with places to fill: {open} a file everybody may read, {root} one of
    root's own, {group} one of a group's, {folder} a folder to write in, {port}, {pid}.
    """

    name: str
    mechanism: str
    what: str
    layers: str
    act: str
    held: int
    """The error with the mechanism; without it the act works."""
    taken: str = ""
    """The layer that the mutant leaves out, or `skip=…` or `handled=…` for kernel.c."""
    level: str = "high"
    users: str = "both"
    broken: tuple[int, ...] = (0,)
    """The answers without the mechanism."""


def _right(name: str, bit: int, act: str, what: str, users: str = "both") -> Alone:
    mask = ~(1 << bit) & (1 << 64) - 1
    return Alone(
        f"landlock-{name}", "Landlock: file rights", what, "landlock", act, EACCES,
        f"handled={mask:x},ffff,ffff", users=users,
    )  # fmt: skip


def _limit(name: str, number: int, act: str, held: int, what: str, level: str = "high") -> Alone:
    return Alone(
        f"rlimit-{name}", "rlimits", what, "rlimits caps uid", act, held,
        f"skip=setrlimit:{number}", level,
    )  # fmt: skip


ALONE: Final = (
    Alone(
        "landlock", "Landlock", "no domain", "landlock", "openat,-100,t:{open},0", EACCES,
        "landlock",
    ),
    _right("write", 1, "openat,-100,t:{open},1", "a file may be opened to write"),
    _right("read", 2, "openat,-100,t:{open},0", "a file may be opened to read"),
    _right("list", 3, "openat,-100,t:{folder},0x10000", "a folder may be listed"),
    _right("remove-folder", 4, "unlinkat,-100,t:{folder}/empty,0x200", "a folder may be removed"),
    _right("remove-file", 5, "unlinkat,-100,t:{folder}/file,0", "a file may be removed"),
    _right("make-char", 6, "mknodat,-100,t:{folder}/c,0x2180,0", "a device may be made"),
    _right("make-folder", 7, "mkdirat,-100,t:{folder}/d,0x1c0", "a folder may be made"),
    _right("make-file", 8, "mknodat,-100,t:{folder}/r,0x8180,0", "a file may be made"),
    _right("make-socket", 9, "mknodat,-100,t:{folder}/s,0xc180,0", "a socket may be made"),
    _right("make-fifo", 10, "mknodat,-100,t:{folder}/p,0x1180,0", "a pipe with a name may be made"),
    _right(
        "make-block", 11, "mknodat,-100,t:{folder}/b,0x6180,0x700", "a disk may be made",
        users="root",
    ),
    _right("make-link", 12, "symlinkat,t:x,-100,t:{folder}/l", "a link may be made"),
    _right("truncate", 14, "truncate,t:{open},1", "a file may be cut"),
    Alone(
        "landlock-bind", "Landlock: ports", "a port may be taken", "landlock",
        "socket,2,1,0+bind,l,s:0,16", EACCES, "handled=ffffffff,2,3",
    ),
    Alone(
        "landlock-connect", "Landlock: ports", "a port may be reached", "landlock",
        "socket,2,1,0+connect,l,s:{port},16", EACCES, "handled=ffffffff,1,3",
    ),
    Alone(
        "landlock-scope-signal", "Landlock: scopes", "a process outside may be signalled",
        "landlock landlock_scope", "kill,{pid},0", EPERM, "landlock_scope",
    ),
    Alone(
        "netns", "namespaces", "the machine's loopback is reached", "userns netns",
        "socket,2,1,0+connect,l,s:{port},16", ENETUNREACH, "netns",
    ),
    Alone(
        "pidns", "namespaces", "every process has a number", "userns pidns", "kill,{pid},0", ESRCH,
        "pidns",
    ),
    Alone(
        "ipcns", "namespaces", "the machine's segments are found", "userns ipcns",
        "shmget,{key},0,0", ENOENT, "ipcns",
    ),
    Alone(
        "userns", "namespaces", "an ordinary user makes no namespace", "userns pidns",
        "kill,{pid},0", ESRCH, "userns", users="ordinary",
    ),
    Alone(
        "empty-root", "empty root", "the machine's tree is there", "userns mntns empty_root",
        "openat,-100,t:{open},0", ENOENT, "empty_root",
    ),
    Alone(
        "mntns", "namespaces", "no tree of one's own to empty", "userns mntns empty_root",
        "openat,-100,t:{open},0", ENOENT, "mntns",
    ),
    Alone(
        "uid-drop", "identity", "root stays root", "uid caps", "openat,-100,t:{root},0", EACCES,
        "uid", users="root",
    ),
    Alone(
        "capability-drop", "identity", "the uid is left, its rights are not", "uid caps",
        "openat,-100,t:{root},0", EACCES, "caps", users="root",
    ),
    Alone(
        "group-drop", "identity", "supplementary groups stay", "uid caps groups",
        "openat,-100,t:{group},0", EACCES, "skip=setgroups:0", users="root",
    ),
    Alone(
        "gid-drop", "identity", "the group stays root's", "uid caps groups",
        "openat,-100,t:{rootgroup},0", EACCES, "skip=setresgid:0", users="root",
    ),
    Alone(
        "undropped-setuid", "identity", "root can be taken again", "uid caps", "setuid,0", EPERM,
        "caps", users="root",
    ),
    Alone(
        "fds", "descriptors", "what was inherited stays open", "fds", "dup,7", EBADF, "fds",
    ),
    _limit("data", 2, "mmap,0,0x10000000,3,0x22,-1,0", ENOMEM, "memory without end"),
    _limit("address-space", 9, "mmap,0,0x400000000,0,0x4022,-1,0", ENOMEM, "mappings without end"),
    _limit("open-files", 7, "dup2,0,200", EBADF, "descriptors without end"),
    _limit("locked-memory", 8, "mlock,b,4096", EPERM, "memory that is never swapped"),
    _limit(
        "queues", 12, "mq_open,t:{queue},0x42,0x180,0", EMFILE, "queues of the machine's memory"
    ),
)  # fmt: skip

NAMESPACES: Final = ("netns", "pidns", "ipcns", "utsns", "mntns", "cgroupns")

SEEN: Final = {
    "undumpable": "other processes of its uid read its memory",
    "session": "a fork stays in its zygote's session",
    "parent_death": "a worker outlives its supervisor",
    "no_new_privs": "a setuid program gives its owner's rights",
    "rlimit-core": "a crash leaves a core file",
    "rlimit-cpu": "processor time without end",
}

MUTANTS: Final = (
    *(Mutant(one.name, one.mechanism, one.what, (f"{RUN_BY}[{one.name}]",)) for one in ALONE),
    *(
        Mutant(
            f"{name}-of-ones-own",
            "namespaces",
            f"{name} is the machine's",
            (f"{NAMESPACE}[{name}]",),
        )
        for name in NAMESPACES
    ),
    *(
        Mutant(f"seen-{name}", "what is seen of a worker", what, (f"{WORKER}[{name}]",))
        for name, what in SEEN.items()
    ),
)
