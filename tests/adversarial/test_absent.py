"""EN: each mechanism taken away at the syscall layer; who refuses, who starts and says so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adversarial.batches import EXEC
from tests.adversarial.conftest import ATTACKERS
from tests.adversarial.machines import AS_IT_IS, CameTo, came_to
from tests.adversarial.proof import Control
from tests.e2e.in_turn import in_turn
from tests.e2e.program import Place, Program, descendants
from tests.platform.test_zygote import descriptors

__all__ = ["came_to", "in_turn"]
ROOT = os.geteuid() == 0
NAMESPACES = {"netns", "pidns", "ipcns", "utsns", "mntns", "cgroupns"}


class Taken(NamedTuple):
    """Calls refused; layers that must be missing then; effects that nothing else holds."""

    calls: str
    layers: frozenset[str]
    open: frozenset[str] = frozenset()
    low_open: frozenset[str] = frozenset()
    root_only: bool = False


def taken(calls: str, *layers: str, **more: Any) -> Taken:
    return Taken(calls, frozenset(layers), **more)


FILTER = frozenset({"network", "spawn", "privilege"})
MACHINES = {
    "EN_03_no_unshare": taken("unshare=EPERM", *NAMESPACES),
    "EN_03_no_mount": taken("mount=EPERM", "empty_root"),
    "EN_01_no_landlock": taken(
        "landlock_create_ruleset=ENOSYS", "landlock", "landlock_scope",
        low_open=frozenset({"files"}),
    ),
    "EN_01_landlock_not_applied": taken(
        "landlock_restrict_self=EPERM", "landlock", "landlock_scope",
        low_open=frozenset({"files"}),
    ),
    "EN_02_no_filter": taken("seccomp=EPERM", "seccomp", open=FILTER, low_open=FILTER),
    "EN_02_no_new_privs": taken(
        # An ordinary user needs it for the very filter that would take it away.
        "prctl:38=EINVAL", "no_new_privs", open=frozenset({"privilege"}),
        low_open=frozenset({"privilege"}), root_only=True,
    ),
    "EN_04_root_stays": taken(
        "setresuid=EPERM", "uid", open=frozenset({"privilege"}), root_only=True
    ),
    "EN_04_capabilities_stay": taken(
        # At `low` they are gone all the same: by the bounding set, when the worker is executed.
        "capset=EPERM", open=frozenset({"privilege"}), root_only=True,
    ),
    "EN_no_parent_death": taken("prctl:1=EINVAL", "parent_death"),
}  # fmt: skip


def machine(name: str) -> tuple[tuple[str, ...], Taken]:
    what = MACHINES[name]
    if what.root_only and not ROOT:
        pytest.skip("only root has this to lose")
    return (sys.executable, str(ATTACKERS / "refusing.py"), what.calls, "--"), what


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.fixture
def executed(place: Place, tmp_path: Path) -> Program:
    """For what forks no worker at any start: `low`, and `doctor`."""
    return Program(place, tmp_path)


def starts_here(came_to: CameTo, profile: str, start: str, layers: frozenset[str]) -> bool:
    """The control: where nothing is taken away the profile starts, with these layers."""
    result = came_to(AS_IT_IS, profile, start)
    wanted = layers if profile != "low" else frozenset()
    return (
        (result["exit"], result["value"]) == (0, "ran")
        and not result["isolation"]["missing"]
        and wanted <= set(result["isolation"]["layers"])
    )


def carries(name: str) -> bool:
    """Whether a machine's name carries the id of a case."""
    return name[3:5].isdigit()


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_profile_holds_or_refuses(
    program: Program, came_to: CameTo, start: str, profile: str, name: str, control: Control
) -> None:
    wrapper, what = machine(name)
    if carries(name):
        control(starts_here(came_to, profile, start, what.layers))
    result = came_to(wrapper, profile, start)
    isolation = result["isolation"]
    assert not what.layers & set(isolation["layers"]), isolation
    if not what.open:
        assert (result["exit"], result["value"]) == (0, "ran"), result
        assert all(isolation["effects"].values()) and isolation["achieved"] == profile
        return
    assert (result["exit"], result["status"]) == (5, "isolation_refused"), result
    assert result["value"] is None and what.open <= set(isolation["missing"])
    assert result["error"]["rule"] == f"{profile}.isolation" and result["error"]["hint"]
    ended = program.run("return 'ran'", ".lua", "--profile", profile, wrapper=wrapper)
    assert ended.code == 5 and ended.out == "" and "llmspell doctor" in ended.err
    degraded = came_to(wrapper, profile, start, allow_degraded=True)
    if profile == "high":
        assert degraded["exit"] == 5 and degraded["value"] is None, degraded
    else:
        assert (degraded["exit"], degraded["value"]) == (0, "ran"), degraded
        assert what.open <= set(degraded["isolation"]["missing"])


@pytest.mark.profile("low")
@pytest.mark.parametrize("name", MACHINES)
def test_low_starts_and_says_what_is_missing(
    executed: Program, came_to: CameTo, name: str, control: Control
) -> None:
    wrapper, what = machine(name)
    if carries(name):
        control(starts_here(came_to, "low", EXEC, what.layers))
    result = came_to(wrapper, "low")
    assert (result["exit"], result["value"]) == (0, "ran"), result
    assert what.low_open <= set(result["isolation"]["missing"]), result["isolation"]
    ended = executed.run(
        "return 'ran'", ".lua", "--profile", "low", "--audit", "low.jsonl", wrapper=wrapper
    )
    assert (ended.code, ended.out) == (0, "ran\n")
    if what.low_open:
        assert "isolation is degraded" in ended.err
        for effect in what.low_open:
            assert effect in ended.err
    (line,) = [
        line for line in (executed.folder / "low.jsonl").read_text().splitlines()
        if '"event":"isolation"' in line
    ]  # fmt: skip
    for effect in what.low_open:
        assert f'"{effect}":false' in line


