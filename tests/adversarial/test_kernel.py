"""KX by a native attacker: system calls made raw in a worker's place, and outside as the control.

A filter's refusal is told to the caller as EPERM (what does not exist: ENOSYS; a foreign entry into
the kernel: SIGSYS). There is no other record of it: the supervisor sees results, not attempts.
"""

from __future__ import annotations

import errno
import functools
import os
import signal
from pathlib import Path

import pytest

from llmspell.platform.linux import bpf, seccomp, seccomp_tables
from tests.adversarial.placed import REFUSED, STARTS, Told, attack, outside
from tests.adversarial.proof import Control

pyseccomp = pytest.importorskip("pyseccomp")

ROOT = os.geteuid() == 0
MACHINE = os.uname().machine
x86_64 = pytest.mark.skipif(MACHINE != "x86_64", reason="this entry exists on x86-64 only")
HIGH_BITS = 0x1_0000_0000
NUMBERS_IN_SCAN = 472

CALLS = {
    "KX_06": (
        "bpf,9999,b,128",
        "userfaultfd,0x80001",  # O_CLOEXEC and UFFD_USER_MODE_ONLY: what any user may
        "perf_event_open,b,0,-1,-1,0",
        "keyctl,0,-2,1",
        "add_key,t:user,t:kx,b,1,-2",
        "request_key,t:user,t:kx,0,-2",
    ),
    "KX_07": (
        "mount,t:none,t:/tmp,t:tmpfs,0",
        "mount_setattr,-100,t:/tmp,0,b,32",
        "pivot_root,t:/tmp,t:/tmp",
        "open_tree,-100,t:/,1",
        "fsopen,t:tmpfs,0",
        "move_mount,-1,t:x,-1,t:/tmp,0",
        "swapon,t:/no/such/device,0",
        "umount2,t:/tmp,0",
    ),
    "KX_08": ("personality,0x0040000", "personality,0x0400000"),
    # A kernel may be built without the last two.
    "KX_09": (
        "prctl,52,0",  # what the speculation controls are
        "prctl,53,0,2",
        "modify_ldt,1,b,16",
        "arch_prctl,0x1003,b",
        "iopl,0",
        "ioperm,0x80,1,0",
    ),
    "KX_13": (
        "shmget,0,4096,0x380",
        "semget,0,1,0x380",
        "msgget,0,0x380",
        "mq_open,t:kx,0x42,0x180,0",
    ),
    "KX_14": (
        # /dev/null is the one file that every worker on the machine has open.
        "flock,0,6",
        "fcntl,0,6,b",
        "fcntl,0,37,b",
        "fcntl,0,1024,0",
        "fcntl,0,1026,1",
    ),
    "KX_19": ("clock_settime,0,-1", "settimeofday,-1,0", "adjtimex,-1", "clock_adjtime,0,-1"),
}  # fmt: skip
"""By case: calls that reach the kernel's own code outside. None of them changes the machine."""

HELD_AT_LOW = {"KX_06", "KX_07", "KX_08", "KX_13", "KX_19"}
ONLY_ROOT = {"swapon", "open_tree", "move_mount", "pivot_root", "fsopen"}
"""Outside an ordinary user gets to these only where it may make namespaces."""


def number(call: str) -> int:
    """Its number on this machine; 9999 (no call at all) where the machine has none."""
    found = int(pyseccomp.resolve_syscall(pyseccomp.system_arch(), call))
    return found if found >= 0 else seccomp._NUMBERS.get(call, 9999)


def word(call: str) -> str:
    """A call as kernel.c takes it; its name is the whole call."""
    name, _, arguments = call.partition(",")
    return f"{call.replace('=', ':')}={number(name)},{arguments}"


EVERY = [word(call) for calls in CALLS.values() for call in calls]


@pytest.fixture(scope="module")
def free() -> dict[str, int]:
    return outside("kernel", ["namespaces", *EVERY])


@functools.cache
def inside(profile: str, start: str, machine: str) -> Told:
    return attack("kernel", EVERY, profile, start, machine)


AT = [
    *((profile, start) for profile in ("medium", "high") for start in STARTS),
]


@pytest.mark.parametrize("machine", REFUSED)
@pytest.mark.parametrize(("profile", "start"), AT)
@pytest.mark.parametrize("case", CALLS)
def test_a_door_into_the_kernel_is_shut(
    free: dict[str, int], case: str, profile: str, start: str, machine: str, control: Control
) -> None:
    there = {call for call in CALLS[case] if free[call] != errno.ENOSYS}
    usable = {call for call in there if ROOT or call.partition(",")[0] not in ONLY_ROOT}
    control(len(there) > 3 or there == set(CALLS[case]))
    control(all(free[call] != errno.EPERM for call in usable))
    told = inside(profile, start, machine)
    assert {call: told.acts[call] for call in CALLS[case]} == dict.fromkeys(
        CALLS[case], errno.EPERM
    )


@pytest.mark.profile("low")
@pytest.mark.parametrize("case", sorted(HELD_AT_LOW))
def test_the_deny_list_of_low_has_it(free: dict[str, int], case: str, control: Control) -> None:
    control(any(not free[call] for call in CALLS[case]) or case == "KX_19")
    acts = inside("low", "exec", "as it is").acts
    assert {acts[call] for call in CALLS[case]} == {errno.EPERM}


