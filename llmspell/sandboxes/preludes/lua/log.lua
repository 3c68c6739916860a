-- Log records, with a least level of the spell's own, and the console.
local LEVELS = { trace = 1, debug = 2, info = 3, warn = 4, error = 5, off = 6 }
local least = "trace"
local Log = {}
P.modules.log = Log

local function is_level(level)
  return level ~= "off" and LEVELS[level] ~= nil
end

function P.log(level, message, fields)
  if not is_level(level) then
    P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error")
  end
  if fields ~= nil and type(fields) ~= "table" then P.fail(2002, "validation", "a record's fields are a table") end
  if LEVELS[level] < LEVELS[least] then return end
  local record = { type = "log", level = level, message = P.printable(tostring(message)) }
  if fields and next(fields) ~= nil then record.fields = P.mark_object(fields) end
  local text = P.encode(record, "value")
  P.flush()
  P.send(text)
end

for level in pairs(LEVELS) do
  if is_level(level) then
    Log[level] = function(message, fields) P.log(level, message, fields) end
  end
end

function Log.set_level(level)
  if not LEVELS[level] then
    P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error, off")
  end
  least = level
end

function Log.level()
  return least
end

local function line_to(stream)
  return function(...)
    local pieces = pack(...)
    for index = 1, pieces.n do pieces[index] = tostring(pieces[index]) end
    P.write(stream, concat(pieces, " ", 1, pieces.n) .. "\n")
  end
end
local out, errors = line_to("stdout"), line_to("stderr")
P.modules.console = { log = out, info = out, debug = out, warn = errors, error = errors }
P.modules.util = { sleep = P.modules.async.sleep }

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
