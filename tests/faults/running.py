"""Runs cases in a process of their own and judges them against their twins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults.judge import judged

Case = dict[str, Any]
Account = dict[str, Any]


def case(scenario: str, faults: Iterable[tuple[str, str]] = (), **given: Any) -> Case:
    """One case: each fault a site and a failure, at the site's first use."""
    return {
        "scenario": scenario,
        "faults": [[site, kind, 1] for site, kind in faults],
        "given": given,
        "trace": not faults,
    }


def run(cases: list[Case], place: Path, cache: str | None = None) -> list[Account]:
    """The accounts of all cases, in their order."""
    order = place / "cases.json"
    kept = Path(cache or os.environ.get("LLMSPELL_TEST_CACHE") or place / "cache")
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    order.write_text(json.dumps({"cache": str(kept), "cases": cases}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.child", str(order)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1_800,
        env={**os.environ, "TMPDIR": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    accounts: list[Account] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(accounts) == len(cases), (len(accounts), len(cases), done.stderr[-3000:])
    return accounts


def wrong_with(account: Account, twin: Account) -> list[str]:
    """What is wrong with a run that faults were to strike; the case stands before each."""
    found = judged(account, twin)
    if not account.get("hung") and "broken" not in account:
        wanted = len(account["case"]["faults"])
        if account["struck"] < wanted:
            found.append(f"only {account['struck']} of {wanted} faults struck: the site moved")
    return [f"{account['case']['faults']}: {words}" for words in found]
