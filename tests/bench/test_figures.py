"""Percentiles, ratios and rounds: what every figure of the benchmarks is made of."""

from __future__ import annotations

import json

import pytest

from bench.figures import Figure, is_rate, ratios, show
from bench.rounds import Row, Settings, Unavailable, interleave


def test_percentiles_are_of_the_bad_side() -> None:
    values = [float(number) for number in range(1, 101)]
    time, rate = Figure("t", "ms", values), Figure("r", "calls/s", values)
    assert (time.at(0.95), time.at(0.99)) == (96.0, 100.0)
    assert (rate.at(0.95), rate.at(0.99)) == (5.0, 1.0)
    assert time.summary() == {"p50": 50.5, "p95": 96.0, "p99": 100.0, "n": 100, "unit": "ms"}


def test_units_that_are_rates() -> None:
    assert [unit for unit in ("ms", "µs", "MiB", "s") if is_rate(unit)] == []
    assert all(is_rate(unit) for unit in ("calls/s", "calls/CPU-s", "spells/s"))


def test_ratios_are_to_each_ones_own_base() -> None:
    figures = [
        Figure("a", "ms", [2.0]),
        Figure("b", "ms", [5.0], base="a"),
        Figure("c", "ms", [5.0], base="never measured"),
    ]
    assert ratios(figures) == {"b": 2.5}


def test_json_is_figures_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    show([Figure("a", "ms", [1.0, 2.0, 3.0], "does", "a")], as_json=True)
    summary = {"p50": 2.0, "p95": 3.0, "p99": 3.0, "n": 3, "unit": "ms"}
    assert json.loads(capsys.readouterr().out) == {"a": summary}


def test_nothing_measured_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    show([], as_json=False)
    assert capsys.readouterr().out == "nothing was measured\n"


def test_rows_take_turns_and_begin_elsewhere_each_round() -> None:
    order: list[str] = []

    def row(name: str) -> Row:
        def sample() -> list[float]:
            order.append(name)
            return [float(len(order))]

        return Row(name, "ms", "", sample)

    outcome = interleave([row("a"), row("b")], 3)
    # Once each to warm up, thrown away; then in turn.
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert [list(figure.samples) for figure in outcome.figures] == [[3, 6, 7], [4, 5, 8]]


def test_a_row_that_is_not_there_is_left_out_with_its_reason() -> None:
    def missing() -> list[float]:
        raise Unavailable("it is not installed")

    outcome = interleave([Row("gone", "ms", "", missing), Row("here", "ms", "", lambda: [1.0])], 2)
    assert [figure.name for figure in outcome.figures] == ["here"]
    assert list(outcome.left_out) == [("gone", "it is not installed")]


def test_a_row_that_fails_in_its_measurement_is_no_row_left_out() -> None:
    def fails() -> list[float]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        interleave([Row("bad", "ms", "", fails)], 1)


def test_settings() -> None:
    assert Settings.of(None, quick=False) == Settings(50, False)
    assert Settings.of(None, quick=True) == Settings(3, True)
    assert Settings.of(7, quick=True).runs == 7
    assert [Settings(50).rounds(per) for per in (1, 10, 49, 60)] == [50, 5, 2, 1]


def test_a_summary_that_another_program_kept_is_taken_as_it_is() -> None:
    summary = {"p50": 2.0, "p95": 3.0, "p99": 4.0, "n": 7, "unit": "µs"}
    figure = Figure("f", "µs", (), known=summary)
    assert figure.summary() == summary
