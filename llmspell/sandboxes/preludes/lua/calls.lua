-- Calls to the supervisor, its invokes of the spell's functions, and the API's tables.
local calls, last_call = {}, 0
local callbacks, numbers, last_callback = {}, {}, 0
local invokes = {}

function P.callback_number(action)
  if not numbers[action] then
    last_callback = last_callback + 1
    numbers[action] = last_callback
    callbacks[last_callback] = action
  end
  return numbers[action]
end

local function cancel_call(future)
  if future.done then return end
  calls[future.id] = nil
  P.send('{"type":"cancel","id":' .. future.id .. "}")
  P.settle(future, false, { value = P.new_error({ code = 4002, kind = "cancelled", message = "the call was cancelled" }) })
end

-- Sends a call; gives the future of its reply.
function P.call(method, args)
  return P.call_text(method, P.encode(P.mark_object(args), "call"))
end

-- The same for arguments that are JSON already.
function P.call_text(method, text)
  P.flush()
  last_call = last_call + 1
  local future = P.new_future()
  future.id, future.cancel = last_call, cancel_call
  P.send('{"type":"call","id":' .. last_call .. ',"method":' .. P.json_quote(method) .. ',"args":' .. text .. "}")
  calls[last_call] = future
  return future
end

-- Whether the supervisor owes a reply, or is owed one.
function P.outstanding()
  return next(calls) ~= nil or next(invokes) ~= nil
end

local function on_reply(message)
  local future = calls[message.id]
  if not future then return end
  calls[message.id] = nil
  if message.ok == true then return P.settle(future, true, message.value) end
  local fields = type(message.error) == "table" and message.error or {}
  P.settle(future, false, { value = P.new_error(fields) })
end

local function send_returned(id, task)
  invokes[id] = nil
  task.observed = true
  local text, failure
  if task.ok then
    local done, encoded = pcall(P.encode, task.value, "call")
    if done then text = encoded else failure = { value = encoded } end
  else
    failure = task.value
  end
  P.flush()
  if text then
    P.send('{"type":"returned","id":' .. id .. ',"ok":true,"value":' .. text .. "}")
  else
    P.send('{"type":"returned","id":' .. id .. ',"ok":false,"error":' .. P.encode(P.describe(failure), "value") .. "}")
  end
end

-- Functions of the spell's among the arguments, by their places: they come beside them.
local function place(args, functions)
  for _, item in ipairs(functions) do
    local holder, path = args, item[1]
    for at = 1, #path do
      local key = type(path[at]) == "number" and path[at] + 1 or path[at]
      if type(holder) ~= "table" then break end
      if at < #path then
        holder = rawget(holder, key)
      elseif rawget(holder, key) == nil then
        holder[key] = callbacks[item[2]]
      end
    end
  end
end

local function on_invoke(message)
  local id, args = message.id, message.args or {}
  local count = #args
  if message.functions then place(args, message.functions) end
  for index = 1, count do
    local value = args[index]
    if value == P.null then args[index] = nil else args[index] = P.objects_in(value) end
  end
  local action = callbacks[message.callback] or function()
    P.fail(4010, "invalid_function", "the spell has no function of this number")
  end
  local task = P.spawn(P.finished, action, unpack(args, 1, count))
  invokes[id] = task
  P.when_done(task, function(done) send_returned(id, done) end)
end

function P.dispatch(message)
  local kind = message.type
  if kind == "reply" then return on_reply(message) end
  if kind == "invoke" then return on_invoke(message) end
  if kind == "cancel" and invokes[message.id] then return invokes[message.id]:cancel() end
end

-- The described spelling of a named argument: camelCase is another.
local function spelled(spec, key)
  local names = spec.spellings
  if not names then
    names = {}
    local camels = spec.camels or spec.params
    for index, name in ipairs(spec.params or EMPTY) do names[camels[index]], names[name] = name, name end
    spec.spellings = names
  end
  return names[key]
end

-- Named arguments; those that are no parameters go into the parameter that takes them.
local function add_named(spec, args, named)
  local spread = spec.spread
  local rest
  for key, value in next, named do
    local name = spelled(spec, key)
    if not name and spread then
      rest = rest or {}
      rest[key] = value
    else
      args[name or key] = value
    end
  end
  if not rest then return end
  local given = args[spread]
  if type(given) == "table" then
    for key, value in next, given do
      if rest[key] == nil then rest[key] = value end
    end
  end
  args[spread] = rest
end

-- Whether the only argument is a table of named ones: no list (Tools.discover({"pdf"})), and no
-- object of the API's.
local function is_named(spec, value)
  if type(value) ~= "table" or spec.object_first or P.is_object(value) or rawlen(value) > 0 then return false end
  return not (spec.array_first and next(value) == nil)
end

-- Arguments by position, then one table of named ones; or everything named.
local function collect(spec, ...)
  local count, args = select("#", ...), {}
  local params, positional = spec.params, spec.positional or 0
  local first = ...
  if count == 1 and is_named(spec, first) then
    add_named(spec, args, first)
  else
    for index = 1, positional < count and positional or count do args[params[index]] = (select(index, ...)) end
    local options = count > positional and (select(positional + 1, ...)) or nil
    if count > positional + 1 or (options ~= nil and type(options) ~= "table") then
      P.fail(2002, "validation", spec.label .. " takes " .. positional
        .. " arguments and a table of named ones")
    end
    if options then add_named(spec, args, options) end
  end
  for key, value in next, spec.fixed or EMPTY do args[key] = value end
  return args
end

-- What is done with a reply, by the description's `after`.
P.after = {}

local function as_it_is(value)
  return value
end

function P.stub(spec)
  local finish = P.after[spec.after] or as_it_is
  return function(...)
    local args = collect(spec, ...)
    return finish(P.await(P.call(spec.wire, args)), args)
  end
end

-- The same for a method: the call gets the object's id.
function P.method_stub(spec)
  local finish = P.after[spec.after] or as_it_is
  return function(self, ...)
    local args = collect(spec, ...)
    args.id = rawget(self, "id")
    if spec.whole then args[spec.whole] = self end
    return finish(P.await(P.call(spec.wire, args)), args)
  end
end

-- A response travels as its plain fields: what the prelude adds is behind them.
function P.after.response(value)
  return setmetatable(value, { __metatable = false, __name = "response", __index = {
    ok = value.status >= 200 and value.status < 300,
    text = function() return value.body end,
    json = function() return P.decode(value.body) end,
  } })
end

function P.after.json(value, args)
  if value.status < 200 or value.status >= 300 then
    P.fail(2003, "http_status", "GET " .. tostring(args.url) .. " answered " .. value.status)
  end
  return P.decode(value.body)
end
