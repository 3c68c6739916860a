"""What the seeds expect wrongly (X71): shown by running it with the tool that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import llmspell
from tests.seeds.scripts import BY_NAME
from tests.seeds.test_seeds import needs_seeds


@needs_seeds
@pytest.mark.parametrize(("factor", "gives"), [(1, 20), (2, 80)])
def test_X71_neither_an_echo_nor_a_doubling_tool_gives_40(
    factor: int, gives: int, tmp_path: Path
) -> None:
    mock_tool = f"""Tools.create("mock_tool", {{ description = "a stand-in",
    execute = function(input) return {{ value = input.value * {factor} }} end }})\n"""
    spell = tmp_path / "spell.lua"
    spell.write_text(mock_tool + BY_NAME["S24"].text(), "utf-8")
    result = llmspell.run(spell, profile="medium", grants=("llm:mock",))
    assert result.error is not None
    assert (result.error.code, result.error.kind) == (4002, "test_failed")
    assert "3 passed, 1 failed" in result.output
    assert f"Step 2 should double step 1 result: expected 40, got {gives}" in result.output
