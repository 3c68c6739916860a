"""Waiting before another try (LLM-010)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.llm.backoff import DELAY_MAX, JITTER, asked_for, delay
from llmspell.llm.failures import AGAIN, CODES, ELSEWHERE, ModelFailure, from_fields


@given(st.integers(1, 1000), st.floats(0.001, 60), st.floats(0, 1))
def test_LLM_010_delays_double_with_at_most_a_tenth_on_top(
    attempt: int, base: float, random: float
) -> None:
    plain = min(DELAY_MAX, base * 2 ** min(attempt - 1, 30))
    assert plain <= delay(attempt, base, None, random) <= plain * (1 + JITTER) + 1e-9


def test_LLM_010_what_the_provider_asks_for_is_waited() -> None:
    assert delay(1, 1.0, 30.0, 0.0) == 30.0
    assert delay(1, 1.0, 300.0, 1.0) == pytest.approx(330.0)
    assert delay(1, 1.0, 0.0, 0.0) == 1.0


@pytest.mark.parametrize("kind", sorted(CODES))
def test_failures_cross_a_process_as_they_are(kind: str) -> None:
    failure = ModelFailure(kind, "words", retry_after=3.0, hint="do this")
    back = from_fields(failure.to_fields())
    assert (back.kind, back.message, back.code, back.retry_after, back.hint) == (
        kind, "words", CODES[kind], 3.0, "do this",
    )  # fmt: skip
    assert back.recoverable == (kind in AGAIN)


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf"), "soon", True, 1e9])
def test_a_retry_after_that_is_no_time_is_none(after: object) -> None:
    assert from_fields({"kind": "rate_limit", "retry_after": after}).retry_after is None


def test_a_wrong_request_is_tried_neither_again_nor_elsewhere() -> None:
    assert not {"bad_request", "content_filter", "script", "cancelled"} & (AGAIN | ELSEWHERE)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
        ("Sun, 06 Nov 1994 10:49:47 +0200", 10.0),
        ("Sat, 06 Nov 2094 08:49:47 GMT", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("99 Nov 99999999 99:99:99", None),
    ],
)
def test_LLM_010_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert asked_for(header, 784111777.0) == seconds
