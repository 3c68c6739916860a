-- Messages out and in, parts included.
local PART_SIZE, STEP, MESSAGE_MAX = 262144, 131072, 16777216

local function raw_send(text)
  -- A host function that fails must not hand its own error object to the spell.
  local done, sent = pcall(host.send, text)
  if not done or not sent then error("not enough memory", 0) end
end

-- The last byte at or before `index` that ends a character.
local function character_end(text, index)
  while index < #text do
    local following = byte(text, index + 1)
    if following < 128 or following >= 192 then break end
    index = index - 1
  end
  return index
end
P.character_end = character_end

function P.send(text)
  if #text <= PART_SIZE then return raw_send(text) end
  if #text > MESSAGE_MAX then P.fail(4009, "limit", "a message of over 16 MiB can't be sent", "limit.message") end
  local start = 1
  while start <= #text do
    local stop = start + STEP - 1
    stop = stop >= #text and #text or character_end(text, stop)
    raw_send('{"type":"part","data":' .. P.json_quote(sub(text, start, stop)) .. ',"last":'
      .. (stop == #text and "true}" or "false}"))
    start = stop + 1
  end
end

local parts = nil

local function raw_receive(timeout)
  local done, text = pcall(host.recv, timeout)
  if not done or text == false then error("not enough memory", 0) end
  return text
end

-- The next message, or nil on timeout (milliseconds; nil waits for ever).
function P.receive(timeout)
  while true do
    local text = raw_receive(timeout)
    if text == nil then return nil end
    local message = P.decode(text, true)
    if message.type ~= "part" then return message end
    parts = parts or {}
    parts[#parts + 1] = message.data
    if message.last then
      text = concat(parts)
      parts = nil
      return P.decode(text, true)
    end
  end
end

function P.now()
  return host.clock(1)
end

function P.wall()
  return host.clock(0)
end
