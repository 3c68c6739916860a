-- The smallest useful spell: it takes a parameter, prints, and returns a value.
--
--   llmspell run --profile high examples/basic/hello_world.lua
--   llmspell run --profile high --param who=moon examples/basic/hello_world.lua

-- `params` holds what came with --param. A parameter that was not given is nil.
local who = params.who or "world"

-- print goes to standard output at once; log records go to standard error.
print("Hello, " .. who .. "!")
print("I am a " .. ENGINE .. " spell and run at profile " .. SECURITY_LEVEL .. ".")

-- The returned value is the run's result: text is printed as it is, anything else as JSON.
return { greeted = who }
