-- Async: several things at a time. Work is a function, or a task that Async.spawn gave.
P.modules = { async = {} }
local Async = P.modules.async
local tasks = setmetatable({}, { __mode = "k" })

local TASK = { __name = "task", __metatable = false }
TASK.__index = {
  await = function(self) return P.await(tasks[self]) end,
  cancel = function(self) tasks[self]:cancel() end,
  done = function(self) return tasks[self].done end,
}

local function task_of(work)
  if tasks[work] then return tasks[work] end
  if type(work) == "thread" then
    local co = work
    work = function()
      local result = pack(co_resume(co))
      while result[1] and co_status(co) ~= "dead" do
        P.cooperate()
        result = pack(co_resume(co))
      end
      if not result[1] then error(result[2], 0) end
      return result[2]
    end
  end
  if type(work) ~= "function" then
    local meta = type(work) == "table" and getmetatable(work)
    if not (type(meta) == "table" and meta.__call) then
      P.fail(2002, "validation", "a function or a task is needed, not a " .. type(work))
    end
  end
  return P.spawn(work)
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
  for _, task in ipairs(list) do task:cancel() end
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
  number_of(milliseconds, "Async.sleep: ms")
  local future = P.new_future()
  local timer = P.start_timer(milliseconds, function() P.settle(future, true) end)
  future.cancel = function() P.stop_timer(timer) end
  P.await(future)
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

function Async.timeout(work, milliseconds)
  number_of(milliseconds, "Async.timeout: ms")
  local task = task_of(work)
  task.observed = true
  local group = wait_for_group({ task }, function(group) P.settle(group, task.ok, task.value) end)
  local timer = P.start_timer(milliseconds, function()
    P.settle(group, false, { value = P.new_error({ code = 4004, kind = "timeout", recoverable = true,
      message = "not done within " .. milliseconds .. " ms" }) })
  end)
  local done, value = pcall(P.await, group)
  P.stop_timer(timer)
  task:cancel()
  if not done then error(value, 0) end
  return value
end

function Async.retry(operation, options)
  options = options or {}
  local attempts, delay = options.attempts or 3, number_of(options.delay or 100, "Async.retry: delay")
  for attempt = 1, attempts do
    local done, value = pcall(operation, attempt)
    if done then return value end
    if attempt == attempts then error(value, 0) end
    Async.sleep(delay)
    local longest = options.max_delay or 30000
    delay = delay * (options.backoff or 2)
    if delay > longest then delay = longest end
  end
end

function Async.spawn(operation, ...)
  local task = select("#", ...) == 0 and task_of(operation) or P.spawn(operation, ...)
  local handle = setmetatable({}, TASK)
  tasks[handle] = task
  return handle
end

Async.run = function(work)
  return P.await(task_of(work))
end
