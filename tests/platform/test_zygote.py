"""Zygotes from order to end: what a child is, what is refused, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from llmspell.channel.framing import frame
from llmspell.errors import OperationFailed
from llmspell.platform import EFFECTS, plan
from llmspell.platform.linux.plan import make_zygote_plan
from llmspell.platform.linux.zygote import Forked, Zygote, ZygoteGone
from tests.parity import zygotes
from tests.platform.machines import is_running

LUA_RUN = {"type": "run", "source": "return 7", "name": "x.lua", "profile": "medium"}
CHILDREN_MOST = 512


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with zygotes.started("lua") as one:
        yield one


def receive(channel: socket.socket) -> dict[str, Any] | None:
    """The next frame; None at the end."""
    header = channel.recv(4, socket.MSG_WAITALL)
    if len(header) < 4:
        return None
    message: dict[str, Any] = json.loads(
        channel.recv(int.from_bytes(header, "little"), socket.MSG_WAITALL)
    )
    return message


def run(zygote: Zygote, **fields: Any) -> tuple[Forked, socket.socket]:
    forked, channel = zygotes.fork(zygote)
    hello = receive(channel)
    assert hello is not None and hello["type"] == "hello"
    channel.sendall(frame(json.dumps(LUA_RUN | fields).encode()))
    return forked, channel


def descriptors(pid: int) -> list[str]:
    """What the open descriptors of a process are, without the one that lists them."""
    folder = f"/proc/{pid}/fd"
    return sorted(
        _what(f"{folder}/{name}")
        for name in os.listdir(folder)
        if os.path.lexists(f"{folder}/{name}")
    )


def _what(link: str) -> str:
    # A device is told by its number: seen from a worker's empty root it has another path.
    return "/dev/null" if os.stat(link).st_rdev == os.makedev(1, 3) else os.readlink(link)


@pytest.mark.alone
def test_a_child_proves_its_confinement_and_tells_its_end(zygote: Zygote) -> None:
    forked, channel = zygotes.fork(zygote)
    with channel:
        hello = receive(channel)
        assert hello is not None
        assert hello["achieved"]["effects"] == dict.fromkeys(EFFECTS, True)
        layers = set(hello["achieved"]["layers"])
        assert {"session", "fds", "rlimits", "seccomp", "caps", "parent_death"} <= layers
        pid = forked.pid
        assert pid > 0 and is_running(pid) and forked.poll() is None
        with pytest.raises(TimeoutError):
            forked.wait(0.01)
        channel.sendall(frame(json.dumps(LUA_RUN).encode()))
        assert receive(channel) == {"type": "done", "value": 7}
        status = forked.wait(5)
        assert (status.code, status.signal) == (0, None)
        assert 0 < status.cpu_seconds < 1 and 1 << 20 < status.max_rss_bytes < 64 << 20
    forked.close()
    forked.close()
    assert not os.path.exists(f"/proc/{pid}"), "a zombie is left"


@pytest.mark.alone
def test_a_kill_is_told_as_one_and_ends_that_child_only(zygote: Zygote) -> None:
    first, one = run(zygote, source="while true do end")
    second, two = run(zygote, source="while true do end")
    with one, two:
        pids = [first.pid, second.pid]
        began = time.monotonic()
        first.kill()
        assert first.wait(5).signal == 9
        assert time.monotonic() - began < 0.5
        assert not is_running(pids[0]) and is_running(pids[1])
        first.kill()
        second.close()
        first.close()
        assert not any(map(is_running, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="neither zygote nor child lets its own uid look")
def test_a_child_holds_its_channel_and_nothing_else(zygote: Zygote) -> None:
    first, one = run(zygote, source="while true do end")
    second, two = run(zygote, source="while true do end")
    with one, two:
        for forked in (first, second):
            assert [name.partition(":")[0] for name in descriptors(forked.pid)] == [
                *["/dev/null"] * 3,
                "socket",
            ]
        inodes = {descriptors(forked.pid)[3] for forked in (first, second)}
        control = descriptors(max(children_of(zygote.process.pid)))
        assert len(inodes) == 2 and not inodes & set(control)
        first.close()
        second.close()


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def test_PR_09_a_zygote_can_not_be_read_by_its_own_uid(zygote: Zygote) -> None:
    pid = max(children_of(zygote.process.pid))
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0
    if os.geteuid() == 0:
        with open(f"/proc/{pid}/environ", "rb") as file:
            assert file.read() == b"LC_ALL=C.UTF-8\0"
    else:
        with pytest.raises(PermissionError):
            os.listdir(f"/proc/{pid}/fd")


def test_a_limit_of_the_plan_holds_in_the_child_only(zygote: Zygote) -> None:
    wanted = zygotes.confinement(memory=96 << 20, cpu=7, open_files=10)
    forked, channel = zygotes.fork(zygote, wanted)
    with channel:
        receive(channel)
        expected = {
            "Max data size": 96 << 20,
            "Max address space": (96 + 512) << 20,
            "Max cpu time": 7,
            "Max open files": 15,
            "Max core file size": 0,
        }
        held = limits(forked.pid)
        assert {name: held[name] for name in expected} == {
            name: (str(bound), str(bound)) for name, bound in expected.items()
        }
        shared = limits(max(children_of(zygote.process.pid)))
        assert shared["Max cpu time"][0] == shared["Max data size"][0] == "unlimited"
        forked.close()


def limits(pid: int) -> dict[str, tuple[str, str]]:
    """Soft and hard limits of a process."""
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return {
            line[:26].strip(): (line[26:47].strip(), line[47:68].strip())
            for line in file.read().splitlines()[1:]
        }


@pytest.mark.parametrize("kind", ["exec", "wasm", "zygote", "noise", "cut"])
def test_EN_11_a_child_with_another_plan_never_becomes_a_worker(zygote: Zygote, kind: str) -> None:
    wanted = zygotes.confinement()
    wrong = {
        "exec": plan(wanted).stage2,
        "wasm": plan(wanted._replace(level="high", kind="wasm")).stage1,
        "zygote": make_zygote_plan("medium", "native").stage2,
        "noise": b"no plan at all",
        "cut": b"",
    }[kind]
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        forked = zygote.order(theirs.fileno())
        theirs.close()
        ours.sendall(len(wrong).to_bytes(4, "little") + wrong)
        assert ours.recv(1) == b"", "it said something"
        assert forked.wait(5).code in (0, 70)
        forked.close()
    # And the allowed twin, of the same zygote.
    forked, channel = run(zygote)
    with channel:
        assert receive(channel) == {"type": "done", "value": 7}
        forked.close()


def test_an_exec_ed_worker_refuses_a_childs_plan() -> None:
    from llmspell.platform.linux.plan import make_child_plan
    from tests.parity.workers import Worker

    one = Worker("lua", "bare", arguments=("--confine", zygotes.command("lua")[-1]))
    one.send(frame(make_child_plan(zygotes.confinement())))
    assert one.receive(10) is None
    assert one.close().code == 70


def test_a_channel_that_closed_before_its_plan_ends_the_child_quietly(zygote: Zygote) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        forked = zygote.order(theirs.fileno())
    ours.close()
    assert forked.wait(5).code == 0
    forked.close()


def test_EN_18_with_a_second_thread_there_is_no_zygote() -> None:
    program = (
        "import ctypes, os, sys, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "library = ctypes.PyDLL(sys.argv[1])\n"
        "library.confine_error.restype = ctypes.c_char_p\n"
        "size = int.from_bytes(os.read(3, 4), 'little')\n"
        "plan = os.read(3, size)\n"
        "if library.confine_load(plan, ctypes.c_size_t(size)) == 0:\n"
        "    library.confine_zygote_prepare()\n"
        "os.write(3, library.confine_error())\n"
        "os._exit(0)"
    )
    launcher, python, *_, library = zygotes.command("lua")
    made = make_zygote_plan("medium", "native")
    zygote = Zygote(
        [launcher, python, "-I", "-S", "-c", program, library],
        frame(made.stage1) + frame(made.stage2),
        {},
    )
    with pytest.raises(ZygoteGone):
        zygote.is_ready(10)


def test_what_is_no_order_ends_the_zygote_and_what_runs_is_told() -> None:
    with zygotes.started("lua") as zygote:
        forked, channel = run(zygote, source="while true do end")
        pid = forked.pid
        zygote._control.sendall(b"\1\0\0\0")
        with channel:
            assert forked.wait(5).signal == 9
            assert not is_running(pid)
            # The order may still leave; then it is the answer that never comes.
            with pytest.raises(ZygoteGone):
                zygote.order(0).settle()
            with pytest.raises(ZygoteGone):
                zygote.order(0)
            with pytest.raises(ZygoteGone):
                zygote.is_ready()
        forked.close()


def test_a_killed_zygote_is_told_to_all_and_ends_all() -> None:
    with zygotes.started("lua") as zygote:
        running = [run(zygote, source="while true do end") for _ in range(5)]
        pids = [forked.pid for forked, _ in running]
        os.kill(max(children_of(zygote.process.pid)), 9)
        for forked, channel in running:
            assert forked.wait(5).signal == 9
            forked.close()
            channel.close()
        assert not any(map(is_running, pids))
        with pytest.raises(ZygoteGone):
            zygote.order(0).settle()


def test_a_reader_that_went_away_is_no_end_of_the_zygote(zygote: Zygote) -> None:
    forked, channel = run(zygote, source="while true do end")
    forked.settle()
    os.close(forked.pidfd)
    os.kill(forked.pid, 9)
    channel.close()
    again, other = run(zygote)
    with other:
        assert receive(other) == {"type": "done", "value": 7}
    again.close()
    os.close(forked._handle)


def test_a_zygote_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmspell.platform.linux import zygote as client

    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.2)
    with zygotes.started("lua") as zygote:
        running, channel = run(zygote, source="while true do end")
        pid = running.pid
        os.kill(max(children_of(zygote.process.pid)), signal.SIGSTOP)
        with channel, pytest.raises(ZygoteGone, match="does not answer"):
            zygote.order(0).settle()
        assert running.wait(5).signal == 9
        running.close()
        assert not is_running(pid)


def test_512_children_are_the_most_and_the_next_waits_for_an_end() -> None:
    ours, theirs = socket.socketpair()
    with zygotes.started("lua") as zygote, ours, theirs:
        # None has a plan yet: they wait for it on one channel, and nothing is answered.
        waiting = [zygote.order(theirs.fileno()) for _ in range(CHILDREN_MOST)]
        for forked in waiting:
            forked.settle()
        refused = zygote.order(theirs.fileno())
        with pytest.raises(OperationFailed, match="could not fork"):
            refused.settle()
        refused.close()
        waiting.pop().close()
        again, channel = run(zygote)
        with channel:
            assert receive(channel) == {"type": "done", "value": 7}
        again.close()
        for forked in waiting:
            forked.close()


def test_too_few_descriptors_are_an_error_and_no_end() -> None:
    made = make_zygote_plan("medium", "native")
    argv = ["/usr/bin/prlimit", "--nofile=12:12", "--", *zygotes.command("lua")]
    zygote = Zygote(argv, frame(made.stage1) + frame(made.stage2), {})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert zygote.is_ready(20)
        waiting = []
        with pytest.raises(OperationFailed):
            for _ in range(12):
                waiting.append(zygote.order(theirs.fileno()))
                waiting[-1].settle()
        assert 3 <= len(waiting) < 12
        for forked in waiting:
            forked.close()
        again, channel = run(zygote)
        with channel:
            assert receive(channel) == {"type": "done", "value": 7}
        again.close()
    zygote.close()


def test_after_two_thousand_children_nothing_has_grown() -> None:
    with zygotes.started("lua") as zygote:
        pid = max(children_of(zygote.process.pid))
        # Only root may look into a zygote; a user sees its own side.
        watched = (pid, os.getpid()) if os.geteuid() == 0 else (os.getpid(),)
        before = [*map(descriptors, watched)]
        for _ in range(100):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                batch = [zygote.order(theirs.fileno()) for _ in range(20)]
                for forked in batch:
                    forked.kill()
                for forked in batch:
                    forked.close()
        assert zygote.forks == 2000
        deadline = time.monotonic() + 2
        # It tells an end before it closes the pipe on which it told it.
        while (after := [*map(descriptors, watched)]) != before:
            assert time.monotonic() < deadline, (before, after)
        assert children_of(pid) == [], "zombies"
