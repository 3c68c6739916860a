"""A worker that speaks the channel itself: whose calls are whose, and what is done for them.

All that is cheap runs in one process per profile; each test looks at its own runs of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.channel_kit import attacks, broke_the_protocol, cheap, events, written
from tests.adversarial.proof import Control
from tests.e2e.program import Place, Program

PROFILES = ("low", "medium", "high")
DRIVERS = ("blocking", "asyncio")
Found = dict[str, Any]
LONG = {"wall": "20s", "calls": "unlimited"}


class Runs:
    """The answers of one profile's runs by name, and the folder they ran in."""

    def __init__(self, program: Program, profile: str) -> None:
        self.program = program
        base = program.folder.parent
        orders: dict[str, Any] = {
            "honest": {"act": "honest"},
            "tool": {"act": "calls_a_tool", "tool": "tool_asks_for_more"},
            "copy": {"act": "another_descriptor"},
            "copy, five calls": {
                "act": "another_descriptor",
                "limits": {"wall": "10s", "calls": "5"},
            },
            "taken back": {"act": "takes_back"},
            "answered twice": {"act": "answers_twice"},
            "flips": {"act": "flips_what_it_sent", "grants": [f"write:{base}/a"], "limits": LONG},
            "window": {"act": "over_the_window", "limits": {"wall": "20s"}},
        }
        for driver in DRIVERS:
            orders[f"gifts {driver}"] = {"act": "descriptors", "driver": driver}
            orders[f"urgent {driver}"] = {
                "act": "out_of_band",
                "driver": driver,
                "limits": {"wall": "5s"},
            }
        tenants = [
            {"act": "writes_both", "profile": profile, "grants": [f"write:{base}/{folder}"]}
            for folder in "ab"
        ]
        given = [{**order, "profile": profile} for order in orders.values()]
        *answers, self.tenants = attacks(program, [*given, tenants])
        self.answers: dict[str, Found] = dict(zip(orders, answers, strict=True))

    def __getitem__(self, name: str) -> Found:
        return self.answers[name]