@pytest.mark.parametrize("profile", ["low", "medium"])
def test_EN_17_a_weaker_sandbox_says_so_in_its_result(
    program: Program, came_to: CameTo, start: str, profile: str, control: Control
) -> None:
    """Nested in a sandbox that takes the filter away, by the user's own word."""
    control(starts_here(came_to, profile, start, frozenset()))
    wrapper, what = machine("EN_02_no_filter")
    flags = ("--profile", profile, *(["--allow-degraded"] if profile == "medium" else []))
    result = program.result("return 'ran'", ".lua", *flags, wrapper=wrapper)
    assert (result["exit"], result["value"]) == (0, "ran"), result
    assert what.open <= set(result["isolation"]["missing"])
    assert result["isolation"]["achieved"] == "low"
    assert "isolation is degraded" in program.run("return 1", ".lua", *flags, wrapper=wrapper).err


@pytest.mark.profile("medium", "high")
@pytest.mark.parametrize("name", MACHINES)
def test_doctor_names_what_is_taken(
    executed: Program, came_to: CameTo, name: str, control: Control
) -> None:
    wrapper, what = machine(name)
    if carries(name):
        both = ("medium", "high")
        control(all(starts_here(came_to, one, EXEC, what.layers) for one in both))
    ended = executed("doctor", "--output", "json", wrapper=wrapper)
    report = ended.json()
    for layer in what.layers:
        assert report["mechanisms"].get(layer, "refused").startswith("refused"), report
    for profile in ("medium", "high"):
        assert report["profiles"][profile]["starts"] is (not what.open), report
    assert ended.code == (5 if what.open else 0)
    if what.open:
        assert report["advice"]
    told = executed("doctor", wrapper=wrapper)
    for layer in what.layers & set(report["mechanisms"]):
        assert layer in told.out


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_RS_16_limits_that_can_not_be_set_do_not_pass_in_silence(
    program: Program, profile: str, control: Control
) -> None:
    """A worker without its memory limit must not run as if it had one."""
    wrapper = (sys.executable, str(ATTACKERS / "refusing.py"), "prlimit64=EPERM", "--")
    source = "x = 'x' * 900_000_000\nlen(x)"
    flags = ("--profile", profile, "--limit", "memory=64MiB")
    result = program.result(source, ".py", *flags, wrapper=wrapper)
    assert result["exit"] in (4, 5), result
    assert result["status"] in ("limit", "isolation_refused")
    small = "x = 'x' * 900_000\nlen(x)"
    control(program.result(small, ".py", *flags)["exit"] == 0)


@pytest.mark.parametrize(
    "calls",
    [
        "setsid=EPERM",
        "pidfd_open=ENOSYS",
        "clone3=ENOSYS",
        "close_range=ENOSYS",
        "memfd_create=ENOSYS",
        "setgroups=EPERM",
    ],
)
def test_EN_other_refusals_end_in_words(program: Program, calls: str) -> None:
    wrapper = (sys.executable, str(ATTACKERS / "refusing.py"), calls, "--")
    program.write("s.lua", "return 'ran'")
    ended = program("run", "--profile", "high", "s.lua", wrapper=wrapper)
    if ended.code == 0:
        assert ended.out == "ran\n"
    else:
        assert ended.code in (5, 6) and ended.err.startswith("llmspell: "), ended
        assert ended.out == "" and len(ended.err) < 1000


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_EN_04_EN_18_the_worker_is_no_root_and_has_one_thread(
    program: Program, profile: str, control: Control
) -> None:
    """Seen from outside while the spell waits."""
    waiting = threading.Event()
    second = threading.Thread(target=waiting.wait)
    second.start()
    own = status_of(os.getpid())
    waiting.set()
    second.join()
    control(int(own["Threads"]) > 1, "EN-18")
    control(("0" in own["Uid"].split()) == ROOT and own["NoNewPrivs"] == "0", "EN-04")
    program.write("w.lua", "print('up') Async.sleep(60000)")
    running = program.start("run", "--profile", profile, "w.lua", stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None and running.stdout.read(3) == b"up\n"
        leaves = [pid for pid in descendants(running.pid) if not descendants(pid)]
        (worker,) = leaves
        fields = status_of(worker)
        assert "0" not in fields["Uid"].split() and "0" not in fields["Gid"].split()
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            # An ordinary user can't empty the bounding set; no-new-privs makes it harmless.
            if kind != "CapBnd" or ROOT:
                assert int(fields[kind], 16) == 0, (kind, fields[kind])
        assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
        if ROOT:
            assert fields["Groups"].strip() == ""
        assert fields["Threads"] == "1"
        if ROOT:
            links = descriptors(worker)
            assert sum("socket:" in link for link in links) == 1, links
            assert {link for link in links if "socket:" not in link} <= {"/dev/null"}, links
    finally:
        running.terminate()
        running.communicate()


def status_of(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
