"""KX: two sandboxes at once that look for each other, and what one inherits from where it came."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmspell.channel.framing import frame
from tests.adversarial.placed import REFUSED, STARTS, attack, outside, placed
from tests.adversarial.proof import Control
from tests.adversarial.test_kernel import number, word
from tests.e2e.program import SUFFIXES, Program, children
from tests.parity import zygotes
from tests.parity.workers import run
from tests.platform.machines import as_machine
from tests.platform.test_zygote import receive

ROOT = os.geteuid() == 0
PROFILES = ("medium", "high")


@pytest.fixture(scope="module", autouse=True)
def zygotes_end() -> Iterator[None]:
    yield
    zygotes.end_all()


def innermost(pid: int) -> int:
    """The worker itself, below its waiter."""
    while below := children(pid):
        (pid,) = below
    return pid


def status_of(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_KX_11_no_capability_is_left(profile: str, start: str, control: Control) -> None:
    if profile == "low" and start == "fork":
        pytest.skip("never forked")
    own = status_of(os.getpid())
    # An ordinary user has none but in the bounding set, and can't empty that: no-new-privs
    # makes it worthless.
    control(int(own["CapBnd"], 16) and (not ROOT or int(own["CapEff"], 16)))
    kinds = (*CAPABILITIES, "CapBnd") if ROOT else CAPABILITIES
    with placed("kernel", ["stay"], profile, start) as (process, _, _):
        found = status_of(innermost(process.pid))
    assert {kind: int(found[kind], 16) for kind in kinds} == dict.fromkeys(kinds, 0)
    assert found["NoNewPrivs"] == "1"


@pytest.mark.skipif(not ROOT, reason="a user's groups can't be set here")
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("profile", PROFILES)
def test_KX_12_no_group_of_the_supervisor_is_left(
    profile: str, start: str, control: Control
) -> None:
    def with_groups() -> list[list[str]]:
        os.setgroups([1, 2, 3])
        with placed("kernel", ["stay"], profile, start) as (process, _, _):
            inside = status_of(innermost(process.pid))
        own = status_of(os.getpid())
        return [[status["Groups"].strip(), *status["Gid"].split()] for status in (own, inside)]

    outer, inner = as_machine(with_groups)
    control(outer == ["1 2 3", "0", "0", "0", "0"])
    assert inner[0] == "" and "0" not in inner[1:]


def looks(pid: int) -> list[str]:
    """Ways to ask whether there is a process of this number."""
    calls = {
        "signal": f"kill,{pid},0",
        "thread": f"tgkill,{pid},{pid},0",
        "handle": f"pidfd_open,{pid},0",
        "processors": f"sched_getaffinity,{pid},128,b",
        "scheduler": f"sched_getscheduler,{pid}",
        "session": f"getsid,{pid}",
        "group": f"getpgid,{pid}",
        "priority": f"getpriority,0,{pid}",
        "limits": f"prlimit64,{pid},7,0,b",
        "clock": f"clock_gettime,{(~pid << 3 | 2) & 0xFFFF_FFFF:#x},b",
        "clock's grain": f"clock_getres,{(~pid << 3 | 2) & 0xFFFF_FFFF:#x},b",
        "entry": f"openat,-100,t:/proc/{pid}/status,0",
        "name": f"faccessat,-100,t:/proc/{pid},0",
    }
    return [f"{name}={word(call).partition('=')[2]}" for name, call in calls.items()] + [
        f"lock=lock,{pid}"
    ]


ABSENT = 4_190_000
"""A number that no process has: machines give them out from below."""

PLACES = [
    f"{path}={number('openat')},-100,t:{path},0"
    for path in (
        "/proc", "/proc/self/mountinfo", "/proc/net/tcp", "/proc/net/unix", "/proc/sysvipc/shm",
        "/proc/locks", "/tmp", "/dev/shm", "/sys/fs/cgroup",
    )
]  # fmt: skip


@pytest.mark.parametrize("machine", REFUSED)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("profile", PROFILES)
def test_KX_16_one_sandbox_looks_for_another(
    profile: str, start: str, machine: str, control: Control
) -> None:
    """Where namespaces part them, and where only the filter does: no answer may tell."""
    with placed("kernel", ["stay"], profile, start) as (process, _, _):
        other = innermost(process.pid)
        words = [*looks(other), *PLACES]
        words += [one.replace("=", ":absent=", 1) for one in looks(ABSENT)]
        found = outside("kernel", words)
        # To ask for the limits of another uid's process root may lack a right.
        failed = {act for act, error in found.items() if error and not act.endswith(":absent")}
        control(failed <= {"limits", "lock"} and found["lock"] != found["lock:absent"])
        acts = attack("kernel", words, profile, start, machine).acts
        assert innermost(process.pid) == other, "it still runs"
    assert {act for act, error in acts.items() if not error} == set()
    for act in (one.partition("=")[0] for one in looks(ABSENT)):
        assert acts[act] == acts[f"{act}:absent"], f"{act} tells that it is there"


SHARED = {
    "segment": ("shmget,77,4096,0x380", "shmget,77,0,0", "shmctl,l,0,0"),
    "semaphore": ("semget,77,1,0x380", "semget,77,0,0", "semctl,l,0,0"),
    "queue": ("msgget,77,0x380", "msgget,77,0", "msgctl,l,0,0"),
    "named queue": ("mq_open,t:kx77,0x42,0x180,0", "mq_open,t:kx77,2,0,0", "mq_unlink,t:kx77"),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("profile", ["low", *PROFILES])
def test_KX_13_what_one_makes_another_does_not_find(
    profile: str, start: str, control: Control
) -> None:
    if profile == "low" and start == "fork":
        pytest.skip("never forked")
    made = [f"make {name}={word(calls[0]).partition('=')[2]}" for name, calls in SHARED.items()]
    find = [
        f"{what} {name}={word(call).partition('=')[2]}"
        for name, calls in SHARED.items()
        for what, call in zip(("find", "remove"), calls[1:], strict=True)
    ]
    control(set(outside("kernel", made).values()) == {0})
    control(set(outside("kernel", find).values()) == {0})
    with placed("kernel", [*made, "stay"], profile, start) as (_, channel, _):
        channel.sendall(frame(b'{"type":"run"}'))
        acts = attack("kernel", made + find, profile, start).acts
    assert set(acts.values()) == {errno.EPERM}


FLAGS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
before = [libc.fcntl(fd, 3) for fd in (0, 1, 2)]
changed = [libc.fcntl(fd, 4, 0o2000) for fd in (0, 1, 2)]
result = [before, changed, [libc.fcntl(fd, 3) for fd in (0, 1, 2)]]
"""


