"""Regressions between two files of figures: 10 % warns, twice as bad is critical (BEN-007)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.compare import compare


def figure(value: float, unit: str = "ms") -> dict[str, Any]:
    return {"p50": value, "p95": value, "p99": value, "n": 50, "unit": unit}


@pytest.mark.parametrize(
    ("unit", "old", "new", "severity"),
    [
        ("ms", 10.0, 10.0, ""),
        ("ms", 10.0, 10.9, ""),
        ("ms", 10.0, 11.2, "warning"),
        ("ms", 10.0, 19.9, "warning"),
        ("ms", 10.0, 20.5, "critical"),
        ("ms", 10.0, 1.0, ""),
        ("spells/s", 100.0, 95.0, ""),
        ("spells/s", 100.0, 80.0, "warning"),
        ("calls/CPU-s", 100.0, 49.0, "critical"),
        ("spells/s", 100.0, 900.0, ""),
    ],
)
def test_BEN_007_severity(unit: str, old: float, new: float, severity: str) -> None:
    (change,) = compare({"f": figure(old, unit)}, {"f": figure(new, unit)}).changes
    assert change.severity == severity


def test_what_only_one_file_has_is_named() -> None:
    found = compare(
        {"both": figure(1), "gone": figure(1), "unit": figure(1), "zero": figure(0)},
        {"both": figure(1), "new": figure(1), "unit": figure(1, "s"), "zero": figure(1)},
    )
    assert [change.name for change in found.changes] == ["both"]
    assert (found.gone, found.added, found.incomparable) == (("gone",), ("new",), ("unit", "zero"))


def saved(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_only_a_critical_one_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = saved(tmp_path, "old", {"start": figure(10)})
    worse = saved(tmp_path, "worse", {"start": figure(15)})
    worst = saved(tmp_path, "worst", {"start": figure(21)})
    assert main(["compare", old, old]) == 0
    assert "warning" not in capsys.readouterr().out
    assert main(["compare", old, worse]) == 0
    assert "warning: start: 10 → 15 ms (1.50 × as bad)" in capsys.readouterr().out
    assert main(["compare", old, worst]) == 1
    assert "critical: start: 10 → 21 ms (2.10 × as bad)" in capsys.readouterr().out


def test_a_reports_results_are_compared_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def results(value: float) -> dict[str, Any]:
        return {"warm": {"figures": {"Lua": figure(value)}, "machine": {}}}

    old = saved(tmp_path, "old", results(1.0))
    assert main(["compare", old, saved(tmp_path, "new", results(2.5))]) == 1
    assert "critical: warm: Lua" in capsys.readouterr().out
    # A report and what `--json` printed name figures differently: none is compared, which is said.
    assert main(["compare", old, saved(tmp_path, "flat", {"Lua": figure(1)})]) == 0
    assert "0 figures compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", "{}", '{"a": 1}', '{"a": {"p50": "x", "unit": "ms"}}']
)
def test_an_unusable_file_is_said(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = saved(tmp_path, "good", {"a": figure(1)})
    assert main(["compare", good, saved(tmp_path, "bad", content)]) == 2
    assert str(tmp_path / "bad") in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "absent"), good]) == 2
