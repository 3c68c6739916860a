-- Objects: a reply that names its class and id, with that class's methods. What the object holds
-- stays plain, so it is sent back as it came, with whatever a spell put on it.
local methods_of, metatables = {}, {}
-- Methods done here, by class; a described method without a call of its own is one of these.
P.classes = {}
-- What calling an object does, by class.
P.class_calls = {}
-- What makes the module that describes a class, by class.
P.class_homes = {}

local known = setmetatable({}, { __mode = "k" })
-- agent.chat is agent.chat: an object's bound methods are made once.
local bound = setmetatable({}, { __mode = "k" })

function P.is_object(value)
  return known[value] ~= nil
end

-- input_schema → inputSchema
function P.camel(name)
  return (gsub(name, "_(%l)", upper))
end

function P.snake(name)
  name = gsub(gsub(name, "(%u+)(%u%l)", "%1_%2"), "([%l%d])(%u)", "%1_%2")
  return lower(name)
end

-- object:method(x) and object.method(x) are both in use.
local function bind(object, name, method)
  local function action(...)
    if rawequal((...), object) then return method(...) end
    return method(object, ...)
  end
  bound[object] = bound[object] or {}
  bound[object][name] = action
  return action
end

-- Methods of this one object, before its class's.
function P.bind_own(object, actions)
  bound[object] = bound[object] or {}
  for name, action in next, actions do bound[object][name] = action end
end

local function define(class)
  local methods = {}
  methods_of[class], P.classes[class] = methods, P.classes[class] or {}
  metatables[class] = {
    __name = class,
    __metatable = false,
    __index = function(object, name)
      local own = bound[object]
      if own and own[name] then return own[name] end
      local method = methods[name]
      return method and bind(object, name, method)
    end,
    __tostring = function(object)
      return class .. " " .. tostring(rawget(object, "name") or rawget(object, "id"))
    end,
    __call = function(object, ...)
      local action = P.class_calls[class]
      if not action then error("a " .. class .. " can't be called", 2) end
      return action(object, ...)
    end,
  }
  return methods
end

-- agent:get_name() is agent.name.
local function getter(name)
  local field = string.match(name, "^get_(.+)$")
  return field and function(object) return rawget(object, field) end
end

-- The classes of a module, from its description and the prelude's own methods.
function P.define_class(described)
  local class = described.name
  local methods, own = methods_of[class] or define(class), P.classes[class] or {}
  for name, action in next, own do methods[name], methods[P.camel(name)] = action, action end
  for _, spec in ipairs(described.methods or EMPTY) do
    spec.label = class .. ":" .. spec.name
    local action = spec.wire ~= "" and P.method_stub(spec) or own[spec.name] or getter(spec.name)
    methods[spec.name], methods[spec.camel] = action, action
    for _, alias in ipairs(spec.aliases or EMPTY) do methods[alias], methods[P.camel(alias)] = action, action end
  end
end

-- Makes an object of plain fields, where its class is known.
function P.object(value)
  local class = rawget(value, "handle")
  if type(class) ~= "string" or rawget(value, "id") == nil or known[value] then return value end
  if not metatables[class] then
    if not P.class_homes[class] then return value end
    P.class_homes[class]()
  end
  local meta = metatables[class]
  known[value] = class
  if class == "hook" and rawget(value, "point") == "system_shutdown" then P.shutdown_hooked = true end
  return setmetatable(value, meta)
end

-- The same for a value and what it holds directly: replies, and the arguments of the spell's functions.
function P.objects_in(value)
  if type(value) ~= "table" or value == P.null then return value end
  if rawget(value, "handle") ~= nil and rawget(value, "id") ~= nil then return P.object(value) end
  for _, item in next, value do
    if type(item) == "table" and item ~= P.null and rawget(item, "handle") ~= nil then P.object(item) end
  end
  return value
end

P.after.handle, P.after.handles = P.objects_in, P.objects_in
