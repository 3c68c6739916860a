-- os.time and os.date in UTC, without the C library: the wasm guest has none.
local DAYS = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local MONTHS = { "January", "February", "March", "April", "May", "June", "July", "August", "September",
  "October", "November", "December" }
local started = 0

function P.start_clock()
  started = P.now()
end

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
