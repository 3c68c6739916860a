-- Events: what the spell emits travels many at a time; what the supervisor delivers is run here.
local BATCH, WINDOW, CASCADE_MAX = 50, 8, 32
local HANDLER_SECONDS, LOOK_MS = 30, 5000
local Events = {}
P.modules.events = Events

local queue, queued = {}, 0
local in_flight = {}
local refused = nil
local unsettled = false
local handlers, numbers = {}, {}
-- How deep in handlers of handlers' events a coroutine runs.
local depths = setmetatable({}, { __mode = "k" })

local function number_of(action)
  if not numbers[action] then
    handlers[#handlers + 1] = action
    numbers[action] = #handlers
  end
  return numbers[action]
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

-- Emitting ------------------------------------------------------------------------------------

local function send_batch()
  if queued == 0 then return end
  local text = '{"events":[' .. concat(queue, ",", 1, queued) .. "]}"
  queue, queued = {}, 0
  local future = P.call_text("events.emit", text)
  future.observed = true
  in_flight[#in_flight + 1] = future
  P.when_done(future, function()
    if not future.ok then refused = refused or future.value end
    for index, other in ipairs(in_flight) do
      if other == future then return remove(in_flight, index) end
    end
  end)
end

local flush_output = P.flush
function P.flush()
  flush_output()
  send_batch()
end

local function raise_refused()
  local caught = refused
  if not caught then return end
  refused = nil
  error(caught.value, 0)
end

local OWN = { type = true, event_type = true, data = true, source = true, metadata = true, timestamp = true }

-- emit(name, payload) or emit{ type, data }; fields beside `type` are the data where there is none.
local function emission(name, payload)
  if type(name) ~= "table" then return { type = name, data = payload } end
  local data = name.data
  if data == nil then
    for key, value in next, name do
      if not OWN[key] then
        data = data or {}
        data[key] = value
      end
    end
  end
  return { type = name.type or name.event_type, data = data, source = name.source, metadata = name.metadata }
end

function Events.emit(name, payload)
  raise_refused()
  local event, depth = emission(name, payload), depths[co_running()] or 0
  if type(event.type) ~= "string" then P.fail(5005, "event", "an event needs a name: emit(name, payload)") end
  if depth > CASCADE_MAX then P.fail(5005, "limit", "events that handlers emit go over " .. CASCADE_MAX .. " deep") end
  if depth > 0 then event.depth = depth end
  local text = P.encode(event, "value")
  queued = queued + 1
  queue[queued] = text
  unsettled = true
  if queued < BATCH then return end
  send_batch()
  while depth == 0 and #in_flight >= WINDOW do pcall(P.await, in_flight[1]) end
  raise_refused()
end

function Events.emit_sync(name, payload)
  unsettled = true
  return P.await(P.call("events.emit_sync", { event = emission(name, payload) }))
end
Events.emit_and_wait = Events.emit_sync

function Events.flush()
  local result = P.await(P.call("events.flush", {}))
  raise_refused()
  return result
end

-- Asked when main and every task have ended: handlers of what was emitted still run.
function P.at_end()
  if not unsettled then return false end
  unsettled = false
  P.spawn(Events.flush)
  return true
end

-- Handling ------------------------------------------------------------------------------------

-- Fields of the data are at the event too (X28).
local function readable(event)
  local data = event.data
  event.event_type = event.type
  if data == P.null then event.data = nil end
  if type(data) == "table" and data ~= P.null then
    for key, value in next, data do
      if event[key] == nil then event[key] = value end
    end
  end
  return event
end

local function readable_all(events)
  for _, event in ipairs(events) do readable(event) end
  return events
end

-- Looks every few seconds whether it is still the same handler that runs: a clock for each would
-- cost more than most handlers do.
local function watch(state)
  state.timer = P.start_timer(LOOK_MS, function()
    if state.task and state.task == state.seen then
      state.looks = state.looks + 1
      if state.looks * LOOK_MS >= HANDLER_SECONDS * 1000 then
        state.late = true
        state.task:cancel()
      end
    else
      state.seen, state.looks = state.task, 0
    end
    watch(state)
  end)
end

-- Runs a handler in a task of its own; whether it ended well, and its value or what it raised.
local function run(action, event, depth, state)
  local task = P.spawn(function()
    depths[co_running()] = depth
    return P.finished(action, event)
  end)
  state.task, state.late = task, false
  local done = pcall(P.await, task)
  state.task = nil
  if done then return true, task.value end
  if state.late then return false, "it did not end within " .. HANDLER_SECONDS .. " s" end
  return false, P.describe(task.value).message
end

local function ask(predicate, event)
  local done, caught = xpcall(predicate, P.caught, event)
  if done then return true, caught end
  return false, P.describe(type(caught) == "table" and caught or { value = caught }).message
end

local function is_stop(value)
  return value == "stop" or value == "StopPropagation" or (type(value) == "table" and value.stop == true)
end

local function dispatch(batch, collect)
  local outcome, state = { failures = {}, filtered = 0, stopped = 0 }, {}
  unsettled = true
  watch(state)
  local function failed(index, id, message)
    outcome.failures[#outcome.failures + 1] = { index - 1, id, message }
  end
  for index, item in ipairs(batch) do
    local event, depth = item[1], item[3]
    if event.type then readable(event) else readable_all(event) end
    for _, to in ipairs(item[2]) do
      local id, handler, filter = to[1], handlers[to[2]], handlers[to[3]]
      local done, value = true, true
      if filter then done, value = ask(filter, event) end
      if done and not value then
        outcome.filtered = outcome.filtered + 1
      else
        if done then done, value = run(handler, event, depth, state) end
        if not done then failed(index, id, value) end
        if done and is_stop(value) then
          outcome.stopped = outcome.stopped + 1
          outcome.action = outcome.action or "stop"
          break
        end
        if done and (value == "retry" or value == "retry_with_modified_context") then
          outcome.action = value
          if collect then outcome.data = event.data end
        end
      end
    end
  end
  P.stop_timer(state.timer)
  return outcome
end

-- Subscribing ---------------------------------------------------------------------------------

local SUBSCRIPTION = { __name = "subscription", __metatable = false }
SUBSCRIPTION.__index = {
  unsubscribe = function(self) return P.await(P.call("events.remove", { id = self.id })) end,
}

-- The options of a subscription as they travel.
local function wire_options(options)
  local filter = options.filter
  local where = options.where
  if filter ~= nil and not is_callable(filter) then where, filter = filter, nil end
  local mode = options.mode
  local batch = options.batch or options.batch_size or options.count
  if mode == "batched" and not batch then batch = BATCH end
  return {
    priority = options.priority, once = options.once, where = where,
    filter = filter and number_of(filter) or nil,
    batch = batch, window = options.window or options.interval,
  }
end

local function subscribe(pattern, handler, options, predicate)
  if type(handler) == "table" and not is_callable(handler) then
    options = handler
    handler = options.handler
  end
  if not is_callable(handler) then P.fail(5008, "handler", "Events.subscribe takes a function of the event") end
  local args = wire_options(options or {})
  if predicate then
    local own = args.filter and handlers[args.filter]
    args.filter = number_of(function(event) return predicate(event) and (not own or own(event)) end)
  end
  args.pattern, args.handler, args.dispatcher = pattern, number_of(handler), dispatch
  unsettled = true
  return setmetatable(P.await(P.call("events.add", args)), SUBSCRIPTION)
end

local function with(options, name, value)
  local result = {}
  for key, item in next, options or {} do result[key] = item end
  if name then result[name] = value end
  return result
end

local function once(pattern, handler, options, predicate)
  if type(handler) == "table" and not is_callable(handler) then
    options = handler
    handler = options.handler
  end
  return subscribe(pattern, handler, with(options, "once", true), predicate)
end

function Events.subscribe(pattern, handler, options) return subscribe(pattern, handler, options) end
Events.on = Events.subscribe
function Events.once(pattern, handler, options) return once(pattern, handler, options) end

function Events.aggregate(pattern, options, handler)
  if is_callable(options) then options, handler = handler, options end
  if type(options) ~= "table" or not (options.count or options.batch or options.window) then
    P.fail(5006, "subscription", "Events.aggregate needs a count or a window")
  end
  return subscribe(pattern, handler, options)
end

function Events.unsubscribe(what, handler)
  local args = {}
  if is_callable(what) and not (type(what) == "table" and what.id) then
    args.handler = numbers[what]
  elseif type(what) == "table" then
    args.id = what.id
  elseif type(what) == "string" and find(what, "^sub%-%d+$") then
    args.id = what
  else
    args.pattern = what
  end
  if handler ~= nil then args.handler = numbers[handler] end
  if (handler ~= nil or is_callable(what)) and not args.handler then return 0 end
  return P.await(P.call("events.remove", args))
end
Events.off = Events.unsubscribe

function Events.filter(predicate)
  if not is_callable(predicate) then P.fail(5007, "filter", "Events.filter takes a function of the event") end
  local view = {}
  -- view.subscribe(…) and view:subscribe(…) are both in use.
  local function either(action)
    return function(first, ...)
      if rawequal(first, view) then return action(...) end
      return action(first, ...)
    end
  end
  view.subscribe = either(function(pattern, handler, options) return subscribe(pattern, handler, options, predicate) end)
  view.on = view.subscribe
  view.once = either(function(pattern, handler, options) return once(pattern, handler, options, predicate) end)
  view.unsubscribe, view.off = either(Events.unsubscribe), either(Events.unsubscribe)
  view.emit, view.emit_sync = either(Events.emit), either(Events.emit_sync)
  view.filter = either(function(other)
    return Events.filter(function(event) return predicate(event) and other(event) end)
  end)
  return view
end

-- The past ------------------------------------------------------------------------------------

function Events.replay(from, to, options)
  local args = {}
  for _, given in ipairs({ from or false, to or false, options or false }) do
    if type(given) == "table" then
      for key, value in next, given do args[key] = value end
    end
  end
  if type(from) ~= "table" then args.from = from end
  if type(to) ~= "table" then args.to = to end
  return readable_all(P.await(P.call("events.replay", args)))
end

function Events.wait_for(pattern, timeout, options)
  local args = {}
  if type(pattern) == "table" then args, pattern = with(pattern), pattern.pattern end
  if type(timeout) == "table" then
    args = with(timeout)
    timeout = args.timeout
  end
  for key, value in next, options or {} do args[key] = value end
  args.pattern, args.timeout = pattern, timeout
  return readable(P.await(P.call("events.wait_for", args)))
end

function Events.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    P.fail(2002, "validation", "Events.sleep takes a number of seconds, 0 or more")
  end
  P.pause(seconds * 1000)
end
