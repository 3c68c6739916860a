"""However a worker refuses to end, hides its end or outlives its supervisor, it is over (PR)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmspell.platform.linux.plan import Machine, make_plan
from tests.adversarial.batches import once, shared_folder
from tests.adversarial.conftest import Impostor
from tests.adversarial.native import Way, inside
from tests.adversarial.proof import Control
from tests.attackers import build
from tests.e2e.program import PROFILES, Orphanage, Program, all_gone, descendants
from tests.platform import native
from tests.platform.channels import confinement, read_all, start

STARTS = [(profile, "exec") for profile in PROFILES] + [("medium", "fork"), ("high", "fork")]
ABOVE_LOW = ("medium", "high")
WALL = 0.4
SLACK = 0.5


def ended(impostor: Impostor, how: str, profile: str, start: str, **order: Any) -> dict[str, Any]:
    way = Way(start)
    return inside(impostor, "ending", how, profile=profile, way=way, **order)


@pytest.fixture
def stubborn() -> Any:
    """The program that takes no signals, outside."""
    words = [build.program("ending"), "free", "stubborn"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.read(6) == b"ready\n"
            yield process
        finally:
            process.kill()


def state(pid: int) -> str:
    """One letter, as proc(5) says."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.alone
@pytest.mark.parametrize(("profile", "way"), STARTS)
def test_PR_06_PR_07_a_worker_that_takes_no_signal_and_stops_ends_at_its_wall(
    impostor: Impostor, control: Control, stubborn: Any, profile: str, way: str
) -> None:
    result = ended(impostor, "stubborn", profile, way, limits={"wall": WALL})
    assert (result["status"], result["reason"]) == ("limit", "wall"), result
    assert result["error"]["code"] == 4004 and result["error"]["rule"] == "limit.wall"
    assert WALL <= result["usage"]["wall"] < WALL + SLACK
    assert [item["kind"] for item in result["violations"]] == ["ExecutionTimeExceeded"]
    # Outside neither request ends it, and what stops it holds it.
    stubborn.send_signal(signal.SIGTERM)
    stubborn.send_signal(signal.SIGINT)
    stubborn.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while state(stubborn.pid) != "T" and time.monotonic() < deadline:
        time.sleep(0.005)
    control(state(stubborn.pid) == "T", "PR-07")
    stubborn.send_signal(signal.SIGCONT)
    control(stubborn.poll() is None, "PR-06")


@pytest.mark.parametrize(("profile", "way"), [item for item in STARTS if item[0] != "none"])
def test_PR_23_a_crash_in_the_last_of_its_memory_is_its_limit(
    impostor: Impostor, control: Control, profile: str, way: str
) -> None:
    limits = {"wall": "20s", "memory": "64MiB"}
    full = ended(impostor, "full", profile, way, limits=limits)
    assert (full["status"], full["reason"], full["error"]["code"]) == ("limit", "memory", 4005)
    assert full["usage"]["peak_memory"] > 32 << 20
    if (profile, way) in (("low", "exec"), ("high", "fork")):
        crash = ended(impostor, "crash", profile, way, limits=limits)
        assert (crash["status"], crash["reason"]) == ("spell_error", "crash")
    control(full["usage"]["peak_memory"] > 32 << 20, "PR-23")
    assert full["peak_mib"] < 150, "the supervisor's own peak"


