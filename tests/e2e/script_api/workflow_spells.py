"""The same workflows in three languages."""

from __future__ import annotations

from typing import Final

STRATEGIES: Final = {
    "lua": """
local results = {}
local tries = 0
local function branches()
  return {
    { name = "left", tool = "calculator", input = { expression = "{{input.n}} + 1" },
      output = "sum" },
    { name = "broken", run = function() error("boom") end },
    { name = "right", run = function(context) return context.n * 2 end },
  }
end
for _, strategy in ipairs({ "stop", "continue", "retry", "fallback", "cascade" }) do
  local how = strategy
  if strategy == "retry" then how = { type = "retry", max_retries = 1, base_delay = "1ms" } end
  if strategy == "cascade" then
    how = ErrorStrategy.cascade({ retry_count = 1, base_delay = "1ms",
      circuit_breaker = { failure_threshold = 5, reset_timeout = "60s" } })
  end
  local steps = branches()
  if strategy == "fallback" or strategy == "cascade" then
    steps[2].fallback = function() return "stand-in" end
  end
  local flow = Workflow.parallel({ name = "all", steps = steps, error_strategy = how })
  local ok, result = pcall(function() return flow:execute({ n = 20 }) end)
  if ok then
    results[strategy] = { status = result.status, success = result.success,
      right = result.output.right,
      sum = result.sum.result, broken = result.steps.broken.status,
      attempts = result.steps.broken.attempts, rate = result.metadata.success_rate }
  else
    results[strategy] = { code = result.code, kind = result.kind, message = result.message }
  end
end
return results
""",
    "javascript": """
const results = {};
const branches = () => [
  { name: "left", tool: "calculator", input: { expression: "{{input.n}} + 1" }, output: "sum" },
  { name: "broken", run: () => { throw new Error("boom"); } },
  { name: "right", run: (context) => context.n * 2 },
];
for (const strategy of ["stop", "continue", "retry", "fallback", "cascade"]) {
  let how = strategy;
  if (strategy === "retry") how = { type: "retry", maxRetries: 1, baseDelay: "1ms" };
  if (strategy === "cascade") {
    how = await ErrorStrategy.cascade({ retryCount: 1, baseDelay: "1ms",
      circuitBreaker: { failureThreshold: 5, resetTimeout: "60s" } });
  }
  const steps = branches();
  if (strategy === "fallback" || strategy === "cascade") steps[1].fallback = () => "stand-in";
  const flow = new Workflow.Parallel({ name: "all", steps, errorStrategy: how });
  try {
    const result = await flow.execute({ n: 20 });
    results[strategy] = { status: result.status, success: result.success,
      right: result.output.right,
      sum: result.sum.result, broken: result.steps.broken.status,
      attempts: result.steps.broken.attempts, rate: result.metadata.success_rate };
  } catch (error) {
    results[strategy] = { code: error.code, kind: error.kind, message: error.message };
  }
}
return results;
""",
    "python": """
def broken():
    raise RuntimeError("boom")

def branches():
    return [
        {"name": "left", "tool": "calculator", "input": {"expression": "{{input.n}} + 1"},
         "output": "sum"},
        {"name": "broken", "run": broken},
        {"name": "right", "run": lambda context: context["n"] * 2},
    ]

results = {}
for strategy in ("stop", "continue", "retry", "fallback", "cascade"):
    how = strategy
    if strategy == "retry":
        how = {"type": "retry", "max_retries": 1, "base_delay": "1ms"}
    if strategy == "cascade":
        how = await ErrorStrategy.cascade(
            retry_count=1, base_delay="1ms",
            circuit_breaker={"failure_threshold": 5, "reset_timeout": "60s"})
    steps = branches()
    if strategy in ("fallback", "cascade"):
        steps[1]["fallback"] = lambda *given: "stand-in"
    flow = Workflow.Parallel(name="all", steps=steps, error_strategy=how)
    try:
        result = await flow.execute({"n": 20})
        results[strategy] = {
            "status": result["status"], "success": result["success"],
            "right": result["output"]["right"], "sum": result["sum"]["result"],
            "broken": result["steps"]["broken"]["status"],
            "attempts": result["steps"]["broken"]["attempts"],
            "rate": result["metadata"]["success_rate"]}
    except LLMSpellError as error:
        results[strategy] = {"code": error.code, "kind": error.kind, "message": error.message}
results
""",
}

_GOOD: Final = {"right": 40, "sum": 21, "success": True}
_STOPPED: Final = {"code": 3004, "kind": "step_failed", "message": "…boom"}
STRATEGIES_VALUE: Final = {
    "stop": _STOPPED,
    "continue": {
        **_GOOD, "status": "partial", "broken": "failed", "attempts": 1, "rate": 66.67,
    },
    "retry": _STOPPED,
    "fallback": {
        **_GOOD, "status": "completed", "broken": "completed", "attempts": 2, "rate": 100,
    },
    "cascade": {
        **_GOOD, "status": "completed", "broken": "completed", "attempts": 3, "rate": 100,
    },
}  # fmt: skip
"""`message` is compared by its end: each language puts its own words before "boom"."""

