"""`[hooks]` of the user's own file: every bound only smaller (HOOK-030)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmspell.config.hooks import HookSettings, check_hooks, load_hooks
from llmspell.errors import ConfigurationError

SEEDS = """
[hooks]
enabled = true
max_hooks_per_point = 10
execution_timeout = 5000
priority_range_min = 0
priority_range_max = 1000
parallel_execution = true
error_handling = "continue"
"""


def test_HOOK_030_the_seeds_section_is_what_holds_without_one(tmp_path: Path) -> None:
    path = tmp_path / "llmspell.toml"
    path.write_text(SEEDS)
    assert load_hooks({"LLMSPELL_CONFIG_PATH": str(path)}) == HookSettings()
    assert load_hooks({"LLMSPELL_CONFIG_PATH": str(tmp_path / "none.toml")}) == HookSettings()
    assert check_hooks({"execution_timeout": 250, "error_handling": "stop"}, "here") == (
        HookSettings(seconds=0.25, on_failure="stop")
    )


@pytest.mark.parametrize(
    "table",
    [
        {"max_hooks_per_point": 11},
        {"execution_timeout": 5_001},
        {"execution_timeout": True},
        {"priority_range_min": 9, "priority_range_max": 8},
        {"error_handling": "panic"},
        {"enabled": "yes"},
        {"script": "x"},
    ],
)
def test_HOOK_030_no_bound_is_loosened(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="here: hooks"):
        check_hooks(table, "here")