@pytest.fixture
def stayed(impostor: Impostor, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of the same program that waited for its answer."""

    def run() -> dict[str, Any]:
        return ended(impostor, "stays", "high", "exec")

    found: dict[str, Any] = once(shared_folder(tmp_path_factory), "the one that stays", run)
    return found


@pytest.mark.parametrize(("profile", "way"), STARTS)
def test_PR_24_leaving_with_a_call_under_way_is_no_success_and_no_second_call(
    impostor: Impostor, control: Control, stayed: dict[str, Any], profile: str, way: str
) -> None:
    result = ended(impostor, "gone", profile, way)
    assert (result["status"], result["reason"]) == ("spell_error", "worker_gone"), result
    assert result["value"] is None
    calls = [one for one in result["records"] if "storage" in str(one.get("action"))]
    assert len(calls) <= 1, result["records"]
    control(stayed["status"] == "done" and stayed["value"] == {"answered": 1})


@pytest.mark.alone
@pytest.mark.parametrize(("profile", "start"), STARTS)
def test_PR_21_a_killed_supervisor_leaves_no_worker(
    program: Program, control: Control, profile: str, start: str
) -> None:
    before = program.litter()
    program.write("forever.lua", "print('up') while true do end")
    with Orphanage() as orphans:
        process = program.start("run", "--profile", profile, "forever.lua", stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.read(3) == b"up\n"
        tree = descendants(process.pid)
        control(tree and all(state(pid) in "RS" for pid in tree))
        process.kill()
        process.communicate(timeout=10)
        assert all_gone(tree, 0.5)
        assert not orphans.left()
    assert program.litter() == before


@pytest.mark.parametrize("profile", PROFILES)
def test_PR_22_a_supervisor_that_died_before_its_worker_asked_is_noticed(
    control: Control, profile: str
) -> None:
    here = Machine.here()
    # Once as it is and once without what would end it anyway, a namespace's first process.
    for taken in {frozenset[str](), frozenset({"pidns"} if profile in ABOVE_LOW else ())}:
        wanted = confinement(profile, without=taken)
        words = [native.program("launch"), "--check"]
        process, channel = start(words, make_plan(wanted, here._replace(pid=here.pid + 1)))
        with process:
            assert read_all(channel) == b""
            status = process.wait(5)
            assert status.code == 71 or status.signal == signal.SIGKILL, status
        process, channel = start(words, make_plan(wanted, here))
        with process:
            control(b"effects" in read_all(channel) and process.wait(5).code == 0)


RECYCLED = """
import os, subprocess, sys
from llmspell.platform import spawn

ended = spawn(["/bin/true"], channel=None)
ended.wait(5)
for _ in range(100):
    # The next process of this namespace gets the number that was just given back.
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(ended.pid - 1))
    victim = subprocess.Popen(["sleep", "60"])
    if victim.pid == ended.pid:
        break
    victim.kill()
    victim.wait()
assert victim.pid == ended.pid
ended.kill()
ended.sample()
ended.close()
try:
    victim.wait(0.1)
    print("hit")
except subprocess.TimeoutExpired:
    print("missed")
os.kill(ended.pid, 9)
print("by number:", victim.wait(5))
"""


@pytest.mark.profile(*PROFILES)
def test_PR_26_a_kill_never_hits_a_number_that_was_given_again(
    program: Program, control: Control
) -> None:
    """In a process namespace of the test's own, where numbers can be chosen."""
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    done = subprocess.run(
        [*apart, sys.executable, "-c", RECYCLED],
        env=program.place.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    missed, by_number = done.stdout.splitlines()
    assert missed == "missed"
    control(by_number == "by number: -9")


@pytest.mark.profile(*PROFILES)
def test_PR_29_supervisors_that_start_at_the_same_moment_are_all_right(
    program: Program, control: Control, tmp_path: Path
) -> None:
    """One of each profile, twice, in a home that none of them knows yet."""
    for folder in ("state", "data", "home"):
        (tmp_path / folder).mkdir()
    env = {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "HOME": str(tmp_path / "home"),
    }
    program.write("one.lua", "Storage.set('k', params.n) return Storage.get('k')")
    running = [
        (
            number,
            program.start(
                "run", "--profile", profile, "--param", f"n={number}", "one.lua",
                env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            ),
        )
        for number, profile in enumerate(PROFILES * 2)
    ]  # fmt: skip
    said = [(number, *process.communicate(timeout=60)) for number, process in running]
    for number, out, err in said:
        assert out.strip() == str(number).encode(), err
    assert {process.returncode for _, process in running} == {0}
    control(len(running) == 8 and os.listdir(tmp_path / "state"))


FLEES = """
import os, time
for n in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(60)
        os._exit(0)
print('fled')
while True:
    pass
"""


@pytest.mark.alone
@pytest.mark.profile("none")
def test_PR_04_children_that_fled_end_with_the_run(program: Program, control: Control) -> None:
    """At `none` children may be made; within 50 ms of the end (Program looks) they are gone."""
    flags = ("--profile", "none", "--limit", "wall=1s")
    result = program.result(FLEES, ".py", *flags)
    assert (result["exit"], result["reason"]) == (4, "wall"), result
    control(result["output"] == "fled\n")
