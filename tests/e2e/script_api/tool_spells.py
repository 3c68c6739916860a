"""A spell that makes tools, pipelines and hooks, the same in three languages."""

from __future__ import annotations

from typing import Final

LUA: Final = """
local seen = {}
local function see(text) seen[#seen + 1] = text end
local adder = Tools.create("adder", {
  description = "adds", category = "math", capabilities = {"sums"}, cache = {ttl = "1h"},
  input_schema = {type = "object", required = {"a"},
    properties = {a = {type = "number"}, b = {type = "number", default = 5}}},
  output_schema = {type = "number"},
  examples = {{name = "one", input = {a = 1}, output = 6}},
  execute = function(input) see("ran") return input.a + input.b end,
})
local registered = Tools.register({name = "asker", execute = function(input)
  return {result = Tools.execute("calculator", {expression = input.text}).result,
          metadata = {by = "calculator"}}
end})
local first, again = adder:execute({a = 1}), Tools.execute("adder", {a = 1})
local ok, wrong = pcall(adder.execute, {a = "x"})
local pipeline = Tools.create_pipeline({name = "p", steps = {
  {tool = "adder", input = {a = "{{input.x}}"}, output = "sum"},
  {tool = registered, input = function(c) return {text = c.sum .. " * 2"} end, output = "double"},
}})
local piped = pipeline:execute({x = 10})
Hooks.register("beforeToolExecution", {name = "low", priority = 10, handler = function(c)
  see("low " .. c.tool_name .. " " .. c.input.a)
end})
local high = Hooks.register("pre-tool", {name = "high", priority = 900, handler = function(c)
  c.input.a = c.input.a + 100
  return c
end})
Hooks.register("tool_execution_complete", Hooks.create_transformer(function(output)
  output.seen = true
  return output
end))
local hooked = Tools.execute("adder", {a = 2})
high:disable()
local without = Tools.execute("adder", {a = 3})
Hooks.unregister("before_tool_execution", "low")
local custom = HookManager.getInstance():registerHook("mine", {priority = 1, execute = function(c)
  return {n = c.n + 1}
end})
local ran = Hooks.execute("mine", {n = 1})
local names = {}
for _, tool in ipairs(Tools.discover({"sums"})) do names[#names + 1] = tool.name end
Hooks.register("SystemShutdown", function() print("the end") end)
return {
  first = first, again = again, code = wrong.code, message = wrong.message,
  piped = piped.outputs, hooked = hooked, without = without, ran = ran.context, seen = seen,
  names = names, chains = adder:can_chain_with("asker"), gone = Tools.unregister("asker"),
  definition = adder:to_function_definition().name, point = custom.point,
  executions = Hooks.get_stats().total_executions,
}
"""

JAVASCRIPT: Final = """
const seen = [];
const adder = await Tools.create("adder", {
  description: "adds", category: "math", capabilities: ["sums"], cache: {ttl: "1h"},
  inputSchema: {type: "object", required: ["a"],
    properties: {a: {type: "number"}, b: {type: "number", default: 5}}},
  outputSchema: {type: "number"},
  examples: [{name: "one", input: {a: 1}, output: 6}],
  execute: async ({a, b}) => { seen.push("ran"); return a + b; },
});
class Asker extends Tools.BaseTool {
  constructor() { super({name: "asker", description: "asks", category: "math"}); }
  async execute({text}) {
    const {result} = await Tools.execute("calculator", {expression: text});
    return {result, metadata: {by: "calculator"}};
  }
}
const registered = await Tools.register(new Asker());
const first = await adder.execute({a: 1}), again = await Tools.execute("adder", {a: 1});
let wrong;
try { await adder.execute({a: "x"}); } catch (error) { wrong = error; }
const pipeline = await Tools.createPipeline({name: "p", steps: [
  {tool: "adder", input: {a: "{{input.x}}"}, output: "sum"},
  {tool: registered, input: c => ({text: `${c.sum} * 2`}), output: "double"},
]});
const piped = await pipeline.execute({x: 10});
await Hooks.register("beforeToolExecution", {name: "low", priority: 10, handler: c => {
  seen.push(`low ${c.tool_name} ${c.input.a}`);
}});
const high = await Hooks.register("pre-tool", {name: "high", priority: 900, handler: async c => {
  c.input.a += 100;
  return c;
}});
const transformer = await Hooks.createTransformer(output => ({...output, seen: true}));
await Hooks.register("tool_execution_complete", transformer);
const hooked = await Tools.execute("adder", {a: 2});
await high.disable();
const without = await Tools.execute("adder", {a: 3});
await Hooks.unregister("before_tool_execution", "low");
const custom = await HookManager.getInstance().registerHook("mine", {
  priority: 1, async execute(context) { return {n: context.n + 1}; },
});
const ran = await Hooks.execute("mine", {n: 1});
await Hooks.register("SystemShutdown", () => { console.log("the end"); });
return {
  first, again, code: wrong.code, message: wrong.message, piped: piped.outputs, hooked, without,
  ran: ran.context, seen, names: (await Tools.discover(["sums"])).map(tool => tool.name),
  chains: await adder.canChainWith("asker"), gone: await Tools.unregister("asker"),
  definition: (await adder.toFunctionDefinition()).name, point: custom.point,
  executions: (await Hooks.getStats()).total_executions,
};
"""

