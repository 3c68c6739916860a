"""A worker that speaks the channel itself: frames that no honest worker sends.

Each act is a program in the worker's place, without any confinement, against the real supervisor;
behind its frames it sends, in the same write, a call that an honest worker may make and that has an
effect: the control is that call without the frames before it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.channel_kit import attacks, broke_the_protocol, cheap, events, written
from tests.adversarial.proof import Control
from tests.attackers.channel_frames import EARLY, TOOLS, VIOLATIONS
from tests.e2e.program import Program

PROFILES = ("low", "medium", "high")
CONTROLS = ("honest", "honest_byte_by_byte", "honest_in_parts")
BY_THE_OTHER_DRIVER = (
    "IP_01_length_all_ones",
    "IP_03_two_objects",
    "IP_04_invalid_utf8",
    "IP_07_a_string_without_end",
    "IP_11_call_backwards",
    "IP_13_spoofed_reply",
)
"""The violations are found by the core that both drivers feed; a few show that each feeds it."""


def controlled(answers: list[dict[str, Any]]) -> bool:
    """Whether honest workers in the same place were served, whatever the cut of their bytes."""
    return [answer["value"] for answer in answers[: len(CONTROLS)]] == ["fine"] * len(CONTROLS)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_01_IP_03_IP_04_IP_06_IP_07_IP_08_IP_09_IP_11_IP_13_no_such_frame_is_taken(
    program: Program, control: Control, profile: str
) -> None:
    # Every act at `high`; elsewhere, where the very same code reads them, one in three.
    acts = list(VIOLATIONS) if profile == "high" else list(VIOLATIONS)[::3]
    orders = [{"act": act, "profile": profile} for act in (*CONTROLS, *acts)]
    orders += [{"act": act, "profile": profile, "driver": "asyncio"} for act in BY_THE_OTHER_DRIVER]
    answers = attacks(program, orders)
    control(controlled(answers))
    broken = answers[len(CONTROLS) :]
    assert len(broken) == len(acts) + len(BY_THE_OTHER_DRIVER)
    for order, answer in zip(orders[len(CONTROLS) :], broken, strict=True):
        assert broke_the_protocol(answer), (order, answer)
        assert written(answer) == [], order
    names = {path.name for path in program.folder.iterdir()}
    assert names == {"a", "b", "honest.txt", "bytes.txt", "parts.txt"}, "what came behind it"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_12_IP_13_before_the_handshake_nothing_counts(
    program: Program, control: Control, profile: str
) -> None:
    acts = list(EARLY) if profile == "high" else list(EARLY)[::2]
    answers = attacks(program, [{"act": act, "profile": profile} for act in ("honest", *acts)])
    control(answers[0]["value"] == "fine")
    for act, answer in zip(acts, answers[1:], strict=True):
        if answer["status"] == "isolation_refused":
            assert "effect" in act and answer["error"]["rule"] == f"{profile}.isolation", answer
            assert "files" in answer["isolation"]["missing"] and answer["error"]["hint"]
            assert answer["value"] is None and cheap(answer)
        elif profile == "low" and "effect" in act and answer["status"] != "violation":
            # What `low` does with less than it promises: it says so, and goes on.
            assert answer["isolation"]["degraded"], answer
        else:
            assert broke_the_protocol(answer), (act, answer)
        assert answer["usage"]["calls"] == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_01_IP_07_IP_11_IP_13_a_tool_worker_is_no_better(
    program: Program, control: Control, profile: str
) -> None:
    orders = [{"act": "calls_a_tool", "profile": profile, "tool": tool} for tool in (None, *TOOLS)]
    answers = attacks(program, orders)
    control(answers[0]["value"]["result"] == 42)
    for order, answer in zip(orders[1:], answers[1:], strict=True):
        assert broke_the_protocol(answer), (order, answer)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_28_a_tool_worker_has_its_tools_rights_and_no_others(
    program: Program, control: Control, profile: str
) -> None:
    """It is the same program in both places: what it may do is said by where it sits."""
    taken, spell = attacks(
        program,
        [
            {"act": "calls_a_tool", "profile": profile, "tool": "tool_asks_for_more"},
            {"act": "honest", "profile": profile},
        ],
    )
    control(spell["value"] == "fine" and (program.folder / "honest.txt").exists())
    assert taken["value"] == {"result": "tools.declared-needs"}
    (denied,) = [record for record in events(taken, "decision") if not record["allowed"]]
    assert (denied["origin"], denied["rule"]) == ("tool:calculator", "tools.declared-needs")
    assert not (program.folder / "tool.txt").exists() and cheap(taken)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_28_identity_is_the_channels(program: Program, control: Control, profile: str) -> None:
    """Two tenants' runs at once, each with a folder of its own; both ask for both folders."""
    ((one, other),) = attacks(
        program,
        [
            [
                {"act": "writes_both", "profile": profile, "grants": grants}
                for grants in (["write:a", "deny-write:b"], ["write:b", "deny-write:a"])
            ]
        ],
    )
    control((one["value"][0], other["value"][1]) == ("ok", "ok"))
    assert "ok" not in (one["value"][1], other["value"][0])
    assert (written(one), written(other)) == (["a/f.txt"], ["b/f.txt"])
    for answer, target in ((one, "b/f.txt"), (other, "a/f.txt")):
        (denied,) = [record for record in events(answer, "decision") if not record["allowed"]]
        assert denied["target"] == target and denied["code"] == 4008
    assert len({one["audit"][0]["session"], other["audit"][0]["session"]}) == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_19_another_descriptor_is_the_same_worker(
    program: Program, control: Control, profile: str
) -> None:
    """Calls by turns on the channel and on a copy of it: one order, one budget."""
    act = {"act": "another_descriptor", "profile": profile}
    within, beyond = attacks(program, [act, {**act, "limits": {"wall": "10s", "calls": "5"}}])
    control(within["value"] == "all" and len(written(within)) == 7)
    assert (beyond["status"], beyond["reason"], beyond["value"]) == ("limit", "calls", None)
    assert beyond["error"]["code"] == 4009 and beyond["audit_status"] == "ok"
    assert len(written(beyond)) == 5


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_11_IP_21_answers_belong_to_their_calls(
    program: Program, control: Control, profile: str
) -> None:
    """A call that was taken back is never answered; a callback that was asked once, once."""
    taken_back, twice = attacks(
        program,
        [
            {"act": "takes_back", "profile": profile, "grants": ["write:.", "read:."]},
            {"act": "answers_twice", "profile": profile},
        ],
    )
    control(taken_back["value"] == [[2, True, None], [3, True, "x"]])
    assert broke_the_protocol(twice), twice
    assert twice["error"]["message"] == "the worker answered what it was not asked"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_24_what_is_checked_is_what_is_done(
    program: Program, control: Control, profile: str
) -> None:
    """Calls sent out of a page whose path another thread goes on changing from a/ to b/."""
    (answer,) = attacks(
        program,
        [
            {
                "act": "flips_what_it_sent",
                "profile": profile,
                "grants": ["write:a", "deny-write:b"],
                "limits": {"wall": "20s", "calls": "unlimited"},
            }
        ],
    )
    allowed, refused = written(answer), events(answer, "decision")
    control(allowed and (program.folder / "a" / "f.txt").exists())
    assert set(allowed) == {"a/f.txt"}
    denied = [record for record in refused if not record["allowed"]]
    assert {record["target"] for record in denied} == {"b/f.txt"}, "the race was won both ways"
    assert not list((program.folder / "b").iterdir())
    assert answer["value"] is not None and answer["audit_status"] == "ok"
