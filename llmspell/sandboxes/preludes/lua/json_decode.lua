-- Strict JSON text to Lua values. From the channel, null fields vanish and {"$bytes"} is a string;
-- JSON.decode keeps null as JSON.null.
local MAX_DEPTH = 512
local UNESCAPE = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local utf8_char = utf8.char

local text, wire
local read_value

local function refuse(position, what)
  P.fail(2002, "validation", "not JSON: " .. what .. " at byte " .. position)
end

local function unescape(segment, position)
  local index, pieces = 1, {}
  while true do
    local slash = find(segment, "\\", index, true)
    if not slash then
      pieces[#pieces + 1] = sub(segment, index)
      return concat(pieces)
    end
    pieces[#pieces + 1] = sub(segment, index, slash - 1)
    local letter = sub(segment, slash + 1, slash + 1)
    if letter == "u" then
      local code = tonumber(match(segment, "^%x%x%x%x", slash + 2) or refuse(position, "a bad \\u"), 16)
      index = slash + 6
      if code >= 0xD800 and code <= 0xDFFF then
        local low = match(segment, "^\\u([dD][c-fC-F]%x%x)", index)
        if code >= 0xDC00 or not low then refuse(position, "a lone surrogate") end
        code = 0x10000 + ((code - 0xD800) << 10) + (tonumber(low, 16) - 0xDC00)
        index = index + 6
      end
      pieces[#pieces + 1] = utf8_char(code)
    else
      pieces[#pieces + 1] = UNESCAPE[letter] or refuse(position, "a bad escape")
      index = slash + 2
    end
  end
end

-- `start` is behind the opening quote; gives the text and the index behind the closing one.
local function read_string(start)
  local stop, escaped = start, false
  while true do
    stop = find(text, '["\\]', stop) or refuse(start, "text without end")
    if byte(text, stop) == 34 then break end
    escaped = true
    stop = stop + 2
  end
  local segment = sub(text, start, stop - 1)
  if find(segment, "[\0-\31]") then refuse(start, "a control character in text") end
  if escaped then segment = unescape(segment, start) end
  return segment, stop + 1
end

local function skip(index)
  return find(text, "[^ \n\r\t]", index) or #text + 1
end

local function read_number(index)
  local literal = match(text, "^-?%d+%.?%d*[eE]?[+-]?%d*", index) or refuse(index, "no value")
  if find(literal, "^-?0%d") or find(literal, "%.$") or find(literal, "%.[eE]") or find(literal, "[eE+-]$") then
    refuse(index, "a bad number")
  end
  local value = tonumber(literal) or refuse(index, "a bad number")
  if value == huge or value == -huge then refuse(index, "a number too large") end
  return value, index + #literal
end

local function read_array(index, depth)
  local result, length = {}, 0
  index = skip(index)
  if byte(text, index) == 93 then return result, index + 1 end
  while true do
    local value
    value, index = read_value(index, depth)
    length = length + 1
    if value == nil then value = P.null end
    result[length] = value
    index = skip(index)
    local mark = byte(text, index)
    if mark == 93 then return result, index + 1 end
    if mark ~= 44 then refuse(index, "no comma in a list") end
    index = skip(index + 1)
  end
end

local function finished_object(result, keys)
  if keys == 1 and wire and type(result["$bytes"]) == "string" then return P.base64_decode(result["$bytes"]) end
  if next(result) == nil then P.mark_object(result) end
  return result
end

local function read_object(index, depth)
  local result, seen, keys = {}, {}, 0
  index = skip(index)
  if byte(text, index) == 125 then return finished_object(result, 0), index + 1 end
  while true do
    if byte(text, index) ~= 34 then refuse(index, "a key that is no text") end
    local key, value
    key, index = read_string(index + 1)
    if seen[key] then refuse(index, "a key twice") end
    seen[key], keys = true, keys + 1
    index = skip(index)
    if byte(text, index) ~= 58 then refuse(index, "no colon") end
    value, index = read_value(skip(index + 1), depth)
    if value == nil and not wire then value = P.null end
    result[key] = value
    index = skip(index)
    local mark = byte(text, index)
    if mark == 125 then return finished_object(result, keys), index + 1 end
    if mark ~= 44 then refuse(index, "no comma in an object") end
    index = skip(index + 1)
  end
end

function read_value(index, depth)
  local mark = byte(text, index)
  if mark == 34 then return read_string(index + 1) end
  if mark == 123 or mark == 91 then
    if depth >= MAX_DEPTH then refuse(index, "nested deeper than " .. MAX_DEPTH .. " levels") end
    return (mark == 123 and read_object or read_array)(index + 1, depth + 1)
  end
  if mark == 116 and sub(text, index, index + 3) == "true" then return true, index + 4 end
  if mark == 102 and sub(text, index, index + 4) == "false" then return false, index + 5 end
  if mark == 110 and sub(text, index, index + 3) == "null" then return nil, index + 4 end
  return read_number(index)
end

function P.decode(source, from_channel)
  text, wire = source, from_channel
  if not from_channel and not utf8_len(source) then refuse(1, "the text is not UTF-8") end
  local value, index = read_value(skip(1), 0)
  if skip(index) <= #source then refuse(index, "something after the value") end
  text = nil
  if value == nil and not from_channel then return P.null end
  return value
end
