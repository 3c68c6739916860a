"""`runner.py` (orders on stdin): runs tests with and without each mutant, one fork for each.

What pytest and the standard library cost to import is paid once: this process imports them, never
llmspell, and each mutant's process is a fork of it that mutates the module as it is imported.
Orders: JSON `{"changes": [[name, module, old, new, what, tests]…], "at_once": n}`. Answers: JSON
`{name: {"failed": [[test, exception]…], "passed": [test…], "wrong": why}}`; "" is no mutant.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Final

import pytest

from tests.mutants.source import ROOT, Change, Importer

LONGEST: Final = 60
"""Seconds one mutant's tests may take: a mutant that hangs them is not caught by them."""

OPTIONS: Final = (
    *("-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"),
)
"""Plugins are named: to look for all that are installed costs each fork a tenth of its time."""


class Heard:
    """A pytest plugin that keeps how each test ended."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.wrong = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """A failure counts only in the test itself, not in what was made ready for it."""
        report = (yield).get_result()
        if report.passed and report.when == "call":
            self.passed.append(item.nodeid)
        elif report.failed and report.when == "call" and call.excinfo is not None:
            self.failed.append((item.nodeid, call.excinfo.typename))
        elif report.failed or report.skipped:
            self.wrong = self.wrong or f"{item.nodeid}: {report.when}: {report.longreprtext}"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tests that can't be collected prove nothing."""
        if report.failed:
            self.wrong = self.wrong or f"{report.nodeid}: {report.longreprtext}"


def told(change: Change | None, tests: tuple[str, ...]) -> dict[str, Any]:
    """What the tests say of the mutant (of no mutant: None). Runs in a process of its own."""
    heard = Heard()
    importer = None if change is None else Importer(change)
    if importer is not None:
        importer.install()
    options = [*OPTIONS, "--basetemp", tempfile.mkdtemp(prefix="llmspell-mutant-")]
    pytest.main([*options, *tests], plugins=[heard])
    if importer is not None and not importer.loaded:
        heard.wrong = heard.wrong or "the tests never import the module"
    return {"failed": heard.failed, "passed": heard.passed, "wrong": heard.wrong}


def fork(change: Change | None, tests: tuple[str, ...], answer: Path) -> int:
    """Starts the tests in a fork of this process; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm(LONGEST)
        log = os.open(answer.with_suffix(".log"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        answer.write_text(json.dumps(told(change, tests)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def main() -> None:
    """Runs the orders and prints the answers."""
    orders = json.load(sys.stdin)
    changes = [Change(*fields) for fields in orders["changes"]]
    tests = tuple(dict.fromkeys(test for change in changes for test in change.caught_by))
    jobs: list[tuple[Change | None, tuple[str, ...]]] = [(None, tests)]
    jobs += [(change, tuple(change.caught_by)) for change in changes]
    assert not any(name.split(".")[0] == "llmspell" for name in sys.modules)
    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="llmspell-mutants-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        running: dict[int, tuple[str, Path]] = {}
        while jobs or running:
            while jobs and len(running) < orders["at_once"]:
                change, named = jobs.pop(0)
                name = "" if change is None else change.name
                path = Path(folder, f"{name or 'none'}.json")
                running[fork(change, named, path)] = name, path
            pid, status = os.wait()
            name, path = running.pop(pid)
            if path.exists():
                answers[name] = json.loads(path.read_text())
            else:
                log = path.with_suffix(".log").read_text(errors="replace")
                answers[name] = {
                    "failed": [],
                    "passed": [],
                    "wrong": f"ended by {status}: {log[-2000:]}",
                }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # What the tests import that no mutant is of.
    import asyncio  # noqa: F401
    import concurrent.futures  # noqa: F401
    import ssl  # noqa: F401

    import hypothesis  # noqa: F401

    main()
