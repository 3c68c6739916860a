-- Storage: what asks functions of the spell, and the same functions for one scope.
local Storage = {}
P.modules.storage = Storage

function Storage.query(predicate, options, named)
  local args = {}
  if type(options) == "string" then args.prefix = options end
  for _, given in ipairs({ options or false, named or false }) do
    if type(given) == "table" then
      for key, value in next, given do args[key] = value end
    end
  end
  if type(predicate) ~= "function" then P.fail(2002, "validation", "Storage.query takes a function of key and value") end
  local found = {}
  repeat
    local page = P.await(P.call("storage.scan", args))
    for _, item in ipairs(page.items) do
      if predicate(item[1], item[2]) then found[item[1]] = item[2] end
    end
    args.after = page.next
  until page.next == nil or page.next == P.null
  return found
end

-- The functions of a scope and what they take, in order.
local CALLS = {
  get = { "key" }, set = { "key", "value", "ttl" }, delete = { "key" }, exists = { "key" }, list = { "prefix" },
  get_batch = { "keys" }, set_batch = { "data", "ttl" }, delete_batch = { "keys" },
  scan = { "prefix", "after", "limit", "start", "before" }, transaction = { "operations" },
  version = {}, migrate = { "version", "migration" }, clear = {}, compact = {}, stats = {}, backup = {}, backups = {}, restore = { "name" },
}
local NAMED = { ttl = true, prefix = true, after = true, limit = true, start = true, before = true }

-- `view:get(key)` and `view.get(key)` are one, as with every object of the API.
local function in_scope(view, name, call, params)
  return function(...)
    local args = { scope = name }
    local own = rawequal((...), view) and 1 or 0
    for index = 1, select("#", ...) - own do
      local value = select(index + own, ...)
      if type(value) == "table" and (not params[index] or NAMED[params[index]]) then
        for key, item in next, value do args[key] = item end
      elseif params[index] then
        args[params[index]] = value
      else
        P.fail(2002, "validation", "storage." .. call .. " takes " .. #params .. " arguments")
      end
    end
    return P.await(P.call("storage." .. call, args))
  end
end

function Storage.scope(name)
  if type(name) == "table" then name = name.name end
  local view = {}
  for call, params in pairs(CALLS) do
    view[call] = in_scope(view, name, call, params)
    view[P.camel(call)] = view[call]
  end
  function view.query(predicate, options, last)
    if rawequal(predicate, view) then predicate, options = options, last end
    local args = type(options) == "string" and { prefix = options } or {}
    for key, value in next, type(options) == "table" and options or {} do args[key] = value end
    args.scope = name
    return Storage.query(predicate, args)
  end
  return view
end
