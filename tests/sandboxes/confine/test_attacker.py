"""A hostile program in the worker's place: every attack fails inside and works outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from llmspell.platform import spawn
from tests.platform import native
from tests.platform.channels import confinement, read_all, start
from tests.platform.machines import EPERM, NOBODY, as_machine

ENOSYS = 38
EACCES = 13
WORKS_AT_LOW = {
    "FS_chdir",
    "FS_exists",  # Landlock hides content, not names
    "NW_06_pair",
    "NW_08_send_to_path",  # a connected stream refuses the address itself
    "WX_map_executable",
    "WX_make_executable",
    "RS_map_shared",
}
UIDS = [
    pytest.param(None, id="as we are"),
    pytest.param(
        NOBODY,
        id="nobody",
        marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes nobody"),
    ),
]


@pytest.fixture(scope="module")
def victim() -> Iterator[int]:
    """A process of the same uid that the attacker knows by number."""
    with spawn(["/bin/sh", "-c", "exec sleep 300"], channel=None) as process:
        time.sleep(0.05)
        yield process.pid


def attack(level: str | None, victim: int, **changes: Any) -> dict[str, int]:
    how = "free" if level is None else "confined"
    wanted = None if level is None else confinement(level, **changes)
    process, channel = start([native.program("attacker"), how, str(victim)], wanted)
    with process:
        lines = read_all(channel).decode().splitlines()
        assert process.wait(10).code == 0
    return {name: int(error) for name, _, error in (line.partition(" ") for line in lines)}


@pytest.fixture(scope="module")
def free(victim: int) -> dict[str, int]:
    return attack(None, victim)


@pytest.mark.skipif(os.geteuid() != 0, reason="some attacks need rights to succeed at all")
def test_outside_every_attack_works(free: dict[str, int]) -> None:
    assert {name: error for name, error in free.items() if error} == {}


@pytest.mark.parametrize("level", ["medium", "high"])
@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("refused", [{}, {"unshare": EPERM, "mount": EPERM}], ids=["", "docker"])
def test_FS_NW_PR_KX_inside_no_attack_works(
    level: str, uid: int | None, refused: dict[str, int], victim: int
) -> None:
    native.program("attacker")
    found = as_machine(lambda: attack(level, victim), uid, refused)
    works = {name for name, error in found.items() if not error}
    assert works == {"OK_memory", "OK_random", "OK_yield"}
    assert found["PR_13_clone3"] == ENOSYS
    assert {error for name, error in found.items() if error} == {EPERM, ENOSYS}


@pytest.mark.parametrize("uid", UIDS)
def test_FS_NW_PR_KX_at_low_only_what_low_allows_works(uid: int | None, victim: int) -> None:
    native.program("attacker")
    found = as_machine(lambda: attack("low", victim), uid)
    works = {name for name, error in found.items() if not error and name[:2] != "OK"}
    assert works == WORKS_AT_LOW
    assert found["FS_read"] == EACCES


def test_FS_low_opens_what_was_granted_and_nothing_else(victim: int) -> None:
    if "landlock" not in attack_layers():
        pytest.skip("no Landlock here")
    assert attack("low", victim, read_paths=("/etc",))["FS_read"] == 0
    assert attack("low", victim, read_paths=("/usr",))["FS_read"] == EACCES
    # Landlock alone lets what is granted be written; the filter lets no worker write at all.
    alone = frozenset({"seccomp"})
    assert attack("low", victim, read_paths=("/etc",), without=alone)["FS_create"] == EACCES
    assert attack("low", victim, write_paths=("/tmp",), without=alone)["FS_create"] == 0
    assert attack("low", victim, read_paths=("/etc",))["FS_create"] == EPERM
    assert attack("low", victim, write_paths=("/tmp",))["FS_create"] == EPERM
    assert attack("low", victim, read_paths=("/no/such/folder",))["FS_read"] == EACCES


def attack_layers() -> set[str]:
    from llmspell.platform.linux.probe import probe

    return set(probe(native.program("launch")).layers)


def end_of(act: str, number: int = 0, uid: int | None = None, **changes: Any) -> list[object]:
    program = native.program("attacker")

    def run() -> list[object]:
        process, channel = start([program, act, str(number)], confinement(**changes))
        with process, channel:
            return list(process.wait(10))

    return list(as_machine(run, uid))


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="entries of x86_64")
@pytest.mark.parametrize("act", ["x32", "int80"])
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_KX_01_KX_02_a_foreign_entry_ends_the_worker(act: str, level: str) -> None:
    assert end_of(act, level=level)[:2] == [None, signal.SIGSYS]
    assert end_of("exit", 7, level=level)[:2] == [7, None]


@pytest.mark.alone
@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("taken", [frozenset(), frozenset({"pidns"})], ids=["waiter", "alone"])
def test_ends_are_mirrored_with_what_they_used(uid: int | None, taken: frozenset[str]) -> None:
    assert end_of("exit", 7, uid, without=taken)[:2] == [7, None]
    assert end_of("crash", 0, uid, without=taken)[:2] == [None, signal.SIGSEGV]
    # raise() is refused, abort() then crashes by itself
    assert end_of("abort", 0, uid, without=taken)[0] is None
    code, number, seconds, _ = end_of("burn", 0, uid, without=taken, cpu=1)
    assert (code, number) == (None, signal.SIGKILL) and 0.7 < float(str(seconds)) < 3


def test_a_plan_that_is_none_starts_nothing() -> None:
    from llmspell.platform import Plan

    for broken in (b"LSPN", b"\0" * 40, b"LSPN\1\0\0\0"):
        process, channel = start([native.program("attacker"), "exit", "0"], Plan(broken, b""))
        with process, channel:
            assert process.wait(5).code == 71


@pytest.mark.parametrize("taken", [frozenset(), frozenset({"pidns"})], ids=["waiter", "alone"])
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_NW_09_a_worker_holds_its_channel_and_what_was_granted(
    level: str, taken: frozenset[str]
) -> None:
    def held(**changes: Any) -> list[int]:
        wanted = confinement(level, without=taken, **changes)
        argv = [native.program("attacker"), "fds"]
        passed = dict.fromkeys((4, 7, 40, 62, 64), null)
        process, channel = start(argv, wanted, measured=True, pass_fds=passed)
        with process:
            return [int(word) for word in read_all(channel).split()]

    null = os.open(os.devnull, os.O_RDONLY)
    try:
        assert held() == [0, 1, 2, 3]
        assert held(keep_fds=(7, 62)) == [0, 1, 2, 3, 7, 62]
    finally:
        os.close(null)


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_RS_limits_are_the_plans(level: str) -> None:
    assert end_of("grow", 20, level=level)[0] == 0
    assert end_of("grow", 200, level=level)[0] == 12


@pytest.mark.parametrize("taken", [frozenset(), frozenset({"undumpable"})], ids=["", "without"])
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_PR_09_a_worker_shows_its_memory_to_no_process_of_its_uid(
    level: str, taken: frozenset[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("seen by the owner of its /proc entries, which is told apart from root only")
    program = native.program("attacker")

    def owner() -> int:
        wanted = confinement(level, without=taken | {"pidns"})
        process, channel = start([program, "hang"], wanted)
        with process, channel:
            assert channel.recv(6) == b"ready\n"
            return os.stat(f"/proc/{process.pid}/environ").st_uid

    assert as_machine(owner, NOBODY) == (NOBODY if taken else 0)
