"""A worker that speaks the channel itself, against the real supervisor with both its drivers.

The fixture looks for leaked descriptors, processes, files, and verifies the record of every run.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.adversarial.conftest import ATTACKERS, Impostor
from tests.attackers import channel

DRIVERS = ("blocking", "asyncio")


def attack(impostor: Impostor, act: str, driver: str, **order: Any) -> dict[str, Any]:
    argv = [sys.executable, str(ATTACKERS / "channel.py"), act, "@engine"]
    return impostor(argv, confined=False, driver=driver, **order)


@pytest.mark.parametrize("driver", DRIVERS)
def test_IP_19_an_honest_worker_in_its_place_is_served(impostor: Impostor, driver: str) -> None:
    """The positive control: the same program without the attack."""
    result = attack(impostor, "honest", driver)
    assert (result["status"], result["value"]) == ("done", "fine"), result


BY_BOTH = ("IP_01_length_all_ones", "IP_13_spoofed_reply", "IP_02_noise", "IP_18_closes")
"""The violations are found by the core that both drivers feed; a few show that each feeds it."""


@pytest.mark.parametrize(
    ("act", "driver"),
    [(act, "blocking") for act in channel.VIOLATIONS] + [(act, "asyncio") for act in BY_BOTH],
)
def test_IP_01_IP_02_IP_03_IP_04_IP_06_IP_07_IP_08_IP_09_IP_11_IP_13_IP_18_ends_the_worker(
    impostor: Impostor, act: str, driver: str
) -> None:
    result = attack(impostor, act, driver, limits={"wall": "20s", "calls": "unlimited"})
    assert (result["status"], result["reason"]) == ("violation", "protocol"), result
    assert result["error"]["code"] == 4006
    assert [item["kind"] for item in result["violations"]] == ["SuspiciousSystemCall"]
    assert result["value"] is None
    assert result["seconds"] < 8 and result["peak_mib"] < 250, result


@pytest.mark.parametrize("act", channel.EARLY)
def test_IP_12_IP_13_before_the_handshake_nothing_counts(impostor: Impostor, act: str) -> None:
    result = attack(impostor, act, "blocking")
    assert result["status"] in ("violation", "isolation_refused"), result
    assert result["value"] is None and result["seconds"] < 3


def test_EN_01_an_effect_that_is_not_held_refuses_the_run(impostor: Impostor) -> None:
    result = attack(impostor, "unheld", "blocking")
    assert (result["status"], result["isolation"]["missing"]) == ("isolation_refused", ["files"])
    assert result["error"]["hint"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("act", "status", "reasons"),
    [
        ("silent", "limit", {"wall"}),
        ("stuck_on_stop", "limit", {"wall"}),
        # Nothing more is read from it while its answers wait, so that they stay few.
        ("never_reads", "limit", {"wall", "calls", "transfer"}),
        ("shuts_down", "violation", {"protocol"}),
        ("floods_output", "limit", {"output"}),
        ("floods_calls", "limit", {"calls"}),
        ("floods_events", "limit", {"output", "wall"}),
        ("gone_with_a_call", "spell_error", {"worker_gone"}),
    ],
)
def test_IP_02_IP_14_IP_16_IP_18_PR_07_PR_24_other_ends(
    impostor: Impostor, act: str, status: str, reasons: set[str], driver: str
) -> None:
    result = attack(impostor, act, driver, limits={"wall": "2s"})
    if act == "floods_events" and result["status"] == "violation":
        return
    assert result["status"] == status and result["reason"] in reasons, result
    assert result["seconds"] < 4 and result["peak_mib"] < 250


def test_IP_02_a_frame_that_dribbles_in_has_its_time(impostor: Impostor) -> None:
    # 11 s: the bound on one frame is 10 s.
    result = attack(impostor, "dribbles", "blocking", limits={"wall": "30s"})
    assert (result["status"], result["reason"]) == ("violation", "protocol"), result
    assert result["seconds"] < 12


@pytest.mark.parametrize("driver", DRIVERS)
def test_IP_17_descriptors_sent_along_are_closed(impostor: Impostor, driver: str) -> None:
    result = attack(impostor, "descriptors", driver)
    assert (result["status"], result["value"]) == ("done", "fine"), result


@pytest.mark.parametrize("driver", DRIVERS)
def test_IP_29_calls_beyond_the_window_are_refused(impostor: Impostor, driver: str) -> None:
    result = attack(impostor, "over_the_window", driver, limits={"wall": "20s"})
    assert (result["status"], result["value"]) == ("done", [False]), result


def test_IP_19_PR_04_a_child_with_the_channel_ends_with_the_run(impostor: Impostor) -> None:
    result = attack(impostor, "passes_it_on", "blocking", profile="none")
    assert result["status"] in ("spell_error", "limit", "violation"), result
