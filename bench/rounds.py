"""Rows measured in turn, round by round, so that a drift of the machine's speed hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from bench.figures import Figure

T = TypeVar("T")


class Unavailable(Exception):
    """This row can't be measured here; the words say why."""


class Settings(NamedTuple):
    """`runs`: samples per row. `quick`: a smoke run with few rows; its figures mean nothing."""

    runs: int = 50
    quick: bool = False

    @classmethod
    def of(cls, runs: int | None, quick: bool) -> Settings:
        """As asked on the command line; a smoke run has 3 samples where no number was given."""
        return cls(runs or (3 if quick else 50), quick)

    def rounds(self, per_round: int) -> int:
        """Rounds that give `runs` samples at so many a round."""
        return max(1, -(-self.runs // per_round))

    def pick(self, full: Sequence[T], small: int) -> Sequence[T]:
        """All of them, or the first few in a smoke run."""
        return full[:small] if self.quick else full


class LeftOut(NamedTuple):
    """A row that was not measured, and why."""

    name: str
    reason: str


class Outcome(NamedTuple):
    """What a benchmark gives."""

    figures: tuple[Figure, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __add__(self, other: object) -> Outcome:
        assert isinstance(other, Outcome)
        return Outcome(self.figures + other.figures, self.left_out + other.left_out)


class Row(NamedTuple):
    """One thing to measure. `sample` gives one round's samples, or raises `Unavailable`."""

    name: str
    unit: str
    does: str
    sample: Callable[[], Sequence[float]]
    base: str = ""


def interleave(rows: Sequence[Row], rounds: int) -> Outcome:
    """Every row once to warm its caches (thrown away), then all in turn, `rounds` times.

    Each round begins with another row, so that none always follows the same one.
    """
    left_out: list[LeftOut] = []
    present: list[Row] = []
    for row in rows:
        try:
            row.sample()
        except Unavailable as reason:
            left_out.append(LeftOut(row.name, str(reason)))
        else:
            present.append(row)
    samples: dict[str, list[float]] = {row.name: [] for row in present}
    for number in range(rounds):
        first = number % len(present) if present else 0
        for row in present[first:] + present[:first]:
            samples[row.name] += row.sample()
    figures = (Figure(row.name, row.unit, samples[row.name], row.does, row.base) for row in present)
    return Outcome(tuple(figures), tuple(left_out))
