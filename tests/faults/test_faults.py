"""Each I/O step made to fail: a typed end, no act unrecorded, nothing left behind.

Every point is struck with one of its failures, those that guard the record and the user's files
with all. `LLMSPELL_FAULTS=all` strikes every point with each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import pytest

from llmspell.supervisor.services import gitfolders
from tests.faults import running
from tests.faults.judge import judged
from tests.faults.points import TOGETHER, all_points
from tests.faults.scenarios import SCENARIOS

ALL: Final = os.environ.get("LLMSPELL_FAULTS") == "all"

GUARDED: Final = (
    "supervisor/audit/log",
    "supervisor/services/whole",
    "supervisor/services/changes",
    "supervisor/crew",
    "supervisor/runner",
)
"""Modules whose every failure is struck in each run of the tests."""

SLOW: Final = ("compiled", "shards", "work", "record")
"""Scenarios of a second and more: two of their points are enough where not all are asked for."""


def cases_of(scenario: str) -> list[running.Case]:
    """What CI strikes in this scenario."""
    chosen = []
    points = [point for point in all_points() if point.scenario == scenario]
    if scenario in SLOW and not ALL:
        points = points[:: max(1, len(points) // 3)]
    for number, point in enumerate(points):
        kinds = list(point.endings)
        if not ALL and point.site.module not in GUARDED:
            # Not always the first: over the points each failure gets its turn.
            kinds = [kinds[number % len(kinds)]]
        chosen += [running.case(scenario, [(str(point.site), kind)]) for kind in kinds]
    return chosen


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if cases_of(name)])
def test_a_failing_step_ends_in_words(scenario: str, tmp_path: Path) -> None:
    twin, *struck = running.run([running.case(scenario), *cases_of(scenario)], tmp_path)
    assert not judged(twin, twin), "the control: without a fault the run works"
    wrong = [words for account in struck for words in running.wrong_with(account, twin)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scenario", sorted({scenario for scenario, _ in TOGETHER}))
def test_a_failure_while_another_is_dealt_with(scenario: str, tmp_path: Path) -> None:
    cases = [running.case(name, faults) for name, faults in TOGETHER if name == scenario]
    twin, *struck = running.run([running.case(scenario), *cases], tmp_path)
    wrong = [words for account in struck for words in running.wrong_with(account, twin)]
    assert not wrong, "\n".join(wrong)


def test_the_judge_finds_what_is_wrong(tmp_path: Path) -> None:
    """The control of all of the above: an account that lies about any of it is found out."""
    (twin,) = running.run([running.case("files")], tmp_path)
    files, result = twin["files"], twin["result"]
    record = next(iter(twin["audits"].values()))
    unrecorded = {"x": {**record, "records": record["records"][:2]}}
    lies: list[dict[str, Any]] = [
        {"raised": {"typed": False, "type": "OSError", "code": None}},
        {"children": ["1 S sleeping"]},
        {"leaked": ["9 /tmp/x"]},
        {"litter": ["/tmp/x"]},
        {"files": {**files, "old.txt": files["old.txt"][:100]}},
        {"files": {name: text for name, text in files.items() if name != "log.txt"}},
        {"files": {**files, "other": "x"}},
        {"audits": unrecorded},
        {"audits": {"x": {**record, "status": "broken", "what": "the record was changed"}}},
        {"result": {**result, "status": "limit", "error": None}},
        {"result": {**result, "value": {**result["value"], "read": 7}}},
        {"stderr": "Traceback (most recent call last)"},
        {"hung": True},
    ]
    assert not judged(twin, twin)
    for lie in lies:
        assert judged({**twin, **lie}, twin), lie


def test_FS_08_a_folder_that_can_not_be_looked_into_is_not_moved(tmp_path: Path) -> None:
    """What lies below it may be denied, and a move needs no look."""
    blind = ("supervisor/services/tree _step os.open", "EACCES+")
    twin, account = running.run(
        [running.case("files"), running.case("files", [blind])], tmp_path
    )  # fmt: skip
    assert twin["result"]["value"]["move_folder"] == "ok" and "grown" in twin["files"]
    assert account["result"]["value"]["move_folder"]["code"] == 2003
    assert "tree/a/b/leaf.txt" in account["files"] and "grown" not in account["files"]


def test_a_reply_that_is_lost_ends_the_run_at_once(tmp_path: Path) -> None:
    """And not at the wall limit, until which its worker would wait for it."""
    lost = [("supervisor/crew Worker.send socket.send", "ENOBUFS")]
    (account,) = running.run([running.case("files", lost, wall="15s")], tmp_path)
    assert account["struck"] == 1
    assert account["result"]["status"] in ("violation", "spell_error", "internal")
    assert account["took"] < 8.0 and not account["children"]


def test_runs_that_never_began_leave_no_record(tmp_path: Path) -> None:
    """`warm` makes ready what a run needs, its audit file too, and runs nothing."""
    (account,) = running.run([running.case("warm")], tmp_path)
    assert [found["status"] for found in account["audits"].values()] == ["ok", "ok"]


def test_what_the_disk_does_not_tell_counts_against_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object, **named: object) -> None:
        raise OSError(5, "Input/output error")

    names = set(gitfolders._MAKING)
    folder = os.open("/", os.O_PATH)
    try:
        assert gitfolders._what_makes_one(folder, "") == set(), "the control"
        monkeypatch.setattr(os, "stat", failing)
        assert gitfolders._what_makes_one(folder, "") == names
    finally:
        os.close(folder)
