"""Native code in a zygote's child reaches nothing outside, no sibling and no zygote."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from llmspell.channel import messages
from llmspell.channel.framing import frame
from llmspell.platform import EFFECTS
from llmspell.platform.linux.plan import make_zygote_plan
from llmspell.platform.linux.zygote import Zygote
from tests.adversarial.proof import Control
from tests.adversarial.targets import Targets
from tests.adversarial.test_native_code import (
    MACHINES,
    NUMBERS,
    RAW,
    SHOWN,
    WAYS,
    free,
    works_at_none,
)
from tests.attackers import build
from tests.parity import zygotes
from tests.parity.workers import Ended, run, run_fields, worker
from tests.platform.machines import ENOSYS, EPERM, as_machine, is_running
from tests.platform.test_zygote import children_of, descriptors, receive

REFUSED = {
    "as it is": {},
    "docker": {"unshare": EPERM, "mount": EPERM},
    "no landlock": {"landlock_create_ruleset": ENOSYS},
}
__all__ = ["free", "works_at_none"]
pytestmark = pytest.mark.profile("medium")
BUSY = "while True:\n    pass"


@pytest.fixture(scope="module", autouse=True)
def zygotes_end() -> Iterator[None]:
    yield
    zygotes.end_all()


def test_the_machines_are_those_of_the_exec_path() -> None:
    assert set(REFUSED) == set(MACHINES)


@pytest.mark.parametrize("machine", REFUSED)
def test_FS_14_FS_17_NW_01_NW_04_PR_08_PR_09_PR_16_a_program_in_a_childs_place(
    targets: Targets, machine: str, free: set[str], control: Control
) -> None:
    """The same attacker as test_native_code's, whose control gets everything outside."""
    control(set(SHOWN.values()) <= free)
    program = build.program("hostile")
    library = zygotes.command("lua")[-1]

    def attack() -> dict[str, Any]:
        words = [program, "zygote", library, "x", *targets.words(str(os.getpid()))]
        made = make_zygote_plan("medium", "native")
        frames = frame(made.stage1) + frame(made.stage2)
        zygote = Zygote([zygotes.command("lua")[0], *words], frames, {})
        assert zygote.is_ready(10)
        try:
            forked, channel = zygotes.fork(zygote)
            with channel:
                hello = receive(channel)
                channel.sendall(frame(b'{"type":"run"}'))
                done = receive(channel)
            forked.close()
        finally:
            zygote.close()
        assert hello is not None and done is not None
        return {"achieved": hello["achieved"], "acts": done["value"]}

    found = as_machine(attack, None, REFUSED[machine])
    works = {act for act, error in found["acts"].items() if not error}
    assert works == set(), (works, found["achieved"])
    assert len(found["acts"]) == 26
    assert targets.effects() == set()
    assert found["achieved"]["effects"] == dict.fromkeys(EFFECTS, True)
    if machine == "docker":
        assert not {"pidns", "netns", "mntns"} & set(found["achieved"]["layers"])


def attack(source: str, **params: Any) -> Ended:
    return run(
        "python",
        source,
        kind="forked",
        arguments=("--modules", "ctypes"),
        modules=["ctypes"],
        params={"numbers": NUMBERS[os.uname().machine], **params},
        answers={"modules.load": lambda _: {"own_folder": False}},
    )


@pytest.mark.parametrize("way", WAYS)
def test_PY_01_PY_04_PY_06_raw_system_calls_reach_nothing(
    targets: Targets, way: str, works_at_none: set[str], control: Control
) -> None:
    control({"open", "create", "stat", "socket", "unix", "kill", "memfd"} <= works_at_none)
    ended = attack(
        RAW % WAYS[way],
        secret=str(targets.secret),
        created=str(targets.created),
        victim=targets.victim.pid,
    )
    assert ended.error is None, ended.error
    assert {act for act, error in ended.value.items() if not error} == {"control_getpid"}
    assert targets.effects() == set()


