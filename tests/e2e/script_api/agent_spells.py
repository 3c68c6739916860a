"""The same agents in three languages."""

from __future__ import annotations

from typing import Final

TURNS: Final = """
[[turn]]
expect = { user = "start", contains = "Be brief.", tools = ["double", "calculator", "helper"] }
[[turn.tool_calls]]
name = "double"
arguments = { n = 4 }
[[turn.tool_calls]]
name = "calculator"
arguments = { expression = "6 * 7" }
[[turn.tool_calls]]
name = "helper"
arguments = { message = "who are you?" }

[[turn]]
expect = { user = "who are you?" }
text = "the helper"

[[turn]]
expect = { contains = ["8", "42", "the helper"] }
text = "all done"
chunks = ["all ", "done"]

[[turn]]
expect = { contains = "all done" }
structured = { n = 7 }

[[turn]]
expect = { user = "START please" }
text = "rewritten"

[[turn]]
[[turn.tool_calls]]
name = "handoff"
arguments = { target_agent_id = "helper", input = "take over", reason = "knows" }

[[turn]]
expect = { contains = ["take over", "ticket"] }
text = "taken"
"""
"""What the model says: an agent with three kinds of tools, structured output, a hook, a handoff."""

AGENTS: Final = {
    "lua": """
local helper = Agent.create({ name = "helper", provider = "fake", model = "script" })
local heard = {}
local agent = Agent.new({ name = "a", provider = "fake", model = "script",
  system_prompt = "Be brief.", config = { temperature = 0.1 },
  tools = { "calculator", helper,
    { name = "double", description = "twice",
      input_schema = { type = "object", properties = { n = { type = "number" } } },
      execute = function(input) return { result = input.n * 2 } end } } })
local text = agent:stream("start", function(piece) heard[#heard + 1] = piece end)
local roles = {}
for index, message in ipairs(agent:history()) do roles[index] = message.role end
local form = agent:structured_output("give n", { type = "object",
  properties = { n = { type = "integer" } }, required = { "n" } })
local hook = Hooks.register("before_agent_execution", function(context)
  return { input = string.upper(context.input) .. " please" }
end)
local rewritten = agent:chat("start")
Hooks.unregister("before_agent_execution", hook)
local boss = Agent.new({ name = "boss", provider = "fake", model = "script",
  handoffs = { "helper" }, state = { ticket = 7 } })
local handed = boss:execute({ input = "help" })
local ok, problem = pcall(function() return Agent.get("nobody") end)
agent:remember("k", { 1 })
return { text = text, heard = heard, roles = roles, form = form, rewritten = rewritten,
  handed = handed.content, by = handed.metadata.handled_by, code = problem.code,
  tokens = agent:token_usage().total_tokens > 0, recall = agent:recall("k"),
  iterations = agent:get_state().iteration_count, ticket = helper:get_state().ticket,
  name = agent.name, found = Agent.find("boss")[1].name }
""",
    "javascript": """
const helper = new Agent({ name: "helper", provider: "fake", model: "script" });
const heard = [];
const agent = await Agent.create({ name: "a", provider: "fake", model: "script",
  systemPrompt: "Be brief.", temperature: 0.1,
  tools: ["calculator", await helper,
    { name: "double", description: "twice",
      inputSchema: { type: "object", properties: { n: { type: "number" } } },
      execute: async (input) => ({ result: input.n * 2 }) }] });
const text = await agent.stream("start", (piece) => { heard.push(piece); });
const roles = (await agent.history()).map((message) => message.role);
const form = await agent.structuredOutput("give n", { type: "object",
  properties: { n: { type: "integer" } }, required: ["n"] });
const hook = await Hooks.register("beforeAgentExecution",
  async (context) => ({ input: context.input.toUpperCase() + " please" }));
const rewritten = await agent.chat("start");
await Hooks.unregister("beforeAgentExecution", hook);
const boss = new Agent({ name: "boss", provider: "fake", model: "script",
  handoffs: ["helper"], state: { ticket: 7 } });
const handed = await boss.execute({ input: "help" });
let code;
try { await Agent.get("nobody"); } catch (problem) { code = problem.code; }
await agent.remember("k", [1]);
return { text, heard, roles, form, rewritten, handed: handed.content,
  by: handed.metadata.handledBy, code,
  tokens: (await agent.tokenUsage()).totalTokens > 0, recall: await agent.recall("k"),
  iterations: (await agent.getState()).iteration_count,
  ticket: (await helper.getState()).ticket, name: agent.name,
  found: (await Agent.find("boss"))[0].name };
""",
    "python": """
helper = Agent(name="helper", provider="fake", model="script")
heard = []
agent = Agent(name="a", provider="fake", model="script", system_prompt="Be brief.",
    temperature=0.1, tools=["calculator", helper, {
        "name": "double", "description": "twice",
        "input_schema": {"type": "object", "properties": {"n": {"type": "number"}}},
        "execute": lambda given: {"result": given["n"] * 2}}])
text = await agent.stream("start", lambda piece: heard.append(piece))
roles = [message["role"] for message in await agent.history()]
form = await agent.structured_output("give n", {"type": "object",
    "properties": {"n": {"type": "integer"}}, "required": ["n"]})
hook = await Hooks.register("before_agent_execution",
    lambda context: {"input": context["input"].upper() + " please"})
rewritten = await agent.chat("start")
await Hooks.unregister("before_agent_execution", hook)
boss = Agent(name="boss", provider="fake", model="script", handoffs=["helper"],
    state={"ticket": 7})
handed = await boss.execute({"input": "help"})
try:
    await Agent.get("nobody")
except Exception as problem:
    code = problem.code
await agent.remember("k", [1])
result = {"text": text, "heard": heard, "roles": roles, "form": form, "rewritten": rewritten,
    "handed": handed["content"], "by": handed["metadata"]["handled_by"], "code": code,
    "tokens": (await agent.token_usage())["total_tokens"] > 0,
    "recall": await agent.recall("k"),
    "iterations": (await agent.get_state())["iteration_count"],
    "ticket": (await helper.get_state())["ticket"], "name": agent.name,
    "found": (await Agent.find("boss"))[0].name}
""",
}

