-- /// spell
-- description = "Reviews a change of configuration and points at what deserves a second look"
-- [requests]
-- read = ["data/*.ini"]
-- ///

-- What a reviewer should stop at: a pattern over an added line, and why.
local RISKS = {
  { pattern = "host%s*=%s*0%.0%.0%.0", why = "listens on every interface" },
  { pattern = "debug%s*=%s*on", why = "debug output in production" },
  { pattern = "tls%s*=%s*off", why = "no encryption" },
  { pattern = "password%s*=%s*%S", why = "a password in a file" },
}

local old = fs.read(params.old or "data/service-old.ini")
local new = fs.read(params.new or "data/service-new.ini")

local diff = Tools.execute("diff_calculator", {
  old = old, new = new, old_name = "before", new_name = "after", context = 1,
}).result
print((diff:gsub("\n$", "")))

local findings = {}
for line in diff:gmatch("[^\n]+") do
  -- "+++ after" is the head of the diff, not an added line.
  local added = line:match("^%+([^+].*)$")
  if added then
    for _, risk in ipairs(RISKS) do
      if added:lower():find(risk.pattern) then
        findings[#findings + 1] = { line = added, why = risk.why }
      end
    end
  end
end

print(#findings .. " things to look at:")
for _, finding in ipairs(findings) do
  print("  " .. finding.line .. "  <- " .. finding.why)
end

return { verdict = #findings == 0 and "fine" or "needs a look", findings = findings }
