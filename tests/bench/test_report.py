"""The pages and plots of a report, and the front door."""

from __future__ import annotations

import json
import xml.dom.minidom
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.catalogue import NAMES, benchmark
from bench.pages import index_page, page, picture
from bench.plot import Mark, plot
from bench.targets import Target


def record() -> dict[str, Any]:
    def figure(value: float, unit: str = "ms") -> dict[str, Any]:
        return {"p50": value, "p95": value * 2, "p99": value * 3, "n": 50, "unit": unit}

    return {
        "title": "A <title>",
        "about": "What it is.",
        "machine": {"machine": "a machine", "kernel": "Linux 1", "date": "today"},
        "versions": {"deno": "1"},
        "figures": {"ours": figure(4), "peer": figure(2), "rate": figure(5, "calls/s")},
        "does": {"ours": "confined, audited", "peer": "not confined", "rate": "confined, audited"},
        "base": {"ours": "peer"},
        "left_out": [["runsc", "runsc is not installed"]],
    }


def test_a_page_tells_all_there_is() -> None:
    text = page("warm", record())
    assert "| ours | a | 4 | 8 | 12 | 50 | ms | 2.00 × |" in text
    assert "ratio to peer" in text
    assert "- *b*: not confined" in text
    assert "- runsc: runsc is not installed" in text
    assert "| kernel | Linux 1 |" in text
    assert "![A <title>](warm.svg)" in text


def test_a_smoke_run_is_called_one() -> None:
    assert "mean nothing" in page("warm", {**record(), "quick": True})
    assert "mean nothing" not in page("warm", record())


def test_a_busy_machine_is_told() -> None:
    assert "load 3.5" in page("warm", {**record(), "load": 3.5}).split("Measured on")[0]
    assert "load" not in page("warm", {**record(), "load": 0.2}).split("Measured on")[0]


def test_a_plot_is_well_formed_and_has_every_row() -> None:
    drawn = xml.dom.minidom.parseString(picture(record()))
    assert len(drawn.getElementsByTagName("circle")) == 3
    assert {node.getAttribute("fill") for node in drawn.getElementsByTagName("circle")} == {
        "#0b6bcb",
        "#8a5a00",
    }


@pytest.mark.parametrize("value", [0.0, 1e-9, 1.0, 1e12])
def test_a_plot_holds_any_value_within_its_width(value: float) -> None:
    drawn = xml.dom.minidom.parseString(plot("t", [Mark("<a>", "ms", value, value, value, True)]))
    (circle,) = drawn.getElementsByTagName("circle")
    assert 400 <= float(circle.getAttribute("cx")) <= 960


def test_the_index_links_what_was_run_and_names_what_was_not() -> None:
    text = index_page({"warm": record()})
    assert "[A <title>](warm.md)" in text
    assert "- start: not run yet" in text
    assert "BEN-006" in text
    assert "| not measured |" in text


def test_targets_are_judged_by_their_bound() -> None:
    results = {"warm": record()}
    assert Target("warm", "ours", "p50", 4).judge(results) == ("4 ms", "reached")
    assert Target("warm", "ours", "p95", 7).judge(results) == ("8 ms", "missed")
    assert Target("warm", "ours", "ratio", 2).judge(results) == ("2 ×", "reached")
    assert Target("warm", "peer", "p50", "ours").judge(results) == ("2 ms", "reached")
    assert Target("warm", "rate", "p50", 6, at_least=True).judge(results)[1] == "missed"
    assert Target("warm", "peer", "ratio", 2).judge(results)[1] == "not measured"
    assert Target("cold", "ours", "p50", 4).judge(results)[1] == "not measured"


def test_alone_it_lists_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name} " in listed for name in NAMES)


def test_every_benchmark_says_what_it_is() -> None:
    for name in NAMES:
        made = benchmark(name)
        assert made.TITLE and len(made.ABOUT) > 80, name


@pytest.mark.parametrize(
    "words", [["nonsense"], ["report", "nonsense"], ["policy", "--runs", "0"], ["compare", "one"]]
)
def test_wrong_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_report_writes_pages_plots_and_results(tmp_path: Path) -> None:
    out = str(tmp_path)
    assert main(["report", "policy", "--quick", "--out", out]) == 0
    assert main(["report", "audit", "--quick", "--out", out]) == 0
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {
        "README.md", "results.json", "policy.md", "policy.svg", "audit.md", "audit.svg",
    }  # fmt: skip
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert set(results) == {"policy", "audit"}, "a second report keeps the first one's"
    assert results["policy"]["machine"]["kernel"].startswith("Linux")
    assert main(["compare", str(tmp_path / "results.json"), str(tmp_path / "results.json")]) == 0
