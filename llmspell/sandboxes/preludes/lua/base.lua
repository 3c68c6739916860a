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
local lower, upper = string.lower, string.upper
local concat, insert, pack, remove = table.concat, table.insert, table.pack, table.remove
local sort, unpack = table.sort, table.unpack
local floor, math_type, tointeger, huge = math.floor, math.type, math.tointeger, math.huge
local utf8_len = utf8.len

-- What a field of the API's table that is not there stands for.
local EMPTY = {}

local host = __host
local original = {}
for name, value in pairs(_G) do original[name] = value end
original.__host, original.python, original._G = nil, nil, nil
__host, python = nil, nil

-- The prelude's parts find each other here; a spell never sees it.
local P = { original = original }
