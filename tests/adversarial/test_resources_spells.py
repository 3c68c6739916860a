"""Spells that want more than they may have end at their limit, which the result names (RS)."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adversarial import resource_spells
from tests.adversarial.batches import EXEC, FORK, Batches, Results
from tests.adversarial.conftest import ATTACKERS
from tests.adversarial.proof import Control
from tests.adversarial.resource_spells import TYPED, Greed, greeds
from tests.e2e.program import LONGEST, PROFILES, Orphanage, Program

AT_ONCE = 3
SLACK = 0.6
LIMIT_CODES = {"wall": 4004, "memory": 4005, "output": 4009, "calls": 4009, "cpu": 4004}
START = {"none": EXEC, "low": EXEC, "medium": FORK, "high": FORK}
CASES = tuple(dict.fromkeys(one.case for one in greeds("high")))


def runs_at(profile: str) -> list[dict[str, Any]]:
    """Each attack of a profile, and its twin."""
    return [
        {
            "name": f"{profile}.{index}.{part}",
            "language": one.language,
            "source": source,
            "profile": profile,
            "limits": {**one.limits, "wall": wall},
            "grants": [*one.grants],
            "reach": reach,
            **({"files": dict(one.files)} if one.files else {}),
        }
        for index, one in enumerate(greeds(profile))
        for part, source, wall, reach in (
            ("attack", one.source, one.limits["wall"], one.reach),
            ("twin", one.twin, 30, ""),
        )
    ]


@pytest.fixture
def ran(batches: Batches) -> Any:
    """What became of the spells of a case at a profile: [(greed, attack, twin)]."""

    def results(profile: str, case: str) -> list[tuple[Greed, dict[str, Any], dict[str, Any]]]:
        start = START[profile]
        together = [run for one in PROFILES if START[one] == start for run in runs_at(one)]
        found: Results = batches.results(together, start, AT_ONCE)
        chosen = [
            (one, found[f"{profile}.{index}.attack"], found[f"{profile}.{index}.twin"])
            for index, one in enumerate(greeds(profile))
            if one.case == case
        ]
        assert chosen
        return chosen

    return results


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("case", CASES)
def test_a_spell_ends_at_its_limit(ran: Any, control: Control, case: str, profile: str) -> None:
    for greed, attack, twin in ran(profile, case):
        if greed.ends == TYPED:
            LOOKS[case](attack)
        else:
            assert (attack["status"], attack["reason"]) in (greed.ends, ("done", "done")), attack
            LOOKS.get(greed.ends[1] or case, _is_quiet)(attack)
        if greed.ends[0] == "limit":
            reason = greed.ends[1]
            assert attack["status"] == "limit" and attack["exit"] == 4, attack
            assert attack["error"]["code"] == LIMIT_CODES[reason], attack["error"]
            assert attack["error"]["rule"] == f"limit.{reason}", attack["error"]
        if case == "RS_26":
            control(twin["status"] == "spell_error" and twin["error"]["message"].count("x") == 10)
        else:
            control(twin["status"] == "done")
        if case == "RS_09":
            control(twin["value"] == "read")


def _is_quiet(result: dict[str, Any]) -> None:
    assert result["output"] in ("", "on\n")


def _ended_on_time(result: dict[str, Any]) -> None:
    wall = result["limits"]["wall"]
    assert wall <= result["usage"]["wall"] < wall + SLACK, result["usage"]
    assert [item["kind"] for item in result["violations"]] == ["ExecutionTimeExceeded"]


def _was_cut(result: dict[str, Any]) -> None:
    assert result["output"].endswith("[output cut here by its limit]\n")
    assert len(result["output"]) < 101 * 1024
    assert result["usage"]["wall"] < 15, "no deadlock, and not all that was printed was read"


def _was_refused(result: dict[str, Any]) -> None:
    assert result["value"] in ("denied", "not_a_file"), result


def _waited_for_nothing(result: dict[str, Any]) -> None:
    """A wait is wall time and no processor time."""
    assert (result["status"], result["value"]) == ("done", True), result
    assert result["usage"]["wall"] >= 0.7 and result["usage"]["cpu"] < 0.4


def _ended_typed(result: dict[str, Any]) -> None:
    assert result["status"] in ("spell_error", "limit"), result
    assert result["reason"] in ("runtime", "memory", "compile", "syntax"), result
    assert result["error"]["code"] in (4001, 4002, 4005)
    assert len(result["error"]["message"]) <= 4096


def _was_over_with_the_result(result: dict[str, Any]) -> None:
    """What runs after the result runs against the same wall, and changes nothing of it."""
    if result["status"] == "limit":
        assert result["reason"] == "wall" and result["value"] is None
        _ended_on_time(result)
    else:
        assert (result["status"], result["value"]) == ("done", "value")


LOOKS = {
    "wall": _ended_on_time,
    "output": _was_cut,
    "RS_09": _was_refused,
    "RS_19": _waited_for_nothing,
    "RS_21": _ended_typed,
    "RS_22": _ended_typed,
    "RS_23": _ended_typed,
    "RS_26": _ended_typed,
    "RS_29": _was_over_with_the_result,
}


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


ASK = """
local ok, failure = pcall(http.get, "http://127.0.0.1:{port}/", {{timeout = {timeout}}})
return {{ok, failure.kind, failure.code}}
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_RS_12_a_host_call_has_a_deadline_of_its_own(
    batches: Batches, control: Control, silent: int, profile: str
) -> None:
    """Its own where it is shorter, the run's where that is."""
    runs = [
        {
            "name": f"{one}.{timeout}",
            "language": "lua",
            "source": ASK.format(port=silent, timeout=timeout),
            "profile": one,
            "limits": {"wall": 1 if timeout > 1 else 20},
            "grants": [f"net:127.0.0.1:{silent}"],
        }
        for one in PROFILES
        for timeout in (0.2, 30)
    ]
    found = batches.results(runs, EXEC, AT_ONCE)
    own, runs_end = found[f"{profile}.0.2"], found[f"{profile}.30"]
    assert (runs_end["status"], runs_end["reason"]) == ("limit", "wall"), runs_end
    assert runs_end["usage"]["wall"] < 5, "not the 30 s of the call"
    # The spell goes on after its call's end, which says that it was time.
    control(own["status"] == "done" and own["value"][0] is False)
    assert own["usage"]["wall"] < 10 and own["value"][1] == "timeout", own


