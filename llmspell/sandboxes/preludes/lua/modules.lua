-- load, and require of the spell's own folder.
local loaded = {}

function P.text_load(env)
  return function(chunk, name, _, ...)
    local target = env
    if select("#", ...) > 0 then target = (...) end
    -- Text only: bytecode can break the engine (LU-01).
    return load(chunk, name, "t", target)
  end
end

local function may_require(name)
  return P.run.profile == "low" or P.granted[name]
end

function P.source_of(name)
  local path = "spell:" .. gsub(name, "%.", "/")
  local refusal
  for _, candidate in ipairs({ path .. ".lua", path .. "/init.lua" }) do
    local done, text = pcall(P.await, P.call("fs.read", { path = candidate }))
    if done then return text, candidate end
    if P.is_error(text) and text.code == 4008 then error(text, 0) end
    refusal = refusal or text
  end
  if P.is_error(refusal) and refusal.kind ~= "not_found" then error(refusal, 0) end
  P.fail(4007, "not_found", "module '" .. name .. "' is not in the spell's folder")
end

function P.make_require(env)
  return function(name)
    if type(name) ~= "string" then P.fail(2002, "validation", "require takes a name") end
    if loaded[name] ~= nil then return loaded[name] end
    if P.provided[name] then return P.provided[name] end
    if not may_require(name) then
      P.fail(4008, "denied", "denied module " .. P.printable(sub(name, 1, 80)), P.run.profile .. ".modules",
        "to allow it: --allow-module " .. P.printable(sub(name, 1, 80)))
    end
    if not find(name, "^[%w_.-]+$") or find(name, "..", 1, true) then
      P.fail(2002, "validation", "a module's name has letters, digits, _, - and dots")
    end
    local text, path = P.source_of(name)
    local chunk, problem = load(text, "@" .. sub(path, 7), "t", env)
    if not chunk then P.fail(4001, "syntax", problem) end
    local value = chunk(name, path)
    loaded[name] = value == nil and true or value
    return loaded[name]
  end
end
