"""Native code in a worker's place reaches, makes, signals and slows no other process (PR).

One run per way of starting does every act; its victim is the worker of another sandbox, of the same
profile, that runs beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial.batches import once, shared_folder
from tests.adversarial.conftest import Impostor
from tests.adversarial.native import EPERM, WAYS, Way, inside, of_case, outside
from tests.adversarial.proof import Control
from tests.e2e.program import Program, descendants
from tests.platform.machines import is_running

ENOSYS = 38
EINVAL = 22
CASES = (
    "PR_01",
    "PR_04",
    "PR_07",
    "PR_08",
    "PR_09",
    "PR_11",
    "PR_12",
    "PR_13",
    "PR_14",
    "PR_16",
    "PR_17",
    "PR_18",
    "PR_19",
    "PR_60",
    "PR_61",
    "PR_62",
)
ABOVE_LOW = ("PR_03", "PR_63", "PR_64")
"""A deny-list can't count threads, nor tell one's own pid from another's."""
ANSWERS = {"PR_13_clone3": {ENOSYS}, "PR_62_timer": {EPERM, EINVAL}}
"""Else EPERM. A timer aims at threads of its own process only, says the kernel itself."""


@pytest.fixture(scope="session")
def link(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A symbolic link to a program."""
    path = shared_folder(tmp_path_factory) / "link-to-true"
    if not path.is_symlink():
        try:
            path.symlink_to("/bin/true")
        except FileExistsError:
            pass  # another pytest process was quicker
    return path


@pytest.fixture(scope="session")
def free(link: Path) -> dict[str, int]:
    """What the acts come to outside; the victim is a process that waits."""
    with subprocess.Popen(["sleep", "300"]) as victim:
        answers = outside("processes", str(victim.pid), str(os.getpid()), str(link))
        assert victim.wait(5) == -9, "the last act kills it"
    return answers


@contextmanager
def sandbox_beside(program: Program, profile: str) -> Iterator[int]:
    """Another sandbox, with a spell that goes on; the pid of its worker."""
    program.write("beside.lua", "print('up') while true do Async.sleep(50) end")
    words = ("run", "--profile", profile, "--limit", "wall=60s", "beside.lua")
    with program.start(*words, stdout=subprocess.PIPE) as beside:
        try:
            assert beside.stdout is not None and beside.stdout.read(2) == b"up"
            tree = descendants(beside.pid)
            workers = [pid for pid in tree if not descendants(pid)]
            assert len(workers) == 1, tree
            yield workers[0]
            assert is_running(workers[0]) and beside.poll() is None
        finally:
            beside.terminate()


@pytest.fixture
def attacks(
    impostor: Impostor, program: Program, link: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Runs the attacker at a profile in each way, once for all tests."""

    def run(profile: str) -> dict[str, dict[str, Any]]:
        def attack() -> dict[str, Any]:
            with sandbox_beside(program, profile) as neighbour:
                before = _state(neighbour)
                results = {
                    f"{way.start}, {way.machine}": _attacked(
                        impostor, profile, way, str(neighbour), str(link)
                    )
                    for way in WAYS[profile]
                }
                assert _state(neighbour) == before
            return results

        found: dict[str, dict[str, Any]] = once(
            shared_folder(tmp_path_factory), f"processes {profile}", attack
        )
        return found

    return run


def _attacked(impostor: Impostor, profile: str, way: Way, *words: str) -> dict[str, Any]:
    result = inside(
        impostor, "processes", words[0], "@supervisor", words[1], profile=profile, way=way
    )
    assert result["status"] == "done", result
    assert all(result["isolation"]["effects"].values()), result["isolation"]
    answers: dict[str, Any] = result["value"]
    return answers


def _state(pid: int) -> list[str]:
    """What a signal or a change of its place among others would change."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # Parent, group, session, priority, nice, real-time priority, policy (proc(5)).
    return [fields[index] for index in (1, 2, 3, 15, 16, 37, 38)]


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
@pytest.mark.parametrize("case", CASES)
def test_a_program_in_the_workers_place(
    attacks: Any, free: dict[str, int], control: Control, case: str, profile: str
) -> None:
    _is_refused(attacks(profile), free, control, case)


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("case", ABOVE_LOW)
def test_a_program_in_the_place_of_a_stricter_worker(
    attacks: Any, free: dict[str, int], control: Control, case: str, profile: str
) -> None:
    _is_refused(attacks(profile), free, control, case)


def _is_refused(
    runs: dict[str, dict[str, Any]], free: dict[str, int], control: Control, case: str
) -> None:
    for way, answers in runs.items():
        for act, answer in of_case(answers, case).items():
            expected = {0} if act.endswith("_count") else ANSWERS.get(act, {EPERM})
            assert answer in expected, (way, act, answer)
    for act, answer in of_case(free, case).items():
        control(answer == (64 if act.endswith("_count") else 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="what root's limits would not hold")
@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_PR_02_no_process_is_made_for_root_either(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    """RLIMIT_NPROC is not for uid 0; the filter is, and above `low` the worker is another uid."""
    for way, answers in attacks(profile).items():
        made = [answers[act] for act in ("PR_01_fork", "PR_14_vfork", "PR_14_parent")]
        assert made == [EPERM] * 3, (way, made)
    limited = ["prlimit", "--nproc=1", "sh", "-c", "true & wait"]
    control(free["PR_01_fork"] == 0 and subprocess.run(limited).returncode == 0)


def test_the_list_of_cases_is_the_attackers(free: dict[str, int]) -> None:
    """An act whose case nobody looks at would be tried for nothing."""
    assert {act[:5] for act in free} == {*CASES, *ABOVE_LOW}, json.dumps(free)
