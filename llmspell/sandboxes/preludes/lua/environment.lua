-- The world a spell sees: a fresh table of globals, the API as read-only tables.
local LIBRARIES = { "string", "table", "math", "utf8", "coroutine" }
local PLAIN = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "collectgarbage", "_VERSION" }

local protected = setmetatable({}, { __mode = "k" })

local function read_only(name, content, call, missing)
  if missing then setmetatable(content, { __index = missing }) end
  local proxy = setmetatable({}, {
    __index = content,
    __newindex = function() error(name .. " can't be changed", 2) end,
    __pairs = function() return next, content, nil end,
    __metatable = false,
    __name = name,
    __call = call,
  })
  protected[proxy] = true
  return proxy
end

local function guarded_rawset(target, key, value)
  if protected[target] then error("an API table can't be changed", 2) end
  return rawset(target, key, value)
end

-- A module's functions, under their described names and in camelCase too; some the prelude does itself.
local function add_functions(content, module, functions)
  local own = P.modules[module.name] or {}
  for _, spec in ipairs(functions or EMPTY) do
    spec.label = module.name .. "." .. spec.name
    local action = own[spec.name]
    if not action and spec.wire ~= "" then action = P.stub(spec) end
    content[spec.name], content[spec.camel] = action, action
    for _, alias in ipairs(spec.aliases or EMPTY) do
      -- Workflow.Sequential{…} is a class to the eye, so it has `new` as one.
      local named = find(alias, "^%u") and read_only(alias, { new = action }, function(_, ...) return action(...) end) or action
      content[alias], content[P.camel(alias)] = named, named
    end
  end
end

-- The rest of a module's description, read when it is first asked for.
local function described(module)
  if module.text then
    local rest = load(module.text, "=llmspell", "t", {})()
    module.functions, module.described_classes, module.text = rest.functions, rest.classes, nil
  end
  return module
end

function P.functions_of(name)
  for _, module in ipairs(P.api) do
    if module.name == name then return described(module).functions end
  end
end

local function contents(module)
  local content = {}
  for name, value in pairs(P.modules[module.name] or {}) do content[name] = value end
  add_functions(content, module, described(module).functions)
  for _, class in ipairs(module.described_classes or EMPTY) do P.define_class(class) end
  if module.construct then content.new = content.new or content[module.construct] end
  if module.name == "tools" then setmetatable(content, { __index = P.tool_field }) end
  return content
end

-- What calling the module does: Agent{…} is Agent.new{…}.
local function caller(module, made)
  if module.name == "log" then
    return function(_, level, message, fields) P.log(level, message, fields) end
  end
  return module.construct and function(_, ...) return made()[module.construct](...) end or nil
end

-- A module's read-only table: made when a spell first looks into it, as most spells use few.
local function api_table(module)
  -- A module without a name describes classes only.
  local title = module.names and module.names[1] or module.name
  local meta, content = { __metatable = false, __name = title }, nil
  local function made()
    if not content then
      content = contents(module)
      meta.__index = content
    end
    return content
  end
  meta.__index = function(_, key) return made()[key] end
  meta.__newindex = function() error(title .. " can't be changed", 2) end
  meta.__pairs = function() return next, made(), nil end
  meta.__call = caller(module, made)
  for _, class in ipairs(module.classes or EMPTY) do P.class_homes[class] = made end
  local proxy = setmetatable({}, meta)
  protected[proxy] = true
  return proxy
end

local function add_api(env)
  for _, module in ipairs(P.api) do
    local value = module.name == "os" and contents(module) or api_table(module)
    for _, name in ipairs(module.names or EMPTY) do env[name] = value end
  end
  for _, level in ipairs({ "trace", "info", "warn" }) do env[level] = P.modules.log[level] end
  env.debug = read_only("debug", { traceback = host.traceback },
    function(_, message, fields) P.log("debug", message, fields) end, P.missing_field("debug"))
  -- The seeds' older spelling (API-014).
  env.json = env.JSON
  P.name_modules(env)
end

-- Made at boot: what a zygote has by then, its children share.
local api = {}
add_api(api)

-- HttpTool, WebSearchTool …: a tool's class, where the spell has no such global.
local function tool_class(_, name)
  if type(name) == "string" and find(name, "^%u%w*Tool$") then return P.tool_class(name) end
end

local function restricted(env)
  for _, name in ipairs(PLAIN) do env[name] = original[name] end
  for _, library in ipairs(LIBRARIES) do
    local copy = {}
    for name, value in pairs(original[library]) do copy[name] = value end
    env[library] = copy
  end
  env.string.dump = nil
  -- Lua 5.4 has it no longer; the older text uses it (X43).
  env.math.pow = env.math.pow or function(base, exponent) return base ^ exponent end
  env.rawset = guarded_rawset
  env.load = P.text_load(env)
  setmetatable(env, { __index = tool_class })
  -- The one metatable all strings share: s:trim() finds what the spell adds to its own `string`.
  local shared = getmetatable("")
  shared.__index, shared.__metatable = env.string, false
end

local function unrestricted(env)
  for name, value in pairs(original) do env[name] = value end
  setmetatable(env, { __index = tool_class })
  if env.package and env.package.preload then
    for name, value in pairs(P.api_modules) do
      env.package.preload[name] = function() return value end
    end
  end
  if env.io then P.standard_streams(env.io) end
  -- Behind the language's own searchers: the spell's folder, which only the broker knows.
  local searchers = env.package and env.package.searchers
  if searchers then
    searchers[#searchers + 1] = function(name)
      local done, text, path = pcall(P.source_of, name)
      if not done or not text then return "\n\tno module '" .. name .. "' in the spell's folder" end
      local chunk, problem = load(text, "@" .. sub(path, 7), "t", env)
      return chunk or error(problem, 0), path
    end
  end
end

local function constants(env)
  local run = P.run
  env.params = P.mark_object(run.params or {})
  env.args = run.args or {}
  env.arg = env.args
  env.env = P.mark_object(run.env)
  env.SECURITY_LEVEL = run.profile
  env.ENGINE = "lua"
  for name, value in pairs(run.globals or {}) do env[name] = value end
end

-- io, the files of os, and the names of what a spell never gets.
local function add_system(env)
  if P.granted.io then
    env.io = setmetatable(P.make_io(), { __index = P.missing_field("io") })
    P.provided.io = env.io
  else
    env.io = P.absent_library("io")
  end
  if P.granted.os then P.os_files(env.os) end
  setmetatable(env.os, { __index = P.missing_field("os", { remove = true, rename = true }) })
  env.package = setmetatable({}, { __index = P.missing_field("package"), __metatable = false, __name = "package" })
  env.dofile, env.loadfile = P.absent_function("dofile"), P.absent_function("loadfile")
end

function P.make_environment()
  local env = {}
  env._G = env
  local free = P.run.profile == "none" and original.require ~= nil
  if free then unrestricted(env) else restricted(env) end
  local real_os, real_debug = env.os, env.debug
  for name, value in pairs(api) do env[name] = value end
  env.print = P.print
  if free then
    -- The language's own, but where our channel is the only way out.
    real_os.exit, env.os, env.debug = P.modules.os.exit, real_os, real_debug
    real_os.getenv = P.modules.os.getenv
    return env, constants(env)
  end
  P.provided = { os = env.os }
  for _, name in ipairs(LIBRARIES) do P.provided[name] = env[name] end
  add_system(env)
  env.require = P.make_require(env)
  original, P.original = {}, nil
  constants(env)
  return env
end
