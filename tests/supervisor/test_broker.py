"""The steps around a call, one by one: checked, charged, judged, recorded, masked."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import (
    Denied,
    InternalError,
    InvalidInput,
    LimitExceeded,
    OperationFailed,
    UsageError,
)
from llmspell.policies.budget import Budget
from llmspell.policies.limits import UNLIMITED, Limits
from llmspell.policies.verdict import allow, deny
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy
from llmspell.spells.spell import Spell
from llmspell.supervisor.broker import Broker, CallContext, Method
from llmspell.supervisor.decide import decide
from llmspell.supervisor.masking import MASK, Masker
from llmspell.supervisor.options import RunOptions

from .fakes import MemoryAudit

SECRET = "s3cret/word+more"


def checked(args: Mapping[str, Any]) -> dict[str, Any]:
    if not args.keys() <= {"path"}:
        raise InvalidInput("an argument that is not listed")
    return dict(args)


def act(context: CallContext, args: dict[str, Any]) -> Any:
    context.judge(allow("test", "a test"), action="write", target="t")
    return f"here is {SECRET}"


METHODS = {
    "test.act": Method("test.act", checked, act, "write", True),
    "test.pure": Method("test.pure", checked, lambda context, args: 1, None, False),
}


class Synced(MemoryAudit):
    """Keeps which records were to be synced before the act."""

    def __init__(self) -> None:
        super().__init__()
        self.effects: list[str] = []

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        super().record(event, fields, effect=effect)
        if effect:
            self.effects.append(str(fields["action"]))


def made(audit: MemoryAudit | None = None) -> tuple[Broker, MemoryAudit]:
    policy = load_policy("medium", context=PolicyContext.of("/tmp"))
    kept = MemoryAudit() if audit is None else audit
    return Broker(METHODS, policy, Budget(policy.limits), kept, Masker([SECRET]).mask), kept


def test_IP_23_effects_are_marked_for_the_disk_and_looks_are_not() -> None:
    audit = Synced()
    broker, _ = made(audit)
    _, context, _ = broker.admit("test.act", {}, "spell", None)
    for action in ("read", "list", "stat", "exists", "write", "append", "GET", "tool"):
        context.judge(allow("test", "a test"), action=action, target="t")
    assert audit.effects == ["write", "append", "GET", "tool"]
    assert len(audit.records) == 8


def test_RS_06_the_result_lists_a_hundred_denials_and_the_audit_all() -> None:
    broker, audit = made()
    _, context, _ = broker.admit("test.act", {}, "spell", None)
    for number in range(150):
        with pytest.raises(Denied):
            context.judge(deny("test.no", "no"), action="write", target=str(number))
    assert [denial.target for denial in broker.denials] == [str(number) for number in range(100)]
    assert len(audit.records) == 150
    assert {fields["code"] for _, fields in audit.records} == {4008}


def test_arguments_are_checked_before_the_service_sees_them() -> None:
    broker, _ = made()
    assert broker.admit("test.act", {"path": "a"}, "spell", None)[2] == {"path": "a"}
    with pytest.raises(InvalidInput):
        broker.admit("test.act", {"path": "a", "as": "root"}, "spell", None)


def test_IP_24_what_was_checked_is_a_copy_of_its_own() -> None:
    broker, _ = made()
    sent = {"path": "a"}
    _, _, args = broker.admit("test.act", sent, "spell", None)
    sent["path"] = "/etc/shadow"
    assert args == {"path": "a"}


def test_every_call_leaves_its_record() -> None:
    broker, audit = made()
    method, context, _ = broker.admit("test.pure", {}, "spell", None)
    broker.conclude(method, context, 1)
    assert audit.records == [("call", {"origin": "spell", "method": "test.pure"})]
    error = OperationFailed("no such file", code=6003)
    wire = broker.failed("test.act", "tool:x", error)
    event, fields = audit.records[-1]
    assert event == "failed_call"
    assert (fields["origin"], fields["method"], fields["code"]) == ("tool:x", "test.act", 6003)
    assert fields["trace_id"] == wire["trace_id"]
    broker.failed("test.act", "spell", broker.denied(deny("r", "no"), {
        "method": "test.act", "action": "write", "target": "t"}))  # fmt: skip
    assert [event for event, _ in audit.records] == ["call", "failed_call", "decision"]


def test_NW_34_answers_and_errors_are_masked() -> None:
    broker, _ = made()
    method, context, args = broker.admit("test.act", {}, "spell", None)
    assert broker.conclude(method, context, method.perform(context, args)) == f"here is {MASK}"
    wire = broker.failed("test.act", "spell", OperationFailed(f"can't: {SECRET}"))
    assert SECRET not in str(wire) and MASK in wire["message"]


def test_NW_34_base64_for_urls() -> None:
    secret = "\xfb\xff?>secret?>"
    spelled = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    assert {"-", "_"} & set(spelled)
    shown = Masker([secret]).mask(f"x {spelled} y")
    assert spelled[:-2] not in shown and MASK in shown
    assert Masker([secret]).mask("x harmless-words_here y") == "x harmless-words_here y"


def test_parameters_and_arguments_are_bounded(tmp_path: Path) -> None:
    spell = Spell.from_source("return 1", "lua")
    for options in (
        RunOptions(params={str(number): 0 for number in range(1_001)}),
        RunOptions(args=("x",) * 10_001),
    ):
        with pytest.raises(UsageError, match="over 1000 parameters or 10000 arguments"):
            decide(spell, options._replace(audit=str(tmp_path / "no.jsonl")))
    assert list(tmp_path.iterdir()) == []
    good = RunOptions(params={str(number): 0 for number in range(1_000)}, args=("x",) * 10_000)
    decided = decide(spell, good._replace(audit=str(tmp_path / "yes.jsonl")))
    decided.record.close()


@pytest.mark.parametrize(
    ("profile", "limit", "taken"),
    [
        ("low", "processes", False),
        ("high", "processes", False),
        ("none", "processes", True),
        ("medium", "threads", False),
        ("high", "threads", False),
        ("low", "threads", True),
    ],
)
def test_limits_that_a_level_can_not_hold_are_refused(
    tmp_path: Path, profile: str, limit: str, taken: bool
) -> None:
    options = RunOptions(profile, limits={limit: "8"}, audit=str(tmp_path / "a.jsonl"))
    spell = Spell.from_source("return 1", "lua")
    if taken:
        decide(spell, options).record.close()
        return
    with pytest.raises(UsageError) as caught:
        decide(spell, options)
    assert caught.value.rule == f"limit.{limit}"
    assert not (tmp_path / "a.jsonl").exists()


def test_SL_13_the_record_of_a_run_is_closed_to_it(tmp_path: Path) -> None:
    """Wherever the user let it be written, also in a folder that was granted."""
    options = RunOptions(
        "low",
        grants=(("write", str(tmp_path)), ("read", str(tmp_path))),
        audit=str(tmp_path / "a.jsonl"),
    )
    decided = decide(Spell.from_source("return 1", "lua"), options)
    decided.record.close()
    files = decided.policy.files
    for operation in ("read", "write", "stat"):
        assert files.judge(operation, str(tmp_path / "a.jsonl")).rule == "protected.llmspell"
        assert files.judge(operation, str(tmp_path / "b.jsonl")).allowed is True


def test_a_budget_refuses_before_it_charges() -> None:
    # Not by the short cut, which is for whole numbers of a budget without a parent.
    budget = Budget(Limits(cpu=2.0))
    budget.reserve("cpu", 1.5)
    with pytest.raises(LimitExceeded):
        budget.reserve("cpu", 0.6)
    budget.reserve("cpu", 0.5)
    assert budget.usage()["cpu"] == 2.0


def test_a_part_spends_of_the_whole() -> None:
    whole = Budget(Limits(calls=3))
    part = Budget(Limits(calls=UNLIMITED), whole)
    for _ in range(3):
        part.reserve("calls", 1)
    with pytest.raises(LimitExceeded):
        part.reserve("calls", 1)
    with pytest.raises(LimitExceeded):
        whole.reserve("calls", 1)
    assert whole.usage()["calls"] == 3


def test_EN_06_a_limit_of_nan_allows_nothing() -> None:
    budget = Budget(Limits()._replace(cpu=float("nan")))
    with pytest.raises(LimitExceeded):
        budget.reserve("cpu", 1)


@pytest.mark.parametrize("amount", [-1, -0.5, float("inf"), float("nan"), True, "1", None])
def test_amounts_that_are_none(amount: Any) -> None:
    budget = Budget(Limits(calls=5))
    with pytest.raises(InternalError):
        budget.reserve("calls", amount)
    with pytest.raises(InternalError):
        budget.give_back("calls", amount)
    with pytest.raises(InternalError):
        budget.reserve("wishes", 1)
    assert budget.usage()["calls"] == 0


def test_narrowing_never_loosens() -> None:
    budget = Budget(Limits(calls=5))
    budget.narrow(Limits(calls=100))
    assert budget.left("calls") == 5
    budget.narrow(Limits(calls=2))
    assert budget.left("calls") == 2