NEIGHBOURS = (
    RAW.partition("N = params")[0] % WAYS["ctypes"]
    + """
N = params['numbers']
call('control_getpid', N['getpid'])
for pid in params['pids'] + list(range(2, 40)):
    call('see_%d' % pid, N['kill'], pid, 0)
    call('kill_%d' % pid, N['kill'], pid, 9)
    call('ptrace_%d' % pid, N['ptrace'], 0x4206, pid, 0, 0)
    call('pidfd_%d' % pid, 434, pid, 0)
    call('limits_%d' % pid, N['prlimit'], pid, 7, 0, 0)
    call('memory_%d' % pid, N['readv'], pid, 0, 0, 0, 0, 0)
    call('priority_%d' % pid, N['affinity'], pid, 8, ctypes.create_string_buffer(8))
result = [name for name, error in answers.items() if not error]
"""
)


def test_KX_16_PR_08_PR_09_no_sibling_and_no_zygote_is_seen_signalled_or_traced(
    control: Control,
) -> None:
    arguments = ("--modules", "ctypes")
    extra = {
        "x86_64": {"prlimit": 302, "readv": 310, "affinity": 204},
        "aarch64": {"prlimit": 261, "readv": 270, "affinity": 123},
    }[os.uname().machine]
    with worker("python", "forked", arguments=arguments) as sibling:
        sibling.begin(BUSY)
        zygote = zygotes.kept("python", arguments)
        home = max(children_of(zygote.process.pid))
        pids = [sibling.process.pid, home, zygote.process.pid, os.getpid()]
        assert min(pids) > 0
        for pid in pids:
            os.kill(pid, 0)  # from outside each is there to be signalled, or this raises
        control(all(map(is_running, pids)))
        numbers = NUMBERS[os.uname().machine] | extra
        ended = attack(NEIGHBOURS, pids=pids, numbers=numbers)
        assert ended.error is None, ended.error
        assert ended.value == ["control_getpid"]
        assert all(map(is_running, pids))
        sibling.process.kill()


DESCRIPTORS = (
    RAW.partition("N = params")[0] % WAYS["ctypes"]
    + """
libc.syscall.restype = ctypes.c_long
buffer = ctypes.create_string_buffer(64)
reached = {}
for fd in range(4, 1025):
    for name, act in (
        ('read', lambda: libc.read(fd, buffer, 0)),
        ('write', lambda: libc.write(fd, b'', 0)),
        ('send', lambda: libc.send(fd, b'x', 1, 0x4000)),
        ('recv', lambda: libc.recv(fd, buffer, 1, 0x40)),
        ('lseek', lambda: libc.lseek(fd, 0, 1)),
        ('dup', lambda: libc.dup(fd)),
        ('poll', lambda: libc.poll(ctypes.byref((ctypes.c_int * 2)(fd, 1)), 1, 0) and -1),
    ):
        ctypes.set_errno(0)
        if act() >= 0 or ctypes.get_errno() not in (0, 1, 9):
            reached.setdefault(name, []).append([fd, ctypes.get_errno()])
result = {'reached': reached, 'control': libc.write(3, b'', 0)}
"""
)


def test_of_1024_descriptors_only_the_own_channel_is_open() -> None:
    arguments = ("--modules", "ctypes")
    with worker("python", "forked", arguments=arguments) as sibling:
        sibling.begin(BUSY)
        with worker("python", "forked", arguments=arguments) as one:
            one.begin("await fs.read('x')")
            assert isinstance(one.receive(), messages.Call)
            if os.geteuid() == 0:
                names = [name.partition(":")[0] for name in descriptors(one.process.pid)]
                assert names == [*["/dev/null"] * 3, "socket"]
        ended = attack(DESCRIPTORS)
        assert ended.error is None, ended.error
        assert ended.value == {"reached": {}, "control": 0}, ended.value
        sibling.process.kill()


