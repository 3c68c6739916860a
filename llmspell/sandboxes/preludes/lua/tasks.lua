-- The scheduler: tasks are coroutines, futures are what they wait for. A task is a future too.
--   future = { done, ok, value, waiters, observed, cancel = function(self) }
local PARKED, EXIT = {}, {}
local POLL_EVERY = 64

local ready, head, tail = {}, 1, 0
local timers = {}
local current = nil
local live = {}
local steps = 0
P.failures = {}

function P.new_future()
  return { done = false, ok = false, value = nil, waiters = {}, observed = false }
end

local function make_ready(task)
  if task.done or task.queued then return end
  task.queued = true
  tail = tail + 1
  ready[tail] = task
end

function P.settle(future, ok, value)
  if future.done then return end
  future.done, future.ok, future.value = true, ok, value
  for _, waiter in ipairs(future.waiters) do
    if type(waiter) == "function" then waiter(future) else make_ready(waiter) end
  end
  future.waiters = nil
end

function P.when_done(future, action)
  if future.done then return action(future) end
  future.waiters[#future.waiters + 1] = action
end

local function cancelled_error()
  return { value = P.new_error({ code = 4002, kind = "cancelled", message = "the task was cancelled" }) }
end

local function cancel_task(task)
  if task.done then return end
  local waits_for = task.waits_for
  live[task] = nil
  task.observed = true
  P.settle(task, false, cancelled_error())
  if waits_for and waits_for.cancel then waits_for:cancel() end
  -- A task that is running or waits in a nested pump can't be closed; it ends unheard.
  if co_status(task.co) == "suspended" then pcall(co_close, task.co) end
end

-- Starts `action(...)` as a task. `error` values inside futures are P.caught records.
function P.spawn(action, ...)
  local task = P.new_future()
  local arguments = pack(...)
  task.cancel = cancel_task
  task.co = co_create(function()
    local done, value = xpcall(action, P.caught, unpack(arguments, 1, arguments.n))
    if not done and type(value) ~= "table" then value = { value = value } end
    live[task] = nil
    if not done and not task.observed then P.failures[#P.failures + 1] = task end
    P.settle(task, done, value)
  end)
  live[task] = true
  make_ready(task)
  return task
end

-- Runs a coroutine of the spell's own as a task: what it yields is waited for and given back to it.
function P.adopt(co)
  if co_status(co) ~= "suspended" then
    P.fail(2002, "validation", "the coroutine has ended or runs already")
  end
  local task = P.new_future()
  task.cancel, task.co, task.adopted = cancel_task, co, true
  live[task] = true
  make_ready(task)
  return task
end

-- An adopted coroutine stopped with a value: it goes on with what the value comes to.
local function give_back(task, value)
  local future = P.future_of(value)
  if not future then
    task.given = value
    return make_ready(task)
  end
  task.waits_for, future.observed = future, true
  P.when_done(future, function()
    if future.ok then
      task.given = future.value
      return make_ready(task)
    end
    if task.done then return end
    live[task] = nil
    P.failures[#P.failures + 1] = task
    P.settle(task, false, future.value)
    pcall(co_close, task.co)
  end)
end

local function run(task)
  local before, given = current, task.given
  current, task.waits_for, task.given = task, nil, nil
  local done, signal = co_resume(task.co, given)
  current = before
  if task.done then return end
  if not done then
    live[task] = nil
    P.failures[#P.failures + 1] = task
    return P.settle(task, false, { value = signal })
  end
  if signal == EXIT then P.exited = true return end
  if task.adopted and signal ~= PARKED then
    if co_status(task.co) ~= "dead" then return give_back(task, signal) end
    live[task] = nil
    return P.settle(task, true, signal)
  end
  -- A bare coroutine.yield() in a task lets the others run.
  if signal ~= PARKED then make_ready(task) end
end

function P.start_timer(milliseconds, action)
  local timer = { at = P.now() + milliseconds, action = action }
  local index = #timers
  while index > 0 and timers[index].at < timer.at do index = index - 1 end
  insert(timers, index + 1, timer)
  return timer
end

function P.stop_timer(timer)
  for index = #timers, 1, -1 do
    if timers[index] == timer then return remove(timers, index) end
  end
end

-- Runs what is due. Gives whether anything was, and the milliseconds until the next timer, if any.
local function fire_timers()
  if #timers == 0 then return false end
  local now, fired = P.now(), false
  while #timers > 0 and timers[#timers].at <= now do
    remove(timers).action()
    fired = true
  end
  return fired, #timers > 0 and timers[#timers].at - now or nil
end

-- One step of everything: a ready task, a timer, or a message.
function P.pump()
  local fired, pause = fire_timers()
  if fired then return end
  if head <= tail then
    local task = ready[head]
    ready[head] = nil
    head = head + 1
    task.queued = false
    if not task.done then run(task) end
    steps = steps + 1
    if steps % POLL_EVERY ~= 0 then return end
    pause = 0
  end
  if head <= tail then pause = 0 else P.flush() end
  local message = P.receive(pause and (pause > 0 and pause or 0) or nil)
  if message then P.dispatch(message) end
end

-- The value of a future, or its error raised. A task parks; a coroutine of the spell's own, a
-- comparator or a gsub callback can't, so the channel is pumped beneath it.
function P.await(future)
  future.observed = true
  local co = co_running()
  while not future.done do
    if P.exited then P.stop_here() end
    if current and current.co == co and co_isyieldable() then
      future.waiters[#future.waiters + 1] = current
      current.waits_for = future
      co_yield(PARKED)
    else
      P.pump()
    end
  end
  if future.ok then return future.value end
  local caught = future.value
  if P.is_error(caught.value) and caught.stack then
    if not rawget(caught.value, "stack") then caught.value.stack = caught.stack end
  end
  error(caught.value, 0)
end

-- Ends the spell from wherever it stands: no pcall of the spell's stops this.
function P.stop_here()
  P.exited = true
  local co = co_running()
  if current and current.co == co and co_isyieldable() then co_yield(EXIT) end
  P.send_end()
  while true do host.recv(nil) end
end

function P.pause(milliseconds)
  local future = P.new_future()
  local timer = P.start_timer(milliseconds, function() P.settle(future, true) end)
  future.cancel = function() P.stop_timer(timer) end
  P.await(future)
end

-- Calls a function of the spell's and waits for what it gave: a coroutine, a promise or a value.
function P.finished(action, ...)
  local value = action(...)
  local future = P.future_of(value)
  while future do
    value = P.await(future)
    future = P.future_of(value)
  end
  return value
end

-- A failed task that nobody waited for fails the spell.
local function unheard_failure()
  for _, task in ipairs(P.failures) do
    if not task.observed then return task end
  end
end

-- Whether nothing can go on any more: tasks that still wait do so for what nobody will settle.
local function is_idle()
  return head > tail and #timers == 0 and not P.outstanding()
end

-- Runs until `main` and every task ended; gives the future that decides the spell's end.
function P.run_until_done(main)
  main.observed = true
  while not P.exited do
    if main.done and not main.ok then return main end
    if main.done then
      local failed = unheard_failure()
      if failed then return failed end
      -- What still waits to be done at the end (events.lua) may start tasks.
      if (next(live) == nil or is_idle()) and not P.at_end() then return main end
    end
    P.pump()
  end
end
