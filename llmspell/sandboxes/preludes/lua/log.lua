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
