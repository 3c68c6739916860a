-- What a spell prints. Each print is a frame of its own until it floods: then prints are gathered,
-- so that an honest loop of a million lines does not look like an attack on the channel.
local CHUNK, BURST, PER_MILLISECOND = 32768, 400, 1

local allowance, refilled = BURST, 0
local gathered, gathered_size, gathered_stream = {}, 0, "stdout"

local function emit(stream, text)
  local start = 1
  while start <= #text do
    local stop = start + CHUNK - 1
    stop = stop >= #text and #text or P.character_end(text, stop)
    P.send('{"type":"output","stream":"' .. stream .. '","text":' .. P.json_quote(sub(text, start, stop)) .. "}")
    start = stop + 1
  end
end

function P.flush()
  if gathered_size == 0 then return end
  local text = concat(gathered)
  gathered, gathered_size = {}, 0
  emit(gathered_stream, text)
end

local function may_send_now()
  if allowance == 0 then
    local now = P.now()
    allowance = floor((now - refilled) * PER_MILLISECOND)
    if allowance > BURST then allowance = BURST end
    if allowance <= 0 then
      allowance = 0
      return false
    end
    refilled = now
  end
  allowance = allowance - 1
  return true
end

function P.write(stream, text)
  text = P.printable(text)
  if text == "" then return end
  if gathered_size == 0 and may_send_now() then return emit(stream, text) end
  if stream ~= gathered_stream then P.flush() end
  gathered_stream = stream
  gathered[#gathered + 1] = text
  gathered_size = gathered_size + #text
  if gathered_size >= CHUNK or may_send_now() then P.flush() end
end

function P.print(...)
  local count = select("#", ...)
  local pieces = { ... }
  for index = 1, count do pieces[index] = tostring(pieces[index]) end
  P.write("stdout", concat(pieces, "\t", 1, count) .. "\n")
end
