"""Each system call of confinement made to fail: refused, or every effect held and the layer not
claimed; never a start with less than is said.

The machine refuses one call to the launcher with one error, always. `EINTR` too: what calls again
for it would never come back here, so `read`, `wait4` and `poll` are left out of that one.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from llmspell.platform import plan
from llmspell.platform.linux.probe import launcher_path
from tests.attackers import refusing
from tests.platform.channels import confinement, read_all

EFFECTS: Final = {"files", "network", "processes", "spawn", "privilege"}
SECONDS: Final = 5.0
"""Time in which a launcher must have answered or ended."""

pytestmark = pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="the numbers of the calls are those of x86-64"
)


class Call(NamedTuple):
    """A call that confinement makes: its number, its first argument, the layers it makes."""

    number: int
    layers: frozenset[str] = frozenset()
    first: int | None = None
    root: bool = False
    """Whether only root makes it."""


def call(number: int, *layers: str, first: int | None = None, root: bool = False) -> Call:
    return Call(number, frozenset(layers), first, root)


PRLIMIT: Final = 302
SETRLIMIT: Final = 160

CALLS: Final[dict[str, Call]] = {
    "setrlimit": call(PRLIMIT, "rlimits"),
    "setsid": call(112),
    "unshare": call(272, "netns", "pidns", "ipcns", "utsns", "mntns", "cgroupns"),
    "mount": call(165, "empty_root"),
    "pivot_root": call(155, "empty_root"),
    "umount2": call(166, "empty_root"),
    "clone": call(56),
    "setgroups": call(116, root=True),
    "setresgid": call(119, root=True),
    "setresuid": call(117, root=True),
    "capset": call(126),
    "prctl no_new_privs": call(157, "no_new_privs", first=38, root=True),
    "prctl dumpable": call(157, "undumpable", first=4),
    "prctl parent death": call(157, "parent_death", first=1),
    "prctl bounding set": call(157, first=24, root=True),
    "prctl ambient": call(157, first=47),
    "seccomp": call(317, "seccomp"),
    "landlock_create_ruleset": call(444, "landlock", "landlock_scope"),
    "landlock_restrict_self": call(446, "landlock", "landlock_scope"),
    "close_range": call(436),
    "dup2": call(33),
    "fcntl": call(72),
    "pipe2": call(293),
    "wait4": call(61),
    "poll": call(7),
    "getppid": call(110),
    "chdir": call(80),
    "kill": call(62),
}
AGAIN: Final = frozenset({"wait4", "poll"})


DESCRIPTORS: Final = frozenset({"dup2", "fcntl", "pipe2", "landlock_create_ruleset"})


def errors_of(name: str, level: str) -> list[str]:
    """EPERM as a container says it, ENOSYS as an old kernel, the others as a full machine.

    What differs at `medium` is only who calls, so two errors are enough there.
    """
    errors = ["EPERM", "EINTR"] if level == "medium" else ["EPERM", "ENOSYS", "ENOMEM", "EINTR"]
    if name in DESCRIPTORS:
        errors.append("EMFILE")
    return [error for error in errors if not (error == "EINTR" and name in AGAIN)]


def refusal(what: Call, error: str) -> str:
    """The words for `refusing`; a C library calls the older `setrlimit` for a new one's ENOSYS."""
    if what.number == PRLIMIT:
        return f"{PRLIMIT}={error},{SETRLIMIT}={error}"
    first = "" if what.first is None else f":{what.first}"
    return f"{what.number}{first}={error}"


@pytest.fixture
def alone() -> Iterator[None]:
    """Whatever a launcher leaves is ours to see."""
    from tests.e2e.program import Orphanage

    with Orphanage() as orphans:
        yield
        assert not orphans.left(grace=1.0)


def checked(refused: str, level: str, kind: str) -> tuple[dict[str, Any] | None, int]:
    """What the launcher reports on a machine that refuses so; None when it refuses to start."""
    launcher = launcher_path()
    frames = list(filter(None, plan(confinement(level, kind))))
    words = [launcher, launcher, "--check"] if len(frames) > 1 else [launcher, "--check"]
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    quiet = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(theirs.fileno(), 3)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            if refused:
                refusing.install(refused)
            os.execve(launcher, words, {})
        finally:
            os._exit(127)
    theirs.close()
    os.close(quiet)
    try:
        for frame in frames:
            ours.sendall(len(frame).to_bytes(4, "little") + frame)
    except OSError:
        pass  # It refused before it read its plan: its end says so.
    try:
        text = read_all(ours)
    except ConnectionError:
        text = b""
    deadline = time.monotonic() + SECONDS
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"the launcher hangs: {refused}")
        time.sleep(0.002)
    return (json.loads(text[4:]) if len(text) > 4 else None), ended[1]


@pytest.mark.parametrize(("level", "kind"), [("high", "wasm"), ("medium", "native")])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("alone")
def test_a_confining_call_that_fails(name: str, level: str, kind: str) -> None:
    what = CALLS[name]
    if what.root and os.geteuid() != 0:
        pytest.skip("only root has this to lose")
    control, status = checked("", level, kind)
    assert status == 0 and control is not None, "the control: nothing refused, it starts"
    for error in errors_of(name, level):
        report, status = checked(refusal(what, error), level, kind)
        if report is None or status != 0:
            assert status != 0, (name, error)
            continue
        held = {effect for effect, is_held in report["effects"].items() if is_held}
        assert held <= EFFECTS
        gone = set(control["layers"]) - set(report["layers"])
        # What made a layer and failed is not claimed; where nothing else holds an effect, the
        # report says that too, and the supervisor refuses (tests/adversarial/test_absent.py).
        assert not what.layers & set(report["layers"]), (name, error, report)
        if held != EFFECTS:
            assert gone, (name, error, report)
