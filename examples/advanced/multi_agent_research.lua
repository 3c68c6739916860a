-- /// spell
-- description = "Three agents look at a question side by side; a fourth puts it together"
-- [requests]
-- llm = ["fake/*"]
-- ///

-- The model is `fake`, which says what it is told, so that this runs anywhere and alike.
local provider = params.provider or "fake"
local topic = params.topic or "tides"

Agent.template("researcher", {
  provider = provider, memory = false,
  system_prompt = "You look at one side of a question.",
})

local sides = { "history", "physics", "economy" }
local steps = {}
for index, side in ipairs(sides) do
  steps[index] = {
    name = side,
    agent = Template.create("researcher", { name = "researcher_" .. side }),
    prompt = "Facts on the " .. side .. " of {{input.topic}}.",
    output = side,
  }
end

-- One that fails does not stop the others; two are enough.
local research = Workflow.parallel({
  name = "research", steps = steps, error_strategy = "continue", require_minimum = 2,
})

-- The writer is asked through a hook that adds what every request needs.
local writer = Agent.create({ name = "writer", provider = provider })
Hooks.register("before_agent_execution", {
  name = "house style",
  condition = { agent_name = "writer" },
  handler = function(context) return { input = context.input .. " In plain words." } end,
})

local found = research:execute({ topic = topic })
for _, side in ipairs(sides) do print(side .. ": " .. found.output[side]) end
print(writer:chat("Put together " .. #sides .. " findings on " .. topic .. "."))

return { status = found.status, rate = found.metadata.success_rate }
