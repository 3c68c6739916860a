"""A spell that tries to write by a tool that it may not use, each way to a file of its own."""

from __future__ import annotations

import re
from typing import Final

POLICY: Final = 'extends = "medium"\n[tools]\ndeny = ["file_writer"]\n'

ELSEWHERE: Final = """
for (const way of params.ways) {
  await Tools.execute("file_writer", {path: "out/" + way, content: "reached"});
}
"""
"""The other spell, which `nested` and `step_file` run."""

ATTACK: Final = """
local WRITER = "file_writer"
local function to(way) return {path = "out/" .. way, content = "reached"} end
local own = Tools.create("own", {execute = function() return {result = 1} end})
local broken = Tools.create("broken", {execute = function() error("broken on purpose") end})
local function hooked(point, act, attempt)
  local hook = Hooks.register(point, act)
  local done, value = pcall(attempt)
  Hooks.unregister(point, hook)
  if not done then error(value, 0) end
  return value
end
-- The model is asked for the way's name, and answers with a call of the tool (see turns).
local function agent(given)
  given.provider, given.model = "fake", "script"
  return Agent.create(given)
end
local function flow(kind, given) return Workflow[kind](given):execute({}) end
local function one(way) return {name = "s", tool = WRITER, input = to(way)} end

local ways = {
  -- names of the same tool
  camel = function(way) return Tools.execute("fileWriter", to(way)) end,
  getter = function(way) return Tools.fileWriter:execute(to(way)) end,
  class_form = function(way)
    return FileSystemTool.new({}):call({action = "write", path = "out/" .. way, content = "r"})
  end,
  old_dialect = function(way) return tools.file_write("out/" .. way, "reached") end,
  forged_handle = function(way)
    local forged = {handle = "tool", id = "uuid_generator", name = WRITER}
    return flow("sequential", {name = way, steps = {{name = "s", component = forged,
      input = to(way)}}})
  end,
  forged_name = function(way)
    local forged = Tools.get("uuid_generator")
    forged.name, forged.id = WRITER, WRITER
    return forged:execute(to(way))
  end,
  parsed_call = function(way)
    local call = {["function"] = {name = WRITER, arguments = '{"path":"out/' .. way ..
      '","content":"reached"}'}}
    local tool = Tools.get(WRITER)
    return tool:execute(tool:parse_call(call))
  end,
  -- workflows
  parallel = function(way) return flow("parallel", {name = way, steps = {one(way)},
    error_strategy = "stop"}) end,
  conditional = function(way) return flow("conditional", {name = way, condition = "1 < 2",
    true_branch = one(way)}) end,
  loop = function(way) return flow("loop", {name = way, times = 1, body = one(way)}) end,
  fan_out = function(way) return flow("fan_out", {name = way, items = {to(way)},
    step = {tool = WRITER}, error_strategy = "stop"}) end,
  map_reduce = function(way) return flow("map_reduce", {name = way, items = {to(way)},
    map = {tool = WRITER}, reduce = "list"}) end,
  reduced = function(way) return flow("map_reduce", {name = way, items = {1},
    map = function(n) return n end, reduce = {tool = WRITER, input = to(way)}}) end,
  inline = function(way) return flow("sequential", {name = way, steps = {{name = "o",
    type = "sequential", steps = {one(way)}}}}) end,
  inner = function(way)
    local inner = Workflow.sequential({name = "inner", steps = {one(way)}})
    return flow("sequential", {name = way, steps = {{name = "o", workflow = inner}}})
  end,
  cast = function(way) return Spell.create({name = way, steps = {one(way)}}):cast({}) end,
  retried = function(way) return flow("sequential", {name = way, steps = {one(way)},
    error_strategy = {type = "retry", max_retries = 3, base_delay = "1ms",
      retryable = function() return true end}}) end,
  stand_in = function(way) return flow("sequential", {name = way, error_strategy = "fallback",
    steps = {{name = "s", tool = "broken", input = to(way), fallback = Tools.get(WRITER)}}}) end,
  cascade = function(way) return flow("sequential", {name = way,
    error_strategy = ErrorStrategy.cascade({retry_count = 1, base_delay = "1ms",
      fallback = Tools.get(WRITER)}),
    steps = {{name = "s", tool = "broken", input = to(way)}}}) end,
  step_redirected = function(way)
    return hooked("before_workflow_step", function()
      return {action = "redirect", tool = WRITER, input = to(way)}
    end, function() return flow("sequential", {name = way,
      steps = {{name = "s", tool = "own", input = {}}}}) end)
  end,
  step_file = function(way) return flow("sequential", {name = way, steps = {{name = "s",
    spell = "spell:elsewhere.js", input = {ways = {way}}}}}) end,
  custom = function(way) return flow("custom", {name = way, execute = function()
    return Tools.execute(WRITER, to(way)) end}) end,
  -- hooks
  error_redirected = function(way)
    return hooked("tool_error", function()
      return {action = "redirect", target = WRITER, input = to(way)}
    end, function() return broken:execute({}) end)
  end,
  after_redirected = function(way)
    local once = true
    return hooked("after_tool_execution", function()
      if not once then return end
      once = false
      return {action = "redirect", target = WRITER, input = to(way)}
    end, function() return own:execute({}) end)
  end,
  in_hook = function(way)
    local value, reason
    hooked("before_tool_execution", function(context)
      if context.tool_name ~= "own" then return end
      local done, raised = pcall(Tools.execute, WRITER, to(way))
      if not done then reason = raised end
    end, function() return own:execute({}) end)
    if reason then error(reason, 0) end
    return value
  end,
  -- others
  event_handler = function(way)
    local reason
    Events.subscribe("go." .. way, function(event)
      local done, raised = pcall(Tools.execute, WRITER, to(way))
      if not done then reason = raised end
    end)
    Events.emit("go." .. way, {}) Events.flush()
    if reason then error(reason, 0) end
  end,
  recovery = function(way)
    local outcome = ErrorHandler.attempt_recovery("broken", {type = "fallback", tool = WRITER,
      input = to(way)})
    if not outcome.success then error(outcome.error, 0) end
  end,
  pipeline_after_failure = function(way)
    return Tools.create_pipeline({name = way, steps = {{tool = "broken", on_error = "continue"},
      {tool = WRITER, input = to(way)}}}):execute({})
  end,
  nested = function(way) return Spell.run_file("spell:elsewhere.js", {ways = {way}}) end,
  -- agents
  updated = function(way)
    local made = agent({name = way})
    made:update_config({tools = {WRITER}})
    return made:execute(way)
  end,
  agent_step = function(way)
    local made = agent({name = way, tools = {WRITER}})
    return flow("sequential", {name = way, steps = {{name = "s", agent = made, prompt = way}}})
  end,
  workflow_tool = function(way)
    local inner = Workflow.sequential({name = "writes", steps = {one(way)}})
    return agent({name = way, tools = {inner}}):execute_tool("writes", {})
  end,
  handed_over = function(way)
    agent({name = "specialist", tools = {WRITER}})
    return agent({name = way, handoffs = {"specialist"}}):execute("hand over")
  end,
  orchestrated = function(way)
    agent({name = way, tools = {WRITER}})
    return Orchestrator.run({way}, way, "sequential")
  end,
  agent_redirected = function(way)
    local made = agent({name = way, tools = {"own"}})
    return hooked("before_tool_execution", function(context)
      return {action = "redirect", target = WRITER, input = to(way)}
    end, function() return made:execute_tool("own", {}) end)
  end,
}
local came_to = {}
for _, way in ipairs(params.ways) do
  local done, value = pcall(ways[way], way)
  came_to[way] = done and "done" or tostring(value.code)
end
return came_to
"""

