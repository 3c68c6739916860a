"""Records spelled from prepared pieces are byte for byte the ones spelled anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.supervisor.audit import spelling
from llmspell.supervisor.audit.log import AuditLog
from llmspell.supervisor.audit.records import FIRST, OUR_WORDS, Clock, make_record, seal
from llmspell.supervisor.audit.spelling import CALL, DECISION, Speller
from llmspell.supervisor.audit.verify import verify
from llmspell.supervisor.masking import Masker

SESSION = "0123456789abcdef"
MASK = Masker(["topsecret"]).mask_record


def masked(fields: Any) -> dict[str, Any]:
    return {name: value if name in OUR_WORDS else MASK(value) for name, value in fields.items()}


def agrees(speller: Speller, event: str, fields: dict[str, Any], seq: int, head: str) -> bool:
    moment = Clock().text(1_795_257_600.123)
    quick = speller.line(seq, moment, event, fields, head)
    if quick is None:
        return False
    slow = seal(make_record(seq, moment, SESSION, event, masked(fields)), head)
    assert quick == slow
    return True


words = st.sampled_from(["spell", "tool:calculator", "fs.stat", "stat", "write", "a\x7f\u2028é\n"])
texts = words | st.text(max_size=40) | st.just("x" * 3_000) | st.just("see topsecret here")
anything = texts | st.none() | st.booleans() | st.integers() | st.lists(st.integers(), max_size=2)


@given(st.lists(st.tuples(words, words, words, texts, words), min_size=1, max_size=6))
@settings(max_examples=60)
def test_property_decisions_are_spelled_alike(rows: list[tuple[str, ...]]) -> None:
    speller = Speller(SESSION, masked)
    head = FIRST
    for seq, (origin, method, action, target, rule) in enumerate([*rows, *rows], start=1):
        values = (origin, method, action, target, True, rule)
        assert agrees(speller, "decision", dict(zip(DECISION, values, strict=True)), seq, head)
        head = f"{seq:064x}"
        assert agrees(speller, "call", dict(zip(CALL, (origin, method), strict=True)), seq, head)


@given(st.lists(anything, min_size=6, max_size=6), st.permutations(DECISION), words)
def test_property_whatever_is_recorded(values: list[Any], names: list[str], event: str) -> None:
    speller = Speller(SESSION, masked)
    for kind in ("decision", "call", event):
        agrees(speller, kind, dict(zip(names, values, strict=True)), 1, FIRST)
        agrees(speller, kind, dict(zip(DECISION, values, strict=True)), 1, FIRST)
        agrees(speller, kind, dict(zip(CALL, values[:2], strict=True)), 1, FIRST)
        agrees(speller, kind, dict(zip(CALL, values[:2], strict=True)), 2, FIRST)


def decision(**changes: Any) -> dict[str, Any]:
    values = ("spell", "fs.stat", "stat", "f", True, "r")
    return {**dict(zip(DECISION, values, strict=True)), **changes}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("decision", decision(allowed=False)),
        ("decision", decision(allowed=1)),
        ("decision", decision(target=None)),
        ("decision", decision(target=b"x")),
        ("decision", decision(origin=None)),
        ("decision", decision(rule=7)),
        ("decision", decision(rule=["r"])),
        ("decision", decision(rule="r" * 5_000)),
        ("decision", decision(code=1)),
        ("decision", dict.fromkeys(reversed(DECISION), "x")),
        ("failed_call", decision()),
        ("call", decision()),
        ("decision", {"origin": "spell", "method": "m"}),
        ("call", {"origin": "spell", "method": None}),
    ],
)
def test_what_is_not_common_is_left_to_the_slow_way(event: str, fields: dict[str, Any]) -> None:
    speller = Speller(SESSION, masked)
    # Also after a common record whose words compare equal.
    speller.line(1, "t", "decision", decision(), FIRST)
    assert speller.line(2, "t", event, fields, FIRST) is None


def test_what_is_prepared_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "PIECES_MAX", 4)
    speller = Speller(SESSION, masked)
    for index in range(50):
        assert agrees(speller, "decision", decision(rule=f"r{index}", target=f"t{index}"), 1, FIRST)
        assert agrees(speller, "decision", decision(target="t" * 500), 1, FIRST)
        assert len(speller._pieces) <= 4 and len(speller._targets) <= 4
    assert all(len(target) <= spelling.TARGET_MAX for target in speller._targets)


def test_a_file_of_both_kinds_of_records_verifies(tmp_path: Path) -> None:
    log = AuditLog.open(None, "s1", folder=str(tmp_path / "audit"), mask=MASK)
    log.record("session_start", {})
    for index in range(20):
        log.record("decision", decision(target=f"topsecret {index % 3}"), effect=index % 7 == 0)
        log.record("decision", decision(allowed=False, code=4008))
        log.record("call", {"origin": "spell", "method": "storage.get"})
    log.close({})
    assert log.path is not None and verify(Path(log.path), expected_head=log.head).ok
    text = Path(log.path).read_text()
    assert "topsecret" not in text and r"\u2022\u2022\u2022" in text
    times = [json.loads(line)["time"] for line in text.splitlines()]
    assert times == sorted(times)


def test_the_clock_says_each_millisecond_as_it_is() -> None:
    clock = Clock()
    for moment in (0.0, 0.0004, 0.001, 0.9999, 1.0, 1.0, 0.5, 86_400.25, 86_401.25, 86_401.25):
        assert clock.text(moment) == Clock().text(moment)