PYTHON: Final = """
seen = []

def add(given):
    seen.append("ran")
    return given["a"] + given["b"]

adder = await Tools.create("adder", {
    "description": "adds", "category": "math", "capabilities": ["sums"], "cache": {"ttl": "1h"},
    "input_schema": {
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": "number"}, "b": {"type": "number", "default": 5}},
    },
    "output_schema": {"type": "number"},
    "examples": [{"name": "one", "input": {"a": 1}, "output": 6}],
    "execute": add,
})

async def ask(given):
    found = await Tools.execute("calculator", {"expression": given["text"]})
    return {"result": found["result"], "metadata": {"by": "calculator"}}

registered = await Tools.register({"name": "asker", "execute": ask})
first, again = await adder.execute(a=1), await Tools.execute("adder", {"a": 1})
try:
    await adder.execute({"a": "x"})
except LLMSpellError as error:
    wrong = error
pipeline = await Tools.create_pipeline({"name": "p", "steps": [
    {"tool": "adder", "input": {"a": "{{input.x}}"}, "output": "sum"},
    {"tool": registered, "input": lambda c: {"text": f"{c['sum']} * 2"}, "output": "double"},
]})
piped = await pipeline.execute({"x": 10})

def low(context):
    seen.append(f"low {context['tool_name']} {context['input']['a']}")

async def high(context):
    context["input"]["a"] += 100
    return context

await Hooks.register("beforeToolExecution", {"name": "low", "priority": 10, "handler": low})
given = {"name": "high", "priority": 900, "handler": high}
high_hook = await Hooks.register("pre-tool", given)
transformer = await Hooks.create_transformer(lambda output: {**output, "seen": True})
await Hooks.register("tool_execution_complete", transformer)
hooked = await Tools.execute("adder", {"a": 2})
await high_hook.disable()
without = await Tools.execute("adder", {"a": 3})
await Hooks.unregister("before_tool_execution", "low")
manager = await HookManager.get_instance()
add_one = lambda context: {"n": context["n"] + 1}
custom = await manager.register_hook("mine", {"priority": 1, "execute": add_one})
ran = await Hooks.execute("mine", {"n": 1})
await Hooks.register("SystemShutdown", lambda context: print("the end"))
{
    "first": first, "again": again, "code": wrong.code, "message": wrong.message,
    "piped": piped["outputs"], "hooked": hooked, "without": without, "ran": ran["context"],
    "seen": seen, "names": [tool.name for tool in await Tools.discover(["sums"])],
    "chains": await adder.can_chain_with("asker"), "gone": await Tools.unregister("asker"),
    "definition": (await adder.to_function_definition())["name"], "point": custom.point,
    "executions": (await Hooks.get_stats())["total_executions"],
}
"""

SPELLS: Final = {"lua": LUA, "javascript": JAVASCRIPT, "python": PYTHON}

VALUE: Final = {
    "first": {"result": 6, "metadata": {"cached": False}},
    "again": {"result": 6, "metadata": {"cached": True}},
    "code": 2002,
    "message": "input.a must be a number, not text",
    "piped": {"sum": 15, "double": 30},
    "hooked": {"result": 107, "metadata": {"cached": False}, "seen": True},
    "without": {"result": 8, "metadata": {"cached": False}, "seen": True},
    "ran": {"n": 2},
    "seen": ["ran", "ran", "low adder 102", "ran", "low adder 3", "ran"],
    "names": ["adder"],
    "chains": False,
    "gone": True,
    "definition": "adder",
    "point": "mine",
    "executions": 6,
}
"""What each of them gives."""