def test_what_one_child_changes_no_other_sees() -> None:
    """Memory is shared until it is written to: what is written stays with the writer."""
    change = (
        "import math, json\n"
        "math.pi = 3\njson.dumps = None\n"
        "().__class__.__base__.__subclasses__()\nmath.pi"
    )
    assert run("python", change, kind="forked").value == 3
    look = "import math, json\n[math.pi > 3, json.dumps([1])]"
    assert run("python", look, kind="forked").value == [True, "[1]"]
    change = "string.rep = nil _G.left = 1 return left"
    assert run("lua", change, kind="forked").value == 1
    look = "return {left == nil, ('x'):rep(2)}"
    assert run("lua", look, kind="forked").value == [True, "xx"]
    change = "globalThis.left = 1; Array.prototype.map = null; Object.prototype.x = 5; return left"
    assert run("javascript", change, kind="forked").value == 1
    look = "return [typeof left, [1].map((n) => n + 1)[0], ({}).x === undefined]"
    assert run("javascript", look, kind="forked").value == ["undefined", 2, True]


@pytest.mark.alone
@pytest.mark.parametrize(
    "source",
    [
        "while True:\n    print('x' * 1000)",
        "import ctypes\nctypes.string_at(0)",
        "import ctypes\nlibc = ctypes.CDLL(None)\nwhile True:\n    libc.syscall(-1)",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.close(3)\nwhile True:\n    pass",
        "x = []\nwhile True:\n    x.append(bytearray(1 << 20))",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.raise_(19) if 0 else libc.kill(0, 19)",
    ],
    ids=["flood", "crash", "calls", "closed channel", "memory", "stop"],
)
def test_a_hostile_child_does_not_keep_the_zygote_from_answering(source: str) -> None:
    arguments = ("--modules", "ctypes")
    zygote = zygotes.kept("python", arguments)
    hostile = []
    for _ in range(4):
        forked, channel = zygotes.fork(zygote, zygotes.confinement(memory=64 << 20))
        receive(channel)
        fields = run_fields("python", source, modules=["ctypes"]) | {"type": "run"}
        channel.sendall(frame(json.dumps(fields).encode()))
        hostile.append((forked, channel))
    time.sleep(0.05)
    # Nobody reads what they say; the zygote answers others meanwhile.
    took = []
    for _ in range(10):
        began = time.monotonic()
        assert run("python", "6 * 7", kind="forked", arguments=arguments).value == 42
        took.append(time.monotonic() - began)
    assert sorted(took)[5] < 0.5
    for forked, channel in hostile:
        forked.kill()
        forked.wait(5)
        forked.close()
        channel.close()


def test_a_message_to_the_control_socket_is_out_of_reach() -> None:
    """A child's descriptor 3 is its own channel: an order written there is a violation, no fork."""
    zygote = zygotes.kept("python", ("--modules", "ctypes"))
    forked, channel = zygotes.fork(zygote)
    with channel:
        receive(channel)
        # It waits after the write: a spell that ends is gone from the list before it is counted.
        source = (
            "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.write(3, b'\\1\\0\\0\\0', 4)\n"
            "libc.read(3, ctypes.create_string_buffer(1), 1)"
        )
        fields = run_fields("python", source, modules=["ctypes"]) | {"type": "run"}
        before = zygote.forks
        channel.sendall(frame(json.dumps(fields).encode()))
        call = receive(channel)
        assert call is not None and call["method"] == "modules.load"
        reply = {"type": "reply", "id": call["id"], "ok": True, "value": {"own_folder": False}}
        channel.sendall(frame(json.dumps(reply).encode()))
        assert channel.recv(4, socket.MSG_WAITALL) == b"\1\0\0\0"
        assert (zygote.forks, len(children_of(max(children_of(zygote.process.pid))))) == (before, 1)
    forked.close()
