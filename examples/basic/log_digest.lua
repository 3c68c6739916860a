-- /// spell
-- description = "Sums up a web server's log: statuses, busiest visitors, what is missing"
-- [requests]
-- read = ["data/access.log"]
-- ///

-- The request above grants nothing. `llmspell explain FILE` shows it, --grant-requested agrees.

local LINE = '^(%S+) %S+ %S+ %[([^%]]+)%] "(%u+) (%S+)[^"]*" (%d%d%d) (%d+)'

local function count(table_, key)
  table_[key] = (table_[key] or 0) + 1
end

-- Sorted by count, then by name: the order of pairs() is not one.
local function ranking(counts)
  local found = {}
  for key, number in pairs(counts) do
    found[#found + 1] = { key = key, number = number }
  end
  table.sort(found, function(a, b)
    if a.number ~= b.number then return a.number > b.number end
    return a.key < b.key
  end)
  return found
end

local statuses, visitors, missing = {}, {}, {}
local bytes, damaged = 0, 0

for line in fs.read("data/access.log"):gmatch("[^\n]+") do
  local visitor, _, method, path, status, size = line:match(LINE)
  if visitor then
    count(statuses, status:sub(1, 1) .. "xx")
    count(visitors, visitor)
    if status == "404" then count(missing, method .. " " .. path) end
    bytes = bytes + tonumber(size)
  else
    damaged = damaged + 1
    log.warn("a line can't be read", { line = line })
  end
end

print("statuses")
for _, entry in ipairs(ranking(statuses)) do print("  " .. entry.key, entry.number) end
print("visitors")
for _, entry in ipairs(ranking(visitors)) do print("  " .. entry.key, entry.number) end
print("not found")
for _, entry in ipairs(ranking(missing)) do print("  " .. entry.key) end

return { bytes = bytes, damaged_lines = damaged, statuses = statuses }
