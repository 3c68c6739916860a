-- Async: several things at a time. Work is a function, or a task that Async.spawn gave.
P.modules = { async = {} }
local Async = P.modules.async
local tasks = setmetatable({}, { __mode = "k" })

-- What `task` handles do; promises are the same (see promise).
local TASK = { __name = "task", __metatable = false, __index = {} }
P.task_methods = TASK.__index

function P.task_handle(future)
  local handle = setmetatable({}, TASK)
  tasks[handle] = future
  return handle
end

-- What a value stands for, where it does: a task's, a promise's or a coroutine's future.
function P.future_of(value)
  if type(value) == "thread" then return P.adopt(value) end
  return tasks[value]
end

function P.handle_future(handle)
  return tasks[handle]
end

local function future_of_handle(handle)
  return tasks[handle] or P.fail(2002, "validation", "a task is needed: call it as task:method()")
end

function TASK.__index.await(handle) return P.await(future_of_handle(handle)) end
function TASK.__index.cancel(handle)
  local future = future_of_handle(handle)
  if future.cancel then future:cancel() end
end
function TASK.__index.done(handle) return future_of_handle(handle).done end

local function task_of(work)
  local future = work ~= nil and P.future_of(work)
  if future then return future end
  if type(work) ~= "function" then
    local meta = type(work) == "table" and getmetatable(work)
    if not (type(meta) == "table" and meta.__call) then
      P.fail(2002, "validation", "a function or a task is needed, not a " .. type(work))
    end
  end
  return P.spawn(P.finished, work)
end

local function tasks_of(list)
  if type(list) ~= "table" then P.fail(2002, "validation", "a list of functions is needed") end
  local result = {}
  for index = 1, #list do
    result[index] = task_of(list[index])
    result[index].observed = true
  end
  return result
end

local function cancel_all(list)
  for _, task in ipairs(list) do
    if task.cancel then task:cancel() end
  end
end

-- Waits until `decide` settles the group; a cancelled group cancels its members.
local function wait_for_group(members, decide)
  local group = P.new_future()
  group.cancel = function() cancel_all(members) end
  for index, task in ipairs(members) do
    P.when_done(task, function() decide(group, task, index) end)
  end
  return group
end

local function number_of(value, what)
  if type(value) ~= "number" or value ~= value or value < 0 then
    P.fail(2002, "validation", what .. " must be a number of milliseconds, 0 or more")
  end
  return value
end

function Async.sleep(milliseconds)
  P.pause(number_of(milliseconds, "Async.sleep: ms"))
end

function Async.all(list)
  local members = tasks_of(list)
  if #members == 0 then return {} end
  local results, missing = {}, #members
  local group = wait_for_group(members, function(group, task, index)
    if not task.ok then return P.settle(group, false, task.value) end
    results[index] = task.value == nil and P.null or task.value
    missing = missing - 1
    if missing == 0 then P.settle(group, true, results) end
  end)
  local done, value = pcall(P.await, group)
  cancel_all(members)
  if not done then error(value, 0) end
  return value
end

function Async.all_settled(list)
  local members, results = tasks_of(list), {}
  for index, task in ipairs(members) do
    local done, value = pcall(P.await, task)
    results[index] = done and { status = "fulfilled", value = value } or { status = "rejected", reason = value }
  end
  return results
end

function Async.race(list)
  local members = tasks_of(list)
  if #members == 0 then P.fail(2002, "validation", "Async.race needs at least one function") end
  local done, value = pcall(P.await, wait_for_group(members, function(group, task)
    P.settle(group, task.ok, task.value)
  end))
  cancel_all(members)
  if not done then error(value, 0) end
  return value
end

local function timed_out(milliseconds)
  return P.new_error({ code = 4004, kind = "timeout", recoverable = true,
    message = "not done within " .. milliseconds .. " ms" })
end

function Async.timeout(work, milliseconds)
  number_of(milliseconds, "Async.timeout: ms")
  local task = task_of(work)
  task.observed = true
  local group = wait_for_group({ task }, function(group) P.settle(group, task.ok, task.value) end)
  local timer = P.start_timer(milliseconds, function()
    P.settle(group, false, { value = timed_out(milliseconds) })
  end)
  local done, value = pcall(P.await, group)
  P.stop_timer(timer)
  cancel_all({ task })
  if not done then error(value, 0) end
  return value
end

function Async.retry(operation, options)
  if type(operation) ~= "function" then P.fail(2002, "validation", "Async.retry takes a function") end
  options = options or {}
  local attempts, delay = options.attempts or 3, number_of(options.delay or 100, "Async.retry: delay")
  if math_type(attempts) ~= "integer" or attempts < 1 then
    P.fail(2002, "validation", "Async.retry: attempts must be an integer, 1 or more")
  end
  for attempt = 1, attempts do
    local done, value = pcall(P.finished, operation, attempt)
    if done then return value end
    if attempt == attempts then error(value, 0) end
    Async.sleep(delay)
    local longest = options.max_delay or 30000
    delay = delay * (options.backoff or 2)
    if delay > longest then delay = longest end
  end
end

function Async.with_retry(operation, retries)
  if retries == nil then retries = 3 end
  if math_type(retries) ~= "integer" or retries < 0 then
    P.fail(2002, "validation", "Async.with_retry: retries must be an integer, 0 or more")
  end
  return Async.retry(operation, { attempts = retries + 1 })
end

local function close(resource)
  if type(resource) ~= "table" and type(resource) ~= "userdata" then return end
  local action = resource.close or resource.release or resource.dispose
  if action then action(resource) end
end

function Async.with_resource(resource, operation)
  if type(operation) ~= "function" then P.fail(2002, "validation", "Async.with_resource takes a resource and a function") end
  if type(resource) == "function" then resource = P.finished(resource) end
  local done, value = xpcall(P.finished, P.keep_stack, operation, resource)
  -- The operation's error goes before one of closing.
  local closed, problem = pcall(close, resource)
  if not done then error(value, 0) end
  if not closed then error(problem, 0) end
  return value
end

function Async.spawn(operation, ...)
  return P.task_handle(select("#", ...) == 0 and task_of(operation) or P.spawn(P.finished, operation, ...))
end

function Async.run(work)
  return P.await(task_of(work))
end

function Async.schedule(milliseconds, action)
  number_of(milliseconds, "Async.schedule: ms")
  if type(action) ~= "function" then P.fail(2002, "validation", "Async.schedule takes milliseconds and a function") end
  return P.task_handle(P.spawn(function()
    P.pause(milliseconds)
    return P.finished(action)
  end))
end

function Async.yield_now()
  P.pause(0)
end

function Async.yield_for(milliseconds)
  P.pause(number_of(milliseconds, "Async.yield_for: ms"))
end

local SLOWEST_POLL = 10

function Async.yield_until(condition, timeout)
  if type(condition) ~= "function" then P.fail(2002, "validation", "Async.yield_until takes a function") end
  local until_when = timeout ~= nil and P.now() + number_of(timeout, "Async.yield_until: timeout")
  local pause = 0
  while not condition() do
    if until_when and P.now() >= until_when then error(timed_out(timeout), 0) end
    P.pause(pause)
    if pause < SLOWEST_POLL then pause = pause + 1 end
  end
end
