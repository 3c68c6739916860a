"""Agents, tools and hooks give equal results in three languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import llmspell

LANGUAGES = {"lua": "lua", "javascript": "js", "python": "py"}
PROFILES = ("medium", "high")

AGENT_TURNS = """
order = "any"
[[turn]]
expect = { user = "start", tools = ["doubler", "calculator", "helper"] }
tool_calls = [
  { name = "doubler", arguments = { n = 4 } },
  { name = "calculator", arguments = { expression = "1 + 2" } },
  { name = "helper", arguments = { input = "look" } },
]
[[turn]]
expect = { user = "look" }
text = "helped"
[[turn]]
expect = { contains = ["8", "3", "helped"] }
text = "all done"
"""

AGENT = {
    "lua": """
local calls = {}
local doubler = Tools.create("doubler", {
  description = "doubles",
  input_schema = { type = "object", properties = { n = { type = "integer" } }, required = { "n" } },
  execute = function(input) calls[#calls + 1] = input.n return { result = input.n * 2 } end,
})
local helper = Agent.new({ name = "helper", provider = "mock", model = "m" })
local agent = Agent.new({ name = "chief", provider = "mock", model = "m",
  tools = { doubler, "calculator", helper } })
local out = agent:execute({ input = "start" })
local tools = {}
for _, call in ipairs(out.tool_calls) do tools[#tools + 1] = call.name end
return { success = out.success, output = out.output, tools = tools, calls = calls }
""",
    "javascript": """
const calls = [];
const doubler = await Tools.create("doubler", {
  description: "doubles",
  inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
  execute: async (input) => { calls.push(input.n); return { result: input.n * 2 }; },
});
const helper = new Agent({ name: "helper", provider: "mock", model: "m" });
const agent = new Agent({ name: "chief", provider: "mock", model: "m",
  tools: [doubler, "calculator", helper] });
const out = await agent.execute({ input: "start" });
return { success: out.success, output: out.output, tools: out.toolCalls.map((c) => c.name), calls };
""",
    "python": """
calls = []
def double(input):
    calls.append(input["n"])
    return {"result": input["n"] * 2}
schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
doubler = await Tools.create("doubler", description="doubles", input_schema=schema, execute=double)
helper = Agent(name="helper", provider="mock", model="m")
agent = Agent(name="chief", provider="mock", model="m", tools=[doubler, "calculator", helper])
out = await agent.execute({"input": "start"})
tools = [call["name"] for call in out["tool_calls"]]
{"success": out["success"], "output": out["output"], "tools": tools, "calls": calls}
""",
}

HOOK = {
    "lua": """
local seen = {}
Hooks.register("before_llm_call", function(context)
  seen[#seen + 1] = context.messages[#context.messages].content
  context.messages[#context.messages].content = "enhanced"
  return context
end)
local agent = Agent.new({ name = "a", provider = "mock", model = "echo" })
return { agent:chat("plain"), seen, Hooks.get_stats().total_executions }
""",
    "javascript": """
const seen = [];
await Hooks.register("beforeLlmCall", async (context) => {
  seen.push(context.messages.at(-1).content);
  context.messages.at(-1).content = "enhanced";
  return context;
});
const agent = new Agent({ name: "a", provider: "mock", model: "echo" });
return [await agent.chat("plain"), seen, (await Hooks.getStats()).totalExecutions];
""",
    "python": """
seen = []
async def enhance(context):
    seen.append(context["messages"][-1]["content"])
    context["messages"][-1]["content"] = "enhanced"
    return context
await Hooks.register("before_llm_call", enhance)
agent = Agent(name="a", provider="mock", model="echo")
answer = await agent.chat("plain")
[answer, seen, (await Hooks.get_stats())["total_executions"]]
""",
}

PIPELINE = {
    "lua": """
Tools.create("double", { execute = function(input) return { result = input.n * 2 } end })
local pipeline = Tools.createPipeline({ name = "p", steps = {
  { tool = "double", input = { n = "{{input.start}}" }, output = "first" },
  { tool = "double", output = "second",
    input = function(context) return { n = context.first + 1 } end },
} })
return pipeline:execute({ start = 5 }).outputs
""",
    "javascript": """
await Tools.create("double", { execute: (input) => ({ result: input.n * 2 }) });
const pipeline = await Tools.createPipeline({ name: "p", steps: [
  { tool: "double", input: { n: "{{input.start}}" }, output: "first" },
  { tool: "double", input: (context) => ({ n: context.first + 1 }), output: "second" },
] });
return (await pipeline.execute({ start: 5 })).outputs;
""",
    "python": """
await Tools.create("double", execute=lambda input: {"result": input["n"] * 2})
pipeline = await Tools.create_pipeline({"name": "p", "steps": [
    {"tool": "double", "input": {"n": "{{input.start}}"}, "output": "first"},
    {"tool": "double", "input": lambda context: {"n": context["first"] + 1}, "output": "second"},
]})
(await pipeline.execute({"start": 5}))["outputs"]
""",
}

DENIED = {
    "lua": """
local request = { method = "GET", url = "http://10.0.0.1/" }
local ok, problem = pcall(function() return Tools.httpClient:execute(request) end)
local http = HttpTool.new({ timeout = 1 })
local again, other = pcall(function() return http:call(request) end)
return { ok, problem.code, again, other.code }
""",
    "javascript": """
const request = { method: "GET", url: "http://10.0.0.1/" };
const codes = [];
try { await Tools.httpClient.execute(request); } catch (e) { codes.push(false, e.code); }
const http = new HttpTool({ timeout: 1000 });
try { await http.call(request); } catch (e) { codes.push(false, e.code); }
return codes;
""",
    "python": """
request = {"method": "GET", "url": "http://10.0.0.1/"}
codes = []
try:
    await Tools.http_client.execute(request)
except LLMSpellError as error:
    codes += [False, error.code]
try:
    await HttpTool(timeout=1).call(request)
except LLMSpellError as error:
    codes += [False, error.code]
codes
""",
}

OLDER = {
    "lua": """
local agent = llm.agent({ provider = "mock", model = "echo", system = "s" })
local reply = llm.complete({ provider = "mock", model = "echo",
  messages = { { role = "user", content = "two" } } })
local wf = workflow.sequential({ name = "w" })
wf:add_step({ name = "first", agent = agent, prompt = "Research {{topic}}" })
wf:add_step({ name = "second", agent = agent, prompt = "Sum up {{first.output}}" })
local result = wf:run({ topic = "moons" })
return { agent:run("one"), reply.content, result.steps.first.status, result.steps.second.output }
""",
    "javascript": """
const agent = await llm.agent({ provider: "mock", model: "echo", system: "s" });
const messages = [{ role: "user", content: "two" }];
const reply = await llm.complete({ provider: "mock", model: "echo", messages });
const wf = workflow.sequential({ name: "w" });
wf.addStep({ name: "first", agent, prompt: "Research {{topic}}" });
wf.addStep({ name: "second", agent, prompt: "Sum up {{first.output}}" });
const { steps } = await wf.run({ topic: "moons" });
return [await agent.run("one"), reply.content, steps.first.status, steps.second.output];
""",
    "python": """
agent = llm.agent(provider="mock", model="echo", system="s").result()
messages = [{"role": "user", "content": "two"}]
reply = await llm.complete({"provider": "mock", "model": "echo", "messages": messages})
wf = await workflow.sequential({"name": "w"})
await wf.add_step({"name": "first", "agent": agent, "prompt": "Research {{topic}}"})
await wf.add_step({"name": "second", "agent": agent, "prompt": "Sum up {{first.output}}"})
steps = (await wf.run({"topic": "moons"}))["steps"]
[await agent.run("one"), reply["content"], steps["first"]["status"], steps["second"]["output"]]
""",
}


FILES = {
    "lua": """
local files = FileSystemTool.new({ base_path = "inner" })
local names = {}
for _, entry in ipairs(files:call({ action = "list" }).result) do names[#names + 1] = entry.name end
local ok, problem = pcall(files.call, { action = "read", path = "../outer.txt" })
return { names, files:call({ action = "read", path = "a.txt" }).result, problem.code }
""",
    "javascript": """
const files = new FileSystemTool({ basePath: "inner" });
const names = (await files.call({ action: "list" })).result.map((entry) => entry.name);
let code;
try { await files.call({ action: "read", path: "../outer.txt" }); } catch (e) { code = e.code; }
return [names, (await files.call({ action: "read", path: "a.txt" })).result, code];
""",
    "python": """
files = FileSystemTool(base_path="inner")
names = [entry["name"] for entry in (await files.call({"action": "list"}))["result"]]
code = None
try:
    await files.call({"action": "read", "path": "../outer.txt"})
except LLMSpellError as error:
    code = error.code
[names, (await files.call({"action": "read", "path": "a.txt"}))["result"], code]
""",
}


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LLMSPELL_DEVELOPMENT__MOCK_LLM_RESPONSES", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def values(folder: Path, sources: dict[str, str], profile: str, grants: list[str]) -> list[Any]:
    found = []
    for language, suffix in LANGUAGES.items():
        spell = folder / f"one.{suffix}"
        spell.write_text(sources[language], "utf-8")
        result = llmspell.run(str(spell), profile=profile, grants=grants)
        assert result.error is None, (language, result.error)
        found.append(result.value)
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_an_agent_calls_a_scripts_tool_a_built_in_and_another_agent(
    profile: str, mock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = mock / "turns.toml"
    turns.write_text(AGENT_TURNS, "utf-8")
    monkeypatch.setenv("LLMSPELL_FAKE_SCRIPT", str(turns))
    lua, *others = values(mock, AGENT, profile, ["llm:*"])
    assert lua == {
        "success": True,
        "output": "all done",
        "tools": ["doubler", "calculator", "helper"],
        "calls": [4],
    }
    assert others == [lua, lua]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_hook_rewrites_a_prompt(profile: str, mock: Path) -> None:
    lua, *others = values(mock, HOOK, profile, ["llm:*"])
    assert lua == ["enhanced", ["plain"], 1]
    assert others == [lua, lua]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_pipeline_of_the_spells_own_tools(profile: str, mock: Path) -> None:
    lua, *others = values(mock, PIPELINE, profile, [])
    assert lua == {"first": 10, "second": 22}
    assert others == [lua, lua]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_denied_tool_stays_denied_as_a_field_and_as_a_class(profile: str, mock: Path) -> None:
    lua, *others = values(mock, DENIED, profile, [])
    assert lua == [False, 2006, False, 2006]
    assert others == [lua, lua]


@pytest.mark.parametrize("profile", PROFILES)
def test_X02_the_older_dialect(profile: str, mock: Path) -> None:
    lua, *others = values(mock, OLDER, profile, ["llm:*"])
    assert lua == ["one", "two", "completed", "Sum up Research moons"]
    assert others == [lua, lua]


def test_API_059_a_file_tool_stays_in_its_folder(mock: Path) -> None:
    (mock / "inner").mkdir()
    (mock / "inner" / "a.txt").write_text("inside", "utf-8")
    (mock / "outer.txt").write_text("outside", "utf-8")
    lua, *others = values(mock, FILES, "medium", ["read:**"])
    assert lua == [["a.txt"], "inside", 2002]
    assert others == [lua, lua]
