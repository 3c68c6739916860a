"""`python -m bench compare OLD NEW`: regressions between two files of figures (BEN-007).

A file is what `--json` printed, or a report's `results.json`. Medians are compared by ratio, in the
bad direction: more for times and sizes, less for rates. Over 10 % worse is a warning, over twice
as bad is critical. (The seed has critical at twice the *tolerance*, 20 %, which on a shared machine
is noise; the issue's reading decides: 2 ×.) Exit code 1 for a critical one, 2 for an unusable file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.figures import is_rate

TOLERANCE: Final = 0.1
CRITICAL: Final = 2.0


class Change(NamedTuple):
    """How much worse a figure became: 1 is the same, 2 twice as bad, 0.5 twice as good."""

    name: str
    unit: str
    old: float
    new: float
    worse: float

    @property
    def severity(self) -> str:
        """`critical`, `warning` or nothing."""
        if self.worse > CRITICAL:
            return "critical"
        return "warning" if self.worse > 1 + TOLERANCE else ""


class Comparison(NamedTuple):
    """Figures in both files, and the names that only one has or that can't be compared."""

    changes: tuple[Change, ...]
    gone: tuple[str, ...]
    added: tuple[str, ...]
    incomparable: tuple[str, ...]


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Two flat files of figures."""
    changes, incomparable = [], []
    for name in old:
        if name not in new:
            continue
        before, after, unit = old[name]["p50"], new[name]["p50"], old[name]["unit"]
        if unit != new[name]["unit"] or not before > 0 or not after > 0:
            incomparable.append(name)
            continue
        worse = before / after if is_rate(unit) else after / before
        changes.append(Change(name, unit, before, after, worse))
    return Comparison(
        tuple(sorted(changes, key=lambda change: -change.worse)),
        tuple(name for name in old if name not in new),
        tuple(name for name in new if name not in old),
        tuple(incomparable),
    )


def load(path: str) -> dict[str, Any]:
    """The figures of a file, flat. Raises `ValueError` in words."""
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"can't read {path}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{path} is no JSON") from None
    if isinstance(found, dict) and found:
        if all(isinstance(one, dict) and "figures" in one for one in found.values()):
            found = {
                f"{name}: {figure}": summary
                for name, record in found.items()
                for figure, summary in record["figures"].items()
            }
        if all(_is_figure(one) for one in found.values()):
            return dict(found)
    raise ValueError(f"{path} holds no figures; give what --json printed, or a results.json")


def _is_figure(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("unit"), str)
        and isinstance(one.get("p50"), int | float)
        and not isinstance(one.get("p50"), bool)
    )


def compare_files(old: str, new: str) -> int:
    """Prints what became worse; the exit code."""
    try:
        found = compare(load(old), load(new))
    except ValueError as error:
        print(f"bench compare: {error}", file=sys.stderr)
        return 2
    bad = [change for change in found.changes if change.severity]
    for change in bad:
        print(
            f"{change.severity}: {change.name}: {change.old:g} → {change.new:g} {change.unit} "
            f"({change.worse:.2f} × as bad)"
        )
    for what, names in (("gone", found.gone), ("not comparable", found.incomparable)):
        for name in names:
            print(f"{what}: {name}")
    better = sum(change.worse < 1 - TOLERANCE for change in found.changes)
    print(
        f"{len(found.changes)} figures compared: {len(bad)} worse, {better} better by over 10 %, "
        f"{len(found.added)} new"
    )
    return 1 if any(change.severity == "critical" for change in bad) else 0
