"""A walk over every brokered function with hostile values of every type in each argument's place.

Each call is answered, soon, by a value or a typed error that tells nothing of this machine; the
supervisor stays small, and nothing happens beside what was granted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import llmspell
from llmspell.errors import CODES
from llmspell.spells.api.catalogue import CALLS
from tests.adversarial import api_walk
from tests.adversarial.channel_kit import attacks, events, written
from tests.adversarial.proof import Control
from tests.e2e.program import Program

UNCOUNTED = ("--limit", "calls=unlimited")
LIMITS = dict.fromkeys(("calls", "events", "output", "model_tokens", "model_cost"), "unlimited")
REACHED = 170
"""Functions whose usual call must come to a value: the control of all that is refused beside it."""


Walked = tuple[dict[str, Any], list[list[Any]]]


def walked(program: Program, calls: Iterable[api_walk.Call], profile: str) -> Walked:
    """The run that made these calls, and `[label, method, code, said, seconds]` of each."""
    base = program.folder.parent
    asked, answers = base / "calls.jsonl", base / "answers.jsonl"
    count = api_walk.write(asked, calls)
    program.write("data/f", "x")
    program.write("kept.txt", "mine")
    order = {
        "act": "walks_the_api",
        "extra": [str(asked), str(answers)],
        "profile": profile,
        "grants": ["read:data/**", "write:data/**", "llm:fake"],
        "limits": {"wall": "60s", **LIMITS},
    }
    (ended,) = attacks(program, [order])
    assert (ended["status"], ended["value"]) == ("done", count), ended["error"]
    lines = answers.read_text(encoding="utf-8").splitlines()
    return ended, [json.loads(line) for line in lines]


@pytest.mark.alone
@pytest.mark.parametrize("profile", ["high"])
def test_IP_70_hostile_values_in_every_argument(
    program: Program, control: Control, profile: str
) -> None:
    ended, rows = walked(program, api_walk.calls(), profile)
    reached = {method for label, method, code, _, _ in rows if label == "usual" and code == 0}
    control(len(reached) >= REACHED and {method for _, method, *_ in rows} == CALLS.keys())
    _all_typed(rows)
    _nothing_told(rows, program.folder.parent)
    slow = [row for row in rows if row[4] > 3]
    assert not slow, slow
    assert ended["grown_mib"] < 150 and ended["leaked"] == 0 and ended["audit_status"] == "ok"
    assert {target.partition("/")[0] for target in written(ended)} <= {"data"}
    assert (program.folder / "kept.txt").read_text() == "mine"
    names = {path.name for path in program.folder.iterdir()}
    assert names == {"data", "kept.txt", "honest.txt"}, names  # The last is the kit's own.
    refused = [record for record in events(ended, "decision") if not record["allowed"]]
    assert all(record["rule"] and record["code"] for record in refused) and refused


@pytest.mark.alone
@pytest.mark.parametrize("profile", ["high"])
def test_RS_71_a_small_call_that_means_much(
    program: Program, control: Control, profile: str
) -> None:
    ended, rows = walked(program, api_walk.small_calls_that_mean_much(), profile)
    codes: dict[str, set[int]] = {}
    for label, _, code, _, _ in rows:
        codes.setdefault(label, set()).add(code)
    said = {label: json.loads(text) for label, _, _, text, _ in rows if len(text) < 20_000}
    control(all(found == {0} for label, found in codes.items() if label.endswith("fine")), "RS-71")
    much = {label.split()[0]: found for label, found in codes.items() if label.endswith("much")}
    too_much = {key: {4009} for key in ("reads", "merges", "batch", "labels")}
    assert much == too_much | {key: {2002} for key in ("unique", "filter", "spells")}, much
    assert said["first"] is None and said["told"]["status"] == said["last"]["status"] == "completed"
    failed = [record["code"] for record in events(ended, "failed_call")]
    assert failed.count(4009) == len(too_much) and failed.count(2002) >= 3
    assert max(row[4] for row in rows) < 5, sorted(rows, key=lambda row: -row[4])[0]
    assert ended["grown_mib"] < 250 and ended["audit_status"] == "ok", ended["grown_mib"]


def _all_typed(rows: list[list[Any]]) -> None:
    odd = [row for row in rows if row[2] and (row[2] not in CODES or row[2] in (4007, 6009))]
    assert not odd, odd[:5]


def _nothing_told(rows: list[list[Any]], base: Path) -> None:
    """No path of this machine, and nothing of how the product is made."""
    package = str(Path(llmspell.__file__).parent)
    words = (str(base), package, sys.prefix, "Traceback", 'File \\"', " object at 0x", "<class ")
    told = [row for row in rows for word in words if word in row[3]]
    assert not told, told[:5]


FANS = """
local items = {}
for i = 1, params.count do items[i] = {{}, {}, {}, {}, {}, {}, {}, {}, {}, {}} end
local function fan(step) return {name = "f", type = "fan_out", items = "{{input.l}}",
  max_concurrency = 32, step = step} end
local last = {name = "d", run = function() return 1 end}
local told = Workflow.fan_out(fan(fan(fan(last)))):execute({l = items})
return told.success
"""


@pytest.mark.alone
@pytest.mark.parametrize("profile", ["high"])
def test_RS_72_work_between_the_calls_does_not_outlast_the_wall(
    program: Program, control: Control, profile: str
) -> None:
    """A thousand steps that begin at once, each of which looks at all of a large input."""
    flags = ("--profile", profile, "--audit", "a.jsonl", "--limit", "wall=3s", *UNCOUNTED)
    few = program.result(FANS, ".lua", *flags, "--param", "count=2")
    control((few["status"], few["value"]) == ("done", True))
    (program.folder / "a.jsonl").unlink()
    many = program.result(FANS, ".lua", *flags, "--param", "count=9000")
    assert (many["status"], many["reason"], many["error"]["code"]) == ("limit", "wall", 4004), many
    assert many["usage"]["wall"] < 6, many["usage"]
    last = json.loads((program.folder / "a.jsonl").read_bytes().splitlines()[-1])
    assert (last["event"], last["details"]["reason"]) == ("session_end", "wall"), last
