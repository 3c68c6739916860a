"""Agents in real runs: equal in three languages, denied alike, kept for another process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Ended, Program
from tests.e2e.script_api import agent_spells as spells

PROFILES = ("medium", "high")


def run(program: Program, source: str, language: str, *flags: str, turns: str = "") -> Ended:
    name = f"agents{SUFFIXES[language]}"
    program.write(name, source)
    env = {}
    if turns:
        env["LLMSPELL_FAKE_SCRIPT"] = str(program.write("turns.toml", turns))
    return program("run", "--output", "json", *flags, name, env=env)


def value_of(program: Program, source: str, language: str, *flags: str, turns: str = "") -> Any:
    ended = run(program, source, language, *flags, turns=turns)
    result = ended.json()
    assert result["status"] == "done", ended
    return result["value"]


@pytest.mark.parametrize(
    ("language", "profile"), [(name, profile) for name in LANGUAGES for profile in PROFILES]
)
def test_agents_are_equal_in_every_language(program: Program, language: str, profile: str) -> None:
    flags = ("--profile", profile, "--allow-llm", "fake/*", "--allow-tool", "helper")
    source = spells.AGENTS[language]
    found = value_of(program, source, language, *flags, turns=spells.TURNS)
    assert found == spells.AGENTS_VALUE


@pytest.mark.parametrize("language", LANGUAGES)
def test_S48_a_changed_template_object_makes_changed_agents(
    program: Program, language: str
) -> None:
    found = value_of(program, spells.CHANGED_TEMPLATE[language], language, "--profile", "medium")
    assert found == [" Mine.", "calm", "calm", "data_analyst", True, "data_analyst"]


def test_a_denied_tool_is_denied_by_every_way_of_an_agent(program: Program) -> None:
    allowed = value_of(program, spells.DENIED, "lua", "--profile", "medium")
    assert allowed == dict.fromkeys(spells.WAYS, True)
    program.write("policy.toml", 'extends = "medium"\n[tools]\ndeny = ["calculator"]\n')
    flags = ("--policy", "policy.toml", "--audit", "audit.jsonl")
    ended = run(program, spells.DENIED, "lua", *flags)
    result = ended.json()
    expected: dict[str, Any] = {**dict.fromkeys(spells.WAYS, 2006), "wrapped": False}
    assert result["value"] == expected, ended
    lines = (program.folder / "audit.jsonl").read_text().splitlines()
    decided = [json.loads(line) for line in lines if '"decision"' in line]
    refused = [one for one in decided if one["action"] == "tool" and not one["allowed"]]
    assert len(refused) == len(spells.WAYS) == len(result["denials"])
    for one in refused:
        assert (one["target"], one["code"]) == ("calculator", 2006)
        assert one["origin"].startswith("agent:") and one["rule"] == "medium.tools.denied"
    assert not [one for one in decided if one["target"] == "calculator" and one["allowed"]]


WRAPPED = """
local inner = Agent.create({ name = "inner", provider = "fake" })
local outer = Agent.create({ name = "outer", provider = "fake", tools = { inner } })
local ok, answer = pcall(function() return outer:execute_tool("inner", { message = "hi" }) end)
if ok then return answer.response end
return answer.code
"""


def test_an_agent_that_is_a_tool_has_a_tool_s_verdict(program: Program) -> None:
    assert value_of(program, WRAPPED, "lua", "--profile", "medium") == "hi"
    program.write("policy.toml", 'extends = "medium"\n[tools]\ndeny = ["inner"]\n')
    ended = run(program, WRAPPED, "lua", "--policy", "policy.toml", "--audit", "audit.jsonl")
    assert ended.json()["value"] == 2006
    lines = (program.folder / "audit.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines if '"target":"inner"' in line]
    assert [(one["origin"], one["allowed"]) for one in kept] == [("agent:outer", False)]


MODEL = """
local agent = Agent.create({ name = "a", provider = "fake" })
local output = agent:execute("hi")
if params.raises then return agent:chat("hi") end
return { success = output.success, content = output.content,
  code = output.error_info and output.error_info.code }
"""


def test_a_model_that_was_not_granted_is_refused_to_agents(program: Program) -> None:
    assert value_of(program, MODEL, "lua", "--profile", "high") == {
        "success": False,
        "code": 4008,
        "content": "",
    }
    granted = value_of(program, MODEL, "lua", "--profile", "high", "--allow-llm", "fake/*")
    assert granted == {"success": True, "content": "hi"}
    ended = run(program, MODEL, "lua", "--profile", "high", "--param", "raises=true")
    assert ended.code == 3 and "--allow-llm" in ended.out + ended.err


def test_STO_007_an_agent_s_state_is_there_in_another_process(program: Program) -> None:
    assert value_of(program, spells.KEPT, "lua", "--param", "save=true") == "saved"
    found = value_of(program, spells.KEPT, "lua")
    assert found == {"found": True, "n": 2, "k": "v", "said": "hello"}


SAME_NAME = """
local function made(n)
  return Agent.create({ name = "a" .. n, provider = "fake", tools = { { name = "give",
    description = "gives", execute = function() return { result = n } end } } })
end
local one, two = made(1), made(2)
local found = {}
for index, agent in ipairs({ one, two }) do
  local ok, given = pcall(function() return agent:execute_tool("give", {}).result end)
  found[index] = ok and given or given.code
end
one:shutdown()
two:shutdown()
for n = 3, 200 do made(n):shutdown() end
return { found = found, left = #Agent.list() }
"""


def test_two_agents_with_tools_of_one_name_have_each_their_own(program: Program) -> None:
    flags = ("--profile", "medium")
    assert value_of(program, SAME_NAME, "lua", *flags) == {"found": [1, 2], "left": 0}
    program.write("policy.toml", 'extends = "medium"\n[tools]\ndeny = ["give"]\n')
    denied = value_of(program, SAME_NAME, "lua", "--policy", "policy.toml")
    assert denied == {"found": [2006, 2006], "left": 0}


RECURSION = """
local agent
agent = Agent.create({ name = "a", provider = "mock", model = "mock-model", tools = {
  { name = "calculator2", description = "c", execute = function() return {} end } },
  hooks = { before_execution = function() return agent:chat("again") end } })
local output = agent:execute("What is 15 + 27?")
return "ended"
"""


def test_TRT_028_an_agent_that_calls_itself_through_the_spell_ends(program: Program) -> None:
    """A hook's own limit of time, or the bound of requests at one agent, ends it; nothing hangs."""
    ended = run(program, RECURSION, "lua", "--limit", "wall=20s")
    assert ended.json()["value"] == "ended", ended
    assert ended.seconds < 18
