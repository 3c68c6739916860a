"""A plugin for `--collect-only`: prints which case is shown at which profile."""

from __future__ import annotations

from typing import Any

from tests.adversarial.proof import pairs_of


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per case and profile."""
    for case, profile in sorted(pairs_of(terminalreporter._session.items)):
        terminalreporter.write_line(f"shown {case} {profile}")