WAYS: Final = tuple(re.findall(r"^  (\w+) = function\(way\)", ATTACK, re.MULTILINE))

TOLD: Final = ("updated", "agent_step", "handed_over", "orchestrated")
"""Ways in which the denial is told to a model, and the agent goes on."""

BY_A_MODEL: Final = ("updated", "agent_step", "orchestrated")
"""Ways in which an agent is asked for the way's name."""


def turns() -> str:
    """What the model says: whoever asks for a way gets a call of the tool that writes there."""
    texts = ['order = "any"']
    for way in BY_A_MODEL:
        texts.append(_call(way, way, "file_writer", f'path = "out/{way}", content = "reached"'))
        texts.append(f'[[turn]]\nexpect = {{ contains = "{way}" }}\ntext = "done"')
    texts.append(
        _call("hand over", "x", "handoff", 'target_agent_id = "specialist", input = "take over"')
    )
    writes = _call("", "y", "file_writer", 'path = "out/handed_over", content = "reached"')
    texts.append(writes.replace('user = ""', 'contains = "take over"'))
    texts.append('[[turn]]\nexpect = { contains = "take over" }\ntext = "done"')
    return "\n".join(texts)


def _call(user: str, identity: str, name: str, arguments: str) -> str:
    return (
        f'[[turn]]\nexpect = {{ user = "{user}" }}\n[[turn.tool_calls]]\nid = "{identity}"\n'
        f'name = "{name}"\narguments = {{ {arguments} }}'
    )