@pytest.mark.profile("medium")
def test_KX_14_status_flags_of_a_descriptor_tell_a_sibling_nothing(control: Control) -> None:
    """What a fork inherits it would share with all forks of the same zygote."""

    def flags() -> list[list[int]]:
        ended = run(
            "python", FLAGS, kind="forked", arguments=("--modules", "ctypes"), modules=["ctypes"],
            answers={"modules.load": lambda _: {"own_folder": False}},
        )  # fmt: skip
        assert ended.error is None, ended.error
        value: list[list[int]] = ended.value
        return value

    before, changed, after = flags()
    control(changed == [0, 0, 0] and all(flag & 0o2000 for flag in after))
    assert flags()[0] == before and not any(flag & 0o2000 for flag in before)


def layout(profile: str, start: str) -> dict[str, int]:
    return dict(attack("kernel", ["layout"], profile, start).acts)


@pytest.mark.parametrize("profile", PROFILES)
def test_KX_17_workers_that_share_no_zygote_share_no_layout(profile: str, control: Control) -> None:
    """Forks of one zygote do, which is why a zygote belongs to one tenant (test_pool.py)."""
    with placed("kernel", ["layout"], profile, "fork") as (_, channel, _):
        channel.sendall(frame(b'{"type":"run"}'))
        first = receive(channel)
    assert first is not None
    control(outside("kernel", ["layout"]).keys() == first["value"].keys())
    for start in STARTS:
        one, two = layout(profile, start), layout(profile, start)
        assert not {name for name in one if one[name] == two[name]}, (start, one, two)


@pytest.mark.parametrize("profile", PROFILES)
def test_KX_18_every_run_draws_its_own_random_numbers(
    program: Program, profile: str, control: Control
) -> None:
    draw = {
        ".lua": "return {math.random(1, 2 ^ 40), math.random(1, 2 ^ 40)}",
        ".js": "return [Math.random(), Math.random()]",
        ".py": "import random, secrets, uuid\n[random.random(), str(uuid.uuid4())]",
    }
    for suffix, source in draw.items():
        first, second = (
            program.result(source, suffix, "--profile", profile)["value"] for _ in range(2)
        )
        control(first[0] != first[1])
        assert not set(first) & set(second), (suffix, first)
    chosen = "import random\nrandom.seed(7)\nrandom.random()"
    one, two = (program.result(chosen, ".py", "--profile", profile)["value"] for _ in range(2))
    control(one == two)


@pytest.mark.profile("medium")
@pytest.mark.parametrize("language", SUFFIXES)
def test_KX_18_forks_of_one_zygote_draw_their_own(language: str, control: Control) -> None:
    draw = {
        "lua": "return {math.random(1, 2 ^ 40), math.random(1, 2 ^ 40)}",
        "javascript": "return [Math.random(), Math.random()]",
        "python": "import random, uuid\n[random.random(), str(uuid.uuid4())]",
    }[language]
    first, second = (run(language, draw, kind="forked").value for _ in range(2))
    control(first[0] != first[1])
    assert not set(first) & set(second)


JUMPING = """
import json, sys, time
name, profile = sys.argv[1:]
real, jumped = getattr(time, name), []
setattr(time, name, lambda: real() + 3600.0 * len(jumped))
import llmspell
sources = {
    "endless": ("print('now') while true do end", "300ms"),
    "short": ("print('now') for i = 1, 3 do Async.sleep(5) end return 7", "20s"),
}
found = {}
for which, (source, wall) in sources.items():
    begun = time.perf_counter()
    spell = llmspell.Spell.from_source(source, language="lua")
    result = llmspell.run(spell, profile=profile, limits={"wall": wall}, on_output=jumped.append)
    found[which] = [result.status.value, result.value, time.perf_counter() - begun]
print(json.dumps([found, len(jumped)]))
"""
"""The clock of that name is an hour ahead from the moment at which the spell prints."""


@pytest.mark.parametrize("profile", PROFILES)
def test_KX_19_a_wall_clock_that_jumps_moves_no_limit(
    program: Program, profile: str, control: Control
) -> None:
    def ends(clock: str) -> dict[str, list[Any]]:
        done = subprocess.run(
            [sys.executable, "-c", JUMPING, clock, profile],
            cwd=program.folder, env=program.place.environ, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found, jumps = json.loads(done.stdout)
        assert jumps == 2
        return dict(found)

    found = ends("time")
    assert found["endless"][0] == "limit" and found["endless"][2] < 5
    assert found["short"][:2] == ["done", 7]
    # The clock that the limits do look at.
    control(ends("monotonic")["short"][0] == "limit")
