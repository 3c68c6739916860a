-- Tools of one's own, composed from the built-in ones.
--
-- A tool here is a table with a name, a description and execute(input), which answers as the
-- built-in tools do: { result = … }. So callers need not know which kind they hold.

local toolbox = {}

local function define(tool)
  toolbox[tool.name] = function(input)
    for _, field in ipairs(tool.required or {}) do
      if input[field] == nil then error(tool.name .. " needs " .. field, 0) end
    end
    return { result = tool.execute(input) }
  end
end

local function run(name, input)
  local own = toolbox[name]
  if own then return own(input) end
  return Tools.execute(name, input)
end

define {
  name = "net_price",
  description = "The price before tax, in cents, rounded",
  required = { "gross", "rate" },
  execute = function(input)
    return Tools.execute("calculator", {
      expression = "round(gross / (1 + rate) * 100)",
      variables = { gross = input.gross, rate = input.rate },
    }).result
  end,
}

define {
  name = "fingerprint",
  description = "A short stable name for a text, whatever its spacing and capitals",
  required = { "text" },
  execute = function(input)
    local plain = Tools.execute("text_manipulator", {
      text = input.text,
      operations = { "to_lower_case", "collapse_whitespace", "trim" },
    }).result
    return Tools.execute("hash_calculator", { data = plain }).result:sub(1, 12)
  end,
}

define {
  name = "price_tag",
  description = "A line for a label, from two tools of our own and one built in",
  required = { "title", "gross" },
  execute = function(input)
    local net = run("net_price", { gross = input.gross, rate = 0.19 }).result
    local id = run("fingerprint", { text = input.title }).result
    return run("template_processor", {
      template = "{{id}} | {{upper title}} | {{fixed gross 2}} ({{fixed net 2}} net)",
      variables = { id = id, title = input.title, gross = input.gross, net = net / 100 },
    }).result
  end,
}

print(run("price_tag", { title = "Reading lamp", gross = 39.9 }).result)
print(run("price_tag", { title = "Desk, oak", gross = 349 }).result)

-- The same fingerprint for the same words, however they are typed.
local a = run("fingerprint", { text = "Reading  LAMP " }).result
local b = run("fingerprint", { text = "reading lamp" }).result
print("the same fingerprint: " .. tostring(a == b))

local ok, problem = pcall(run, "net_price", { gross = 10 })
print("without a rate: " .. tostring(ok) .. ", " .. problem)

return a