@pytest.fixture(scope="module")
def runs(place: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Runs]:
    """Each profile's runs, once made."""
    made: dict[str, Runs] = {}

    class Made(dict[str, Runs]):
        def __missing__(self, profile: str) -> Runs:
            folder = tmp_path_factory.mktemp(f"calls-{profile}") / "work"
            folder.mkdir()
            self[profile] = found = Runs(Program(place, folder), profile)
            return found

    return Made(made)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_28_a_tool_worker_has_its_tools_rights_and_no_others(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """The same program in both places: what it may do is said by where it sits."""
    folder, taken = runs[profile].program.folder, runs[profile]["tool"]
    control(runs[profile]["honest"]["value"] == "fine" and (folder / "honest.txt").exists())
    assert taken["value"] == {"result": "tools.declared-needs"}
    (denied,) = [record for record in events(taken, "decision") if not record["allowed"]]
    assert (denied["origin"], denied["rule"]) == ("tool:calculator", "tools.declared-needs")
    assert not (folder / "tool.txt").exists() and cheap(taken)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_28_identity_is_the_channels(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """Two tenants' runs at once, each with a folder of its own; both ask for both folders."""
    one, other = runs[profile].tenants
    control((one["value"][0], other["value"][1]) == ("ok", "ok"))
    assert "ok" not in (one["value"][1], other["value"][0])
    assert (written(one), written(other)) == (["../a/f.txt"], ["../b/f.txt"])
    for answer, target in ((one, "../b/f.txt"), (other, "../a/f.txt")):
        (denied,) = [record for record in events(answer, "decision") if not record["allowed"]]
        assert denied["target"] == target and denied["code"] == 4008
    assert one["audit"][0]["session"] != other["audit"][0]["session"]


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_19_another_descriptor_is_the_same_worker(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """Calls by turns on the channel and on a copy of it: one order, one budget."""
    within, beyond = runs[profile]["copy"], runs[profile]["copy, five calls"]
    control(within["value"] == "all" and len(written(within)) == 7)
    assert (beyond["status"], beyond["reason"], beyond["value"]) == ("limit", "calls", None)
    assert beyond["error"]["rule"] == "limit.calls" and beyond["audit_status"] == "ok"
    assert len(written(beyond)) == 5


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_11_IP_21_answers_belong_to_their_calls(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """A call that was taken back is never answered; a callback that was asked once, once."""
    control(runs[profile]["taken back"]["value"] == [[2, True, None], [3, True, "x"]])
    twice = runs[profile]["answered twice"]
    assert broke_the_protocol(twice), twice
    assert twice["error"]["message"] == "the worker answered what was not asked"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_24_what_is_checked_is_what_is_done(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """Calls sent out of a page whose path another thread goes on changing from a/ to b/."""
    answer, base = runs[profile]["flips"], runs[profile].program.folder.parent
    control(written(answer) and (base / "a" / "f.txt").exists())
    assert set(written(answer)) == {"../a/f.txt"}
    denied = [record for record in events(answer, "decision") if not record["allowed"]]
    assert {record["target"] for record in denied} == {"../b/f.txt"}, "the race went both ways"
    assert answer["value"]["ok"] == len(written(answer)) and answer["audit_status"] == "ok"
    # The other tenant's own run put its file there, once; nothing of this one is beside it.
    assert len(written(runs[profile].tenants[1])) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_17_descriptors_sent_along_are_closed(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """253 at a time with whole frames, halves of frames, and the channel itself."""
    control(runs[profile]["honest"]["value"] == "fine")
    for driver in DRIVERS:
        gifts = runs[profile][f"gifts {driver}"]
        assert (gifts["status"], gifts["value"], gifts["leaked"]) == ("done", "fine", 0), gifts


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_60_urgent_bytes_are_nothing(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """MSG_OOB: neither a part of a frame nor a reason to spin."""
    for driver in DRIVERS:
        answer = runs[profile][f"urgent {driver}"]
        control(answer["value"] in ("fine", "no urgent bytes here"))
        assert answer["cpu"] < 0.25, "the supervisor waits while urgent bytes lie there"


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_29_calls_beyond_the_window_are_refused(
    runs: dict[str, Runs], control: Control, profile: str
) -> None:
    """199 requests at once, each allowed or denied on its own; 64 are under way at most."""
    control(runs[profile]["honest"]["value"] == "fine")
    many = runs[profile]["window"]
    assert many["status"] == "done" and "limit.outstanding" in many["value"], many
    assert many["usage"]["calls"] == 199, "refused ones are charged like all"
    refused = [record for record in events(many, "failed_call") if record["code"] == 4009]
    assert refused and cheap(many)


@pytest.mark.parametrize("profile", PROFILES)
def test_IP_26_IP_27_answers_and_results_that_can_not_be_carried(
    program: Program, control: Control, profile: str
) -> None:
    """An answer far over what a worker takes, and results with no end; by a real Lua worker."""
    (program.folder / "big.txt").write_bytes(b"x" * 9_000_000)
    grants = ("--profile", profile, "--allow-read", "big.txt")
    result = program.result(
        """
        local ok, failure = pcall(fs.read, "big.txt")
        local piece = fs.read("big.txt", {length = 2000000})
        return {ok, ok or failure.kind, #piece}
        """,
        ".lua",
        *grants,
    )
    control(result["value"] == [False, "too_large", 2_000_000], "IP-26")
    assert result["status"] == "done" and result["violations"] == []
    shared = program.result("local t = {1}; return {t, t}", ".lua", "--profile", profile)
    control(shared["value"] == [[1], [1]], "IP-27")
    for source in (
        "local t = {}; t.t = t; return t",
        "local t = {}; for _ = 1, 100000 do t = {t} end; return t",
    ):
        endless = program.result(source, ".lua", "--profile", profile)
        assert endless["status"] == "spell_error" and endless["value"] is None, endless
        assert endless["error"]["code"] in (2002, 4002, 4003) and endless["error"]["message"], (
            endless
        )


def test_a_child_that_got_the_channel_ends_with_the_run(program: Program) -> None:
    """The parent leaves, the child talks on, in a session of its own; `attacks` looks for it."""
    (answer,) = attacks(program, [{"act": "passes_it_on", "profile": "none"}])
    assert answer["status"] in ("spell_error", "limit", "violation"), answer
    assert answer["value"] is None and answer["leaked"] == 0
