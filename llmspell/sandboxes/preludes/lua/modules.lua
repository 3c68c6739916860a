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

-- Asks the broker, which records the answer and raises the denial; tells whether files of the
-- spell's own folder may be loaded.
local function ask(name)
  local shown = P.printable(sub(name, 1, 256))
  local verdict = P.await(P.call("modules.load", { name = shown }))
  return type(verdict) == "table" and verdict.own_folder == true
end

local function not_part(name, hint)
  P.fail(4007, "not_found", name .. " is not part of this engine", nil, hint)
end

-- The text of a module in the spell's own folder and its path; nil where there is none.
function P.source_of(name)
  local path = "spell:" .. gsub(name, "%.", "/")
  for _, candidate in ipairs({ path .. ".lua", path .. "/init.lua" }) do
    local done, text = pcall(P.await, P.call("fs.read", { path = candidate }))
    if done then return text, candidate end
    if not P.is_error(text) or text.kind ~= "not_found" then error(text, 0) end
  end
end

-- The injected API by the names that require gives it under.
function P.name_modules(env)
  local whole, found = {}, {}
  for name, value in pairs(env) do whole[name] = value end
  for name, global in pairs(P.requires.modules) do
    found[name] = env[global]
    whole[match(name, "[^.]+$")] = env[global]
  end
  for _, root in ipairs(P.requires.roots) do found[root] = whole end
  P.api_modules = found
end

local function check_name(name)
  if not find(name, "^[%w_.-]+$") or find(name, "..", 1, true) then
    P.fail(2002, "validation", "a module's name has letters, digits, _, - and dots")
  end
end

local function find_source(name)
  if P.run.profile == "low" then
    check_name(name)
    local text, path = P.source_of(name)
    if text then return text, path end
    ask(name)
  elseif ask(name) or P.granted[name] then
    -- A module granted by name may be a file of the folder; reading it is judged by itself.
    check_name(name)
    local text, path = P.source_of(name)
    if text then return text, path end
  end
  not_part("module " .. P.printable(sub(name, 1, 80)))
end

function P.make_require(env)
  return function(name)
    if type(name) ~= "string" or name == "" then P.fail(2002, "validation", "require takes a name") end
    if loaded[name] ~= nil then return loaded[name] end
    if P.api_modules[name] ~= nil then return P.api_modules[name] end
    if P.provided[name] then
      -- A granted library is on record as one.
      if P.granted[name] then ask(name) end
      loaded[name] = P.provided[name]
      return loaded[name]
    end
    local text, path = find_source(name)
    local chunk, problem = load(text, "@" .. sub(path, 7), "t", env)
    if not chunk then P.fail(4001, "syntax", problem) end
    local value = chunk(name, path)
    loaded[name] = value == nil and true or value
    return loaded[name]
  end
end

-- A library that was not granted: each use of it is asked of the broker, whose denial says how to
-- get it. Nothing is behind the name, whatever the broker says.
function P.absent_library(name)
  return setmetatable({}, {
    __name = name,
    __metatable = false,
    __index = function(_, field)
      ask(name)
      not_part(name .. "." .. P.printable(tostring(field)))
    end,
  })
end

-- What no grant brings back: asked, so that the attempt is on record, then refused with other words
-- than "allow it", which would not help.
function P.refuse_for_good(what, hint)
  local allowed, verdict = pcall(ask, what)
  if allowed then not_part(what, hint) end
  if not P.is_error(verdict) or verdict.code ~= 4008 then error(verdict, 0) end
  P.fail(4008, "denied", "denied " .. what, verdict.rule, hint)
end

local NO_PROGRAMS = "a spell starts no programs; Tools.list() names the tools it has instead"
local NO_SEARCH = "require(name) finds modules; load(fs.read(path)) compiles a file"
local NO_DEBUG = "of debug there is debug.traceback"
P.for_good = {
  io = { popen = NO_PROGRAMS, tmpfile = "fs.write(\"scratch:name\", text) keeps a file for the run" },
  os = { execute = NO_PROGRAMS, tmpname = "files below scratch: are the run's own" },
  debug = setmetatable({}, { __index = function() return NO_DEBUG end }),
  package = setmetatable({}, { __index = function() return NO_SEARCH end }),
}

-- For the `__index` of a library: fields that are never there, and those that a grant brings.
function P.missing_field(library, granted_fields)
  return function(_, field)
    if type(field) ~= "string" then return nil end
    local hint = P.for_good[library][field]
    if hint then P.refuse_for_good(library .. "." .. P.printable(sub(field, 1, 80)), hint) end
    if granted_fields and granted_fields[field] then
      ask(library)
      not_part(library .. "." .. field)
    end
  end
end

function P.absent_function(name)
  return function() P.refuse_for_good(name, NO_SEARCH) end
end
