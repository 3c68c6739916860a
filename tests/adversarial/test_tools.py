"""A denied tool: out of reach by hook, own tool, pipeline, workflow, agent; beside the twin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adversarial.tools_spell import SPELLS, WAYS
from tests.e2e.program import LANGUAGES, SUFFIXES, Program

POLICY = """
extends = "medium"
[tools]
deny = ["calculator"]
"""


def attempts(program: Program, language: str, *flags: str) -> dict[str, Any]:
    """What each way came to: the tool's result, or code and rule of the error."""
    (program.folder / "tools.jsonl").unlink(missing_ok=True)
    given = ("--audit", "tools.jsonl", "--param", f"ways={json.dumps(WAYS)}")
    result = program.result(SPELLS[language], SUFFIXES[language], *flags, *given)
    assert result["status"] == "done", result
    value: dict[str, Any] = result["value"]
    return value


def verdicts(program: Program) -> list[bool]:
    """Every verdict on the calculator that the record holds, with 2006 for each denial."""
    lines = (program.folder / "tools.jsonl").read_text().splitlines()
    asked = [
        item
        for item in map(json.loads, lines)
        if item.get("action") == "tool" and item["target"] == "calculator"
    ]
    assert all(item["allowed"] or item["code"] == 2006 for item in asked)
    return [item["allowed"] for item in asked]


@pytest.mark.parametrize("language", LANGUAGES)
def test_COD_2006_a_denied_tool_is_out_of_reach(program: Program, language: str) -> None:
    program.write("deny.toml", POLICY)
    denied = attempts(program, language, "--policy", "deny.toml")
    expected = dict.fromkeys(WAYS, "2006 medium.tools.denied")
    # What its agent is told reaches the spell as the agent's words.
    assert denied == {**expected, "wrapped_agent": "denied tool calculator"}
    asked = verdicts(program)
    assert len(asked) == len(WAYS) and not any(asked)
    assert program("audit", "verify", "tools.jsonl").code == 0
    allowed = attempts(program, language, "--profile", "medium")
    assert allowed == dict.fromkeys(WAYS, 42), "the same ways where the tool is allowed"
    assert all(verdicts(program))
