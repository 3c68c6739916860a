"""One spell in three languages that tries every way to a tool and says what each came to."""

from __future__ import annotations

from typing import Final

WAYS: Final = (
    "direct",
    "handle",
    "modified",
    "redirected",
    "skipped",
    "recovered",
    "wrapped",
    "pipeline",
    "chained",
    "workflow",
    "agent",
    "wrapped_agent",
    "registered",
    "cached",
)
"""`skipped` and `recovered` don't run the tool: there a denial must stay one all the same."""

LUA: Final = """
local sum = {expression = "40 + 2"}
local own = Tools.create("own", {execute = function(input) return {result = input} end})
local before, failed = "before_tool_execution", "tool_error"
local function hook(point, act) Hooks.register(point, {name = "attack", handler = act}) end
local function counting(name)
  local tools = {"calculator"}
  return Agent.create({name = name, provider = "fake", model = "mock-model", tools = tools})
end
local ways = {
  direct = function() return Tools.execute("calculator", sum) end,
  handle = function() return Tools.get("calculator"):execute(sum) end,
  modified = function()
    hook(before, function(c) c.tool_name = "calculator" c.input = sum return c end)
    return own:execute({})
  end,
  redirected = function()
    hook(before, function(c)
      return {action = "redirect", target = "calculator", input = sum}
    end)
    return own:execute({})
  end,
  skipped = function()
    hook(before, function(c) return {action = "skip", value = 42} end)
    return Tools.execute("calculator", sum)
  end,
  recovered = function()
    hook(failed, function(c) return {action = "skip", value = 42} end)
    return Tools.execute("calculator", sum)
  end,
  wrapped = function()
    local w = Tools.create("wrapper", {execute = function(input)
      return Tools.execute("calculator", input)
    end})
    return w:execute(sum)
  end,
  pipeline = function()
    local p = Tools.create_pipeline({steps = {{tool = "own", input = sum}, {tool = "calculator"}}})
    return p:execute({})
  end,
  chained = function() return own:chain_with("calculator", sum) end,
  workflow = function()
    local steps = {{name = "s", tool = "calculator", input = sum}}
    return Workflow.sequential({name = "w", steps = steps}):execute({}).steps.s.output
  end,
  agent = function()
    local call = counting("asked"):execute("What is 15 + 27?").tool_calls[1]
    if not call.success then error(call.error) end
    return call.result
  end,
  wrapped_agent = function()
    local said = counting("inner"):as_tool():execute({input = "What is 15 + 27?"}).response
    return {result = said:find("= 42", 1, true) and 42 or said:match("denied tool calculator")}
  end,
  cached = function()
    Tools.configure("calculator", {cache = true, timeout = 20})
    return Tools.execute("calculator", sum)
  end,
  registered = function()
    local done = pcall(Tools.create, "calculator", {execute = function() return 42 end})
    assert(not done, "a built-in name was taken")
    return Tools.execute("calculator", sum)
  end,
}
local came_to = {}
for _, way in ipairs(params.ways) do
  local done, value = pcall(ways[way])
  came_to[way] = done and value.result or value.code .. " " .. tostring(value.rule)
  Hooks.unregister(before, "attack")
  Hooks.unregister(failed, "attack")
end
return came_to
"""

