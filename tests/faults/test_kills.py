"""Signals to the supervisor at any moment of a run: no orphan, no half file, no false record."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from llmspell.supervisor.audit.verify import verify
from tests.e2e.program import Orphanage, Program
from tests.faults import running
from tests.faults.judge import how, judged
from tests.faults.scenarios import NEW, OLD

WRITER = """
for round = 1, 10000 do
  fs.write("kept.txt", params[round % 2 == 0 and "old" or "new"])
end
"""
RUNS = 4
"""Runs that each signal ends, at moments of their own."""


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_run_that_is_ended_from_outside(program: Program, name: str) -> None:
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    for turn in range(RUNS):
        (program.folder / "kept.txt").write_text(OLD, encoding="utf-8")
        program.write("w.lua", WRITER)
        audit = f"{name}-{turn}.jsonl"
        with Orphanage() as orphans:
            running_ = program.start(
                "run", "--profile", "high", "--allow-write", "kept.txt", "--limit", "calls=100000",
                "--param", f"old={OLD}", "--param", f"new={NEW}", "--audit", audit, "w.lua",
            )  # fmt: skip
            wait = moments.uniform(0.02, 0.5)
            time.sleep(wait)
            told = f"seed {seed}, turn {turn}, after {wait:.3f} s"
            running_.send_signal(getattr(signal, name))
            code = running_.wait(10)
            left = orphans.left(grace=1.0)
        assert not left, (left, told)
        assert (program.folder / "kept.txt").read_text(encoding="utf-8") in (OLD, NEW), told
        assert not re.findall(r"\.tmp", " ".join(os.listdir(program.folder))), told
        assert program.litter() == [], told
        record = program.folder / audit
        if not record.exists():  # it was ended before its record was begun
            continue
        report = verify(record)
        if name == "SIGKILL" or code < 0:
            half = report.what in ("the file is empty", "the record is cut in the middle")
            assert report.status == "incomplete" or half, (report, told)
        else:
            assert report.status in ("ok", "incomplete"), (report, code, told)
            assert code in (130, 143, 6), (code, told)


def test_signals_that_are_none_of_our_business_change_nothing(tmp_path: Path) -> None:
    """EINTR at any system call of the supervisor: thousands of signals while it works."""
    cases = [running.case(name) | {"storm": True} for name in ("files", "warm", "net", "work")]
    twins = [running.case(name) for name in ("files", "warm", "net", "work")]
    accounts = running.run([*twins, *cases], tmp_path)
    for twin, account in zip(accounts[:4], accounts[4:], strict=True):
        assert not judged(twin, twin)
        assert account["signals"] > 20
        assert not judged(account, twin)
        assert how(account) == "borne"
