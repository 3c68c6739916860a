"""`python -m bench`: list, run, report and compare."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.catalogue import NAMES, benchmark
from bench.figures import show
from bench.rounds import Settings

USAGE = """python -m bench                        lists the benchmarks
python -m bench NAME [--json] [--runs N] [--quick]
python -m bench report [NAME…] [--runs N] [--quick] [--out FOLDER]
python -m bench compare OLD NEW        regressions between two files of figures"""


def main(words: list[str]) -> int:
    """Exit code 0, 1 for a critical regression, 2 for wrong usage."""
    if not words or words[0] in ("-h", "--help"):
        print(USAGE, "", *(f"{name:<12}{text}" for name, text in NAMES.items()), sep="\n")
        return 0
    if words[0] == "compare":
        return _compare(words[1:])
    if words[0] == "report":
        return _report(words[1:])
    return _one(words)


def _one(words: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench", usage=USAGE)
    parser.add_argument("name", choices=list(NAMES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", metavar="FILE", help="also write all that a report needs")
    _settings(parser)
    chosen = parser.parse_args(words)
    outcome = benchmark(chosen.name).measure(Settings.of(chosen.runs, chosen.quick))
    for missing in outcome.left_out:
        print(f"left out: {missing.name}: {missing.reason}", file=sys.stderr)
    if chosen.record is not None:
        from bench.report import record

        Path(chosen.record).write_text(json.dumps(record(chosen.name, outcome)), "utf-8")
    show(outcome.figures, as_json=chosen.json)
    return 0


def _report(words: list[str]) -> int:
    from bench.report import report

    parser = argparse.ArgumentParser("python -m bench report", usage=USAGE)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--out", default=str(Path(__file__).parent.parent / "docs" / "benchmarks"))
    _settings(parser)
    chosen = parser.parse_args(words)
    wrong = [name for name in chosen.names if name not in NAMES]
    if wrong:
        parser.error(f"there is no benchmark {', '.join(wrong)}")
    return report(chosen.names or list(NAMES), Settings.of(chosen.runs, chosen.quick), chosen.out)


def _compare(words: list[str]) -> int:
    from bench.compare import compare_files

    parser = argparse.ArgumentParser("python -m bench compare", usage=USAGE)
    parser.add_argument("old")
    parser.add_argument("new")
    chosen = parser.parse_args(words)
    return compare_files(chosen.old, chosen.new)


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=_count, default=None, help="samples per row (50)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 3 samples, few rows")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