JAVASCRIPT: Final = """
const sum = {expression: "40 + 2"};
const own = await Tools.create("own", {execute: input => ({result: input})});
const before = "before_tool_execution", failed = "tool_error";
const hook = (point, handler) => Hooks.register(point, {name: "attack", handler});
const counting = name => Agent.create({
  name, provider: "fake", model: "mock-model", tools: ["calculator"],
});
const ways = {
  direct: () => Tools.execute("calculator", sum),
  handle: async () => (await Tools.get("calculator")).execute(sum),
  async modified() {
    await hook(before, c => ({...c, tool_name: "calculator", input: sum}));
    return own.execute({});
  },
  async redirected() {
    await hook(before, () => ({action: "redirect", target: "calculator", input: sum}));
    return own.execute({});
  },
  async skipped() {
    await hook(before, () => ({action: "skip", value: 42}));
    return Tools.execute("calculator", sum);
  },
  async recovered() {
    await hook(failed, () => ({action: "skip", value: 42}));
    return Tools.execute("calculator", sum);
  },
  async wrapped() {
    const w = await Tools.create("wrapper", {execute: i => Tools.execute("calculator", i)});
    return w.execute(sum);
  },
  async pipeline() {
    const steps = [{tool: "own", input: sum}, {tool: "calculator"}];
    return (await Tools.createPipeline({steps})).execute({});
  },
  chained: () => own.chainWith("calculator", sum),
  async workflow() {
    const steps = [{name: "s", tool: "calculator", input: sum}];
    const done = await (await Workflow.sequential({name: "w", steps})).execute({});
    return done.steps.s.output;
  },
  async agent() {
    const [call] = (await (await counting("asked")).execute("What is 15 + 27?")).tool_calls;
    if (!call.success) throw call.error;
    return call.result;
  },
  async wrapped_agent() {
    const tool = await (await counting("inner")).asTool();
    const {response} = await tool.execute({input: "What is 15 + 27?"});
    return {result: response.includes("= 42") ? 42 : response.match("denied tool calculator")[0]};
  },
  async cached() {
    await Tools.configure("calculator", {cache: true, timeout: 20000});
    return Tools.execute("calculator", sum);
  },
  async registered() {
    let taken = true;
    try { await Tools.create("calculator", {execute: () => 42}); } catch { taken = false; }
    if (taken) throw new Error("a built-in name was taken");
    return Tools.execute("calculator", sum);
  },
};
const cameTo = {};
for (const way of params.ways) {
  try {
    cameTo[way] = (await ways[way]()).result;
  } catch (error) {
    cameTo[way] = `${error.code} ${error.rule}`;
  }
  await Hooks.unregister(before, "attack");
  await Hooks.unregister(failed, "attack");
}
return cameTo;
"""

PYTHON: Final = """
sum = {"expression": "40 + 2"}
own = await Tools.create("own", {"execute": lambda given: {"result": given}})
before, failed = "before_tool_execution", "tool_error"

def hook(point, act):
    return Hooks.register(point, {"name": "attack", "handler": act})

def counting(name):
    given = {"name": name, "provider": "fake", "model": "mock-model", "tools": ["calculator"]}
    return Agent.create(given)

async def attempt(way):
    if way == "direct":
        return await Tools.execute("calculator", sum)
    if way == "handle":
        return await (await Tools.get("calculator")).execute(sum)
    if way == "modified":
        await hook(before, lambda c: {**c, "tool_name": "calculator", "input": sum})
        return await own.execute({})
    if way == "redirected":
        answer = {"action": "redirect", "target": "calculator", "input": sum}
        await hook(before, lambda c: answer)
        return await own.execute({})
    if way == "skipped":
        await hook(before, lambda c: {"action": "skip", "value": 42})
        return await Tools.execute("calculator", sum)
    if way == "recovered":
        await hook(failed, lambda c: {"action": "skip", "value": 42})
        return await Tools.execute("calculator", sum)
    if way == "wrapped":
        act = lambda given: Tools.execute("calculator", given)
        return await (await Tools.create("wrapper", {"execute": act})).execute(sum)
    if way == "pipeline":
        steps = [{"tool": "own", "input": sum}, {"tool": "calculator"}]
        return await (await Tools.create_pipeline({"steps": steps})).execute({})
    if way == "chained":
        return await own.chain_with("calculator", sum)
    if way == "workflow":
        steps = [{"name": "s", "tool": "calculator", "input": sum}]
        workflow = await Workflow.sequential({"name": "w", "steps": steps})
        return (await workflow.execute({}))["steps"]["s"]["output"]
    if way == "agent":
        agent = await counting("asked")
        call = (await agent.execute("What is 15 + 27?"))["tool_calls"][0]
        if not call["success"]:
            raise LLMSpellError("denied", code=call["error"]["code"], rule=call["error"]["rule"])
        return call["result"]
    if way == "wrapped_agent":
        tool = await (await counting("inner")).as_tool()
        said = (await tool.execute({"input": "What is 15 + 27?"}))["response"]
        denied = "denied tool calculator"
        return {"result": 42 if "= 42" in said else denied if denied in said else said}
    if way == "cached":
        await Tools.configure("calculator", {"cache": True, "timeout": 20})
        return await Tools.execute("calculator", sum)
    try:
        await Tools.create("calculator", {"execute": lambda given: 42})
    except Exception:
        return await Tools.execute("calculator", sum)
    raise RuntimeError("a built-in name was taken")

came_to = {}
for way in params["ways"]:
    try:
        came_to[way] = (await attempt(way))["result"]
    except LLMSpellError as error:
        came_to[way] = f"{error.code} {error.rule}"
    await Hooks.unregister(before, "attack")
    await Hooks.unregister(failed, "attack")
came_to
"""

SPELLS: Final = {"lua": LUA, "javascript": JAVASCRIPT, "python": PYTHON}
