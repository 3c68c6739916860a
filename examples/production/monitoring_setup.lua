-- /// spell
-- description = "Turns a list of services and objectives into alert rules, and says what fails now"
-- [requests]
-- read = ["data/services.json"]
-- write = ["monitoring"]
-- ///

-- From one list of services: an alert rule per service and objective, written as JSON for whatever
-- watches them, and a report of who misses an objective at this moment.

local inventory = JSON.decode(fs.read("data/services.json"))
local objectives = inventory.objectives

-- The value below which `share` of the samples lie; nil without samples.
local function percentile(samples, share)
  if #samples == 0 then return nil end
  local sorted = { table.unpack(samples) }
  table.sort(sorted)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

local function rate(part, whole)
  return whole > 0 and part / whole or nil
end

local rules, report, problems = {}, {}, {}

local function problem(service, text)
  problems[#problems + 1] = service.name .. ": " .. text
end

for _, service in ipairs(inventory.services) do
  local latency = percentile(service.latency_ms, 0.95)
  local errors = rate(service.errors, service.requests)

  rules[#rules + 1] = {
    alert = service.name .. "-latency", above = objectives.latency_ms, minutes = 5, notify = service.owner,
  }
  rules[#rules + 1] = {
    alert = service.name .. "-errors", above = objectives.error_rate, minutes = 10, notify = service.owner,
  }

  if not service.url:find("^https://") then problem(service, "its health check is not encrypted") end
  if latency == nil then
    -- No data is not good data.
    problem(service, "no samples at all")
  elseif latency > objectives.latency_ms then
    problem(service, string.format("95%% of answers take up to %d ms (at most %d)", latency, objectives.latency_ms))
  end
  if errors and errors > objectives.error_rate then
    problem(service, string.format("%.1f%% of requests fail (at most %.1f%%)", errors * 100, objectives.error_rate * 100))
  end
  report[#report + 1] = string.format(
    "%-8s latency %-7s errors %s", service.name,
    latency and latency .. " ms" or "?", errors and string.format("%.1f%%", errors * 100) or "?"
  )
end

for _, line in ipairs(report) do print(line) end
for _, line in ipairs(problems) do print("! " .. line) end

fs.write("monitoring/rules.json", JSON.encode({ rules = rules }), { create_parents = true })
fs.write("monitoring/report.txt", table.concat(report, "\n") .. "\n")

return { rules = #rules, problems = #problems, healthy = #problems == 0 }
