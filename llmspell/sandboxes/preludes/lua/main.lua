-- One run: wait for it, build its world, drive it, report its end.
local MESSAGE_MAX = 16777000

function P.send_end()
  if P.reported then return end
  local ending, text = P.ending or EMPTY, nil
  if not ending.failure then ending = { value = ending.value, failure = P.failed_tests() } end
  if not ending.failure then
    local done, encoded = pcall(P.encode, ending.value, "value")
    if done and #encoded > MESSAGE_MAX then
      done, encoded = pcall(P.fail, 4009, "limit", "the spell's value is over 16 MiB", "limit.message")
    end
    if done then text = encoded else ending = { failure = { value = encoded } } end
  end
  collectgarbage()
  P.flush()
  P.reported = true
  if text then return P.send('{"type":"done","value":' .. text .. "}") end
  P.send('{"type":"failed","error":' .. P.encode(P.describe(ending.failure), "value") .. "}")
end

local function compile(source, env)
  -- A first line that begins with # is for the shell.
  source = gsub(source, "^#", "--#", 1)
  local chunk, problem = load(source, "@" .. P.chunk_name, "t", env)
  if chunk then return chunk end
  local place, line, message = match(problem, "^(.-):(%d+): (.*)$")
  P.ending = { failure = { value = P.new_error({ code = 4001, kind = "syntax",
    message = place == P.chunk_name and message or problem, line = tointeger(line) }) } }
end

local function receive_run()
  local run = P.receive(nil)
  while run.type ~= "run" do run = P.receive(nil) end
  -- Many copies of what is here may have waited for this.
  if host.begin then host.begin() end
  P.start_clock()
  run.env = run.env or {}
  P.run, P.chunk_name, P.granted = run, run.name or "spell.lua", {}
  for _, name in ipairs(run.modules or {}) do P.granted[name] = true end
  return run
end

local function drive()
  local run = receive_run()
  local chunk = compile(run.source, P.make_environment())
  if not chunk then return end
  if run.check then
    P.ending = { value = nil }
    return
  end
  local main = P.run_until_done(P.spawn(chunk, unpack(run.args or EMPTY)))
  if P.ending or not main then return end
  P.ending = main.ok and { value = main.value } or { failure = main.value }
end

local function main()
  local done, caught = xpcall(drive, P.caught)
  if not done and not P.ending then
    if type(caught) ~= "table" then caught = { value = caught } end
    P.ending = { failure = caught }
  end
  if not P.reported then
    local sent = pcall(P.send_end)
    if not sent then
      -- Too little memory to say more than this.
      P.reported = true
      host.send('{"type":"failed","error":{"code":4005,"kind":"memory","message":"the spell used more memory than it may"}}')
    end
  end
end

-- The host of a guest boots first and calls this later, perhaps in many copies of what is there now.
if host.boots then return main end
main()
