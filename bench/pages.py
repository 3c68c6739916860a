"""The Markdown pages and pictures of `docs/benchmarks/`, from recorded results."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any, Final

from bench.catalogue import NAMES
from bench.plot import Mark, number_text, plot
from bench.targets import table

WRITTEN: Final = "<!-- Written by python -m bench report; do not edit. -->"
BUSY: Final = 0.5
"""Load before a report, above which its figures are not what the machine can do."""

QUICK: Final = "**A smoke run of three samples: these figures mean nothing.**"
ABSENT: Final = """The seeds' benchmark of an agent's memory over 100 requests (BEN-006) is absent;
[services](services.md) has their shapes of model calls, agents, hooks and events."""
READING: Final = """Each page says what its figures are. Peers run in the same run, round by round
with ours; every row says what it does and what it does not do, because a row that confines nothing
and records nothing is faster for that reason. Percentiles are of the bad side: the p95 of a rate is
the rate that 95 % of the samples reach. Ratios are of medians. All figures are in
[results.json](results.json)."""


def page(name: str, record: Mapping[str, Any]) -> str:
    """One benchmark's page."""
    letters = _letters(record)
    bases = list(dict.fromkeys(record["base"].values()))
    common = bases[0] if len(bases) == 1 else None
    header = f"ratio to {common}" if common else "ratio"
    lines = [
        f"# {record['title']}",
        "",
        WRITTEN,
        "",
        record["about"],
        "",
        *_warnings(record),
        f"![{record['title']}]({name}.svg)",
        "",
        f"| | does | median | p95 | p99 | n | unit | {header} |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for figure, summary in record["figures"].items():
        numbers = " | ".join(number_text(summary[key]) for key in ("p50", "p95", "p99"))
        letter = letters.get(record["does"].get(figure, ""), "")
        lines.append(
            f"| {figure} | {letter} | {numbers} | {summary['n']} | {summary['unit']} "
            f"| {_ratio(record, figure, common)} |"
        )
    lines += ["", *(f"- *{letter}*: {does}" for does, letter in letters.items())]
    if record["left_out"]:
        lines += ["", "Left out:", ""]
        lines += [f"- {what}: {reason}" for what, reason in record["left_out"]]
    lines += ["", "## Measured on", "", *_machine(record)]
    return "\n".join(lines) + "\n"


def _warnings(record: Mapping[str, Any]) -> list[str]:
    found = [QUICK, ""] if record.get("quick") else []
    if record.get("load", 0) > BUSY:
        found += [f"**Others were busy on this machine (load {record['load']}): too slow.**", ""]
    return found


def picture(record: Mapping[str, Any]) -> str:
    """One benchmark's plot; what is ours is blue."""
    marks = [
        Mark(name, one["unit"], one["p50"], one["p95"], one["p99"], _is_ours(record, name))
        for name, one in record["figures"].items()
    ]
    return plot(f"{record['title']}: median (dot), p95 (line), p99 (tick)", marks)


def index_page(results: Mapping[str, Any]) -> str:
    """The page of all benchmarks."""
    lines = ["# Benchmarks", "", WRITTEN, "", READING, "", "## Pages", ""]
    for name, what in NAMES.items():
        if name in results:
            quick = " (a smoke run)" if results[name].get("quick") else ""
            lines.append(f"- [{results[name]['title']}]({name}.md){quick}: {what}")
        else:
            lines.append(f"- {name}: not run yet ({what})")
    lines += ["", ABSENT, "", "## What is to be reached", "", *table(results), ""]
    lines += ["## Again", "", "`python -m bench report` writes all of this; one benchmark alone is"]
    lines += ["`python -m bench NAME`. `python -m bench compare OLD NEW` finds what became slower"]
    lines += ["between two `results.json`: over 10 % warns, over twice is critical."]
    return "\n".join(lines) + "\n"


def _letters(record: Mapping[str, Any]) -> dict[str, str]:
    found = dict.fromkeys(does for does in record["does"].values() if does)
    return dict(zip(found, ascii_lowercase, strict=False))


def _is_ours(record: Mapping[str, Any], name: str) -> bool:
    # What is ours says so by its words; where nothing is compared, everything is.
    return "audited" in record["does"].get(name, "") or not record["base"]


def _ratio(record: Mapping[str, Any], figure: str, common: str | None) -> str:
    base = record["base"].get(figure)
    if base is None or base not in record["figures"] or base == figure:
        return ""
    of = record["figures"][base]["p50"]
    if not of:
        return ""
    ratio = f"{record['figures'][figure]['p50'] / of:.2f} ×"
    return ratio if common else f"{ratio} {base}"


def _machine(record: Mapping[str, Any]) -> list[str]:
    rows = {
        **record["machine"],
        **record["versions"],
        "load before the report": str(record.get("load", "unknown")),
    }
    rows["took"] = f"{record.get('seconds', '?')} s"
    return ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())]
