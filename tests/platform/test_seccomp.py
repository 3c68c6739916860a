"""The filter programs, asked in software: every answer for every number and argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.platform.linux import bpf, seccomp
from llmspell.platform.linux import seccomp_tables as tables

pyseccomp = pytest.importorskip("pyseccomp")

EPERM = bpf.errno(1)
ENOSYS = bpf.errno(38)
PROGRAMS = {
    (level, kind): seccomp.compile_program(level, kind, "x86_64")
    for level in seccomp.LEVELS
    for kind in seccomp.KINDS
}
EVERY = sorted(PROGRAMS)
STRICT = [key for key in EVERY if key[0] != "low"]
LOW = ("low", "native")
DANGEROUS = (
    "io_uring_setup userfaultfd bpf perf_event_open keyctl add_key ptrace process_vm_readv "
    "process_vm_writev pidfd_open pidfd_getfd kcmp kill tgkill setns unshare execve "
    "execveat fork vfork memfd_create mount umount2 fsopen move_mount pivot_root "
    "personality modify_ldt shmget semget msgget mq_open open_by_handle_at socket connect "
    "bind listen accept setuid setresuid capset prctl seccomp setsid prlimit64 "
    "landlock_create_ruleset "
)
"""Never allowed, whatever the arguments."""

u64 = st.integers(0, (1 << 64) - 1)
high_bits = st.integers(0, (1 << 32) - 1).map(lambda value: value << 32)


def number(call: str) -> int:
    found = int(pyseccomp.resolve_syscall(pyseccomp.Arch.X86_64, call))
    assert found >= 0, call
    return found


def ask(key: tuple[str, str], call: str | int, *arguments: int, arch: str = "x86_64") -> int:
    wanted = call if isinstance(call, int) else number(call)
    return bpf.evaluate(PROGRAMS[key], wanted, arguments, arch)


@pytest.mark.parametrize("key", EVERY)
@given(call=st.integers(0, 600), arguments=st.lists(u64, max_size=6))
def test_KX_01_x32_is_killed_whatever_the_call(
    key: tuple[str, str], call: int, arguments: list[int]
) -> None:
    assert ask(key, bpf.X32 | call, *arguments) == bpf.KILL_PROCESS


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("arch", ["i386", "aarch64", "arm"])
@given(call=st.integers(0, 450))
def test_KX_02_foreign_entries_are_killed(key: tuple[str, str], arch: str, call: int) -> None:
    assert ask(key, call, arch=arch) == bpf.KILL_PROCESS


@pytest.mark.parametrize("key", EVERY)
def test_PR_13_clone3_does_not_exist(key: tuple[str, str]) -> None:
    assert ask(key, "clone3") == ENOSYS


@pytest.mark.parametrize("key", STRICT)
@given(call=st.integers(0, 700), arguments=st.lists(u64, max_size=6))
def test_what_is_not_listed_is_refused(
    key: tuple[str, str], call: int, arguments: list[int]
) -> None:
    listed = {rule.call for rule in tables.ALLOWED[key]}
    names = {number(name) for name in listed}
    if call not in names:
        assert ask(key, call, *arguments) in (EPERM, ENOSYS)


@pytest.mark.parametrize("key", EVERY)
@pytest.mark.parametrize("call", DANGEROUS.split())
def test_KX_06_dangerous_calls_are_refused_at_every_level(key: tuple[str, str], call: str) -> None:
    assert ask(key, call) == EPERM


@given(high=high_bits, extra=st.sampled_from([0, *tables.CLONE_NAMESPACES]))
def test_PR_12_a_thread_may_start_at_low_a_namespace_or_process_not(high: int, extra: int) -> None:
    thread = 0x003D_0F00
    expected = EPERM if extra else bpf.ALLOW
    assert ask(LOW, "clone", thread | extra | high) == expected
    assert ask(LOW, "clone", thread & ~tables.CLONE_THREAD | extra | high) == EPERM


@pytest.mark.parametrize("key", STRICT)
@given(flags=u64)
def test_PR_01_nothing_is_cloned_above_low(key: tuple[str, str], flags: int) -> None:
    assert ask(key, "clone", flags) == EPERM


@given(high=high_bits)
def test_KX_04_high_bits_do_not_hide_a_request(high: int) -> None:
    for request in (tables.TIOCSTI, tables.TIOCLINUX):
        assert ask(LOW, "ioctl", 0, request | high) == EPERM
    assert ask(LOW, "ioctl", 0, 0x5401 | high) == bpf.ALLOW
    assert ask(("medium", "native"), "ioctl", 0, tables.FIONBIO | high) == bpf.ALLOW
    assert ask(("medium", "native"), "ioctl", 0, tables.TIOCSTI | high) == EPERM
    assert ask(LOW, "fcntl", 3, tables.F_SETOWN | high) == EPERM


@pytest.mark.parametrize("key", STRICT)
@given(protection=st.integers(0, 15), flags=st.integers(0, 1 << 20), high=high_bits)
def test_WA_memory_is_private_and_never_executable(
    key: tuple[str, str], protection: int, flags: int, high: int
) -> None:
    executable = protection & tables.PROT_EXEC
    counted = not flags & (tables.MAP_GROWSDOWN | tables.MAP_HUGETLB)
    private = flags & tables.MAP_TYPE == tables.MAP_PRIVATE and counted
    mapped = ask(key, "mmap", 0, 4096, protection | high, flags | high)
    assert (mapped == bpf.ALLOW) == (private and not executable)
    assert (ask(key, "mprotect", 0, 4096, protection | high) == bpf.ALLOW) == (not executable)


def test_RS_02_no_memory_is_mapped_that_its_limit_does_not_count() -> None:
    for key in (LOW, *STRICT):
        assert ask(key, "mmap", 0, 4096, 3, tables.MAP_PRIVATE | tables.MAP_GROWSDOWN) == EPERM
        assert ask(key, "mmap", 0, 4096, 3, tables.MAP_PRIVATE) == bpf.ALLOW
    # Moved and made longer, the stack is such a mapping.
    assert ask(("high", "wasm"), "mremap", 0, 4096, 1 << 30, 1) == EPERM


@given(address=st.one_of(u64, high_bits))
def test_NW_08_nothing_is_sent_to_an_address(address: int) -> None:
    for key in STRICT:
        assert ask(key, "sendto", 3, 0, 0, 0, address) == (EPERM if address else bpf.ALLOW)
        assert ask(key, "sendmsg") == EPERM
        assert ask(key, "recvmsg") == EPERM


def test_NW_06_an_event_loop_may_make_its_own_pair_and_no_other() -> None:
    for key in (LOW, ("medium", "native")):
        assert ask(key, "socketpair", 1, 1 | 0o2000000 | 0o4000, 0) == bpf.ALLOW
        for family, kind in ((1, 2), (1, 5), (2, 1), (16, 3), (10, 1), (30, 5)):
            assert ask(key, "socketpair", family, kind, 0) == EPERM, (key, family, kind)
    assert ask(("high", "wasm"), "socketpair", 1, 1, 0) == EPERM


def test_what_is_newer_than_the_deny_list_does_not_exist() -> None:
    for call in (451, 467, 5000, bpf.X32 - 1):
        assert ask(LOW, call) == ENOSYS
    assert ask(LOW, "openat") == bpf.ALLOW


def test_EN_12_programs_of_two_machines_are_not_exchangeable() -> None:
    for level, kind in EVERY:
        foreign = seccomp.compile_program(level, kind, "aarch64")
        assert bpf.evaluate(foreign, number("read"), (), "x86_64") == bpf.KILL_PROCESS
        assert bpf.evaluate(foreign, 63, (), "aarch64") == bpf.ALLOW  # read


@given(content=st.binary(max_size=200))
def test_the_evaluator_gives_a_verdict_or_an_error(content: bytes) -> None:
    try:
        assert 0 <= bpf.evaluate(content, 0) <= 0xFFFF_FFFF
    except bpf.BadProgramError:
        pass
