"""Counting votes (ORC-007, ORC-013): majority, weighted, unanimous, ranked. Pure."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

MECHANISMS: Final = ("majority", "weighted", "unanimous", "ranked")
THRESHOLD: Final = 0.5


class Ballot(NamedTuple):
    """One vote: options by number from 0, the best first. No option at all is an abstention.

    `weight` is the voter's; `confidence` (0–1) the voter's own and counts when weighted.
    """

    voter: str
    ranking: tuple[int, ...]
    weight: float = 1.0
    confidence: float = 1.0
    reason: str = ""


class Tally(NamedTuple):
    """What was counted. `share` is the winner's part (0–1) of all that voted."""

    winner: int | None
    share: float
    reached: bool
    counts: tuple[float, ...]
    rounds: int


def tally(
    ballots: Sequence[Ballot], options: int, mechanism: str, threshold: float = THRESHOLD
) -> Tally:
    """The winner and whether the threshold was reached; equal counts go to the lower number.

    `unanimous` asks for all that voted whatever the threshold. With `ranked` the option that is
    first on the fewest ballots goes, round by round, until one has more than half of the rest.
    Raises `InvalidInput` for an unknown mechanism or a threshold outside 0 to 1.
    """
    if mechanism not in MECHANISMS:
        raise InvalidInput(
            f"there is no voting mechanism {mechanism[:40]!r}",
            hint=f"one of {', '.join(MECHANISMS)}",
        )
    if type(threshold) not in (int, float) or not 0 <= threshold <= 1:
        raise InvalidInput("a threshold is a number from 0 to 1")
    cast = [
        ballot._replace(ranking=tuple(one for one in ballot.ranking if 0 <= one < options))
        for ballot in ballots
    ]
    cast = [ballot for ballot in cast if ballot.ranking]
    if not cast:
        return Tally(None, 0.0, False, (0.0,) * options, 0)
    if mechanism == "ranked":
        return _ranked(cast, options, threshold)
    counts = [0.0] * options
    for ballot in cast:
        counts[ballot.ranking[0]] += _worth(ballot, mechanism)
    total = sum(counts)
    if total <= 0:
        return Tally(None, 0.0, False, tuple(counts), 1)
    winner = max(range(options), key=lambda one: (counts[one], -one))
    share = counts[winner] / total
    needed = 1.0 if mechanism == "unanimous" else threshold
    return Tally(winner, share, share >= needed, tuple(counts), 1)


def _worth(ballot: Ballot, mechanism: str) -> float:
    return ballot.weight * ballot.confidence if mechanism == "weighted" else 1.0


def _ranked(cast: Sequence[Ballot], options: int, threshold: float) -> Tally:
    standing = set(range(options))
    rounds = 0
    while True:
        rounds += 1
        counts = [0.0] * options
        for ballot in cast:
            first = next((one for one in ballot.ranking if one in standing), None)
            if first is not None:
                counts[first] += 1
        total = sum(counts)
        winner = max(standing, key=lambda one: (counts[one], -one))
        share = counts[winner] / total if total else 0.0
        if share > 0.5 or len(standing) == 1:
            return Tally(winner, share, share >= threshold, tuple(counts), rounds)
        standing.remove(min(standing, key=lambda one: (counts[one], -one)))


def read_ballot(voter: str, answer: Any, options: int, weight: float) -> Ballot:
    """The vote in an agent's answer: `{vote | choice | ranking, confidence, reason}`, numbers from
    1 as agents are asked to give them. What is no vote is an abstention."""
    data = answer if isinstance(answer, dict) else {"vote": answer}
    ranking = data.get("ranking")
    if not isinstance(ranking, list):
        ranking = [data.get("vote", data.get("choice", data.get("option")))]
    numbers = [_number(one, options) for one in ranking[:options]]
    confidence = data.get("confidence", 1.0)
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        confidence = 1.0
    reason = data.get("reason", data.get("evidence", ""))
    return Ballot(
        voter,
        tuple(dict.fromkeys(one for one in numbers if one is not None)),
        weight,
        float(confidence),
        reason[:1000] if isinstance(reason, str) else "",
    )


def _number(value: Any, options: int) -> int | None:
    if isinstance(value, str):
        digits = value.strip().removeprefix("#").split(" ")[0].rstrip(".:")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value - 1 if type(value) is int and 1 <= value <= options else None
