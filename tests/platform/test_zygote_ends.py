"""Nothing of a zygote outlives its supervisor, and no child its zygote; on other machines too."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from llmspell.platform.linux.zygote import Zygote
from tests.parity import zygotes
from tests.platform.machines import EPERM, NOBODY, as_machine, kill_quietly, processes_with
from tests.platform.test_zygote import run

BUSY = "while True: pass"
MACHINES = {"as it is": {}, "no namespaces": {"unshare": EPERM, "mount": EPERM}}
UIDS = [
    pytest.param(None, id="self"),
    pytest.param(
        NOBODY,
        id="nobody",
        marks=[
            pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes nobody"),
            pytest.mark.skipif(
                not os.access(zygotes.SYSTEM_PYTHON, os.X_OK),
                reason="no interpreter that nobody may run",
            ),
        ],
    ),
]


@pytest.fixture
def marker() -> Iterator[str]:
    """A word in the command line of this test's zygote and all its children."""
    chosen = f"/no/such/folder/{int.from_bytes(os.urandom(6), 'little')}"
    yield chosen
    for pid in processes_with(chosen):
        kill_quietly(pid)


def eventually(condition: Callable[[], bool], seconds: float = 3.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.002)
    return time.monotonic() - began


def supervise(marker: str) -> tuple[Zygote, list[int]]:
    """A zygote with three children that never stop."""
    zygote = zygotes.start("python", ("--site", marker))
    children = [run(zygote, source=BUSY) for _ in range(3)]
    _KEPT.extend(children)
    return zygote, [forked.pid for forked, _ in children]


_KEPT: list[object] = []


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("machine", MACHINES)
def test_PR_21_a_killed_supervisor_takes_zygote_and_children_along(
    machine: str, uid: int | None, marker: str
) -> None:
    reader, writer = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:

        def work() -> int:
            supervise(marker)
            os.write(writer, b"!")
            time.sleep(60)
            return 0

        try:
            as_machine(work, uid, MACHINES[machine])
        except BaseException as error:
            os.write(writer, repr(error).encode())
        os._exit(1)
    os.close(writer)
    told = os.read(reader, 500)
    os.close(reader)
    try:
        assert told == b"!", told
        before = processes_with(marker)
        assert len(before) >= 4
        # The one between is the test's own fork: the driver is its child.
        with open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii") as file:
            driver = int(file.read().split()[0])
        os.kill(driver, signal.SIGKILL)
        assert eventually(lambda: processes_with(marker) == []) < 1.0
    finally:
        os.kill(supervisor, signal.SIGKILL)
        os.waitpid(supervisor, 0)


@pytest.mark.alone
@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("machine", MACHINES)
def test_PR_21_a_killed_zygote_takes_its_children_along(
    machine: str, uid: int | None, marker: str
) -> None:
    def work() -> list[object]:
        zygote, children = supervise(marker)
        # A child's parent is the zygote, whatever lies above it.
        with open(f"/proc/{children[0]}/status", encoding="ascii") as file:
            parent = int(file.read().partition("PPid:")[2].split()[0])
        os.kill(parent, signal.SIGKILL)
        took = eventually(lambda: not any(map(_runs, children)))
        zygote.close()
        return [took, len(processes_with(marker))]

    took, left = as_machine(work, uid, MACHINES[machine])
    assert took < 1.0 and left == 0


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}") and pid in _alive()


def _alive() -> set[int]:
    from tests.platform.machines import is_running

    return {int(name) for name in os.listdir("/proc") if name.isdigit() and is_running(int(name))}


@pytest.mark.alone
@pytest.mark.parametrize("machine", MACHINES)
def test_an_ended_zygote_leaves_nothing(machine: str, marker: str) -> None:
    def work() -> list[float]:
        zygote, _ = supervise(marker)
        began = time.monotonic()
        zygote.close()
        took = time.monotonic() - began
        # Without a process namespace the kernel kills the children a moment after the zygote.
        return [took, eventually(lambda: processes_with(marker) == [])]

    took, later = as_machine(work, None, MACHINES[machine])
    assert took < 0.5 and later < 0.5


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("uid", UIDS)
def test_children_are_held_by_effect_on_every_machine(machine: str, uid: int | None) -> None:
    from llmspell.platform import EFFECTS
    from tests.platform.test_zygote import receive

    def work() -> list[object]:
        with zygotes.started("python") as zygote:
            forked, channel = zygotes.fork(zygote)
            hello = receive(channel)
            with open(f"/proc/{forked.pid}/status", encoding="ascii") as file:
                status = file.read()
            forked.close()
            assert hello is not None
            return [hello["achieved"], status.partition("Uid:")[2].split()[:4]]

    achieved, uids = as_machine(work, uid, MACHINES[machine])
    assert achieved["effects"] == dict.fromkeys(EFFECTS, True), json.dumps(achieved)
    assert ("pidns" in achieved["layers"]) is (machine == "as it is")
    assert len(set(uids)) == 1 and int(uids[0]) >= NOBODY
