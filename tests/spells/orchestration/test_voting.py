"""Counting votes (ORC-007, ORC-013)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.spells.orchestration.voting import MECHANISMS, Ballot, read_ballot, tally


def ballots(*choices: int, **more: Any) -> list[Ballot]:
    return [Ballot(f"v{n}", (choice,), **more) for n, choice in enumerate(choices)]


def test_majority_and_its_threshold() -> None:
    counted = tally(ballots(0, 0, 1), 2, "majority", 0.6)
    assert (counted.winner, counted.reached, counted.counts) == (0, True, (2, 1))
    assert tally(ballots(0, 0, 1), 2, "majority", 0.7).reached is False
    assert tally(ballots(0, 1), 2, "majority").winner == 0, "equal counts: the lower number"


def test_weights_and_confidence_count_only_when_weighted() -> None:
    cast = [Ballot("a", (0,), 1, 1), Ballot("b", (1,), 5, 0.9), Ballot("c", (0,), 1, 1)]
    assert tally(cast, 2, "majority").winner == 0
    counted = tally(cast, 2, "weighted")
    assert (counted.winner, counted.counts) == (1, (2, 4.5))


def test_unanimous_asks_for_all_that_voted() -> None:
    assert tally(ballots(1, 1, 1), 2, "unanimous", 0.1).reached is True
    assert tally(ballots(1, 1, 0), 2, "unanimous", 0.1).reached is False
    assert tally([*ballots(1, 1), Ballot("away", ())], 2, "unanimous").reached is True


def test_ranked_moves_the_votes_of_who_drops_out() -> None:
    cast = [
        *[Ballot(f"a{n}", (0, 1, 2)) for n in range(4)],
        *[Ballot(f"b{n}", (1, 2, 0)) for n in range(3)],
        *[Ballot(f"c{n}", (2, 1, 0)) for n in range(2)],
    ]
    counted = tally(cast, 3, "ranked")
    assert (counted.winner, counted.rounds) == (1, 2)
    assert tally(cast, 3, "majority").winner == 0


def test_nobody_voted() -> None:
    for mechanism in MECHANISMS:
        counted = tally([Ballot("a", ()), Ballot("b", (9,))], 2, mechanism)
        assert (counted.winner, counted.reached) == (None, False)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "half", True])
def test_a_threshold_is_from_0_to_1(threshold: Any) -> None:
    with pytest.raises(InvalidInput):
        tally(ballots(0), 1, "majority", threshold)
    with pytest.raises(InvalidInput):
        tally(ballots(0), 1, "by_shouting")


@given(
    st.lists(
        st.builds(
            Ballot,
            st.just("v"),
            st.lists(st.integers(-2, 6), max_size=5).map(tuple),
            st.floats(0.01, 100),
            st.floats(0, 1),
        ),
        max_size=12,
    ),
    st.integers(1, 5),
    st.sampled_from(MECHANISMS),
    st.floats(0, 1),
)
def test_a_winner_is_an_option_that_nobody_beats(
    cast: list[Ballot], options: int, mechanism: str, threshold: float
) -> None:
    counted = tally(cast, options, mechanism, threshold)
    assert 0 <= counted.share <= 1 + 1e-9
    if counted.winner is None:
        assert not counted.reached
        return
    assert 0 <= counted.winner < options
    assert counted.counts[counted.winner] == max(counted.counts)
    assert counted.rounds <= options


@pytest.mark.parametrize(
    ("answer", "ranking"),
    [
        ({"vote": 2}, (1,)), ({"choice": "2."}, (1,)), ({"ranking": [2, 1, 2]}, (1, 0)),
        ("#1 because", (0,)), (2.0, (1,)), ({"vote": 0}, ()), ({"vote": 3}, ()),
        ({"vote": None}, ()), ("none", ()), ({"ranking": "x"}, ()), ([], ()), (True, ()),
    ],
)  # fmt: skip
def test_reading_ballots(answer: Any, ranking: tuple[int, ...]) -> None:
    assert read_ballot("v", answer, 2, 1.0).ranking == ranking


def test_confidence_is_bounded() -> None:
    assert read_ballot("v", {"vote": 1, "confidence": 9}, 2, 1.0).confidence == 1.0
    assert read_ballot("v", {"vote": 1, "confidence": 0.2}, 2, 1.0).confidence == 0.2
