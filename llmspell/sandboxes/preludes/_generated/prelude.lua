-- Everything the prelude uses is captured here, before a spell can replace it.
local assert, error, getmetatable, ipairs, load, next = assert, error, getmetatable, ipairs, load, next
local pairs, pcall, rawequal, rawget, rawlen, rawset = pairs, pcall, rawequal, rawget, rawlen, rawset
local select, setmetatable, tonumber, tostring, type = select, setmetatable, tonumber, tostring, type
local xpcall, collectgarbage = xpcall, collectgarbage
local co_create, co_resume, co_yield = coroutine.create, coroutine.resume, coroutine.yield
local co_running, co_isyieldable, co_status = coroutine.running, coroutine.isyieldable, coroutine.status
local co_close = coroutine.close
local byte, char, find, format, gmatch = string.byte, string.char, string.find, string.format, string.gmatch
local gsub, match, rep, sub = string.gsub, string.match, string.rep, string.sub
local concat, insert, pack, remove = table.concat, table.insert, table.pack, table.remove
local sort, unpack = table.sort, table.unpack
local floor, math_type, tointeger, huge = math.floor, math.type, math.tointeger, math.huge
local utf8_len = utf8.len

local host = __host
local original = {}
for name, value in pairs(_G) do original[name] = value end
original.__host, original.python, original._G = nil, nil, nil
__host, python = nil, nil

-- The prelude's parts find each other here; a spell never sees it.
local P = { original = original }
do -- errors
-- Errors as a spell meets them: tables with the fields of the channel's errors.
local FIELDS = { "code", "kind", "message", "rule", "hint", "recoverable", "trace_id", "line", "stack" }
local MAX_TEXT = 4000

local ERROR = { __name = "LLMSpellError", __metatable = false }

