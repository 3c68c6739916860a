"""Plots as SVG, written by hand: a dot per median on a scale of tens, a line from it to the p95.

One panel per unit, because milliseconds and mebibytes have no common scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH = 960
LABELS = 400
VALUES = 90
ROW = 18
HEAD = 46
FOOT = 26
OURS, PEER, INK, FAINT = "#0b6bcb", "#8a5a00", "#1f2328", "#d0d7de"
FONT = "font-family='system-ui, sans-serif' font-size='12'"


class Mark(NamedTuple):
    """One row: its name, unit and percentiles; `ours` chooses its colour."""

    name: str
    unit: str
    p50: float
    p95: float
    p99: float
    ours: bool


def plot(title: str, marks: Sequence[Mark]) -> str:
    """The whole picture."""
    units = list(dict.fromkeys(mark.unit for mark in marks))
    parts: list[str] = []
    top = 30
    for unit in units:
        panel = [mark for mark in marks if mark.unit == unit]
        parts += _panel(unit, panel, top)
        top += HEAD + ROW * len(panel) + FOOT
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {top}' "
        f"width='{WIDTH}' height='{top}' role='img' aria-label='{escape(title, quote=True)}'>"
        f"<rect width='{WIDTH}' height='{top}' fill='#ffffff'/>"
        f"<text x='12' y='22' {FONT} font-weight='bold' fill='{INK}'>{escape(title)}</text>"
    )
    return "\n".join([head, *parts, "</svg>"]) + "\n"


class _Scale:
    """From values to places; whole tens at the ends."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > 0] or [1.0]
        self.low = math.floor(math.log10(min(positive)))
        self.high = max(math.ceil(math.log10(max(positive))), self.low + 1)

    def lines(self) -> list[float]:
        """Where lines stand: at every ten, and between them where there is room for it."""
        steps = (1, 2, 5) if self.high - self.low <= 2 else (1,)
        powers = range(self.low, self.high)
        return [*(step * 10.0**power for power in powers for step in steps), 10.0**self.high]

    def at(self, value: float) -> float:
        """The x of a value; what is not positive stands at the left end."""
        power = math.log10(value) if value > 0 else self.low
        share = (power - self.low) / (self.high - self.low)
        return LABELS + share * (WIDTH - LABELS - VALUES)


def _panel(unit: str, marks: Sequence[Mark], top: int) -> list[str]:
    scale = _Scale([value for mark in marks for value in (mark.p50, mark.p95, mark.p99)])
    bottom = top + HEAD + ROW * len(marks)
    parts = [f"<text x='{LABELS}' y='{top + 16}' {FONT} fill='{INK}'>{escape(unit)}</text>"]
    for value in scale.lines():
        x = scale.at(value)
        parts += [
            f"<line x1='{x:.1f}' y1='{top + HEAD - 10}' x2='{x:.1f}' y2='{bottom}' "
            f"stroke='{FAINT}'/>",
            f"<text x='{x:.1f}' y='{top + 32}' {FONT} fill='{INK}' text-anchor='middle'>"
            f"{value:g}</text>",
        ]
    for number, mark in enumerate(marks):
        parts += _row(scale, mark, top + HEAD + ROW * number + ROW // 2)
    return parts


def _row(scale: _Scale, mark: Mark, y: int) -> list[str]:
    colour = OURS if mark.ours else PEER
    middle, tail, far = scale.at(mark.p50), scale.at(mark.p95), scale.at(mark.p99)
    return [
        f"<text x='{LABELS - 10}' y='{y + 4}' {FONT} fill='{colour}' text-anchor='end'>"
        f"{escape(mark.name)}</text>",
        f"<line x1='{middle:.1f}' y1='{y}' x2='{tail:.1f}' y2='{y}' stroke='{colour}'/>",
        f"<line x1='{far:.1f}' y1='{y - 4}' x2='{far:.1f}' y2='{y + 4}' stroke='{colour}'/>",
        f"<circle cx='{middle:.1f}' cy='{y}' r='4' fill='{colour}'/>",
        f"<text x='{WIDTH - 8}' y='{y + 4}' {FONT} fill='{INK}' text-anchor='end'>"
        f"{number_text(mark.p50)}</text>",
    ]


def number_text(value: float) -> str:
    """A figure in three digits or so, for people."""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
