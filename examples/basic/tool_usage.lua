-- The built-in tools: finding one, reading what it takes, running it.
-- Tools run in a confined process of their own. Those that only compute need no grant.

-- Tools.list gives the tools this run may see, also by category.
local names = {}
for _, tool in ipairs(Tools.list("util")) do
  names[#names + 1] = tool.name
end
print("tools that only compute: " .. table.concat(names, ", "))

-- A tool is an object with a name, a description, an input schema and execute().
local calculator = Tools.get("calculator")
print(calculator.name .. ": " .. calculator.description)
local answer = calculator:execute({ expression = "sqrt(3^2 + 4^2)" })
print("sqrt(3^2 + 4^2) = " .. answer.result)

-- Tools.execute is the short way when the name is known.
local digest = Tools.execute("hash_calculator", { data = "abc", algorithm = "sha256" })
print("sha256 of abc starts with " .. digest.result:sub(1, 16))

local slug = Tools.execute("text_manipulator", {
  text = "  Crème brûlée, twice ",
  operations = { "trim", "slugify" },
})
print("as a slug: " .. slug.result)

local encoded = Tools.execute("base64_encoder", { data = "secret plans" })
local decoded = Tools.execute("base64_encoder", { operation = "decode", data = encoded.result })
print("base64 there and back: " .. encoded.result .. " -> " .. decoded.result)

local name = Tools.execute("uuid_generator", { version = "v5", namespace = "dns", name = "example.com" })
print("the uuid of example.com: " .. name.result)

-- Wrong input is an error with a code that can be told from others.
local ok, problem = pcall(Tools.execute, "calculator", { expression = "1 +" })
print("a wrong expression: ok=" .. tostring(ok) .. " code=" .. problem.code)

-- So is a tool that does not exist.
ok, problem = pcall(Tools.get, "teleporter")
print("an unknown tool:    ok=" .. tostring(ok) .. " kind=" .. problem.kind)

return { hypotenuse = answer.result, slug = slug.result }