DURABLE: Final = {
    "lua": """
local ran = {}
local function step(name, act)
  return { name = name, run = function(context) ran[#ran + 1] = name; return act(context) end,
    output = name .. "_out" }
end
local flow = Workflow.sequential({
  name = "durable",
  steps = {
    step("one", function(context) return { n = context.input.n } end),
    { name = "two", tool = "calculator", input = { expression = "{{one_out.n}} * 6" },
      output = "two_out" },
    step("three", function(context)
      if params.breaks then error("the power failed") end
      return context.two_out.result + 1
    end),
  },
  config = { save_checkpoints = true },
})
if params.breaks then
  local ok, problem = pcall(function() flow:execute({ n = 7 }) end)
  return { ok = ok, code = problem.code, ran = ran }
end
local found = flow:restore_from_checkpoint()
local result = flow:execute()
return { found = found, ran = ran, three = result.three_out, one = result.one_out.n,
  resumed = result.metadata.resumed, again = flow:restore_from_checkpoint() }
""",
    "javascript": """
const ran = [];
const step = (name, act) => ({ name, run: (context) => { ran.push(name); return act(context); },
  output: name + "_out" });
const flow = new Workflow.Sequential({
  name: "durable",
  steps: [
    step("one", (context) => ({ n: context.input.n })),
    { name: "two", tool: "calculator", input: { expression: "{{one_out.n}} * 6" },
      output: "two_out" },
    step("three", (context) => {
      if (params.breaks) throw new Error("the power failed");
      return context.two_out.result + 1;
    }),
  ],
  config: { saveCheckpoints: true },
});
if (params.breaks) {
  try { await flow.execute({ n: 7 }); } catch (error) { return { ok: false, code: error.code,
    ran }; }
}
const found = await flow.restoreFromCheckpoint();
const result = await flow.execute();
return { found, ran, three: result.three_out, one: result.one_out.n,
  resumed: result.metadata.resumed, again: await flow.restoreFromCheckpoint() };
""",
    "python": """
ran = []
def step(name, act):
    def run(context):
        ran.append(name)
        return act(context)
    return {"name": name, "run": run, "output": name + "_out"}

def three(context):
    if params["breaks"]:
        raise RuntimeError("the power failed")
    return context["two_out"]["result"] + 1

flow = Workflow.Sequential(
    name="durable",
    steps=[
        step("one", lambda context: {"n": context["input"]["n"]}),
        {"name": "two", "tool": "calculator", "input": {"expression": "{{one_out.n}} * 6"},
         "output": "two_out"},
        step("three", three),
    ],
    config={"save_checkpoints": True},
)
if params["breaks"]:
    try:
        await flow.execute({"n": 7})
    except LLMSpellError as error:
        outcome = {"ok": False, "code": error.code, "ran": ran}
else:
    found = await flow.restore_from_checkpoint()
    result = await flow.execute()
    outcome = {"found": found, "ran": ran, "three": result["three_out"],
               "one": result["one_out"]["n"], "resumed": result["metadata"]["resumed"],
               "again": await flow.restore_from_checkpoint()}
outcome
""",
}

BROKEN_VALUE: Final = {"ok": False, "code": 3004, "ran": ["one", "three"]}
RESTORED_VALUE: Final = {
    "found": True, "ran": ["three"], "three": 43, "one": 7, "resumed": True, "again": False,
}  # fmt: skip

EVERYTHING: Final = """
local log = {}
local flow = Workflow.sequential({ { name = "a", run = function() return 1 end } })
flow:add_step({ name = "b", workflow = Workflow.pipeline({
  function(value) return value + 1 end, function(value) return value * 10 end }) })
flow:on_step_complete(function(step,
  output) log[#log + 1] = step.name .. "=" .. tostring(output) end)
flow:on_complete(function(result) log[#log + 1] = "complete " .. result.status end)
local result = flow:run()
local loop = Workflow.loop(function(context) return context.iteration <= 3 end,
  { run = function(context) return context.iteration end })
local fan = Workflow.fan_out({ items = { 1, 2, 3 }, step = function(item) return item * item end })
local both = Workflow.map_reduce({ items = "{{numbers}}", map = function(n) return n + 1 end,
  reduce = function(all) local sum = 0 for _,
    n in ipairs(all) do sum = sum + n end return sum end })
local custom = Workflow.custom({ name = "mine", steps = { { name = "s", tool = "calculator" } } ,
  execute = function(context) return "own " .. context.x end })
local slow = Workflow.sequential({ { name = "long", run = function() Async.sleep(5000) end } })
local task = Async.spawn(function() return pcall(function() return slow:execute() end) end)
Async.sleep(50)
slow:cancel("enough")
Async.sleep(50)
return { output = result.output, log = log, loop = loop:execute().output,
  fan = fan:execute().output,
  both = both:execute({ numbers = { 1, 2 } }).output, custom = custom:execute({ x = "way" }).output,
  cancelled = slow:get_status().status, valid = flow:validate().valid, steps = #flow:get_steps(),
  named = Workflow.get("mine").type, all = #Workflow.list() }
"""
EVERYTHING_VALUE: Final = {
    "output": 20, "log": ["a=1", "b=20", "complete completed"], "loop": 3, "fan": [1, 4, 9],
    "both": 5, "custom": "own way", "cancelled": "cancelled", "valid": True, "steps": 2,
    "named": "custom", "all": 7,
}  # fmt: skip