function ERROR.__tostring(self)
  local parts = { tostring(rawget(self, "message")) }
  local rule, hint = rawget(self, "rule"), rawget(self, "hint")
  if rule ~= nil then parts[#parts + 1] = "rule " .. tostring(rule) end
  if hint ~= nil then parts[#parts + 1] = tostring(hint) end
  return concat(parts, " — ")
end

function ERROR.__concat(left, right)
  return tostring(left) .. tostring(right)
end

-- __metatable hides the metatable from getmetatable, so errors are told apart by this set.
local known = setmetatable({}, { __mode = "k" })

function P.new_error(fields)
  local value = {}
  for _, name in ipairs(FIELDS) do value[name] = fields[name] end
  value.message = value.message or "the call failed"
  value.recoverable = fields.recoverable == true
  known[value] = true
  return setmetatable(value, ERROR)
end

function P.is_error(value)
  return type(value) == "table" and known[value] == true
end

function P.fail(code, kind, message, rule, hint)
  error(P.new_error({ code = code, kind = kind, message = message, rule = rule, hint = hint }), 0)
end

local function clip(text)
  if #text <= MAX_TEXT then return text end
  local cut = sub(text, 1, MAX_TEXT)
  -- Not in the middle of a character: the channel takes only whole UTF-8.
  while #cut > 0 and not utf8_len(cut) do cut = sub(cut, 1, -2) end
  return cut
end

local function printable(text)
  if utf8_len(text) then return text end
  return (gsub(text, "[\128-\255]", "?"))
end
P.printable = printable

-- The frames of the prelude say nothing to the spell's author.
local function spell_frames(trace)
  local lines = {}
  for line in gmatch(trace, "[^\n]+") do
    if not find(line, "llmspell:%d", 1) and not find(line, "^%s*%[C%]: in %?$")
      and not find(line, "in function 'xpcall'", 1, true) then
      lines[#lines + 1] = line
    end
  end
  return concat(lines, "\n")
end

-- A raised value with the place it was raised at; made in the message handler, where the stack
-- still stands.
function P.caught(value)
  if value == "not enough memory" then return { value = value } end
  local done, trace = pcall(host.traceback, "", 2)
  return { value = value, stack = done and clip(printable(spell_frames(trace))) or nil }
end

local function from_text(text, name)
  if find(text, "not enough memory", 1, true) then
    return { code = 4005, kind = "memory", message = "the spell used more memory than it may" }
  end
  local place, line, message = match(text, "^(.-):(%d+): (.*)$")
  if place ~= name then return { code = 4002, kind = "runtime", message = text } end
  return { code = 4002, kind = "runtime", message = message, line = tointeger(line) }
end

-- What `failed` and `returned` carry for a value somebody raised.
function P.describe(caught)
  local value, described = caught.value, nil
  if type(value) == "string" then
    described = from_text(printable(value), P.chunk_name)
  elseif P.is_error(value) then
    described = {}
    for _, name in ipairs(FIELDS) do described[name] = rawget(value, name) end
  elseif type(value) == "table" and type(rawget(value, "message")) == "string" then
    described = { message = printable(value.message), kind = rawget(value, "kind"), code = rawget(value, "code"),
      rule = rawget(value, "rule"), hint = rawget(value, "hint") }
  else
    -- tostring may run the spell's own __tostring, which may raise in turn.
    local done, text = pcall(tostring, value)
    described = { message = done and type(text) == "string" and printable(text) or "an error that is no text" }
  end
  local wire = { recoverable = described.recoverable == true or nil, stack = caught.stack }
  wire.code = math_type(described.code) == "integer" and described.code or 4002
  for _, name in ipairs({ "kind", "message", "rule", "hint", "trace_id", "stack" }) do
    if type(described[name]) == "string" then wire[name] = clip(printable(described[name])) end
  end
  wire.kind = wire.kind or "runtime"
  wire.message = wire.message or "the spell failed"
  if math_type(described.line) == "integer" then wire.line = described.line end
  if wire.stack and not wire.line then
    local escaped = gsub(P.chunk_name or "", "%p", "%%%0")
    wire.line = tointeger(match(wire.stack, escaped .. ":(%d+):"))
  end
  return wire
end

local upper = string.upper
-- input_schema → InputSchema
function P.pascal(name)
  return (gsub(gsub(name, "^%l", upper), "_(%l)", upper))
end
end
do -- base64
-- base64, the channel's form of bytes. Two characters at a time, by tables of 4096 entries.
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local pairs_of, value_of = nil, nil

local function prepare()
  pairs_of, value_of = {}, {}
  for high = 0, 63 do
    local first = sub(ALPHABET, high + 1, high + 1)
    value_of[byte(first)] = high
    for low = 0, 63 do pairs_of[high * 64 + low] = first .. sub(ALPHABET, low + 1, low + 1) end
  end
end

local function encode_triple(text)
  local a, b, c = byte(text, 1, 3)
  local bits = a << 16 | (b or 0) << 8 | (c or 0)
  local result = pairs_of[bits >> 12] .. pairs_of[bits & 4095]
  if c then return result end
  return b and sub(result, 1, 3) .. "=" or sub(result, 1, 2) .. "=="
end

function P.base64_encode(data)
  if not pairs_of then prepare() end
  return (gsub(data, "..?.?", encode_triple))
end

function P.base64_decode(text)
  if not value_of then prepare() end
  return (gsub(text, "....", function(four)
    local a, b, c, d = byte(four, 1, 4)
    local bits = value_of[a] << 18 | value_of[b] << 12 | (value_of[c] or 0) << 6 | (value_of[d] or 0)
    if c == 61 then return char(bits >> 16) end
    if d == 61 then return char(bits >> 16, bits >> 8 & 255) end
    return char(bits >> 16, bits >> 8 & 255, bits & 255)
  end))
end
end
do -- json_encode
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

local function write_object(value, depth)
  add("{")
  local first, keys = true, 0
  for key, item in next, value do
    if type(key) ~= "string" then
      refuse("a table key that is no text (" .. type(key) .. "), or a list with gaps, has no form in JSON")
    end
    if not utf8_len(key) then refuse("a key that is not UTF-8 has no form in JSON") end
    keys = keys + 1
    add((first and "" or ",") .. quote(key) .. ":")
    first = false
    write(item, depth)
    if wire and keys == 1 and (key == "$bytes" or key == "$callback") and next(value, key) == nil then
      refuse("an object with the only key " .. key .. " means something else on the channel")
    end
  end
  if wire and keys > WIRE_KEYS then refuse("an object has over " .. WIRE_KEYS .. " keys") end
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
end
do -- json_decode
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
end
do -- *api
P.api = {{name="fs",names={"fs"},functions={{name="read",camel="read",wire="fs.read",params={"path","encoding","offset","length"},camels={"path","encoding","offset","length"},required=1,positional=1,object_first=false,after="",fixed={}},{name="write",camel="write",wire="fs.write",params={"path","data","create_parents"},camels={"path","data","createParents"},required=2,positional=2,object_first=false,after="",fixed={}},{name="append",camel="append",wire="fs.append",params={"path","data"},camels={"path","data"},required=2,positional=2,object_first=false,after="",fixed={}},{name="list",camel="list",wire="fs.list",params={"path","recursive","pattern","limit"},camels={"path","recursive","pattern","limit"},required=1,positional=1,object_first=false,after="",fixed={}},{name="stat",camel="stat",wire="fs.stat",params={"path"},camels={"path"},required=1,positional=1,object_first=false,after="",fixed={}},{name="exists",camel="exists",wire="fs.exists",params={"path"},camels={"path"},required=1,positional=1,object_first=false,after="",fixed={}},{name="mkdir",camel="mkdir",wire="fs.mkdir",params={"path","parents"},camels={"path","parents"},required=1,positional=1,object_first=false,after="",fixed={}},{name="remove",camel="remove",wire="fs.remove",params={"path","recursive"},camels={"path","recursive"},required=1,positional=1,object_first=false,after="",fixed={}},{name="move",camel="move",wire="fs.move",params={"from","to"},camels={"from","to"},required=2,positional=2,object_first=false,after="",fixed={}}}},{name="http",names={"http"},functions={{name="request",camel="request",wire="http.request",params={"method","url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"method","url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=0,object_first=false,after="response",fixed={}},{name="get",camel="get",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="GET"}},{name="post",camel="post",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="POST"}},{name="put",camel="put",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="PUT"}},{name="patch",camel="patch",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="PATCH"}},{name="delete",camel="delete",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="DELETE"}},{name="head",camel="head",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="response",fixed={method="HEAD"}},{name="get_json",camel="getJson",wire="http.request",params={"url","headers","query","body","json","timeout","max_bytes","follow_redirects"},camels={"url","headers","query","body","json","timeout","maxBytes","followRedirects"},required=1,positional=1,object_first=false,after="json",fixed={}}}},{name="tools",names={"Tools","tools"},functions={{name="list",camel="list",wire="tools.list",params={"category"},camels={"category"},required=0,positional=1,object_first=false,after="tools",fixed={}},{name="get",camel="get",wire="tools.get",params={"name"},camels={"name"},required=1,positional=1,object_first=false,after="tool",fixed={}},{name="search",camel="search",wire="tools.search",params={"query"},camels={"query"},required=1,positional=1,object_first=false,after="tools",fixed={}},{name="by_category",camel="byCategory",wire="tools.by_category",params={"category"},camels={"category"},required=1,positional=1,object_first=false,after="tools",fixed={}},{name="get_by_category",camel="getByCategory",wire="tools.by_category",params={"category"},camels={"category"},required=1,positional=1,object_first=false,after="tools",fixed={}},{name="execute",camel="execute",wire="tools.execute",params={"name","input"},camels={"name","input"},required=1,positional=2,object_first=false,after="",fixed={}}}},{name="storage",names={"Storage","storage"},functions={{name="get",camel="get",wire="storage.get",params={"key"},camels={"key"},required=1,positional=1,object_first=false,after="",fixed={}},{name="set",camel="set",wire="storage.set",params={"key","value","ttl"},camels={"key","value","ttl"},required=2,positional=2,object_first=false,after="",fixed={}},{name="delete",camel="delete",wire="storage.delete",params={"key"},camels={"key"},required=1,positional=1,object_first=false,after="",fixed={}},{name="exists",camel="exists",wire="storage.exists",params={"key"},camels={"key"},required=1,positional=1,object_first=false,after="",fixed={}},{name="list",camel="list",wire="storage.list",params={"prefix"},camels={"prefix"},required=0,positional=1,object_first=false,after="",fixed={}},{name="clear",camel="clear",wire="storage.clear",params={},camels={},required=0,positional=0,object_first=false,after="",fixed={}}}},{name="stdin",names={"stdin"},functions={{name="read",camel="read",wire="stdin.read",params={"length"},camels={"length"},required=0,positional=1,object_first=false,after="",fixed={}},{name="lines",camel="lines",wire="",params={},camels={},required=0,positional=0,object_first=false,after="",fixed={}},{name="read_all",camel="readAll",wire="",params={},camels={},required=0,positional=0,object_first=false,after="",fixed={}}}},{name="async",names={"Async"},functions={{name="sleep",camel="sleep",wire="",params={"ms"},camels={"ms"},required=1,positional=1,object_first=false,after="",fixed={}},{name="all",camel="all",wire="",params={"work"},camels={"work"},required=1,positional=1,object_first=false,after="",fixed={}},{name="all_settled",camel="allSettled",wire="",params={"work"},camels={"work"},required=1,positional=1,object_first=false,after="",fixed={}},{name="race",camel="race",wire="",params={"work"},camels={"work"},required=1,positional=1,object_first=false,after="",fixed={}},{name="timeout",camel="timeout",wire="",params={"operation","ms"},camels={"operation","ms"},required=2,positional=2,object_first=true,after="",fixed={}},{name="retry",camel="retry",wire="",params={"operation","options"},camels={"operation","options"},required=1,positional=2,object_first=false,after="",fixed={}},{name="spawn",camel="spawn",wire="",params={"operation"},camels={"operation"},required=1,positional=1,object_first=true,after="",fixed={}}}},{name="log",names={"log","Logger"},functions={{name="trace",camel="trace",wire="",params={"message","fields"},camels={"message","fields"},required=1,positional=2,object_first=true,after="",fixed={}},{name="debug",camel="debug",wire="",params={"message","fields"},camels={"message","fields"},required=1,positional=2,object_first=true,after="",fixed={}},{name="info",camel="info",wire="",params={"message","fields"},camels={"message","fields"},required=1,positional=2,object_first=true,after="",fixed={}},{name="warn",camel="warn",wire="",params={"message","fields"},camels={"message","fields"},required=1,positional=2,object_first=true,after="",fixed={}},{name="error",camel="error",wire="",params={"message","fields"},camels={"message","fields"},required=1,positional=2,object_first=true,after="",fixed={}}}},{name="json",names={"JSON"},functions={{name="encode",camel="encode",wire="",params={"value"},camels={"value"},required=1,positional=1,object_first=true,after="",fixed={}},{name="decode",camel="decode",wire="",params={"text"},camels={"text"},required=1,positional=1,object_first=false,after="",fixed={}},{name="stringify",camel="stringify",wire="",params={"value"},camels={"value"},required=1,positional=1,object_first=true,after="",fixed={}},{name="parse",camel="parse",wire="",params={"text"},camels={"text"},required=1,positional=1,object_first=false,after="",fixed={}}}},{name="os",names={"os"},functions={{name="time",camel="time",wire="",params={"table"},camels={"table"},required=0,positional=1,object_first=true,after="",fixed={}},{name="date",camel="date",wire="",params={"format","time"},camels={"format","time"},required=0,positional=2,object_first=false,after="",fixed={}},{name="clock",camel="clock",wire="",params={},camels={},required=0,positional=0,object_first=false,after="",fixed={}},{name="difftime",camel="difftime",wire="",params={"later","earlier"},camels={"later","earlier"},required=2,positional=2,object_first=false,after="",fixed={}},{name="getenv",camel="getenv",wire="",params={"name"},camels={"name"},required=1,positional=1,object_first=false,after="",fixed={}},{name="exit",camel="exit",wire="",params={"code"},camels={"code"},required=0,positional=1,object_first=false,after="",fixed={}}}}}
end
do -- channel
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
end
do -- output
-- What a spell prints. Each print is a frame of its own until it floods: then prints are gathered,
-- so that an honest loop of a million lines does not look like an attack on the channel.
local CHUNK, BURST, PER_MILLISECOND = 32768, 400, 4

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
end
do -- tasks
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
    if not done then P.failures[#P.failures + 1] = task end
    P.settle(task, done, value)
  end)
  live[task] = true
  make_ready(task)
  return task
