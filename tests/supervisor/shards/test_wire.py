"""Everything that travels between home and shard comes back as what it was."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell import errors
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.errors import (
    Denied,
    IsolationRefused,
    LimitExceeded,
    LlmspellError,
    SpellSyntaxError,
    UsageError,
)
from llmspell.policies.violations import ViolationKind, violation
from llmspell.spells.spell import Spell
from llmspell.supervisor.audit.log import AuditFailure
from llmspell.supervisor.prepare import RunOptions
from llmspell.supervisor.result import Denial, Isolation, Result, Status, Usage
from llmspell.supervisor.shards import logs, wire
from llmspell.supervisor.shards.frames import (
    FRAME_MAX,
    BrokenFrame,
    Frame,
    FrameReader,
    Kind,
    pack,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PATHS = st.none() | st.binary(max_size=20).map(os.fsdecode)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NAMES | st.binary(max_size=9)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(NAMES.filter(lambda name: not name.startswith("$")), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
PARAMS = st.dictionaries(NAMES.filter(lambda name: not name.startswith("$")), VALUES, max_size=4)

ORDERS = st.builds(
    wire.Order,
    st.builds(Spell, NAMES, NAMES, st.sampled_from(["lua", "python"]), PATHS, PATHS),
    st.builds(
        RunOptions,
        profile=st.sampled_from([None, "high"]) | PARAMS,
        policy_file=PATHS,
        grants=st.lists(st.tuples(NAMES, NAMES), max_size=3).map(tuple),
        grant_requested=st.booleans(),
        limits=st.dictionaries(NAMES, NAMES, max_size=3).filter(lambda found: len(found) != 1),
        allow_degraded=st.booleans(),
        params=PARAMS,
        args=st.lists(NAMES, max_size=3).map(tuple),
        audit=PATHS,
        stdin=st.none(),
        keep_output=st.booleans(),
        check=st.booleans(),
    ),
    NAMES,
    st.integers(0, 50),
)


@given(ORDERS)
def test_orders_come_back(order: wire.Order) -> None:
    assert wire.Order.from_wire(order.to_wire()) == order


@pytest.mark.parametrize("params", [{"x": float("nan")}, {"x": object()}, {"x": "\ud800"}])
def test_what_can_not_travel_is_refused(params: dict[str, Any]) -> None:
    spell = Spell("s", "return 1", "lua")
    with pytest.raises(Malformed):
        wire.Order(spell, RunOptions(stdin=None, params=params), "t", 0).to_wire()
    with pytest.raises(Malformed):
        wire.Order(spell, RunOptions(stdin=0), "t", 0).to_wire()
    assert wire.Order(spell, RunOptions(stdin=None, params={"x": 1}), "t", 0).to_wire()


ERRORS = [
    kind("what happened", rule="a.rule", hint="do this", code=4007, line=3, stack="s", kind="k")
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, LlmspellError) and kind is not LimitExceeded
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_keep_class_and_fields(error: LlmspellError) -> None:
    back = wire.error_from_wire(wire.error_to_wire(error))
    assert type(back) is type(error) and vars(back) == vars(error)


def test_a_limit_keeps_its_name_and_an_inner_class_becomes_its_nearest() -> None:
    for limit in ("memory", "wall", "total_memory"):
        error = LimitExceeded(limit, "too much", hint="less")
        back = wire.error_from_wire(wire.error_to_wire(error))
        assert type(back) is LimitExceeded and vars(back) == vars(error)
    kept = wire.error_from_wire(wire.error_to_wire(AuditFailure("disk")))
    assert type(kept) is AuditFailure and kept.message == "disk"

    class Inner(AuditFailure):
        pass

    nearest = wire.error_from_wire(wire.error_to_wire(Inner("disk")))
    assert type(nearest) is AuditFailure and nearest.message == "disk"


RESULT = Result(
    status=Status.DENIED,
    reason="medium.files.read",
    value={"x": [1, b"\0\xff"]},
    output="a\n",
    error=Denied("no", rule="medium.files.read", hint="grant it"),
    usage=Usage(0.25, 0.5, 1 << 40, 3, 4, 5),
    isolation=Isolation("medium", "low", ("rlimits",), {"files": True}, ("network",)),
    denials=(Denial("fs.read", "read", "/x", "medium.files.read", None),),
    violations=(violation(ViolationKind.UNAUTHORIZED_FILE_ACCESS, path="/x"),),
    session="ab" * 8,
    audit_head="cd" * 32,
    audit_path=os.fsdecode(b"/tmp/\xff.jsonl"),
    audit_complete=True,
)


@pytest.mark.parametrize(
    "result",
    [
        RESULT,
        RESULT._replace(status=Status.DONE, error=None, denials=(), violations=()),
        RESULT._replace(error=SpellSyntaxError("bad", line=2), audit_head=None, audit_path=None),
        RESULT._replace(error=IsolationRefused("can't"), audit_complete=False),
    ],
)
def test_results_come_back(result: Result) -> None:
    value = decode(encode(result.value))
    back = wire.result_from_wire(wire.result_to_wire(result), value, result.output)
    assert back._replace(error=None) == result._replace(error=None)
    assert (back.error is None) == (result.error is None)
    if back.error is not None and result.error is not None:
        assert type(back.error) is type(result.error) and vars(back.error) == vars(result.error)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"spell":1,"options":2}', b"\xff", b"null"])
def test_what_can_not_be_read_is_malformed(data: bytes) -> None:
    for read in (
        wire.Order.from_wire,
        wire.error_from_wire,
        wire.begun_from_wire,
        lambda data: wire.result_from_wire(data, None, ""),
        logs.handle,
    ):
        with pytest.raises(Malformed):
            read(data)


FRAMES = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.binary(max_size=50)),
    max_size=8,
)


@given(FRAMES, st.integers(1, 40))
def test_frames_come_back_however_they_are_cut(frames: list[Frame], step: int) -> None:
    data = b"".join(pack(*frame) for frame in frames)
    reader = FrameReader()
    found = [
        frame
        for start in range(0, len(data), step)
        for frame in reader.feed(data[start : start + step])
    ]
    assert found == frames


def test_frames_are_bounded() -> None:
    with pytest.raises(LimitExceeded) as refused:
        pack(Kind.RUN, 1, bytes(FRAME_MAX + 1))
    assert refused.value.rule == "limit.message"
    with pytest.raises(BrokenFrame):
        FrameReader().feed((FRAME_MAX + 1).to_bytes(4, "little") + bytes(9))
    with pytest.raises(BrokenFrame):
        FrameReader().feed((1).to_bytes(4, "little") + b"\xee" + bytes(8) + b"x")


def test_a_log_record_comes_back_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[bytes] = []
    handler = logs.HomewardHandler(sent.append)
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        record = logging.getLogger("llmspell.spell").makeRecord(
            "llmspell.spell", 30, "f.py", 7, "hello %s", ("moon",),
            __import__("sys").exc_info(), "func", {"fields": {"x": 1}},
        )  # fmt: skip
    handler.emit(record)
    with caplog.at_level(logging.INFO, "llmspell.spell"):
        logs.handle(sent[0])
        home = caplog.records[0]
        assert home.getMessage() == "hello moon" and home.levelno == 30 and home.lineno == 7
        assert vars(home)["fields"] == {"x": 1} and "ZeroDivisionError" in (home.exc_text or "")
        assert home.created == record.created and home.name == "llmspell.spell"
    with caplog.at_level(logging.ERROR, "llmspell.spell"):
        logs.handle(sent[0])
        assert len(caplog.records) == 1  # home's own levels decide


def test_a_log_record_with_fields_that_are_no_json_is_not_lost() -> None:
    sent: list[bytes] = []
    record = logging.LogRecord("a", 20, "f", 1, "bad \ud800", None, None)
    record.fields = {"x": object()}
    logs.HomewardHandler(sent.append).emit(record)
    assert decode(sent[0])["message"] == "bad ?" and "object" in decode(sent[0])["fields"]


def test_an_error_of_no_listed_class_is_refused() -> None:
    with pytest.raises(Malformed):
        wire.error_from_wire(encode({"class": "Exception", "message": "x"}))
    with pytest.raises(Malformed):
        wire.error_from_wire(encode({"class": "UsageError", "message": "x", "surprise": 1}))
    good = wire.error_from_wire(encode({"class": "UsageError", "message": "x", "code": 6001}))
    assert type(good) is UsageError
