"""The seeds' integration scenarios, as spells against the scripted model (TST-017 to TST-019)."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.e2e.program import Program

SAVES_TURNS: Final = """
[[turn]]
expect = { contains = "15 + 27", tools = ["calculator", "file_writer"] }
[[turn.tool_calls]]
name = "calculator"
arguments = { expression = "15 + 27" }

[[turn]]
expect = { contains = "42" }
[[turn.tool_calls]]
name = "file_writer"
arguments = { path = "result.txt", content = "42" }

[[turn]]
text = "saved"
"""

SAVES: Final = """
local agent = Agent.create({ name = "worker", provider = "fake", model = "script",
  tools = { "calculator", "file_writer" }, max_iterations = 5 })
local output = agent:execute("Calculate 15 + 27 and save the result to a file called 'result.txt'")
agent:save_state()
local kept = #agent:history()
agent:restore_state()
return { text = output.content, kept = kept, restored = #agent:history(),
  iterations = output.metadata.iterations, tools = output.metadata.tools_used }
"""


def done(program: Program, source: str, turns: str, *flags: str) -> dict[str, Any]:
    program.write("scenario.lua", source)
    env = {"LLMSPELL_FAKE_SCRIPT": str(program.write("turns.toml", turns))}
    words = ("run", "--profile", "medium", "--allow-llm", "fake/*", "--output", "json", *flags)
    result = program(*words, "scenario.lua", env=env).json()
    assert result["status"] == "done", result
    value: dict[str, Any] = result["value"]
    return value


def test_TST_017_an_agent_computes_and_saves_and_is_kept(program: Program) -> None:
    grants = ("--allow-read", "result.txt", "--allow-write", "result.txt")
    value = done(program, SAVES, SAVES_TURNS, *grants, "--audit", "audit.jsonl")
    assert value["text"] == "saved"
    assert value["kept"] == value["restored"] > 0
    assert value["iterations"] == 3
    assert value["tools"] == ["calculator", "file_writer"]
    assert "42" in (program.folder / "result.txt").read_text()
    lines = (program.folder / "audit.jsonl").read_text().splitlines()
    decided = [json.loads(line) for line in lines if '"decision"' in line]
    used = {one["target"] for one in decided if one["origin"] == "agent:worker"}
    assert {"calculator", "file_writer"} <= used


TOGETHER_TURNS: Final = """
[[turn]]
expect = { contains = "Rust async programming" }
text = "Rust has async functions"

[[turn]]
expect = { contains = "Rust has async functions" }
text = "analysis of: Rust has async functions"

[[turn]]
expect = { contains = "analysis of:" }
text = "An article: Rust and its async runtimes"
"""

TOGETHER: Final = """
local function member(name)
  return Agent.create({ name = name, provider = "fake", model = "script" })
end
local researcher, analyst, writer = member("researcher"), member("analyst"), member("writer")
local flow = Workflow.sequential({ name = "research_and_write", steps = {
  { name = "research", agent = researcher, input = "Rust async programming" },
  { name = "analyze", agent = analyst, input = "{{steps.research}}" },
  { name = "write", agent = writer, input = "{{steps.research}} {{steps.analyze}}" },
} })
local ended = flow:execute({})
local states = {}
for _, name in ipairs({ "research", "analyze", "write" }) do
  states[#states + 1] = ended.steps[name].status
end
return { states = states, final = ended.output, steps = ended.steps }
"""


def test_TST_018_three_agents_hand_on_what_they_made(program: Program) -> None:
    value = done(program, TOGETHER, TOGETHER_TURNS)
    assert value["states"] == ["completed"] * 3
    assert "Rust" in json.dumps(value["final"]) and "async" in json.dumps(value["final"])


HOOKED: Final = """
local log, heard = {}, {}
local function noting(word) return function() log[#log + 1] = word end end
Hooks.register("before_agent_execution", { handler = noting("before"), priority = 100 })
Hooks.register("after_agent_execution", { handler = noting("after"), priority = 100 })
Events.subscribe("agent_*", function(event) heard[#heard + 1] = event.type end)
local agent = Agent.create({ name = "a", provider = "fake", model = "script" })
agent:execute("Test hook integration")
return { log = log, heard = heard }
"""


def test_TST_019_hooks_run_and_two_events_are_heard(program: Program) -> None:
    value = done(program, HOOKED, '[[turn]]\ntext = "hooked"\n')
    assert value["log"] == ["before", "after"]
    assert {"agent_execution_started", "agent_execution_completed"} <= set(value["heard"])
