"""Medians, percentiles and the table that every benchmark prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured quantity: its samples in one unit."""

    name: str
    unit: str
    samples: Sequence[float]

    def at(self, share: float) -> float:
        """The value below which `share` of the samples lie."""
        ordered = sorted(self.samples)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def summary(self) -> dict[str, float | int | str]:
        """The figure as JSON values."""
        return {
            "p50": round(median(self.samples), 4),
            "p95": round(self.at(0.95), 4),
            "p99": round(self.at(0.99), 4),
            "n": len(self.samples),
            "unit": self.unit,
        }


def show(figures: Sequence[Figure], base: str, *, as_json: bool) -> None:
    """Prints the figures, with ratios to the one named `base`."""
    if as_json:
        json.dump({figure.name: figure.summary() for figure in figures}, sys.stdout, indent=2)
        print()
        return
    of_base: Mapping[str, float] = {figure.name: median(figure.samples) for figure in figures}
    width = max(len(figure.name) for figure in figures)
    print(f"{'':<{width}}  {'median':>9} {'p95':>9} {'p99':>9} {'n':>5}  ratio to {base}")
    for figure in figures:
        middle = median(figure.samples)
        ratio = middle / of_base[base] if of_base.get(base) else float("nan")
        print(
            f"{figure.name:<{width}}  {middle:>9.3f} {figure.at(0.95):>9.3f} "
            f"{figure.at(0.99):>9.3f} {len(figure.samples):>5}  {ratio:.2f}  ({figure.unit})"
        )
