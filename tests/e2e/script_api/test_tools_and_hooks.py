"""Tools of a spell's own, pipelines and hooks: equal in three languages, at medium and at high."""

from __future__ import annotations

import json

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Program
from tests.e2e.script_api import tool_spells


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_in_each_language(program: Program, language: str, profile: str) -> None:
    source, suffix = tool_spells.SPELLS[language], SUFFIXES[language]
    result = program.result(source, suffix, "--profile", profile, "--audit", "a.jsonl")
    assert result["status"] == "done", result
    assert result["value"] == tool_spells.VALUE
    assert result["output"] == "the end\n"
    lines = (program.folder / "a.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    hooks = [(r["details"]["point"], r["action"]) for r in records if r["event"] == "hook"]
    assert ("before_tool_execution", "modify") in hooks
    asked = [r["target"] for r in records if r.get("action") == "tool" and r["allowed"]]
    assert asked.count("adder") == 5 and asked.count("calculator") == 1
    assert program("audit", "verify", "a.jsonl").code == 0


UNAWAITED = """
HookManager.getInstance().registerHook("mine", (context) => ({n: context.n + 1}));
return (await Hooks.execute("mine", {n: 1})).context;
"""


def test_API_091_the_manager_is_there_at_once_so_its_hooks_stand_before_the_next_call(
    program: Program,
) -> None:
    assert program.result(UNAWAITED, ".js")["value"] == {"n": 2}


SLOW = """
local t = Tools.create("slow", {timeout = 0.2, execute = function() Async.sleep(5000) end})
Hooks.register("before_tool_execution", {timeout = "100ms", on_failure = params.policy,
  handler = function() Async.sleep(5000) end})
local ok, e = pcall(t.execute, {})
return {code = e.code, kind = e.kind, stats = Hooks.get_stats().total_timeouts}
"""


@pytest.mark.alone
def test_COD_5003_and_2008_a_slow_hook_and_a_slow_tool(program: Program) -> None:
    stopped = program.result(SLOW, ".lua", "--param", "policy=stop")
    assert stopped["value"] == {"code": 5003, "kind": "timeout", "stats": 1}
    went_on = program.result(SLOW, ".lua", "--param", "policy=continue")
    assert went_on["value"] == {"code": 2008, "kind": "timeout", "stats": 1}


RECURSIVE = """
local deepest, depth = 0, 0
local t
t = Tools.create("again", {execute = function(input)
  depth = depth + 1
  deepest = math.max(deepest, depth)
  local ok, e = pcall(t.execute, {})
  depth = depth - 1
  if not ok then error(e) end
end})
local ok, e = pcall(t.execute, {})
Hooks.register("before_tool_execution", function()
  Tools.execute("calculator", {expression = "1"})
end)
local hooked = Tools.execute("calculator", {expression = "2"})
return {code = e.code, deepest = deepest, hooked = hooked.result}
"""


def test_tools_and_hooks_that_call_themselves_end_typed(program: Program) -> None:
    result = program.result(RECURSIVE, ".lua", "--profile", "medium")
    assert result["status"] == "done", result
    value = result["value"]
    assert value["code"] == 4009 and value["deepest"] <= 64
    assert value["hooked"] == 2


PROMPTS = {
    "lua": """
Hooks.register("before_llm_call", {priority = 100, handler = function(context)
  context.prompt = "Enhanced: " .. context.prompt
  return context
end})
local asked = llm.complete({prompt = "one", provider = "fake", model = "echo"})
local agent = Agent.create({name = "a", provider = "fake", model = "echo"})
return {asked.content or asked, agent:chat("two")}
""",
    "javascript": """
await Hooks.register("beforeLlmCall", {priority: 100, handler: async context => {
  context.prompt = "Enhanced: " + context.prompt;
  return context;
}});
const asked = await llm.complete({prompt: "one", provider: "fake", model: "echo"});
const agent = await Agent.create({name: "a", provider: "fake", model: "echo"});
return [asked.content ?? asked, await agent.chat("two")];
""",
    "python": """
async def enhance(context):
    context["prompt"] = "Enhanced: " + context["prompt"]
    return context

await Hooks.register("BeforeLLMCall", {"priority": 100, "handler": enhance})
asked = await llm.complete({"prompt": "one", "provider": "fake", "model": "echo"})
agent = await Agent.create({"name": "a", "provider": "fake", "model": "echo"})
[asked["content"] if isinstance(asked, dict) else asked, await agent.chat("two")]
""",
}


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_HOOK_014_a_hook_rewrites_a_prompt(program: Program, language: str, profile: str) -> None:
    flags = ("--profile", profile, "--allow-llm", "fake/*")
    result = program.result(PROMPTS[language], SUFFIXES[language], *flags)
    assert result["value"] == ["Enhanced: one", "Enhanced: two"], result


FUNCTIONS = {
    "lua": """
Tools.create("sieve", {execute = function(input)
  local kept = {}
  for _, n in ipairs(input.numbers) do if input.steps[1].test(n) then kept[#kept + 1] = n end end
  return {kept = kept, more = input.steps[1].more, data = type(input.data["$callback"])}
end})
local answer = Tools.execute("sieve", {numbers = {1, 2, 3, 4}, data = {["$callback"] = 1, x = 1},
  steps = {{test = function(n) return n > 2 end, more = "m"}}})
return {answer.result.kept, answer.more, answer.data}
""",
    "javascript": """
await Tools.create("sieve", {execute: async ({numbers, steps, data}) => {
  const kept = [];
  for (const n of numbers) if (await steps[0].test(n)) kept.push(n);
  return {kept, more: steps[0].more, data: typeof data["$callback"]};
}});
const answer = await Tools.execute("sieve", {numbers: [1, 2, 3, 4], data: {"$callback": 1, x: 1},
  steps: [{test: (n) => n > 2, more: "m"}]});
return [answer.result.kept, answer.more, answer.data];
""",
    "python": """
async def sieve(input):
    step = input["steps"][0]
    kept = [n for n in input["numbers"] if step["test"](n)]
    return {"kept": kept, "more": step["more"], "data": "number"}

await Tools.create("sieve", {"execute": sieve})
answer = await Tools.execute("sieve", {"numbers": [1, 2, 3, 4], "data": {"$callback": 1, "x": 1},
    "steps": [{"test": lambda n: n > 2, "more": "m"}]})
[answer.result.kept, answer.more, answer.data]
""",
}


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_S32_a_function_in_the_input_of_a_tool_of_the_spell_s_own(
    program: Program, language: str, profile: str
) -> None:
    result = program.result(FUNCTIONS[language], SUFFIXES[language], "--profile", profile)
    assert result["value"] == [[3, 4], "m", "number"], result
