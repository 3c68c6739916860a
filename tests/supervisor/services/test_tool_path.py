"""The way of a built-in tool's plain call: straight to the tool bench, nothing else imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import llmspell
spell = llmspell.Spell.from_source(sys.argv[1], language="lua")
result = llmspell.run(spell, profile="medium")
assert result.status.value == "done", result.error
rooms = ("llmspell.spells.tools", "llmspell.spells.hooks", "llmspell.spells.events",
         "llmspell.supervisor.services.tools", "llmspell.supervisor.services.hooks")
print(json.dumps([result.value, sorted(n for n in sys.modules if n.startswith(rooms))]))
"""

PLAIN = 'return Tools.execute("calculator", {expression = "40 + 2"}).result'
OWN = """
Tools.create("own", {execute = function(input)
  return Tools.execute("calculator", input).result
end})
return Tools.execute("own", {expression = "40 + 2"}).result
"""


def imported(source: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    value, modules = json.loads(done.stdout)
    assert value == 42
    names: list[str] = modules
    return names


@pytest.mark.parametrize(("source", "used"), [(PLAIN, False), (OWN, True)])
def test_a_plain_call_of_a_built_in_tool_imports_no_service(source: str, used: bool) -> None:
    modules = imported(source)
    assert ("llmspell.supervisor.services.tools" in modules) is used
    assert bool(modules) is used
    assert "llmspell.spells.tools.pipelines" not in modules
    assert "llmspell.spells.hooks.builtin" not in modules
