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
