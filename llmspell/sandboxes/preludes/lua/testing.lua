-- LuaTest: suites, asserts, and a report that a failing test can't hide from.
local TESTS_MAX, SHOWN_MAX, DEPTH_MAX = 10000, 200, 64
local registered, total_failed = {}, 0
local Asserts, Suite = {}, {}
P.classes.test_asserts, P.classes.test_suite = Asserts, Suite

local function shown(value)
  local done, text = true, nil
  if type(value) == "string" then text = format("%q", value)
  elseif type(value) == "table" then done, text = pcall(P.encode, value) end
  text = P.printable(done and text or tostring(value))
  if #text > SHOWN_MAX then text = P.printable(sub(text, 1, SHOWN_MAX)) .. "…" end
  return text
end

local function hold(condition, message, what)
  if condition then return end
  error(P.new_error({ code = 4002, kind = "assertion",
    message = message ~= nil and tostring(message) .. ": " .. what or what }), 0)
end

local function equal(left, right, depth)
  if rawequal(left, right) or left == right then return true end
  if type(left) ~= "table" or type(right) ~= "table" or depth > DEPTH_MAX then return false end
  for key, value in next, left do
    if not equal(value, right[key], depth + 1) then return false end
  end
  for key in next, right do
    if left[key] == nil then return false end
  end
  return true
end

function Asserts.assert_not_nil(_, value, message)
  hold(value ~= nil and value ~= P.null, message, "expected a value, got nil")
end

Asserts["assert_nil"] = function(_, value, message)
  hold(value == nil or value == P.null, message, "expected nil, got " .. shown(value))
end

Asserts["assert_true"] = function(_, value, message)
  hold(value == true, message, "expected true, got " .. shown(value))
end

Asserts["assert_false"] = function(_, value, message)
  hold(value == false, message, "expected false, got " .. shown(value))
end

function Asserts.assert_equals(_, value, expected, message)
  hold(equal(value, expected, 0), message, "expected " .. shown(expected) .. ", got " .. shown(value))
end

local function is_a(value, kind)
  if type(value) == kind then return true end
  if type(value) ~= "table" or value == P.null then return kind == "nil" and value == P.null end
  if kind == "array" then return #value > 0 or next(value) == nil end
  return kind == "object" and #value == 0
end

function Asserts.assert_type(_, value, kind, message)
  hold(is_a(value, kind), message, "expected a value of type " .. tostring(kind) .. ", got " .. type(value))
end

function Asserts.assert_greater_than(_, value, limit, message)
  hold(type(value) == "number" and type(limit) == "number" and value > limit, message,
    "expected more than " .. shown(limit) .. ", got " .. shown(value))
end

local function holds(value, part)
  if type(value) == "string" then return find(value, tostring(part), 1, true) ~= nil end
  if type(value) ~= "table" then return false end
  for _, item in next, value do
    if equal(item, part, 0) then return true end
  end
  return false
end

function Asserts.assert_contains(_, value, part, message)
  hold(holds(value, part), message, shown(value) .. " does not contain " .. shown(part))
end

local function message_of(problem)
  return P.describe({ value = problem }).message
end

function Asserts.assert_error(_, action, part, message)
  local done, problem = pcall(P.finished, action)
  hold(not done, message, "expected an error")
  if part ~= nil then
    hold(find(message_of(problem), tostring(part), 1, true) ~= nil, message,
      "the error " .. shown(message_of(problem)) .. " does not contain " .. shown(part))
  end
  return problem
end

function Suite.test(suite, name, body)
  if type(body) ~= "function" then P.fail(2002, "validation", "suite:test takes a name and a function") end
  if #registered >= TESTS_MAX then P.fail(4009, "limit", "a run has at most " .. TESTS_MAX .. " tests", "limit.tests") end
  registered[#registered + 1] = { suite = rawget(suite, "name"), name = tostring(name), body = body }
end

local suites = 0
P.modules.testing = {}

function P.modules.testing.suite(name)
  suites = suites + 1
  return P.object({ handle = "test_suite", id = "suite-" .. suites, name = tostring(name) })
end

local function run_one(test)
  local asserts = P.object({ handle = "test_asserts", id = "asserts", name = test.name })
  local done, problem = pcall(P.finished, test.body, asserts)
  local result = { suite = test.suite, name = test.name, passed = done }
  if not done then result.error = message_of(problem) end
  return result
end

local function report(result)
  local text = (result.passed and "ok   " or "FAIL ") .. result.suite .. ": " .. result.name
  if result.error then text = text .. " — " .. result.error end
  P.write("stdout", text .. "\n")
end

function P.modules.testing.run_all()
  local pending, results = registered, { passed = 0, failed = 0, tests = {} }
  registered = {}
  for index, test in ipairs(pending) do
    local result = run_one(test)
    results.tests[index] = result
    local count = result.passed and "passed" or "failed"
    results[count] = results[count] + 1
    report(result)
  end
  total_failed = total_failed + results.failed
  P.write("stdout", results.passed .. " passed, " .. results.failed .. " failed\n")
  return results
end

-- What a run that went well otherwise fails with for its tests; nil where none failed.
function P.failed_tests()
  if total_failed == 0 then return nil end
  return { value = P.new_error({ code = 4002, kind = "test_failed",
    message = total_failed .. (total_failed == 1 and " test failed" or " tests failed") }) }
end
