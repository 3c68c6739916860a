-- Lua values to JSON text, for the channel (strict) and for JSON.encode. It reads tables raw: no
-- metamethod of the spell's runs while a value is written.
local MAX_DEPTH, WIRE_DEPTH, WIRE_NODES, WIRE_KEYS = 512, 44, 240000, 20000
local MAX_EXACT = 2 ^ 53

P.null = setmetatable({}, { __tostring = function() return "null" end, __metatable = false,
  __newindex = function() error("JSON.null can't be changed", 2) end, __name = "JSON.null" })
-- Tables that are an object even when empty.
local objects = setmetatable({}, { __mode = "k" })

function P.mark_object(value)
  objects[value] = true
  return value
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f" }
local function escape(c)
  return ESCAPES[c] or format("\\u%04x", byte(c))
end

local function refuse(message)
  P.fail(2002, "validation", message)
end

local out, count, path, nodes, wire
local write

local function quote(text)
  if not find(text, '[%c"\\]') then return '"' .. text .. '"' end
  return '"' .. gsub(text, '[%c"\\]', escape) .. '"'
end
P.json_quote = quote

local function add(text)
  count = count + 1
  out[count] = text
end

local function write_string(text)
  if utf8_len(text) then return add(quote(text)) end
  if not wire then refuse("text that is not UTF-8 has no form in JSON") end
  add('{"$bytes":"' .. P.base64_encode(text) .. '"}')
end

local function number_text(value)
  if math_type(value) == "integer" then
    if wire and (value > MAX_EXACT or value < -MAX_EXACT) then
      refuse("an integer beyond 2^53 can't be carried exactly: send it as text")
    end
    return tostring(value)
  end
  if value ~= value or value == huge or value == -huge then
    refuse("NaN and infinity have no form in JSON")
  end
  if wire and value == floor(value) and (value > MAX_EXACT or value < -MAX_EXACT) then
    return format("%.17e", value)
  end
  local text = format("%.14g", value)
  if tonumber(text) ~= value then text = format("%.17g", value) end
  return text
end

local function is_array(value)
  local length = rawlen(value)
  if length == 0 then return next(value) == nil and not objects[value] end
  local keys = 0
  for key in next, value do
    if math_type(key) ~= "integer" or key < 1 or key > length then
      if type(key) == "string" then refuse("a table with both a list and named fields has no form in JSON") end
      return false
    end
    keys = keys + 1
  end
  return keys == length
end

-- In the order of their bytes: the same value is the same text in every run.
local function sorted_keys(value)
  local keys, total = {}, 0
  for key in next, value do
    if type(key) ~= "string" then
      refuse("a table key that is no text (" .. type(key) .. "), or a list with gaps, has no form in JSON")
    end
    total = total + 1
    keys[total] = key
  end
  if wire and total > WIRE_KEYS then refuse("an object has over " .. WIRE_KEYS .. " keys") end
  sort(keys)
  return keys, total
end

local function write_object(value, depth)
  local keys, total = sorted_keys(value)
  if wire and total == 1 and (keys[1] == "$bytes" or keys[1] == "$callback") then
    refuse("an object with the only key " .. keys[1] .. " means something else on the channel")
  end
  add("{")
  for index = 1, total do
    local key = keys[index]
    if not utf8_len(key) then refuse("a key that is not UTF-8 has no form in JSON") end
    add((index == 1 and "" or ",") .. quote(key) .. ":")
    write(rawget(value, key), depth)
  end
  add("}")
end

local function write_table(value, depth)
  if rawequal(value, P.null) then return add("null") end
  if path[value] then refuse("a value that contains itself has no form in JSON") end
  if depth >= (wire and WIRE_DEPTH or MAX_DEPTH) then
    refuse("a value nested deeper than " .. (wire and WIRE_DEPTH or MAX_DEPTH) .. " levels")
  end
  path[value] = true
  if is_array(value) then
    add("[")
    for index = 1, rawlen(value) do
      if index > 1 then add(",") end
      write(rawget(value, index), depth + 1)
    end
    add("]")
  else
    write_object(value, depth + 1)
  end
  path[value] = nil
end

function write(value, depth)
  nodes = nodes + 1
  if wire and nodes > WIRE_NODES then refuse("a value of over " .. WIRE_NODES .. " parts") end
  local kind = type(value)
  if kind == "string" then return write_string(value) end
  if kind == "number" then return add(number_text(value)) end
  if kind == "table" then return write_table(value, depth) end
  if kind == "boolean" then return add(value and "true" or "false") end
  if kind == "nil" then return add("null") end
  if kind == "function" and wire == "call" then
    return add('{"$callback":' .. P.callback_number(value) .. "}")
  end
  refuse("a " .. kind .. " has no form in JSON")
end

-- `mode` is nil for JSON.encode, "value" for the channel, "call" where functions may travel.
function P.encode(value, mode)
  out, count, path, nodes, wire = {}, 0, {}, 0, mode
  write(value, 0)
  local text = concat(out, "", 1, count)
  out, path = nil, nil
  return text
end
