"""A worker that speaks the channel itself: too much, too slow, never, and things that fail.

What costs time is done at once, in one supervisor: its other runs then show that nobody waits.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.channel_kit import attacks, broke_the_protocol, cheap, events, written
from tests.adversarial.proof import Control
from tests.e2e.program import Program

PROFILES = ("low", "medium", "high")
SHORT = {"wall": "1s", "calls": "unlimited"}
BOUNDED = {"wall": "20s", "output": "1MiB", "calls": "2000"}
FLOODS: dict[str, set[tuple[str, str]]] = {
    "floods_output": {("limit", "output")},
    "floods_events": {("limit", "output"), ("limit", "wall"), ("violation", "protocol")},
    "floods_takings_back": {("limit", "wall"), ("violation", "protocol")},
    "floods_blanks": {("limit", "wall"), ("violation", "protocol")},
    "floods_calls": {("limit", "calls")},
    "noise": {("violation", "protocol")},
}
"""How each may end: which bound it meets first depends on the machine's speed."""

ENDS: dict[str, tuple[str, str]] = {
    "closes": ("violation", "protocol"),
    "shuts_down": ("violation", "protocol"),
    "half_a_length": ("violation", "protocol"),
    "half_a_frame": ("spell_error", "worker_gone"),
    "gone_with_a_call": ("spell_error", "worker_gone"),
    "raw_noise": ("violation", "protocol"),
    "silent": ("limit", "wall"),
    "stuck_on_stop": ("limit", "wall"),
}


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_02_IP_18_whatever_ends_early_is_typed_and_none_hangs(
    program: Program, control: Control, profile: str
) -> None:
    chosen = [(act, "blocking") for act in ("honest", "shuts_reading", *ENDS)]
    if profile == "high":
        chosen += [(act, "asyncio") for act in ("closes", "half_a_frame", "silent")]
    orders = [
        {"act": act, "profile": profile, "driver": driver, "limits": {"wall": "0.8s"}}
        if act in ("silent", "stuck_on_stop")
        else {"act": act, "profile": profile, "driver": driver}
        for act, driver in chosen
    ]
    honest, deaf, *answers = attacks(program, orders)
    control(honest["value"] == "fine" and deaf["value"] == "deaf")
    assert len(written(deaf)) == 19, "nobody hears the answers, and what it said counts"
    for (act, _), answer in zip(chosen[2:], answers, strict=True):
        assert (answer["status"], answer["reason"]) == ENDS[act], (act, answer)
        assert answer["seconds"] < 8 and cheap(answer) and answer["audit_status"] == "ok"
        assert answer["value"] is None and written(answer) == []
        if ENDS[act][0] == "violation":
            assert broke_the_protocol(answer), answer
    assert not (program.folder / "half.txt").exists()


@pytest.mark.parametrize("profile", ["high"])
def test_IP_02_a_frame_that_dribbles_in_has_its_time(
    program: Program, control: Control, profile: str
) -> None:
    """Ten seconds for one message, however many bytes come; beside it somebody honest."""
    orders: list[dict[str, Any]] = [
        {"act": "dribbles", "profile": profile, "limits": {"wall": "30s"}},
        {"act": "honest_byte_by_byte", "profile": profile},
    ]
    ((slow, honest),) = attacks(program, [orders])
    control(honest["value"] == "fine", "IP-02")
    assert broke_the_protocol(slow), slow
    assert "took over 10 s" in slow["error"]["message"]


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_14_floods_end_and_others_are_served_meanwhile(
    program: Program, control: Control, profile: str
) -> None:
    orders: list[Any] = [{"act": "pings", "profile": profile}]
    orders += [
        {
            "act": act,
            "profile": profile,
            # Those that meet a bound of their own have the time for it.
            "limits": SHORT if ("limit", "wall") in FLOODS[act] else BOUNDED,
        }
        for act in FLOODS
    ]
    ((pings, *floods),) = attacks(program, [orders])
    number, longest = pings["value"]
    control(number > 10)
    for act, answer in zip(FLOODS, floods, strict=True):
        assert (answer["status"], answer["reason"]) in FLOODS[act], (act, answer)
        assert answer["audit_status"] == "ok"
        assert answer["usage"]["output"] <= 2 * 2**20, act
    assert longest < 1.5, "the longest call of a run beside six that flood"
    assert pings["grown_mib"] < 150


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_16_answers_to_a_worker_that_reads_none_stay_few(
    program: Program, control: Control, profile: str
) -> None:
    """`large_answers_unread` asks in one write for 49 answers of 4 MB: once that was 560 MB."""
    (program.folder / "big.txt").write_bytes(b"x" * 4_000_000)
    limits = {**SHORT, "transfer": "unlimited"}
    acts = ("reads_large_answers", "never_reads", "large_answers_unread")
    orders = [
        {"act": act, "profile": profile, "driver": driver, "limits": limits}
        for driver in (("blocking", "asyncio") if profile == "high" else ("blocking",))
        for act in acts
    ]
    for order in orders[:: len(acts)]:
        order["limits"] = {**limits, "wall": "20s"}
    answers = attacks(program, orders)
    control(all(answer["value"] == [5, 20_000_000] for answer in answers[:: len(acts)]))
    for order, answer in zip(orders, answers, strict=True):
        if order["act"] == "reads_large_answers":
            continue
        assert answer["status"] in ("limit", "violation"), answer
        assert answer["reason"] in ("wall", "protocol"), answer
        assert answer["grown_mib"] < 64 and answer["leaked"] == 0, (order, answer)
        assert answer["seconds"] < 4, "one turn of its calls does not hold the loop"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_22_an_engine_of_rules_that_fails_or_says_something_else_denies(
    program: Program, control: Control, profile: str
) -> None:
    ways = ("raises", "none", "yes", "one", "nothing", "list")
    orders = [{"act": "honest", "profile": profile, "policy": way} for way in ways]
    *answers, honest = attacks(program, [*orders, {"act": "honest", "profile": profile}])
    control(honest["value"] == "fine" and (program.folder / "honest.txt").exists())
    for way, answer in zip(ways, answers, strict=True):
        assert answer["audit_status"] == "ok" and written(answer) == [], way
        code = answer["value"]["code"]
        if way in ("raises", "none"):
            assert code == 6009 and "policy engine broke" not in str(answer), answer
            (record,) = events(answer, "failed_call")
        else:
            assert (code, answer["value"]["rule"]) == (4008, "test.engine"), answer
            (record,) = events(answer, "decision")
            assert record["allowed"] is False
        assert record["code"] == code


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_IP_23_where_a_record_can_not_be_kept_nothing_is_done(
    program: Program, control: Control, profile: str
) -> None:
    """The record's file may grow to 3000 bytes: as many files are written as decisions stand."""
    act = {"act": "writes_many", "profile": profile}
    (full,) = attacks(program, [{**act, "audit_room": 3000}])
    done = {path.name for path in program.folder.glob("many-*.txt")}
    for path in program.folder.glob("many-*.txt"):
        path.unlink()
    (free,) = attacks(program, [act])
    control(free["value"] == [0, 0] and len(list(program.folder.glob("many-*.txt"))) == 59)
    assert (full["status"], full["reason"], full["value"]) == ("internal", "audit", None)
    assert full["error"]["code"] == 6002 and full["audit_status"] == "incomplete"
    assert 0 < len(done) < 50 and set(written(full)) == done
