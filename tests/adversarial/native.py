"""A native attacker in the worker's place, exec'ed and forked, on more than one kind of machine."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Final, NamedTuple

from tests.adversarial.conftest import Impostor
from tests.attackers import build

EPERM: Final = 1
MACHINES: Final = {
    "as it is": "",
    "without namespaces": "unshare=EPERM,mount=EPERM",
    "without Landlock": "landlock_create_ruleset=ENOSYS",
}
"""Calls that a container or an old kernel refuses: what is left must hold alone."""


class Way(NamedTuple):
    """How the attacker's worker starts, and where."""

    start: str
    machine: str = "as it is"


WAYS: Final = {
    "low": (Way("exec"), Way("exec", "without namespaces")),
    "medium": (*(Way("exec", machine) for machine in MACHINES), Way("fork")),
    "high": (*(Way("exec", machine) for machine in MACHINES), Way("fork")),
}


def outside(name: str, *acts: str) -> dict[str, int]:
    """What each act comes to without confinement: the positive control."""
    words = [build.program(name), "free", *acts]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    answers: dict[str, int] = json.loads(done.stdout)
    return answers


def inside(
    impostor: Impostor, name: str, *acts: str, profile: str, way: Way, **order: Any
) -> dict[str, Any]:
    """The result of the run whose worker it was."""
    argv = [build.program(name), "@plan", "@lib", "@engine", *acts]
    return impostor(argv, MACHINES[way.machine], profile=profile, start=way.start, **order)


def of_case(answers: dict[str, int], case: str) -> dict[str, int]:
    """The acts of one case, whose names begin with its id."""
    mark = case.replace("-", "_") + "_"
    found = {act: answer for act, answer in answers.items() if act.startswith(mark)}
    assert found, f"no act of {case}"
    return found
