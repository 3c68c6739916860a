"""What is to be reached, beside what was measured. It informs; nothing fails by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.ours import SHORT

NODE = "node -e"
LANGUAGES = tuple(SHORT.values())


class Target(NamedTuple):
    """A bound for one figure. `stat` is p50, p95, p99 or `ratio` (median by the base's median).

    `bound` is a number, or the name of a figure in the same run whose median it must not exceed.
    """

    benchmark: str
    figure: str
    stat: str
    bound: float | str
    at_least: bool = False

    def judge(self, results: Mapping[str, Any]) -> tuple[str, str]:
        """What was measured, and `reached`, `missed` or `not measured`."""
        record = results.get(self.benchmark, {})
        figures, bases = record.get("figures", {}), record.get("base", {})
        found = figures.get(self.figure)
        if found is None:
            return "", "not measured"
        value = found["p50"] if self.stat == "ratio" else found[self.stat]
        if self.stat == "ratio":
            base = figures.get(bases.get(self.figure))
            if not base or not base["p50"]:
                return "", "not measured"
            value /= base["p50"]
        bound = self.bound
        if isinstance(bound, str):
            if bound not in figures:
                return "", "not measured"
            bound = float(figures[bound]["p50"])
        good = value >= bound if self.at_least else value <= bound
        unit = "×" if self.stat == "ratio" else found["unit"]
        return f"{value:.4g} {unit}", "reached" if good else "missed"

    def words(self) -> str:
        """The bound in words."""
        bound = f"the median of {self.bound}" if isinstance(self.bound, str) else f"{self.bound:g}"
        return f"{self.stat} {'≥' if self.at_least else '≤'} {bound}"


def _targets() -> list[Target]:
    found = [
        Target("start", "llmspell run, medium Lua", "p50", 80),
        Target("start", "llmspell run, high Lua", "p50", 60),
        Target("start", "llmspell run, medium Lua", "p50", NODE),
        Target("start", "llmspell run, high Lua", "p50", NODE),
    ]
    for language in LANGUAGES:
        forked = f"{language} (forked)"
        found += [
            Target("warm", f"llmspell medium {forked}", "p50", 5),
            Target("warm", f"llmspell medium {forked}", "p95", 10),
            Target("warm", f"llmspell high {forked}", "p50", 2.5),
            Target("warm", f"llmspell high {forked}", "p95", 5),
            Target("memory", f"idle: llmspell medium {forked}: USS", "p50", 2),
            Target("memory", f"idle: llmspell high {forked}: USS", "p50", 1),
            Target("kill", f"llmspell medium {language} (exec)", "p99", 50),
            Target("kill", f"llmspell high {language} (exec)", "p99", 50),
            Target("kill", f"llmspell medium {forked}", "p99", 50),
            Target("kill", f"llmspell high {forked}", "p99", 50),
        ]
    for language, bound in zip(LANGUAGES, (6, 7, 40), strict=True):
        found.append(Target("warm", f"llmspell high {language} (exec)", "p50", bound))
    found += _of_calls()
    found += _of_services()
    found += [
        Target("throughput", "llmspell medium Lua (forked)", "p50", 400, at_least=True),
        Target("throughput", "llmspell high Lua (forked)", "p50", 500, at_least=True),
        Target("throughput", "llmspell high Lua (exec)", "p50", 250, at_least=True),
    ]
    for profile in ("medium", "high"):
        crowd = f"200 × llmspell {profile} Lua (forked)"
        found.append(Target("density", f"memory of all: {crowd}", "p50", 1024))
        found.append(Target("density", f"call: {crowd}", "p99", 20))
    for script in ("fibonacci(20)", "strings", "JSON", "objects"):
        for language in ("Lua", "JS"):
            found.append(Target("engines", f"{script}, {language}: wasm, high", "ratio", 2))
    return found


def _of_services() -> list[Target]:
    from bench.service_spells import KINDS
    from bench.services import INSTANT, SLOW

    found = [
        Target(
            "services", f"emit, filter, handle: llmspell {profile} {language}", "p50", 10_000, True
        )
        for profile in ("medium", "high")
        for language in LANGUAGES
    ]
    return found + [
        Target("services", f"agent call, {kind}, {model}: {language}", "ratio", 1.03)
        for kind in KINDS[1:]
        for model in (INSTANT, SLOW)
        for language in LANGUAGES
    ]


def _of_calls() -> list[Target]:
    from bench.calls import METHODS

    found = []
    for name in METHODS:
        for pin in ("pinned to one core", "pinned apart"):
            found += [
                Target("calls", f"{name}: cpu to bare epoll broker ({pin})", "p50", 2),
                Target("calls", f"{name}: round trip to bare echo ({pin})", "p50", 1.4),
                Target("calls", f"{name}: round trip p99 ({pin})", "p50", 500),
            ]
    for profile in ("medium", "high"):
        found.append(Target("calls", f"round trip: llmspell {profile} Lua", "p99", 500))
    name = "calls by processor: 50 high Lua workers"
    return [*found, Target("calls", name, "p50", 12_000, at_least=True)]


def table(results: Mapping[str, Any]) -> list[str]:
    """The rows of a Markdown table: every target, its figure and its state."""
    lines = ["| benchmark | figure | to reach | measured | |", "| --- | --- | --- | --- | --- |"]
    for target in _targets():
        measured, state = target.judge(results)
        lines.append(
            f"| [{target.benchmark}]({target.benchmark}.md) | {target.figure} | {target.words()} "
            f"| {measured} | {state} |"
        )
    return lines
