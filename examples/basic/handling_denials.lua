-- A denial is an error like any other: it says which rule decided and what would allow it.
-- A careful spell asks, and does something sensible when the answer is no.

-- Under `high` this file is not granted, so the call raises. pcall catches it.
local read, problem = pcall(fs.read, "data/sales.csv")
if not read then
  print("reading: " .. problem.kind .. " by rule " .. problem.rule)
  print("         " .. problem.hint)
end

-- The same for a host: nothing was looked up and nothing was sent.
-- Not every error has a rule: a host that is granted and does not answer has none.
local fetched
fetched, problem = pcall(http.get, "https://example.com/")
if not fetched then
  print("fetching: " .. problem.kind .. (problem.rule and " by rule " .. problem.rule or ""))
end

-- What is always there is the scratch: a small folder in memory, gone at the end.
fs.write("scratch:notes/first.txt", "kept for this run only\n", { create_parents = true })
for _, entry in ipairs(fs.list("scratch:notes")) do
  print("scratch: " .. entry.name .. ", " .. entry.size .. " bytes")
end

-- An error that is not caught ends the run: exit code 3 for a denial, 1 for anything else.
return (read and fetched) and "everything was granted" or "went on without"