BUSY = {"lua": "while true do end", "javascript": "for (;;);", "python": "while True: pass"}
BUSY_AT_ONCE = 12


@pytest.mark.alone
@pytest.mark.parametrize("profile", PROFILES)
def test_PR_27_busy_workers_do_not_starve_the_clock(
    batches: Batches, control: Control, profile: str
) -> None:
    """Twelve at once, three of each profile, on however few processors."""
    runs = [
        {"name": f"{one}.{language}.{wall}", "language": language, "source": source,
         "profile": one, "limits": {"wall": wall}}
        for one in PROFILES
        for language, source in BUSY.items()
        for wall in (1.0,)
    ]  # fmt: skip
    found = batches.results(runs, EXEC, BUSY_AT_ONCE)
    late = []
    for language in BUSY:
        result = found[f"{profile}.{language}.1.0"]
        assert (result["status"], result["reason"]) == ("limit", "wall"), result
        late.append(result["usage"]["wall"] - 1.0)
    assert min(late) >= 0 and max(late) < SLACK, late
    control(all(result["usage"]["cpu"] < 1.0 for result in found.values()), "PR-27")


@pytest.mark.alone
@pytest.mark.profile("low")
def test_RS_13_processor_time_has_a_limit_of_its_own(batches: Batches, control: Control) -> None:
    """At `low`; tests/e2e/test_limits.py has the others."""
    runs = [
        {"name": what, "language": "lua", "source": source, "profile": "low",
         "limits": {"wall": 30, "cpu": 1}}
        for what, source in (("busy", BUSY["lua"]), ("idle", "Async.sleep(1200) return true"))
    ]  # fmt: skip
    found = batches.results(runs, EXEC, AT_ONCE)
    busy, idle = found["busy"], found["idle"]
    assert (busy["status"], busy["reason"]) == ("limit", "cpu"), busy
    assert busy["error"]["rule"] == "limit.cpu" and 0.8 < busy["usage"]["cpu"] < 1.5
    control(idle["status"] == "done" and idle["usage"]["wall"] > 1.1)


def _run(program: Program, name: str, *words: str) -> dict[str, Any]:
    with Orphanage() as orphans:
        done = subprocess.run(
            [sys.executable, str(ATTACKERS / name), *words],
            cwd=program.folder,
            env=program.place.environ,
            capture_output=True,
            timeout=LONGEST,
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        assert not orphans.left()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.profile(*PROFILES)
def test_PR_28_nothing_is_left_of_many_runs_half_of_them_killed(
    program: Program, control: Control
) -> None:
    found = _run(program, "short_runs.py", "64")
    before, after = found["before"], found["after"]
    assert after["zombies"] == before["zombies"] == 0
    assert after["descriptors"] <= before["descriptors"] + 1
    assert after["children"] <= before["children"] and after["tasks"] <= before["tasks"]
    assert after["resident_kib"] < before["resident_kib"] + 8 * 1024
    assert found["closed"]["children"] == 0
    control(found["ended"] == 80 and found["killed"] == found["done"] == 40)


@pytest.mark.profile(*PROFILES)
def test_RS_28_one_tenant_can_not_take_every_worker(program: Program, control: Control) -> None:
    """Twelve runs of one tenant at once, one place for each tenant, eight may wait."""
    found = _run(program, "tenants.py")
    assert found["modest"] == "done" and found["place"] <= 3, found
    refused = [said for said in found["greedy"] if said != "done"]
    assert set(refused) == {"limit.waiting"}, found
    control("done" in found["greedy"])


def test_every_case_is_looked_at() -> None:
    assert {one.case for profile in PROFILES for one in greeds(profile)} == set(CASES)
    assert set(resource_spells.LANGUAGE_AT) == set(PROFILES)
