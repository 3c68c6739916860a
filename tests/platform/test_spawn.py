"""The one function that starts processes: what a child gets, how its end is told."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from llmspell.errors import OperationFailed
from llmspell.platform import spawn
from tests.platform.channels import read_all, start
from tests.platform.machines import is_running

SHELL = "/bin/sh"


def shell(script: str) -> bytes:
    process, channel = start([SHELL, "-c", script], None)
    with process:
        return read_all(channel)


def test_SL_a_child_gets_no_environment_and_no_descriptor() -> None:
    leaked = os.dup(0)
    os.set_inheritable(leaked, True)
    try:
        names = {line.partition(b"=")[0] for line in shell("env >&3").splitlines()}
        assert names <= {b"PWD", b"SHLVL", b"_"}  # the shell's own
        assert shell(f"readlink /proc/$$/fd/{leaked} >&3; true") == b""
        script = "for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done"
        assert shell(f"names=$({script}); echo $names >&3").split() == [b"/dev/null"] * 3
    finally:
        os.close(leaked)


def test_descriptors_arrive_where_they_were_sent_also_crosswise() -> None:
    first, second = os.pipe(), os.pipe()
    # Targets that are other sources' numbers must not be overwritten before they are copied.
    targets = {first[1]: second[1], second[1]: first[1]}
    assert min(targets) > 3
    script = f"echo one >/proc/self/fd/{first[1]}; echo two >/proc/self/fd/{second[1]}"
    with spawn([SHELL, "-c", script], channel=None, pass_fds=targets) as process:
        assert process.wait(5).code == 0
    assert os.read(second[0], 100) == b"one\n" and os.read(first[0], 100) == b"two\n"
    for fd in (*first, *second):
        os.close(fd)


def test_the_channel_may_already_be_three() -> None:
    reader, writer = os.pipe()
    with spawn([SHELL, "-c", "echo ok >&3"], channel=writer, stderr=writer) as process:
        assert process.wait(5).code == 0
    assert os.read(reader, 10) == b"ok\n"
    os.close(reader)
    os.close(writer)


def test_signals_are_as_at_the_start_of_the_world() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        status = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status >&3").split()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    assert status[:2] == [b"SigBlk:", b"0000000000000000"]
    # libc itself ignores its two internal signals, 32 and 33, in what it spawns.
    assert int(status[3], 16) & ~(0b11 << 31) == 0


def test_ends_are_told_apart() -> None:
    with spawn([SHELL, "-c", "exit 7"], channel=None) as process:
        status = process.wait(5)
        assert (status.code, status.signal) == (7, None)
        assert process.wait() == process.poll() == status
    with spawn([SHELL, "-c", "kill -9 $$"], channel=None) as process:
        assert process.wait(5)[:2] == (None, 9)


def test_time_and_memory_are_the_childs() -> None:
    script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    with spawn([SHELL, "-c", script], channel=None) as process:
        process.sample()
        status = process.wait(20)
    assert 0.02 < status.cpu_seconds < 20
    assert 0 <= status.max_rss_bytes < 64 << 20


@pytest.mark.alone
def test_waiting_has_an_end_and_killing_too() -> None:
    with spawn([SHELL, "-c", "exec sleep 1000"], channel=None) as process:
        with pytest.raises(TimeoutError):
            process.wait(0.05)
        assert process.poll() is None
        started = time.monotonic()
        process.kill()
        assert process.wait(5).signal == 9
        assert time.monotonic() - started < 0.5
        process.kill()
    assert not is_running(process.pid) and process.pidfd == -1


def children() -> set[str]:
    """Our children's pids, ended ones that nobody waited for included."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def test_PR_28_nothing_is_left_of_many() -> None:
    before, others = len(os.listdir("/proc/self/fd")), children()
    for _ in range(50):
        with spawn(["/bin/true"], channel=None) as process:
            assert str(process.pid) in children(), "the control: one that is there is seen"
    assert len(os.listdir("/proc/self/fd")) == before
    assert children() <= others, "running, or ended and not waited for"


def test_what_can_not_be_started_says_so() -> None:
    with pytest.raises(OperationFailed, match=r"/nowhere could not be started: No such file"):
        spawn(["/nowhere"], channel=None)
    with pytest.raises(ValueError):
        spawn(["true"], channel=None)
    with pytest.raises(ValueError):
        spawn(["/bin/true"], channel=None, pass_fds={3: 0})


def test_a_host_that_ignores_its_children_gets_an_unknown_end() -> None:
    previous = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with spawn(["/bin/true"], channel=None) as process:
            assert process.wait(5)[:2] == (None, None)
    finally:
        signal.signal(signal.SIGCHLD, previous)


def test_PR_21_a_thread_that_ends_does_not_take_its_workers_along() -> None:
    ours, theirs = socket.socketpair()
    started = []
    # The child asks for death with the thread that spawned it, as a worker does.
    script = (
        "import ctypes, os, time; ctypes.CDLL(None).prctl(1, 9); os.write(3, b'!'); time.sleep(9)"
    )
    argv = ["/usr/bin/python3", "-I", "-S", "-c", script]
    if not os.access(argv[0], os.X_OK):
        pytest.skip("no /usr/bin/python3")
    thread = threading.Thread(target=lambda: started.append(spawn(argv, channel=theirs.fileno())))
    thread.start()
    thread.join()
    with started[0] as process, ours, theirs:
        assert ours.recv(1) == b"!"
        time.sleep(0.05)
        assert process.poll() is None
