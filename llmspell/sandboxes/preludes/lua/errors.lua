-- Errors as a spell meets them: tables with the fields of the channel's errors.
local FIELDS = { "code", "kind", "message", "rule", "hint", "recoverable", "trace_id", "line", "stack", "retry_after" }
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

-- The engine refuses a string no address could reach before it asks for memory: under a memory
-- limit that is the limit's doing as well.
local function is_memory(text)
  if find(text, "not enough memory", 1, true) then return true end
  local globals = P.run and P.run.globals
  return type(globals) == "table" and type(globals.MAX_MEMORY) == "number"
    and find(text, "resulting string too large", 1, true) ~= nil
end

local function from_text(text, name)
  if is_memory(text) then
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
  if type(described.retry_after) == "number" then wire.retry_after = described.retry_after end
  if wire.stack and not wire.line then
    local escaped = gsub(P.chunk_name or "", "%p", "%%%0")
    wire.line = tointeger(match(wire.stack, escaped .. ":(%d+):"))
  end
  return wire
end

-- A message handler that leaves the value as it is, with the stack where the value can hold one.
function P.keep_stack(value)
  if P.is_error(value) and not rawget(value, "stack") then value.stack = P.caught(value).stack end
  return value
end