AGENTS_VALUE: Final = {
    "text": "all done",
    "heard": ["all ", "done"],
    "roles": ["user", "assistant", "tool", "tool", "tool", "assistant"],
    "form": {"n": 7},
    "rewritten": "rewritten",
    "handed": "taken",
    "by": "helper",
    "code": 1001,
    "tokens": True,
    "recall": [1],
    "iterations": 4,
    "ticket": 7,
    "name": "a",
    "found": "boss",
}

DENIED: Final = """
local ASKED = "What is 15 + 27?"
local function calculating(settings)
  settings = settings or {}
  settings.provider, settings.model = "mock", "mock-model"
  settings.tools = settings.tools or { "calculator" }
  return Agent.create(settings)
end
local function told(output)
  for _, used in ipairs(output.tool_calls) do
    if used.error then return used.error.code end
  end
  return string.find(output.content, "42") ~= nil
end
local ways = {
  agent = function() return told(calculating():execute(ASKED)) end,
  named = function()
    calculating({ name = "by name" })
    return told(Agent.execute("by name", ASKED))
  end,
  added = function()
    local agent = calculating({ tools = {} })
    agent:add_tool(Tools.get("calculator"))
    return told(agent:execute(ASKED))
  end,
  offered = function()
    return told(calculating({ tools = {} }):generate_with_tools(ASKED, { "calculator" }))
  end,
  direct = function()
    local result = calculating():execute_tool("calculator", { expression = "15 + 27" })
    return result.result == 42
  end,
  wrapped = function()
    local inner = calculating({ name = "inner" })
    local outer = calculating({ tools = { inner:as_tool() } })
    local answer = outer:execute_tool("inner", { message = ASKED })
    return string.find(answer.response, "42") ~= nil
  end,
  delegated = function()
    local inner = calculating({ name = "expert" })
    return told(calculating({ tools = {} }):delegate_to(inner, ASKED))
  end,
  handed = function()
    local inner = calculating({ name = "specialist" })
    return told(calculating({ tools = {} }):handoff(inner, ASKED))
  end,
  template = function()
    Agent.template("counting", { tools = { "calculator" } })
    local agent = Template.create("counting", { provider = "mock", model = "mock-model" })
    return told(agent:execute(ASKED))
  end,
  fallback = function()
    local agent = Agent.create({ provider = "nowhere", error_strategy = { type = "fallback",
      tool = "calculator", tool_input = { expression = "15 + 27" } } })
    local output = agent:execute(ASKED)
    if not output.success then return output.error_info.code end
    return output.data.result == 42
  end,
  redirected = function()
    local hook = Hooks.register("before_tool_execution", function(context)
      if context.tool_name ~= "uuid_generator" then return end
      return { action = "redirect", target = "calculator",
        input = { expression = "15 + 27" } }
    end)
    local ok, result = pcall(function()
      return calculating({ tools = { "uuid_generator" } }):execute_tool("uuid_generator", {})
    end)
    Hooks.unregister("before_tool_execution", hook)
    if not ok then error(result) end
    return result.result == 42
  end,
}
local reached = {}
for name, way in pairs(ways) do
  local ok, value = pcall(way)
  if ok then reached[name] = value else reached[name] = value.code or tostring(value) end
end
return reached
"""

WAYS: Final = (
    "agent",
    "named",
    "added",
    "offered",
    "direct",
    "wrapped",
    "delegated",
    "handed",
    "template",
    "fallback",
    "redirected",
)

KEPT: Final = """
local agent = Agent.create({ name = "keeper", provider = "fake", state = { n = 1 } })
if params.save then
  agent:set_state({ n = 2 })
  agent:remember("k", "v")
  agent:chat("hello")
  agent:save_state()
  return "saved"
end
local found = agent:restore_state()
return { found = found, n = agent:get_state().n, k = agent:recall("k"),
  said = agent:history()[1].content }
"""

CHANGED_TEMPLATE: Final = {
    "lua": """
local t = Agent.get_template("data_analyst")
t.system_prompt = t.system_prompt .. " Mine." t.tone = "calm"
local made, further = t.create({ name = "a", provider = "fake" }), t:extend("b", { depth = 2 })
return { made:system_prompt():sub(-6), made:get_config().tone, further.tone, further.base,
  Agent.get_template("data_analyst").tone == nil, Template.get("data_analyst").config.name }""",
    "javascript": """
const t = Agent.getTemplate("data_analyst");
t.systemPrompt += " Mine."; t.tone = "calm";
const made = await t.create({ name: "a", provider: "fake" });
const further = await t.extend("b", { depth: 2 });
return [(await made.systemPrompt()).slice(-6), (await made.getConfig()).tone, further.tone,
  further.base, Agent.getTemplate("data_analyst").tone === undefined,
  Template.get("data_analyst").config.name];""",
    "python": """
t = await Agent.get_template("data_analyst")
t.system_prompt += " Mine."
t.tone = "calm"
made = await t.create(name="a", provider="fake")
further = await t.extend("b", {"depth": 2})
[(await made.system_prompt())[-6:], (await made.get_config()).tone, further.tone, further.base,
 "tone" not in await Agent.get_template("data_analyst"),
 (await Template.get("data_analyst")).config.name]""",
}
"""A template object that the spell changed, and what is made of it (S48, S53)."""
