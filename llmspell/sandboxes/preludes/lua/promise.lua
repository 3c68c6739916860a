-- Promises over the tasks (API-119): a promise is a task's handle.
local Promise = {}
P.modules.promise = Promise
local methods = P.task_methods

-- An error that nobody hears fails the spell, as a task's does.
local function reject(future, reason)
  if future.done then return end
  P.failures[#P.failures + 1] = future
  P.settle(future, false, { value = reason })
end

-- Settles with the value, or with what the promise or coroutine it is comes to.
local function resolve(future, value)
  local inner = value ~= nil and P.future_of(value)
  if not inner then return P.settle(future, true, value) end
  if inner == future then return reject(future, P.new_error({ code = 4002, message = "a promise of itself" })) end
  inner.observed = true
  P.when_done(inner, function()
    if inner.ok then return P.settle(future, true, inner.value) end
    reject(future, inner.value.value)
  end)
end

function Promise.new(executor)
  if type(executor) ~= "function" then P.fail(2002, "validation", "Promise.new takes function(resolve, reject)") end
  local future, decided = P.new_future(), false
  local function once(action)
    return function(value)
      if decided then return end
      decided = true
      action(future, value)
    end
  end
  local broken = once(reject)
  local done, problem = pcall(executor, once(resolve), broken)
  if not done then broken(problem) end
  return P.task_handle(future)
end

function Promise.resolve(value)
  local future = P.new_future()
  resolve(future, value)
  return P.task_handle(future)
end

function Promise.reject(reason)
  local future = P.new_future()
  reject(future, reason)
  return P.task_handle(future)
end

for _, name in ipairs({ "all", "all_settled", "race" }) do
  local wait = P.modules.async[name]
  Promise[name] = function(list)
    -- Heard from now on, not from when the task first runs.
    for _, item in ipairs(type(list) == "table" and list or EMPTY) do
      local future = P.handle_future(item)
      if future then future.observed = true end
    end
    return P.task_handle(P.spawn(wait, list))
  end
end

local function follow(handle, kept, broken)
  local future = P.future_of(handle)
  if not future then P.fail(2002, "validation", "a promise is needed: call it as promise:method()") end
  future.observed = true
  return P.task_handle(P.spawn(function()
    local done, value = pcall(P.await, future)
    local handler = broken
    if done then handler = kept end
    if handler then return P.finished(handler, value) end
    if done then return value end
    error(value, 0)
  end))
end

function methods.and_then(handle, kept, broken)
  return follow(handle, kept, broken)
end
methods["then"] = methods.and_then

function methods.catch(handle, broken)
  return follow(handle, nil, broken)
end

function methods.finally(handle, action)
  return follow(handle, function(value)
    P.finished(action)
    return value
  end, function(problem)
    P.finished(action)
    error(problem, 0)
  end)
end
