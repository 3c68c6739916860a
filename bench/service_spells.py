"""The spells of `bench/services.py`: the same acts in each language, timed where a user would.

Each gives `{kind: [microseconds, …]}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KINDS: Final = ("no hook", "built-in hook", "own function")
TENS: Final = ("ten built-in hooks", "ten own functions")
"""What stands at `before_agent_execution`; ten of them by priority from 0 to 90 (BEN-003)."""

HOOKED: Final[Mapping[str, str]] = {
    "lua": """
local agent = Agent.create({ name = "timed", provider = "fake", model = params.model,
  memory = false })
local spent = {}
local function register(kind)
  local ids = {}
  if kind == "no hook" then return ids end
  for n = 1, string.find(kind, "^ten") and 10 or 1 do
    local hook = { priority = n * 10 - 10, handler = function(context) end }
    if string.find(kind, "built") then
      hook = Hooks.create_metrics_collector({ name = "m" .. n })
    end
    ids[n] = Hooks.register("before_agent_execution", hook)
  end
  return ids
end
agent:chat("hi")
for round = 1, params.rounds do
  for turn = 1, #params.kinds do
    local kind = params.kinds[(round + turn) % #params.kinds + 1]
    local mine = spent[kind] or {}
    spent[kind] = mine
    local ids = register(kind)
    for n = 1, params.times do
      local begun = os.clock()
      agent:chat("hi")
      mine[#mine + 1] = (os.clock() - begun) * 1e6
    end
    for _, id in ipairs(ids) do Hooks.unregister("before_agent_execution", id) end
  end
end
return spent
""",
    "javascript": """
const agent = await Agent.create({ name: "timed", provider: "fake", model: params.model,
  memory: false });
const spent = {};
async function register(kind) {
  const ids = [];
  if (kind === "no hook") return ids;
  for (let n = 0; n < (kind.startsWith("ten") ? 10 : 1); n++) {
    let hook = { priority: n * 10, handler: (context) => undefined };
    if (kind.includes("built")) hook = await Hooks.createMetricsCollector({ name: "m" + n });
    ids.push(await Hooks.register("before_agent_execution", hook));
  }
  return ids;
}
await agent.chat("hi");
for (let round = 0; round < params.rounds; round++) {
  for (let turn = 0; turn < params.kinds.length; turn++) {
    const kind = params.kinds[(round + turn) % params.kinds.length];
    const mine = (spent[kind] ??= []);
    const ids = await register(kind);
    for (let n = 0; n < params.times; n++) {
      const begun = performance.now();
      await agent.chat("hi");
      mine.push((performance.now() - begun) * 1e3);
    }
    for (const id of ids) await Hooks.unregister("before_agent_execution", id);
  }
}
return spent;
""",
    "python": """
import time
agent = Agent(name="timed", provider="fake", model=params["model"], memory=False)
spent = {kind: [] for kind in params["kinds"]}
async def register(kind):
    ids = []
    if kind == "no hook":
        return ids
    for n in range(10 if kind.startswith("ten") else 1):
        hook = {"priority": n * 10, "handler": lambda context: None}
        if "built" in kind:
            hook = await Hooks.create_metrics_collector({"name": f"m{n}"})
        ids.append(await Hooks.register("before_agent_execution", hook))
    return ids
await agent.chat("hi")
kinds = params["kinds"]
for round in range(params["rounds"]):
    for turn in range(len(kinds)):
        kind = kinds[(round + turn) % len(kinds)]
        mine = spent[kind]
        ids = await register(kind)
        for _ in range(params["times"]):
            begun = time.perf_counter()
            await agent.chat("hi")
            mine.append((time.perf_counter() - begun) * 1e6)
        for hook in ids:
            await Hooks.unregister("before_agent_execution", hook)
spent
""",
}
"""An agent's calls, in turns without and with each kind of hook; each round begins with another."""

ACTS: Final[Mapping[str, str]] = {
    "lua": """
local agent = Agent.create({ name = "sums", provider = "mock", model = "mock-model",
  tools = { "calculator" }, memory = false })
local own = Tools.create({ name = "double", description = "twice",
  parameters = { type = "object", properties = { n = { type = "number" } } },
  execute = function(input) return { result = input.n * 2 } end })
local function steps(count)
  local found = {}
  for n = 1, count do
    found[n] = { name = "s" .. n, run = function(context) return n end }
  end
  return found
end
local one = Workflow.sequential({ name = "one", steps = steps(1) })
local eleven = Workflow.sequential({ name = "eleven", steps = steps(11) })
local side = Workflow.parallel({ name = "side", steps = steps(4) })
local kept = Workflow.sequential({ name = "kept", steps = steps(10) })
kept:execute()
local acts = {
  { "tool of the spell's own", function() own:execute({ n = 2 }) end },
  { "built-in tool", function() Tools.execute("calculator", { expression = "1+2" }) end },
  { "agent that uses a built-in tool", function() agent:chat("What is 15 + 27?") end },
  { "workflow of 1 step", function() one:execute() end },
  { "workflow of 11 steps", function() eleven:execute() end },
  { "parallel workflow of 4 steps", function() side:execute() end },
  { "checkpoint of 10 steps saved", function() kept:save_checkpoint("timed") end },
  { "checkpoint restored", function() kept:restore_from_checkpoint("timed") end },
}
for _, size in ipairs({ 100, 500, 1000, 5000 }) do
  local prompt = string.rep("x", size)
  acts[#acts + 1] = { "model call, " .. size .. " characters",
    function() llm.complete(prompt, { provider = "fake" }) end }
end
local spent = {}
for _, act in ipairs(acts) do
  local mine = {}
  act[2]()
  for n = 1, params.times do
    local begun = os.clock()
    act[2]()
    mine[n] = (os.clock() - begun) * 1e6
  end
  spent[act[1]] = mine
end
return spent
""",
    "javascript": """
const agent = await Agent.create({ name: "sums", provider: "mock", model: "mock-model",
  tools: ["calculator"], memory: false });
const own = await Tools.create({ name: "double", description: "twice",
  parameters: { type: "object", properties: { n: { type: "number" } } },
  execute: (input) => ({ result: input.n * 2 }) });
const steps = (count) => Array.from({ length: count },
  (_, n) => ({ name: "s" + n, run: (context) => n }));
const one = await Workflow.sequential({ name: "one", steps: steps(1) });
const eleven = await Workflow.sequential({ name: "eleven", steps: steps(11) });
const side = await Workflow.parallel({ name: "side", steps: steps(4) });
const kept = await Workflow.sequential({ name: "kept", steps: steps(10) });
await kept.execute();
const acts = [
  ["tool of the spell's own", () => own.execute({ n: 2 })],
  ["built-in tool", () => Tools.execute("calculator", { expression: "1+2" })],
  ["agent that uses a built-in tool", () => agent.chat("What is 15 + 27?")],
  ["workflow of 1 step", () => one.execute()],
  ["workflow of 11 steps", () => eleven.execute()],
  ["parallel workflow of 4 steps", () => side.execute()],
  ["checkpoint of 10 steps saved", () => kept.saveCheckpoint("timed")],
  ["checkpoint restored", () => kept.restoreFromCheckpoint("timed")],
];
for (const size of [100, 500, 1000, 5000]) {
  const prompt = "x".repeat(size);
  acts.push([`model call, ${size} characters`, () => llm.complete(prompt, { provider: "fake" })]);
}
const spent = {};
for (const [name, act] of acts) {
  const mine = (spent[name] = []);
  await act();
  for (let n = 0; n < params.times; n++) {
    const begun = performance.now();
    await act();
    mine.push((performance.now() - begun) * 1e3);
  }
}
return spent;
""",
    "python": """
import time
agent = Agent(name="sums", provider="mock", model="mock-model", tools=["calculator"],
              memory=False)
own = await Tools.create({"name": "double", "description": "twice",
    "parameters": {"type": "object", "properties": {"n": {"type": "number"}}},
    "execute": lambda given: {"result": given["n"] * 2}})
def step(n):
    return {"name": f"s{n}", "run": lambda context: n}
def steps(count):
    return [step(n) for n in range(count)]
one = Workflow.sequential(name="one", steps=steps(1))
eleven = Workflow.sequential(name="eleven", steps=steps(11))
side = Workflow.parallel(name="side", steps=steps(4))
kept = Workflow.sequential(name="kept", steps=steps(10))
await kept.execute()
acts = {
    "tool of the spell's own": lambda: own.execute({"n": 2}),
    "built-in tool": lambda: Tools.execute("calculator", {"expression": "1+2"}),
    "agent that uses a built-in tool": lambda: agent.chat("What is 15 + 27?"),
    "workflow of 1 step": lambda: one.execute(),
    "workflow of 11 steps": lambda: eleven.execute(),
    "parallel workflow of 4 steps": lambda: side.execute(),
    "checkpoint of 10 steps saved": lambda: kept.save_checkpoint("timed"),
    "checkpoint restored": lambda: kept.restore_from_checkpoint("timed"),
}
for size in (100, 500, 1000, 5000):
    acts[f"model call, {size} characters"] = (
        lambda prompt="x" * size: llm.complete(prompt, provider="fake"))
spent = {}
for name, act in acts.items():
    mine = spent[name] = []
    await act()
    for _ in range(params["times"]):
        begun = time.perf_counter()
        await act()
        mine.append((time.perf_counter() - begun) * 1e6)
spent
""",
}
"""What else the services do, each after one call that is not counted (BEN-001 among it)."""

NESTED: Final = """
local spent = {}
for n = 1, params.times do
  local begun = os.clock()
  assert(Spell.run_file(params.path).value == 1)
  spent[n] = (os.clock() - begun) * 1e6
end
return { ["nested spell"] = spent }
"""
"""A spell of another language in a worker of its own, started by exec."""
