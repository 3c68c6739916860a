"""Workflows in real runs: equal in three languages, denied alike, restored in another process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Program
from tests.e2e.script_api import workflow_spells as spells

PROFILES = ("medium", "high")


def value_of(program: Program, source: str, language: str, *flags: str) -> Any:
    name = f"flow{SUFFIXES[language]}"
    program.write(name, source)
    ended = program("run", "--output", "json", *flags, name)
    result = ended.json()
    assert result["status"] == "done", ended
    return result["value"]


@pytest.mark.parametrize(
    ("language", "profile"), [(name, profile) for name in LANGUAGES for profile in PROFILES]
)
def test_a_parallel_workflow_with_a_failing_branch_under_each_strategy(
    program: Program, language: str, profile: str
) -> None:
    found = value_of(program, spells.STRATEGIES[language], language, "--profile", profile)
    for outcome in found.values():
        if "message" in outcome:
            assert outcome["message"].endswith("boom")
            outcome["message"] = "…boom"
    assert found == spells.STRATEGIES_VALUE


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_WF_014_a_checkpoint_is_restored_in_another_process(
    program: Program, language: str, profile: str
) -> None:
    source = spells.DURABLE[language]
    flags = ("--profile", profile, "--param")
    assert value_of(program, source, language, *flags, "breaks=true") == spells.BROKEN_VALUE
    assert value_of(program, source, language, *flags, "breaks=false") == spells.RESTORED_VALUE


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_every_kind_and_control_from_one_spell(program: Program, profile: str) -> None:
    found = value_of(program, spells.EVERYTHING, "lua", "--profile", profile)
    assert found == spells.EVERYTHING_VALUE


DENIED = """
local reached = {}
local ways = {
  step = function(tool) return Workflow.sequential({ { name = "s", tool = tool,
    input = INPUT } }) end,
  handle = function(tool) return Workflow.pipeline({ { component = { handle = "tool", id = tool,
    name = tool }, input = INPUT } }) end,
  parallel = function(tool) return Workflow.parallel({ steps = { { tool = tool,
    input = INPUT } }, error_strategy = "stop" }) end,
  branch = function(tool) return Workflow.conditional({ condition = true, if_true = {
    tool = tool, input = INPUT } }) end,
  loop = function(tool) return Workflow.loop({ times = 1, body = { tool = tool,
    input = INPUT } }) end,
  map = function(tool) return Workflow.fan_out({ items = { 1 }, step = { tool = tool,
    input = INPUT }, error_strategy = "stop" }) end,
  fallback = function(tool) return Workflow.sequential({ { run = function() error("x") end,
    fallback_tool = tool, input = INPUT } }) end,
  nested = function(tool) return Workflow.sequential({ { workflow = Workflow.sequential({ {
    tool = tool, input = INPUT } }) } }) end,
  cast = function(tool) return Spell.create({ workflow = Workflow.sequential({ { tool = tool,
    input = INPUT } }) }) end,
}
for name, make in pairs(ways) do
  local ok, problem = pcall(function()
    local made = make("calculator")
    if made.cast then return made:cast() end
    return made:execute()
  end)
  reached[name] = ok or problem.code
end
return reached
""".replace("INPUT", '{ expression = "1+1" }')

WAYS = ("step", "handle", "parallel", "branch", "loop", "map", "fallback", "nested", "cast")


def test_a_denied_tool_is_denied_by_every_way_of_a_workflow(program: Program) -> None:
    allowed = value_of(program, DENIED, "lua", "--profile", "medium")
    assert allowed == dict.fromkeys(WAYS, True)
    program.write("policy.toml", 'extends = "medium"\n[tools]\ndeny = ["calculator"]\n')
    program.write("flow.lua", DENIED)
    ended = program(
        "run", "--output", "json", "--policy", "policy.toml", "--audit", "audit.jsonl", "flow.lua"
    )
    result = ended.json()
    assert result["value"] == dict.fromkeys(WAYS, 2006), ended
    assert len(result["denials"]) == len(WAYS)
    lines = (program.folder / "audit.jsonl").read_text().splitlines()
    decided = [json.loads(line) for line in lines if '"decision"' in line]
    refused = [entry for entry in decided if entry.get("action") == "tool"]
    assert len(refused) == len(WAYS)
    for entry in refused:
        assert entry["allowed"] is False and entry["code"] == 2006
        assert entry["target"] == "calculator" and entry["origin"].startswith("workflow:")


def test_a_step_that_is_a_spell_of_another_language(program: Program) -> None:
    program.write("double.py", "params['n'] * 2\n")
    source = """
    local flow = Workflow.sequential({
      { name = "twice", spell = "double.py", input = { n = "{{n}}" }, output = "doubled" },
      { name = "more", run = function(context) return context.doubled + 1 end } })
    return flow:execute({ n = 20 }).output
    """
    assert value_of(program, source, "lua", "--profile", "medium") == 41


HOOKED = """
Hooks.register("before_workflow_step", function(context)
  if context.step_name == "changed" then
    context.input = { expression = "6 * 7" }
    return context
  end
  if context.step_name == "sent" then
    context.tool = "calculator"
    return { action = "redirect", context = context }
  end
end)
local function outcome(flow)
  local ok, result = pcall(function() return flow:execute({}) end)
  return ok and result.output.result or result.code
end
local input = { expression = "1 + 1" }
local chain = Workflow.sequential({ name = "chain", steps = { { name = "again",
  workflow = "chain" } } })
return {
  changed = outcome(Workflow.sequential({ { name = "changed", tool = "calculator",
    input = input } })),
  sent = outcome(Workflow.sequential({ { name = "sent", tool = "uuid_generator",
    input = input } })),
  chain = outcome(chain),
}
"""


@pytest.mark.parametrize(
    ("policy", "changed", "sent"), [("", 42, 2), ('[tools]\ndeny = ["calculator"]\n', 2006, 2006)]
)
def test_what_a_hook_makes_of_a_step_is_judged_and_depth_ends(
    program: Program, policy: str, changed: int, sent: int
) -> None:
    program.write("policy.toml", f'extends = "medium"\n{policy}')
    found = value_of(program, HOOKED, "lua", "--policy", "policy.toml")
    assert found == {"changed": changed, "sent": sent, "chain": 4009}


def test_events_of_a_workflow_reach_the_spell(program: Program) -> None:
    source = """
    local seen = {}
    Events.subscribe("workflow_*", function(event)
      seen[#seen + 1] = event.type .. ":" .. tostring(event.success_rate or event.code or "")
    end)
    local good = Workflow.sequential({ name = "good", steps = { {
      run = function() return 1 end } } })
    good:execute()
    local bad = Workflow.sequential({ name = "bad", steps = { {
      run = function() error("x") end } } })
    pcall(function() bad:execute() end)
    Async.sleep(100)
    return seen
    """
    assert value_of(program, source, "lua", "--profile", "medium") == [
        "workflow_started:",
        "workflow_step_started:",
        "workflow_step_completed:",
        "workflow_complete:100",
        "workflow_started:",
        "workflow_step_started:",
        "workflow_step_completed:4002",
        "workflow_error:3004",
    ]
