"""Nothing of a worker outlives it: kills, orphans, a dead supervisor, a dead waiter."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from llmspell.platform import Plan, Process, plan
from llmspell.platform.linux.plan import Machine, make_plan
from tests.platform import native
from tests.platform.channels import confinement, read_all, start
from tests.platform.machines import (
    NOBODY,
    as_machine,
    is_running,
    kill_quietly,
    processes_with,
)

TREE = "(setsid sleep {0} &) ; (sleep {0} & sleep {0}) & echo ready >&3; exec sleep {0}"
"""A double-forked orphan in a session of its own, a family, and the root that waits."""

UIDS = [
    pytest.param(None, id="as we are"),
    pytest.param(
        NOBODY,
        id="nobody",
        marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes nobody"),
    ),
]
NO_FILTER = frozenset({"seccomp", "landlock", "landlock_scope", "empty_root"})


@pytest.fixture
def marker() -> Iterator[str]:
    """A number of seconds that no other process sleeps."""
    chosen = str(100_000 + int.from_bytes(os.urandom(4), "little"))
    yield chosen
    for pid in processes_with(chosen):
        kill_quietly(pid)


def tree_plan(level: str) -> Plan:
    """Stage 1 of a worker that goes on to start processes, as none but a broken one could."""
    return plan(confinement(level, "native", without=NO_FILTER if level != "none" else frozenset()))


def begin(level: str, marker: str) -> tuple[Process, socket.socket]:
    argv = [native.program("launch"), "/bin/sh", "-c", TREE.format(marker)]
    process, channel = start(argv, Plan(tree_plan(level).stage1, b""))
    assert channel.recv(6) == b"ready\n"
    eventually(lambda: len(processes_with(marker)) >= 4)
    return process, channel


def eventually(condition: Callable[[], bool], seconds: float = 2.0) -> float:
    """Seconds until the condition held. Fails when it does not."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen"
        time.sleep(0.001)
    return time.monotonic() - started


def has_pid_namespace() -> bool:
    from llmspell.platform.linux.probe import probe

    return "pidns" in probe(native.program("launch")).layers


@pytest.mark.alone
@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("level", ["none", "medium"])
def test_PR_04_a_kill_takes_the_whole_tree(level: str, uid: int | None, marker: str) -> None:
    if level == "medium" and not has_pid_namespace():
        pytest.skip("no process namespace here")
    native.program("launch")

    def run() -> list[object]:
        process, channel = begin(level, marker)
        with process, channel:
            started = time.monotonic()
            process.kill()
            status = process.wait(5)
            took = time.monotonic() - started
            left = len(processes_with(marker))
            return [status.signal, took, left, status.cpu_seconds]

    number, took, left, *_ = as_machine(run, uid)
    assert number == signal.SIGKILL and left == 0
    assert took < 0.05


@pytest.mark.parametrize("level", ["none", "medium"])
def test_PR_04_an_end_takes_the_orphans_along(level: str, marker: str) -> None:
    script = f"(setsid sleep {marker} &) ; exit 3"
    argv = [native.program("launch"), "/bin/sh", "-c", script]
    process, channel = start(argv, Plan(tree_plan(level).stage1, b""))
    with process, channel:
        assert process.wait(5).code == 3
    assert processes_with(marker) == []


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("level", ["none", "medium"])
def test_PR_21_a_killed_supervisor_takes_its_tree_along(
    level: str, uid: int | None, marker: str
) -> None:
    native.program("launch")
    reader, writer = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        kept = begin(level, marker)
        os.write(writer, b"!")
        time.sleep(60)
        os._exit(len(kept))
    os.close(writer)
    assert os.read(reader, 1) == b"!"
    os.close(reader)
    assert len(processes_with(marker)) >= 4
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    assert eventually(lambda: processes_with(marker) == []) < 0.5


def test_PR_21_a_killed_waiter_takes_its_tree_along(marker: str) -> None:
    if not has_pid_namespace():
        pytest.skip("no process namespace here")
    process, channel = begin("medium", marker)
    with process, channel:
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: processes_with(marker) == []) < 0.5


@pytest.mark.parametrize("taken", [frozenset(), frozenset({"pidns"})], ids=["waiter", "alone"])
def test_PR_22_a_supervisor_that_died_before_is_noticed(taken: frozenset[str]) -> None:
    here = Machine.here()
    wanted = confinement(without=taken)
    orphaned = make_plan(wanted, here._replace(pid=here.pid + 1))
    process, channel = start([native.program("launch"), "--check"], orphaned)
    with process:
        assert read_all(channel) == b""
        status = process.wait(5)
        assert status.code == 71 or status.signal == signal.SIGKILL
    process, channel = start([native.program("launch"), "--check"], make_plan(wanted, here))
    with process:
        assert b"effects" in read_all(channel) and process.wait(5).code == 0


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_PR_06_PR_07_a_worker_that_blocks_signals_or_stops_ends_all_the_same(level: str) -> None:
    process, channel = start([native.program("attacker"), "hang"], confinement(level))
    with process, channel:
        assert channel.recv(6) == b"ready\n"
        # Stop everything that can be stopped, the waiter too.
        os.kill(process.pid, signal.SIGSTOP)
        process.kill()
        assert process.wait(5).signal == signal.SIGKILL
    assert not is_running(process.pid)


def test_usage_of_a_killed_tree_is_counted() -> None:
    process, channel = start([native.program("attacker"), "burn"], confinement(cpu=30))
    with process, channel:
        time.sleep(0.4)
        process.kill()
        status = process.wait(5)
    assert status.signal == signal.SIGKILL and status.cpu_seconds > 0.1
    assert 0 < status.max_rss_bytes < 64 << 20


@pytest.mark.parametrize("taken", [frozenset(), frozenset({"pidns"})], ids=["namespace", "none"])
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_PR_23_the_workers_own_peak_is_told_whatever_the_supervisors(
    level: str, taken: frozenset[str]
) -> None:
    ours = bytearray(100 << 20)  # this process is now larger than any worker here
    for mebibytes in (1, 40):
        argv = [native.program("attacker"), "grow", str(mebibytes)]
        process, channel = start(argv, confinement(level, without=taken), measured=True)
        with process, channel:
            status = process.wait(10)
        assert status.code == 0
        assert mebibytes << 20 <= status.max_rss_bytes < (mebibytes + 8) << 20
    argv = [native.program("attacker"), "grow", "200"]
    process, channel = start(argv, confinement(level, without=taken), measured=True)
    with process, channel:
        assert process.wait(10).code == 12  # refused, not killed
    del ours


def test_PR_23_a_measured_worker_that_is_killed_is_measured_too() -> None:
    argv = [native.program("attacker"), "hang"]
    process, channel = start(argv, confinement("low"), measured=True)
    with process, channel:
        assert channel.recv(6) == b"ready\n"
        process.kill()
        status = process.wait(5)
        assert status.signal == signal.SIGKILL and 0 < status.max_rss_bytes < 16 << 20


def test_PR_29_many_start_and_end_at_once() -> None:
    started = [
        start([native.program("launch"), "--check"], confinement(level))
        for level in ("low", "medium", "high") * 8
    ]
    for process, channel in started:
        with process:
            assert b'"spawn":true' in read_all(channel)
            assert process.wait(10).code == 0
