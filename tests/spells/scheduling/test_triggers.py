"""Triggers of jobs (SCH-003 … SCH-006): what is one, and what is said of what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.spells.scheduling.triggers import check_cron, read_trigger


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 8 * * *", "0 8 * * *"), ("  0   8 * *  MON-Fri ", "0 8 * * mon-fri"),
        ("*/15 0-6,22 1,15 jan-mar/2 7", "*/15 0-6,22 1,15 jan-mar/2 7"), ("@daily", "0 0 * * *"),
    ],
)  # fmt: skip
def test_cron(text: str, expected: str) -> None:
    assert check_cron(text) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("60 * * * *", "minute"), ("* 24 * * *", "hour"), ("* * 0 * *", "day"),
        ("* * * 13 *", "month"), ("* * * * 8", "weekday"), ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"), ("1,, * * * *", "minute"), ("a * * * *", "minute"),
        ("* * * *", "five"), ("* * * * * *", "five"), ("@reboot", "five"), ("", "five"),
        ("٣ * * * *", "minute"), ("-1 * * * *", "minute"), ("1-2-3 * * * *", "minute"),
    ],
)  # fmt: skip
def test_what_is_no_cron_expression(text: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        check_cron(text)


@given(st.text(alphabet="0123456789*/,- @monjan\t", max_size=40) | st.text(max_size=300))
def test_any_text_is_one_or_is_refused_and_stays_one(text: str) -> None:
    try:
        checked = check_cron(text)
    except InvalidInput:
        return
    assert check_cron(checked) == checked


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ({"type": "cron", "schedule": "0 8 * * *"}, {"type": "cron", "schedule": "0 8 * * *"}),
        ({"cron": "@hourly"}, {"type": "cron", "schedule": "0 * * * *"}),
        ({"type": "interval", "minutes": 5}, {"type": "interval", "seconds": 300.0}),
        ({"type": "interval", "every": "30s"}, {"type": "interval", "seconds": 30.0}),
        ({"interval": 60}, {"type": "interval", "seconds": 60.0}),
        ({"type": "event", "event": "order.*"},
         {"type": "event", "event": "order.*", "filter": {}}),
        ({"type": "webhook"}, {"type": "external", "source": "webhook"}),
    ],
)  # fmt: skip
def test_triggers(given_: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_trigger(given_, "lua") == expected


@pytest.mark.parametrize(
    "trigger",
    [
        {}, {"type": "moon"}, {"type": "cron"}, {"type": "interval"}, "0 8 * * *",
        {"type": "interval", "seconds": 0.5}, {"type": "interval", "seconds": float("nan")},
        {"type": "interval", "every": "0s"}, {"type": "event"},
        {"type": "event", "event": "x" * 300}, {"type": "event", "event": "x", "filter": 5},
    ],
)  # fmt: skip
def test_what_is_no_trigger(trigger: Any) -> None:
    with pytest.raises(InvalidInput):
        read_trigger(trigger, "lua")


def test_a_bare_interval_is_milliseconds_in_javascript() -> None:
    assert read_trigger({"interval": 60_000}, "javascript")["seconds"] == 60
