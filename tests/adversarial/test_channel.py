"""A worker that speaks the channel itself: frames that no honest worker sends.

Each act is a program in the worker's place, without any confinement, against the real supervisor;
behind its frames it sends, in the same write, a call that an honest worker may make and that has an
effect: the control is that call without the frames before it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.channel_kit import attacks, broke_the_protocol, cheap, written
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
    # Every act at `high`; elsewhere, where the very same code reads them, one in eight.
    acts = list(VIOLATIONS) if profile == "high" else list(VIOLATIONS)[::8]
    orders = [{"act": act, "profile": profile} for act in (*CONTROLS, *acts)]
    others = BY_THE_OTHER_DRIVER if profile == "high" else BY_THE_OTHER_DRIVER[:1]
    orders += [{"act": act, "profile": profile, "driver": "asyncio"} for act in others]
    answers = attacks(program, orders)
    control(controlled(answers))
    broken = answers[len(CONTROLS) :]
    assert len(broken) == len(acts) + len(others)
    for order, answer in zip(orders[len(CONTROLS) :], broken, strict=True):
        assert broke_the_protocol(answer), (order, answer)
        assert written(answer) == [], order
    names = {path.name for path in program.folder.iterdir()}
    assert names == {"honest.txt", "bytes.txt", "parts.txt"}, "what came behind it"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_12_IP_13_before_the_handshake_nothing_counts(
    program: Program, control: Control, profile: str
) -> None:
    acts = list(EARLY) if profile == "high" else list(EARLY)[::3]
    answers = attacks(program, [{"act": act, "profile": profile} for act in ("honest", *acts)])
    control(answers[0]["value"] == "fine")
    for act, answer in zip(acts, answers[1:], strict=True):
        if answer["status"] == "isolation_refused":
            assert "effect" in act and answer["error"]["rule"] == f"{profile}.isolation", answer
            assert "files" in answer["isolation"]["missing"] and answer["error"]["hint"]
            assert answer["value"] is None and cheap(answer)
        elif profile == "low" and "effect" in act and answer["status"] != "violation":
            # What `low` does with less than it promises: it says so, and goes on.
            assert "files" in answer["isolation"]["missing"], answer
        else:
            assert broke_the_protocol(answer), (act, answer)
        assert answer["usage"]["calls"] == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_01_IP_11_IP_13_a_tool_worker_is_no_better(
    program: Program, control: Control, profile: str
) -> None:
    acts = list(TOOLS) if profile == "high" else list(TOOLS)[::2]
    orders = [{"act": "calls_a_tool", "profile": profile, "tool": tool} for tool in (None, *acts)]
    answers = attacks(program, orders)
    control(answers[0]["value"]["result"] == 42)
    for order, answer in zip(orders[1:], answers[1:], strict=True):
        assert broke_the_protocol(answer), (order, answer)
