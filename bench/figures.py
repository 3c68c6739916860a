"""Medians, percentiles and the table that every benchmark prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One measured quantity: its samples in one unit.

    `does` says what the measured thing does and does not do (confined? audited?); `base` names the
    figure that it is compared with, "" for none. A unit with a `/s` in it is a rate: more is
    better; of every other unit less is better.
    """

    name: str
    unit: str
    samples: Sequence[float]
    does: str = ""
    base: str = ""
    known: Mapping[str, Any] | None = None
    """The summary of samples that another program took and kept."""

    @property
    def p50(self) -> float:
        """The median."""
        return median(self.samples) if self.known is None else float(self.known["p50"])

    @property
    def n(self) -> int:
        """How many samples."""
        return len(self.samples) if self.known is None else int(self.known["n"])

    def at(self, share: float) -> float:
        """The value that `share` (0.95, 0.99) of the samples are at least as good as."""
        if self.known is not None:
            return float(self.known[f"p{share * 100:.0f}"])
        ordered = sorted(self.samples, reverse=is_rate(self.unit))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def summary(self) -> dict[str, float | int | str]:
        """The figure as JSON values."""
        return {
            "p50": round(self.p50, 4),
            "p95": round(self.at(0.95), 4),
            "p99": round(self.at(0.99), 4),
            "n": self.n,
            "unit": self.unit,
        }


def is_rate(unit: str) -> bool:
    """Whether more of this unit is better."""
    return "/s" in unit or "/CPU-s" in unit or "a second" in unit


def ratios(figures: Sequence[Figure]) -> dict[str, float]:
    """Each figure's median by its base's; figures without a measured base are absent."""
    middle = {figure.name: figure.p50 for figure in figures}
    return {
        figure.name: middle[figure.name] / middle[figure.base]
        for figure in figures
        if middle.get(figure.base)
    }


def show(figures: Sequence[Figure], base: str = "", *, as_json: bool) -> None:
    """Prints the figures, with ratios to each one's own base, or to the one named `base`."""
    if as_json:
        json.dump({figure.name: figure.summary() for figure in figures}, sys.stdout, indent=2)
        print()
        return
    if not figures:
        print("nothing was measured")
        return
    if base:
        figures = [figure._replace(base=base) for figure in figures]
    found: Mapping[str, float] = ratios(figures)
    width = max(len(figure.name) for figure in figures)
    print(f"{'':<{width}}  {'median':>9} {'p95':>9} {'p99':>9} {'n':>6}  {'unit':<12} ratio")
    for figure in figures:
        ratio = f"{found[figure.name]:.2f} × {figure.base}" if figure.name in found else ""
        print(
            f"{figure.name:<{width}}  {figure.p50:>9.3f} {figure.at(0.95):>9.3f} "
            f"{figure.at(0.99):>9.3f} {figure.n:>6}  {figure.unit:<12} {ratio}"
        )
