-- /// spell
-- description = "An article from outline to file: agents, a check of one's own, a checkpoint"
-- [requests]
-- llm = ["fake/*"]
-- write = ["articles"]
-- [limits]
-- wall = "30s"
-- ///

local provider = params.provider or "fake"
local topic = params.topic or "desk lamps"

local function agent(name, prompt)
  return Agent.create({ name = name, provider = provider, system_prompt = prompt, memory = false })
end

-- What the article must hold is checked by code, not by a model.
Tools.create({
  name = "house_rules",
  description = "Whether a draft may be published",
  parameters = { type = "object", properties = { text = { type = "string" } },
    required = { "text" } },
  execute = function(input)
    local problems = {}
    if #input.text < 20 then problems[#problems + 1] = "too short" end
    if not input.text:find("%.$") then problems[#problems + 1] = "no full stop at the end" end
    return { result = { good = #problems == 0, problems = problems } }
  end,
})

local pipeline = Workflow.sequential({
  name = "content",
  config = { save_checkpoints = true },
  steps = {
    { name = "outline", agent = agent("planner", "You outline."), output = "outline",
      prompt = "Three points on {{input.topic}}" },
    { name = "draft", agent = agent("writer", "You write."), output = "draft",
      prompt = "An article. {{outline}}." },
    { name = "check", tool = "house_rules", input = { text = "{{draft}}" }, output = "check" },
    { name = "publish", condition = "{{check.good}}", output = "path",
      run = function(context)
        local path = "articles/" .. context.input.topic:gsub("%s+", "-") .. ".md"
        fs.write(path, "# " .. context.input.topic .. "\n\n" .. context.draft .. "\n",
          { create_parents = true })
        return path
      end },
  },
})

pipeline:on_step_complete(function(step) print("done: " .. (step.name or step.step)) end)

local result = pipeline:execute({ topic = topic })
print(result.draft)
print(result.path)

local cost = 0
for _, one in ipairs(Agent.list()) do
  cost = cost + Agent.get(one.name):token_usage().total_tokens
end
return { status = result.status, counted = cost > 0 }