end

local function run(task)
  local before = current
  current = task
  local done, signal = co_resume(task.co)
  current = before
  task.waits_for = nil
  if task.done then return end
  if not done then
    live[task] = nil
    P.failures[#P.failures + 1] = task
    return P.settle(task, false, { value = signal })
  end
  if signal == EXIT then P.exited = true return end
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

local function fire_timers()
  if #timers == 0 then return nil end
  local now = P.now()
  while #timers > 0 and timers[#timers].at <= now do remove(timers).action() end
  return #timers > 0 and timers[#timers].at - now or nil
end

-- One step of everything: a ready task, a timer, or a message.
function P.pump()
  local pause = fire_timers()
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

function P.cooperate()
  local future = P.new_future()
  P.start_timer(0, function() P.settle(future, true) end)
  P.await(future)
end

-- A failed task that nobody waited for fails the spell.
local function unheard_failure()
  for _, task in ipairs(P.failures) do
    if not task.observed then return task end
  end
end

-- Runs until `main` and every task ended; gives the future that decides the spell's end.
function P.run_until_done(main)
  main.observed = true
  while not P.exited do
    if main.done and not main.ok then return main end
    if main.done then
      local failed = unheard_failure()
      if failed then return failed end
      if next(live) == nil then return main end
    end
    P.pump()
  end
end
end
do -- calls
-- Calls to the supervisor, its invokes of the spell's functions, and the API's tables.
local calls, last_call = {}, 0
local callbacks, numbers, last_callback = {}, {}, 0
local invokes = {}

function P.callback_number(action)
  if not numbers[action] then
    last_callback = last_callback + 1
    numbers[action] = last_callback
    callbacks[last_callback] = action
  end
  return numbers[action]
end

local function cancel_call(future)
  if future.done then return end
  calls[future.id] = nil
  P.send('{"type":"cancel","id":' .. future.id .. "}")
  P.settle(future, false, { value = P.new_error({ code = 4002, kind = "cancelled", message = "the call was cancelled" }) })
end

-- Sends a call; gives the future of its reply.
function P.call(method, args)
  local text = P.encode(P.mark_object(args), "call")
  P.flush()
  last_call = last_call + 1
  local future = P.new_future()
  future.id, future.cancel = last_call, cancel_call
  P.send('{"type":"call","id":' .. last_call .. ',"method":' .. P.json_quote(method) .. ',"args":' .. text .. "}")
  calls[last_call] = future
  return future
end

local function on_reply(message)
  local future = calls[message.id]
  if not future then return end
  calls[message.id] = nil
  if message.ok == true then return P.settle(future, true, message.value) end
  local fields = type(message.error) == "table" and message.error or {}
  P.settle(future, false, { value = P.new_error(fields) })
end

local function send_returned(id, task)
  invokes[id] = nil
  task.observed = true
  local text, failure
  if task.ok then
    local done, encoded = pcall(P.encode, task.value, "call")
    if done then text = encoded else failure = { value = encoded } end
  else
    failure = task.value
  end
  P.flush()
  if text then
    P.send('{"type":"returned","id":' .. id .. ',"ok":true,"value":' .. text .. "}")
  else
    P.send('{"type":"returned","id":' .. id .. ',"ok":false,"error":' .. P.encode(P.describe(failure), "value") .. "}")
  end
end

local function on_invoke(message)
  local id, args = message.id, message.args or {}
  for index, value in ipairs(args) do
    if value == P.null then args[index] = nil end
  end
  local action = callbacks[message.callback] or function()
    P.fail(4010, "invalid_function", "the spell has no function of this number")
  end
  local task = P.spawn(action, unpack(args, 1, #(message.args or {})))
  invokes[id] = task
  P.when_done(task, function(done) send_returned(id, done) end)
end

function P.dispatch(message)
  local kind = message.type
  if kind == "reply" then return on_reply(message) end
  if kind == "invoke" then return on_invoke(message) end
  if kind == "cancel" and invokes[message.id] then return invokes[message.id]:cancel() end
end

-- Arguments by position, then one table of named ones; or everything named.
local function collect(spec, ...)
  local count, args = select("#", ...), {}
  local params, positional = spec.params, spec.positional
  local first = ...
  if count == 1 and type(first) == "table" and not spec.object_first then
    for key, value in next, first do args[key] = value end
  else
    for index = 1, positional < count and positional or count do args[params[index]] = (select(index, ...)) end
    local options = count > positional and (select(positional + 1, ...)) or nil
    if count > positional + 1 or (options ~= nil and type(options) ~= "table") then
      P.fail(2002, "validation", spec.label .. " takes " .. positional
        .. " arguments and a table of named ones")
    end
    for key, value in next, options or {} do args[key] = value end
  end
  for key, value in next, spec.fixed do args[key] = value end
  return args
end

P.after = {
  [""] = function(value) return value end,
}

function P.stub(spec)
  local finish = P.after[spec.after]
  return function(...)
    local args = collect(spec, ...)
    return finish(P.await(P.call(spec.wire, args)), args)
  end
end

local function tool_handle(tool)
  if type(tool) ~= "table" then return tool end
  local handle = {}
  for key, value in next, tool do handle[key] = value end
  -- Both tool.execute(input) and tool:execute(input) are in use.
  local function execute(self, input)
    if not rawequal(self, handle) then input = self end
    return P.await(P.call("tools.execute", { name = tool.name, input = input }))
  end
  local function getter(field)
    return function() return handle[field] end
  end
  handle.execute, handle.call = execute, execute
  for name, field in pairs({ name = "name", description = "description", category = "category", input_schema = "schema" }) do
    handle["get_" .. name] = getter(field)
    handle["get" .. P.pascal(name)] = getter(field)
  end
  return handle
end

function P.after.tool(value)
  return tool_handle(value)
end

function P.after.tools(value)
  for index, tool in ipairs(value or {}) do value[index] = tool_handle(tool) end
  return value
end

function P.after.response(value)
  value.ok = value.status >= 200 and value.status < 300
  function value.text() return value.body end
  function value.json() return P.decode(value.body) end
  return value
end

function P.after.json(value, args)
  if value.status < 200 or value.status >= 300 then
    P.fail(2003, "http_status", "GET " .. tostring(args.url) .. " answered " .. value.status)
  end
  return P.decode(value.body)
end
end
do -- async
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
end
do -- log
-- Log records.
local LEVELS = { trace = true, debug = true, info = true, warn = true, error = true }
P.modules.log = {}

function P.log(level, message, fields)
  if not LEVELS[level] then
    P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error")
  end
  if fields ~= nil and type(fields) ~= "table" then P.fail(2002, "validation", "a record's fields are a table") end
  local record = { type = "log", level = level, message = P.printable(tostring(message)) }
  if fields and next(fields) ~= nil then record.fields = P.mark_object(fields) end
  local text = P.encode(record, "value")
  P.flush()
  P.send(text)
end

for level in pairs(LEVELS) do
  P.modules.log[level] = function(message, fields) P.log(level, message, fields) end
end

P.modules.json = {
  encode = function(value) return P.encode(value) end,
  decode = function(text)
    if type(text) ~= "string" then P.fail(2002, "validation", "JSON.decode takes text") end
    return P.decode(text)
  end,
  object = function(value) return P.mark_object(value or {}) end,
  null = P.null,
}
P.modules.json.stringify, P.modules.json.parse = P.modules.json.encode, P.modules.json.decode
end
do -- clock
-- os.time and os.date in UTC, without the C library: the wasm guest has none.
local DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MONTHS = { "January", "February", "March", "April", "May", "June", "July", "August", "September",
  "October", "November", "December" }
local started = P.now()

-- Days since 1970-01-01 of a civil date, and back (Howard Hinnant's algorithms).
local function days_from_civil(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

local function civil_from_days(days)
  days = days + 719468
  local era = days // 146097
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local shifted = (5 * day_of_year + 2) // 153
  local month = shifted + (shifted < 10 and 3 or -9)
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day_of_year - (153 * shifted + 2) // 5 + 1
end

local function parts_of(time)
  local days, rest = time // 86400, time % 86400
  local year, month, day = civil_from_days(days)
  return {
    year = year, month = month, day = day, hour = rest // 3600, min = rest % 3600 // 60, sec = rest % 60,
    wday = (days + 4) % 7 + 1, yday = days - days_from_civil(year, 1, 1) + 1, isdst = false,
  }
end

local function integer(value, what)
  local whole = tointeger(value)
  if not whole then P.fail(2002, "validation", what .. " must be an integer") end
  return whole
end

local function time_of(fields)
  if fields == nil then return floor(P.wall() / 1000) end
  if type(fields) ~= "table" then P.fail(2002, "validation", "os.time takes a table") end
  local function field(name, default)
    local value = fields[name]
    if value == nil then value = default end
    if value == nil then P.fail(2002, "validation", "os.time: field " .. name .. " is missing") end
    return integer(value, "os.time: field " .. name)
  end
  local year, month = field("year"), field("month")
  year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
  return (days_from_civil(year, month, 1) + field("day") - 1) * 86400
    + field("hour", 12) * 3600 + field("min", 0) * 60 + field("sec", 0)
end

local function padded(width)
  return function(value) return format("%0" .. width .. "d", value) end
end
local two = padded(2)

local expand
local FORMATS = {
  Y = function(t) return tostring(t.year) end, y = function(t) return two(t.year % 100) end,
  C = function(t) return two(t.year // 100) end, m = function(t) return two(t.month) end,
  d = function(t) return two(t.day) end, e = function(t) return format("%2d", t.day) end,
  H = function(t) return two(t.hour) end, I = function(t) return two((t.hour + 11) % 12 + 1) end,
  M = function(t) return two(t.min) end, S = function(t) return two(t.sec) end,
  j = function(t) return padded(3)(t.yday) end, p = function(t) return t.hour < 12 and "AM" or "PM" end,
  a = function(t) return sub(DAYS[t.wday], 1, 3) end, A = function(t) return DAYS[t.wday] end,
  b = function(t) return sub(MONTHS[t.month], 1, 3) end, B = function(t) return MONTHS[t.month] end,
  h = function(t) return sub(MONTHS[t.month], 1, 3) end, w = function(t) return tostring(t.wday - 1) end,
  u = function(t) return tostring((t.wday + 5) % 7 + 1) end, s = function(t) return tostring(time_of(t)) end,
  U = function(t) return two((t.yday + 7 - t.wday) // 7) end,
  W = function(t) return two((t.yday + 7 - ((t.wday + 5) % 7 + 1)) // 7) end,
  z = function() return "+0000" end, Z = function() return "UTC" end,
  n = function() return "\n" end, t = function() return "\t" end, ["%"] = function() return "%" end,
  c = function(t) return expand("%a %b %e %H:%M:%S %Y", t) end, x = function(t) return expand("%m/%d/%y", t) end,
  X = function(t) return expand("%H:%M:%S", t) end, D = function(t) return expand("%m/%d/%y", t) end,
  F = function(t) return expand("%Y-%m-%d", t) end, T = function(t) return expand("%H:%M:%S", t) end,
  R = function(t) return expand("%H:%M", t) end, r = function(t) return expand("%I:%M:%S %p", t) end,
}

function expand(pattern, t)
  return (gsub(pattern, "%%(.?)", function(letter)
    local action = FORMATS[letter]
    if not action then P.fail(2002, "validation", "os.date: unknown conversion %" .. letter) end
    return action(t)
  end))
end

local function date_of(pattern, time)
  pattern = pattern == nil and "%c" or tostring(pattern)
  pattern = gsub(pattern, "^!", "")
  local t = parts_of(time == nil and floor(P.wall() / 1000) or floor(time))
  if sub(pattern, 1, 2) == "*t" then return t end
  return expand(pattern, t)
end

P.modules.os = {
  time = time_of,
  date = date_of,
  clock = function() return (P.now() - started) / 1000 end,
  difftime = function(later, earlier) return (later - earlier) * 1.0 end,
  getenv = function(name) return P.run.env[name] end,
  exit = function(code)
    if code == nil or code == true or code == 0 then
      P.ending = { value = nil }
    else
      P.ending = { failure = { value = P.new_error({ code = 4002, kind = "exit",
        message = "the spell ended with os.exit(" .. tostring(code) .. ")" }) } }
    end
    P.stop_here()
  end,
}
end
do -- stdin
-- Standard input: pieces from the supervisor, cut into lines here.
local buffered, ended = "", false

local function fill()
  if ended then return false end
  local piece = P.await(P.call("stdin.read", {}))
  if piece == nil or piece == "" then
    ended = true
    return false
  end
  buffered = buffered .. piece
  return true
end

local function take(length)
  local piece = sub(buffered, 1, length)
  buffered = sub(buffered, length + 1)
  return piece
end

local Stdin = {}
P.modules.stdin = Stdin

function Stdin.read(length)
  if type(length) == "table" then length = length.length end
  if buffered == "" and not fill() then return nil end
  return take(length or #buffered)
end

function Stdin.read_all()
  while fill() do end
  return take(#buffered)
end

function Stdin.read_line(keep_end)
  local stop = find(buffered, "\n", 1, true)
  while not stop and fill() do stop = find(buffered, "\n", 1, true) end
  if not stop then
    if buffered == "" then return nil end
    return take(#buffered)
  end
  local line = take(stop)
  return keep_end and line or sub(line, 1, -2)
end

function Stdin.lines()
  return Stdin.read_line
end

-- At least `length` bytes, if there are as many.
function Stdin.read_exactly(length)
  while #buffered < length and fill() do end
  if buffered == "" and length > 0 then return nil end
  return take(length)
end
end
do -- files
-- Lua's io and the file half of os, over the brokered calls; given where the module is granted.
local FILE = { __name = "FILE*", __metatable = false }
local methods = {}
FILE.__index = methods
local states = setmetatable({}, { __mode = "k" })

local function attempt(method, args)
  local done, value = pcall(P.await, P.call(method, args))
  if done then return true, value end
  if P.is_error(value) then return nil, tostring(value), value.code end
  error(value, 0)
end

local function open(path, mode)
  mode = gsub(mode or "r", "b", "")
  if not find(mode, "^[rwa]%+?$") then P.fail(2002, "validation", "io.open: bad mode " .. mode) end
  local state = { path = path, position = 1, writable = mode ~= "r", dirty = false, append = sub(mode, 1, 1) == "a" }
  if mode == "w" or mode == "w+" then
    state.content, state.dirty = "", true
  else
    local done, content, code = attempt("fs.read", { path = path, encoding = "binary" })
    if done then
      state.content = content
    elseif state.append and code ~= 4008 then
      state.content, state.dirty = "", true
    else
      return nil, content, code
    end
  end
  local file = setmetatable({}, FILE)
  states[file] = state
  return file
end

local function state_of(file)
  local state = states[file]
  if not state then P.fail(2002, "validation", "a file is needed") end
  if state.closed then P.fail(2002, "validation", "the file is closed") end
  return state
end

local function save(state)
  if not state.dirty then return true end
  local done, message, code = attempt("fs.write", { path = state.path, data = state.content })
  if not done then return nil, message, code end
  state.dirty = false
  return true
end

local function read_one(state, what)
  local rest = state.position
  if what == "n" then
    local first, last = find(state.content, "^%s*[+-]?[%w.]+", rest)
    if not first then return nil end
    state.position = last + 1
    return tonumber((match(sub(state.content, first, last), "%S+")))
  end
  if what == "a" then
    state.position = #state.content + 1
    return sub(state.content, rest)
  end
  if what == "l" or what == "L" then
    if rest > #state.content then return nil end
    local stop = find(state.content, "\n", rest, true)
    state.position = (stop or #state.content) + 1
    return sub(state.content, rest, what == "l" and stop and stop - 1 or stop)
  end
  if math_type(what) ~= "integer" then P.fail(2002, "validation", "file:read: bad format") end
  if rest > #state.content then return what == 0 and "" or nil end
  state.position = rest + what
  return sub(state.content, rest, rest + what - 1)
end

local function read_all(reader, ...)
  local formats = select("#", ...) == 0 and { "l" } or { ... }
  local results = {}
  for index, what in ipairs(formats) do
    results[index] = reader(type(what) == "string" and gsub(what, "^%*", "") or what)
    if results[index] == nil then return unpack(results, 1, index) end
  end
  return unpack(results, 1, #formats)
end

function methods:read(...)
  local state = state_of(self)
  return read_all(function(what) return read_one(state, what) end, ...)
end

function methods:lines(...)
  local state, formats = state_of(self), pack(...)
  return function()
    return read_all(function(what) return read_one(state, what) end, unpack(formats, 1, formats.n))
  end
end

function methods:write(...)
  local state = state_of(self)
  if not state.writable then return nil, "the file was opened for reading", 9 end
  for _, piece in ipairs({ ... }) do
    piece = tostring(piece)
    if state.append then state.position = #state.content + 1 end
    state.content = sub(state.content, 1, state.position - 1) .. piece .. sub(state.content, state.position + #piece)
    state.position = state.position + #piece
    state.dirty = true
  end
  return self
end

function methods:seek(whence, offset)
  local state = state_of(self)
  local base = ({ set = 0, cur = state.position - 1, ["end"] = #state.content })[whence or "cur"]
  if not base then P.fail(2002, "validation", "file:seek: bad base") end
  local position = base + (offset or 0)
  if position < 0 or position > #state.content then return nil, "outside the file", 22 end
  state.position = position + 1
  return position
end

function methods:flush()
  local done, message, code = save(state_of(self))
  if not done then return nil, message, code end
  return self
end

function methods:setvbuf()
  return true
end

function methods:close()
  local state = state_of(self)
  local done, message, code = save(state)
  state.closed = true
  return done, message, code
end
FILE.__gc, FILE.__close = nil, function(file)
  if not states[file].closed then methods.close(file) end
end
FILE.__tostring = function(file) return states[file].closed and "file (closed)" or "file (" .. states[file].path .. ")" end

local function stream(name)
  local writer = setmetatable({}, { __name = "FILE*", __metatable = false, __index = {
    write = function(self, ...)
      for _, piece in ipairs({ ... }) do P.write(name, tostring(piece)) end
      return self
    end,
    flush = function(self) return self end,
    setvbuf = function() return true end,
    close = function() return nil, "a standard stream stays open", 9 end,
  } })
  return writer
end

local function read_stdin(what)
  local Stdin = P.modules.stdin
  if what == "a" then return Stdin.read_all() end
  if what == "l" or what == "L" then return Stdin.read_line(what == "L") end
  if what == "n" then return tonumber(Stdin.read_line() or "") end
  return Stdin.read_exactly(what)
end

function P.standard_streams(io)
  local output = stream("stdout")
  io.stdout, io.stderr = output, stream("stderr")
  io.stdin = setmetatable({}, { __name = "FILE*", __metatable = false, __index = {
    read = function(_, ...) return read_all(read_stdin, ...) end,
    lines = function(_, ...)
      local formats = pack(...)
      return function() return read_all(read_stdin, unpack(formats, 1, formats.n)) end
    end,
    close = function() return nil, "a standard stream stays open", 9 end,
  } })
  io.write = function(...) return output:write(...) end
  io.read = function(...) return io.stdin:read(...) end
  return io
end

function P.make_io()
  local io = P.standard_streams({ open = open })
  function io.lines(path, ...)
    if path == nil then return io.stdin:lines(...) end
    local file, message = open(path)
    if not file then error(message, 2) end
    return file:lines(...)
  end
  function io.type(value)
    local state = states[value]
    return state and (state.closed and "closed file" or "file") or nil
  end
  function io.close(file) return file:close() end
  return io
end

function P.os_files(os)
  function os.remove(path) return attempt("fs.remove", { path = path }) end
  function os.rename(from, to) return attempt("fs.move", { from = from, to = to }) end
  return os
end
end
do -- modules
-- load, and require of the spell's own folder.
local loaded = {}

function P.text_load(env)
  return function(chunk, name, _, ...)
    local target = env
    if select("#", ...) > 0 then target = (...) end
    -- Text only: bytecode can break the engine (LU-01).
    return load(chunk, name, "t", target)
  end
end

local function may_require(name)
  return P.run.profile == "low" or P.granted[name]
end

local function source_of(name)
  local path = "spell:" .. gsub(name, "%.", "/")
  local refusal
  for _, candidate in ipairs({ path .. ".lua", path .. "/init.lua" }) do
    local done, text = pcall(P.await, P.call("fs.read", { path = candidate }))
    if done then return text, candidate end
    if P.is_error(text) and text.code == 4008 then error(text, 0) end
    refusal = refusal or text
  end
  if P.is_error(refusal) and refusal.kind ~= "not_found" then error(refusal, 0) end
  P.fail(4007, "not_found", "module '" .. name .. "' is not in the spell's folder")
end

function P.make_require(env)
  return function(name)
    if type(name) ~= "string" then P.fail(2002, "validation", "require takes a name") end
    if loaded[name] ~= nil then return loaded[name] end
    if P.provided[name] then return P.provided[name] end
    if not may_require(name) then
      P.fail(4008, "denied", "denied module " .. P.printable(sub(name, 1, 80)), P.run.profile .. ".modules",
        "to allow it: --allow-module " .. P.printable(sub(name, 1, 80)))
    end
    if not find(name, "^[%w_.-]+$") or find(name, "..", 1, true) then
      P.fail(2002, "validation", "a module's name has letters, digits, _, - and dots")
    end
    local text, path = source_of(name)
    local chunk, problem = load(text, "@" .. sub(path, 7), "t", env)
    if not chunk then P.fail(4001, "syntax", problem) end
    local value = chunk(name, path)
    loaded[name] = value == nil and true or value
    return loaded[name]
  end
end
end
do -- environment
-- The world a spell sees: a fresh table of globals, the API as read-only tables.
local LIBRARIES = { "string", "table", "math", "utf8", "coroutine" }
local PLAIN = { "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "collectgarbage", "_VERSION" }

local protected = setmetatable({}, { __mode = "k" })

local function read_only(name, content, call)
  local proxy = setmetatable({}, {
    __index = content,
    __newindex = function() error(name .. " can't be changed", 2) end,
    __pairs = function() return next, content, nil end,
    __metatable = false,
    __name = name,
    __call = call,
  })
  protected[proxy] = true
  return proxy
end

local function guarded_rawset(target, key, value)
  if protected[target] then error("an API table can't be changed", 2) end
  return rawset(target, key, value)
end

-- Functions that the prelude does itself, under their described names and in camelCase too.
local function add_functions(content, module)
  local own = P.modules[module.name] or {}
  for _, spec in ipairs(module.functions) do
    spec.label = module.name .. "." .. spec.name
    local action = own[spec.name]
    if not action and spec.wire ~= "" then action = P.stub(spec) end
    content[spec.name], content[spec.camel] = action, action
  end
end

local function add_api(env)
  for _, module in ipairs(P.api) do
    local content = {}
    for name, value in pairs(P.modules[module.name] or {}) do content[name] = value end
    add_functions(content, module)
    local call = module.name == "log" and function(_, level, message, fields) P.log(level, message, fields) end or nil
    local proxy = module.name == "os" and content or read_only(module.names[1], content, call)
    for _, name in ipairs(module.names) do env[name] = proxy end
  end
  for _, level in ipairs({ "trace", "info", "warn" }) do env[level] = P.modules.log[level] end
  env.debug = read_only("debug", { traceback = host.traceback }, function(_, message) P.log("debug", message) end)
  -- The seeds' older spellings (API-014, API-015).
  env.json = env.JSON
  env.util = read_only("util", { sleep = P.modules.async.sleep })
end

local function restricted(env)
  for _, name in ipairs(PLAIN) do env[name] = original[name] end
  for _, library in ipairs(LIBRARIES) do
    local copy = {}
    for name, value in pairs(original[library]) do copy[name] = value end
    env[library] = copy
  end
  env.string.dump = nil
  env.rawset = guarded_rawset
  env.load = P.text_load(env)
  -- The one metatable all strings share: s:trim() finds what the spell adds to its own `string`.
  local shared = getmetatable("")
  shared.__index, shared.__metatable = env.string, false
end

local function unrestricted(env)
  for name, value in pairs(original) do env[name] = value end
  if env.io then P.standard_streams(env.io) end
end

local function constants(env)
  local run = P.run
  env.params = P.mark_object(run.params or {})
  env.args = run.args or {}
  env.arg = env.args
  env.env = P.mark_object(run.env)
  env.SECURITY_LEVEL = run.profile
  env.ENGINE = "lua"
  for name, value in pairs(run.globals or {}) do env[name] = value end
end

function P.make_environment()
  local env = {}
  env._G = env
  local free = P.run.profile == "none" and original.require ~= nil
  if free then unrestricted(env) else restricted(env) end
  local real_os, real_debug = env.os, env.debug
  add_api(env)
  env.print = P.print
  if free then
    -- The language's own, but where our channel is the only way out.
    real_os.exit, env.os, env.debug = P.modules.os.exit, real_os, real_debug
    return env, constants(env)
  end
  P.provided = { os = env.os }
  for _, name in ipairs(LIBRARIES) do P.provided[name] = env[name] end
  if P.granted.io then
    env.io = P.make_io()
    P.provided.io = env.io
  end
  if P.granted.os then P.os_files(env.os) end
  env.require = P.make_require(env)
  original, P.original = {}, nil
  constants(env)
  return env
end
end
do -- main
-- One run: wait for it, build its world, drive it, report its end.
local EMPTY, MESSAGE_MAX = {}, 16777000

function P.send_end()
  if P.reported then return end
  local ending, text = P.ending or EMPTY, nil
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
  run.env = run.env or {}
  P.run, P.chunk_name, P.granted = run, run.name or "spell.lua", {}
  for _, name in ipairs(run.modules or {}) do P.granted[name] = true end
  return run
end

local function drive()
  local run = receive_run()
  local chunk = compile(run.source, P.make_environment())
  if not chunk then return end
  local main = P.run_until_done(P.spawn(chunk, unpack(run.args or EMPTY)))
  if P.ending or not main then return end
  P.ending = main.ok and { value = main.value } or { failure = main.value }
end

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
