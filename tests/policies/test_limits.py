"""Limits and the budget: nothing is unlimited unless the word is there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InternalError, LimitExceeded, UsageError
from llmspell.policies.budget import HELD, SPENT, Budget
from llmspell.policies.limits import (
    KINDS,
    MAY_BE_ZERO,
    UNLIMITED,
    Limits,
    check_limits,
    describe_amount,
    parse_bytes,
    parse_limit,
    parse_seconds,
    stricter,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512MiB", 512 * 2**20),
        ("1GB", 10**9),
        ("64M", 64 * 2**20),
        ("1.5KiB", 1536),
        ("4096", 4096),
        (" 2 gib ", 2**31),
        ("7B", 7),
    ],
)
def test_bytes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30), ("2m", 120), ("100ms", 0.1), ("1h", 3600), ("1.5", 1.5)]
)
def test_seconds(text: str, value: float) -> None:
    assert parse_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize(
    "value",
    [None, "", " ", -1, "-1", math.nan, "nan", math.inf, "inf", "1e3", True, False, [], {}, "none",
     "Unlimited ", "0x10", "1_0", "--", "5 parsecs", 2**54, "9" * 30, "1..2", "٣"],
)  # fmt: skip
def test_EN_06_no_value_means_unlimited_by_accident(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_limit(name, value)
    assert name in caught.value.message


@pytest.mark.parametrize("name", list(KINDS))
def test_EN_06_zero_is_strict_or_an_error(name: str) -> None:
    if name in MAY_BE_ZERO:
        assert parse_limit(name, 0) == 0
    else:
        with pytest.raises(UsageError):
            parse_limit(name, 0)
    assert parse_limit(name, "unlimited") is UNLIMITED
    assert parse_limit(name, 7) == 7


def test_EN_06_the_defaults_are_the_strict_end() -> None:
    assert UNLIMITED not in Limits()
    assert check_limits(Limits()) == Limits()
    assert set(KINDS) == set(Limits._fields) and list(KINDS) == list(Limits._fields)
    for wrong in (-1, True, None, math.nan):
        with pytest.raises(UsageError):
            check_limits(Limits(calls=wrong))  # type: ignore[arg-type]


def test_unknown_limits_are_refused() -> None:
    with pytest.raises(UsageError, match="memory"):
        parse_limit("memmory", "1GB")


@pytest.mark.parametrize(("name", "value"), [("memory", 1.5), ("calls", "1.5"), ("calls", "5s")])
def test_fractions_and_units_where_none_belong(name: str, value: object) -> None:
    with pytest.raises(UsageError):
        parse_limit(name, value)


def test_words_for_people() -> None:
    assert describe_amount("memory", 2**29) == "512 MiB"
    assert describe_amount("memory", 1000) == "1000 B"
    assert describe_amount("wall", 0.1) == "0.1 s"
    assert describe_amount("model_cost", 0.25) == "$0.25"
    assert describe_amount("calls", UNLIMITED) == "unlimited"


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_stricter(first: int, second: int) -> None:
    assert stricter(first, second) == min(first, second)
    assert stricter(UNLIMITED, first) == stricter(first, UNLIMITED) == first


@given(st.text(max_size=12), st.sampled_from(list(KINDS)))
def test_parsing_never_fails_in_another_way(text: str, name: str) -> None:
    try:
        amount = parse_limit(name, text)
    except UsageError:
        return
    assert amount is UNLIMITED if text == "unlimited" else 0 <= float(str(amount)) <= 2**53


def test_reserve_refuses_before_the_work() -> None:
    budget = Budget(Limits(calls=2))
    budget.reserve("calls", 1)
    budget.reserve("calls", 1)
    with pytest.raises(LimitExceeded) as caught:
        budget.reserve("calls", 1)
    assert caught.value.limit == "calls" and caught.value.code == 4009
    assert caught.value.hint == "to allow more: --limit calls=…"
    assert budget.usage()["calls"] == 2


def test_settle_charges_what_happened() -> None:
    budget = Budget(Limits(transfer=100))
    budget.reserve("transfer", 80)
    budget.settle("transfer", 80, 30)
    assert budget.left("transfer") == 70
    budget.reserve("transfer", 70)
    with pytest.raises(LimitExceeded):
        budget.settle("transfer", 70, 90)
    assert budget.usage()["transfer"] == 120
    with pytest.raises(LimitExceeded):
        budget.reserve("transfer", 0)


def test_nested_budgets_share() -> None:
    whole = Budget(Limits(calls=5, model_tokens=10))
    part = Budget(Limits(calls=3, model_tokens=UNLIMITED), parent=whole)
    part.reserve("calls", 3)
    with pytest.raises(LimitExceeded):
        part.reserve("calls", 1)
    whole.reserve("calls", 2)
    assert whole.usage()["calls"] == 5
    assert part.left("model_tokens") == 10
    with pytest.raises(LimitExceeded):
        part.reserve("model_tokens", 11)
    assert part.usage()["model_tokens"] == 0 and whole.usage()["model_tokens"] == 0


def test_RES_005_what_is_held_is_given_back() -> None:
    budget = Budget(Limits(requests_at_once=1))
    budget.reserve("requests_at_once", 1)
    with pytest.raises(LimitExceeded):
        budget.reserve("requests_at_once", 1)
    budget.give_back("requests_at_once", 1)
    budget.reserve("requests_at_once", 1)
    assert budget.usage()["requests_at_once"] == 1


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf, True, None, "1"])
def test_an_impossible_amount_is_our_own_mistake(amount: object) -> None:
    budget = Budget(Limits())
    with pytest.raises(InternalError):
        budget.reserve("calls", amount)  # type: ignore[arg-type]
    assert budget.usage()["calls"] == 0


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InternalError):
        Budget(Limits()).reserve("wishes", 1)


@given(
    st.lists(st.tuples(st.sampled_from([*SPENT, *HELD]), st.integers(0, 10**6)), max_size=40),
    st.integers(0, 10**6),
)
def test_no_sequence_goes_over_the_limit(acts: list[tuple[str, int]], limit: int) -> None:
    budget = Budget(Limits(*[limit] * len(Limits._fields)))
    for kind, amount in acts:
        try:
            budget.reserve(kind, amount)
        except LimitExceeded:
            assert budget.usage()[kind] + amount > limit
        assert budget.usage()[kind] <= limit