def test_what_low_leaves_open_is_known() -> None:
    """Locks on a file that is open, and registers of the process's own."""
    acts = inside("low", "exec", "as it is").acts
    works = {call for case in CALLS for call in CALLS[case] if acts[call] != errno.EPERM}
    assert works == {"arch_prctl,0x1003,b", "flock,0,6", *(
        call for call in CALLS["KX_14"] if call in ("fcntl,0,6,b", "fcntl,0,37,b")
    )}  # fmt: skip


@x86_64
@pytest.mark.parametrize(("profile", "start"), [("low", "exec"), *AT])
@pytest.mark.parametrize(
    "entry", [pytest.param("!x=0x40000027", id="KX_01"), pytest.param("!x=int80,20", id="KX_02")]
)
def test_a_foreign_entry_ends_the_worker(
    entry: str, profile: str, start: str, control: Control
) -> None:
    control(outside("kernel", [entry]) == {"!x": 0})
    told = attack("kernel", [entry], profile, start)
    assert (told.acts, told.signal) == ({}, signal.SIGSYS)


@x86_64
@pytest.mark.parametrize(("profile", "start"), AT)
def test_KX_03_the_vsyscall_page_is_no_way_around(
    profile: str, start: str, control: Control
) -> None:
    """Its entries are judged as the calls that they stand for: one is allowed, one is not."""
    if "[vsyscall]" not in Path("/proc/self/maps").read_text():
        pytest.skip("this kernel has no such page")
    entries = ["time=vsyscall,0x400", "getcpu=vsyscall,0x800"]
    control(outside("kernel", entries) == {"time": 0, "getcpu": 0})
    told = attack("kernel", entries, profile, start)
    assert told.acts == {"time": 0, "getcpu": errno.EPERM}


JUDGED_BY_ARGUMENT = {
    "steal input": "ioctl,0,0x5412,t:x",
    "aim signals": "fcntl,0,8,0",
    "run pages": "mmap,0,4096,5,0x22,-1,0",
    "share pages": "mmap,0,4096,3,0x21,-1,0",
    "datagrams": "socketpair,1,2,0,b",
    "a process": "clone,17",
    "another's clock": "clock_gettime,0xfffffff6,b",
}
AT_ARGUMENT = {"ioctl": 1, "fcntl": 1, "mmap": 2, "socketpair": 1, "clone": 0, "clock_gettime": 0}
REFUSED_AT = {
    "low": {"steal input", "aim signals", "datagrams", "a process"},
    "medium": set(JUDGED_BY_ARGUMENT),
    "high": set(JUDGED_BY_ARGUMENT),
}


def with_high_bits(call: str) -> str:
    name, *arguments = call.split(",")
    at = AT_ARGUMENT[name]
    arguments[at] = hex(int(arguments[at], 0) | HIGH_BITS)
    return ",".join([name, *arguments])


@pytest.mark.parametrize(("profile", "start"), [("low", "exec"), *AT])
def test_KX_04_bits_that_the_kernel_ignores_change_no_verdict(
    profile: str, start: str, control: Control
) -> None:
    plain = {name: word(call) for name, call in JUDGED_BY_ARGUMENT.items()}
    high = {name: word(with_high_bits(call)) for name, call in JUDGED_BY_ARGUMENT.items()}
    words = [f"{name}={one.partition('=')[2]}" for name, one in plain.items()]
    words += [f"{name}+={one.partition('=')[2]}" for name, one in high.items()]
    found = outside("kernel", words)
    # The kernel itself compares 32 bits: the bits above hide nothing from it.
    control(all(found[name] == found[name + "+"] != errno.EPERM for name in JUDGED_BY_ARGUMENT))
    acts = attack("kernel", words, profile, start).acts
    refused = {name for name in JUDGED_BY_ARGUMENT if acts[name] == errno.EPERM}
    assert refused == REFUSED_AT[profile]
    assert {name for name in JUDGED_BY_ARGUMENT if acts[name + "+"] == errno.EPERM} == refused


@pytest.mark.parametrize(("profile", "start"), AT)
def test_KX_60_of_all_numbers_only_the_documented_reach_the_kernel(
    profile: str, start: str, control: Control
) -> None:
    """Each system call with arguments that are no use to any: refused, or listed in the tables."""
    free = {int(name): error for name, error in outside("kernel", ["scan"]).items()}
    control(sum(error not in (errno.EPERM, errno.ENOSYS) for error in free.values()) > 250)
    found = {
        int(name): error for name, error in attack("kernel", ["scan"], profile, start).acts.items()
    }
    kind = "wasm" if profile == "high" else "native"
    program = seccomp.program(profile, kind)
    useless = (-1,) * 6

    def answer(call: int) -> int:
        verdict = bpf.evaluate(program, call, useless, MACHINE)
        return 0 if verdict == bpf.ALLOW else verdict & 0xFFFF

    assert len(found) > NUMBERS_IN_SCAN - 10
    refused = {call: answer(call) for call in found if answer(call)}
    assert {call: found[call] for call in refused} == refused
    listed = {number(rule.call) for rule in seccomp_tables.ALLOWED[profile, kind]}
    assert set(found) - set(refused) <= listed
    # What is let through is answered by the kernel's own code.
    assert all(found[call] not in (errno.EPERM,) for call in set(found) - set(refused))
