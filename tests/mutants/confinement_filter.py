"""Mutants of the system-call filter: each group of the deny-list, each rule by argument.

A mutant is the filter compiled without one of them. The real filter and the mutant answer the same
call in the kernel; a refusal is told from the kernel's own by an error that the kernel never gives.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from llmspell.platform.linux import seccomp_tables as tables
from tests.mutants import Mutant

GROUP_BY: Final = "tests/mutants/test_confinement_filter.py::test_a_group_of_the_deny_list"
RULE_BY: Final = "tests/mutants/test_confinement_filter.py::test_a_rule_of_the_deny_list"
LOOSE_BY: Final = "tests/mutants/test_confinement_filter.py::test_a_condition_of_the_allow_lists"
FRAME_BY: Final = "tests/mutants/test_confinement_filter.py::test_the_frame_of_every_filter"

USUAL: Final = {
    "clone": (tables.CLONE_THREAD, 0, 0, 0, 0),
    "ioctl": (0, 0x5421, "b"),
    "open": ("t:/", 0),
    "openat": (-100, "t:/", 0),
    "sendto": (3, "b", 0, 0, 0, 0),
    "recvfrom": (3, "b", 1, 0x40, 0, 0),
    "sendmsg": (3, "b", 0),
    "recvmsg": (3, "b", 0x40),
    "sendmmsg": (3, "b", 0, 0),
    "recvmmsg": (3, "b", 0, 0x40, 0),
    "fcntl": (0, 0, 0),
    "mmap": (0, 4096, 3, 0x22, -1, 0),
    "madvise": ("b", 4096, 4),
    "socketpair": (1, 1, 0, "b"),
    "getsockopt": (3, 1, 0, "b", "b"),
}
"""Arguments with which the deny-list lets a call through; a rule then changes some of them."""


class Loose(NamedTuple):
    """A call that an allow-list refuses for its arguments, as words of kernel.c."""

    name: str
    call: str
    what: str
    kind: str = "wasm"


LOOSE: Final = (
    Loose("mmap-executable", "mmap,0,4096,5,0x22,-1,0", "pages may be mapped to run"),
    Loose("mmap-shared", "mmap,0,4096,3,0x21,-1,0", "pages may be shared"),
    Loose("mmap-grows-down", "mmap,0,4096,3,0x122,-1,0", "pages that no limit counts"),
    Loose("mmap-huge", "mmap,0,4096,3,0x40022,-1,0", "pages of the machine's pool"),
    Loose("madvise-merge", "madvise,b,4096,12", "pages are merged with other processes'"),
    Loose("mprotect-executable", "mprotect,b,4096,5", "pages may be made to run"),
    Loose("sendto-address", "sendto,3,b,0,0,b,16", "a message may name its receiver"),
    Loose("sendto-urgent", "sendto,3,b,1,1,0,0", "urgent bytes may be sent"),
    Loose("recvfrom-urgent", "recvfrom,3,b,1,0x41,0,0", "urgent bytes may be taken"),
    Loose("recvfrom-errors", "recvfrom,3,b,1,0x2040,0,0", "queues of errors may be read"),
    Loose("futex-owner", "futex,b,136,0,0,0,0", "a lock asks for a process by its number"),
    Loose("futex-shared", "futex,b,1,1,0,0,0", "a lock is found from other processes"),
    Loose("clock-of-another", "clock_gettime,0xfffffff6,b", "another's processor time is read"),
    Loose("grain-of-another", "clock_getres,0xfffffff6,b", "another process is asked for"),
    Loose("sleep-by-another", "clock_nanosleep,0xfffffff6,0,b,0", "another's time is waited for"),
    Loose("fcntl-owner", "fcntl,0,8,0", "signals may be aimed", "native"),
    Loose("fcntl-async", "fcntl,0,4,0x2000", "signals may be aimed", "native"),
    Loose("ioctl-terminal", "ioctl,0,0x5412,b", "input of a terminal may be made", "native"),
    Loose("socketpair-datagrams", "socketpair,1,2,0,b", "a pair that may be aimed", "native"),
    Loose("socketpair-family", "socketpair,2,1,0,b", "another family", "native"),
    Loose("affinity-of-another", "sched_getaffinity,1,128,b", "another is asked for", "native"),
    Loose("peer-handle", "getsockopt,3,1,77,b,b", "a handle on the supervisor", "native"),
)

FRAME: Final = {
    "foreign-entry": "a 32-bit entry and x32 numbers are judged as the machine's own",
    "clone3": "clone3, whose flags no filter sees, reaches the kernel at low",
    "newer-calls": "calls that were invented later reach the kernel at low",
    "allow-list-default": "what an allow-list does not name is allowed",
}


def rule_name(at: int) -> str:
    """A name for the rule at this place of the deny-list's rules by argument."""
    rule = tables.DENIED_WHEN[at]
    tests = "-".join(f"{one.argument}.{one.value:x}" for one in rule.when)
    return f"low-{rule.call}-{tests}"


def slug(group: str) -> str:
    """A group's name as part of a mutant's."""
    return "low-" + "".join(letter if letter.isalnum() else "-" for letter in group)


RULES: Final = {rule_name(at): at for at in range(len(tables.DENIED_WHEN))}
GROUPS: Final = {slug(group): group for group in tables.DENIED_GROUPS}

MUTANTS: Final = (
    *(
        Mutant(name, "seccomp: deny-list of low", f"{group}: allowed", (f"{GROUP_BY}[{name}]",))
        for name, group in GROUPS.items()
    ),
    *(
        Mutant(
            name,
            "seccomp: rules by argument at low",
            f"{tables.DENIED_WHEN[at].call} with such an argument: allowed",
            (f"{RULE_BY}[{name}]",),
        )
        for name, at in RULES.items()
    ),
    *(
        Mutant(one.name, f"seccomp: allow-list, {one.kind}", one.what, (f"{LOOSE_BY}[{one.name}]",))
        for one in LOOSE
    ),
    *(
        Mutant(f"filter-{name}", "seccomp: every filter", what, (f"{FRAME_BY}[{name}]",))
        for name, what in FRAME.items()
    ),
)
