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
