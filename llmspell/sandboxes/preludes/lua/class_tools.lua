-- Tools as objects, as fields of Tools, and as the seeds' classes.
local Tool = {}
P.classes.tool = Tool

-- What a tool's result holds is found in its answer as well: answer.results (S27).
local answers = {
  __metatable = false,
  __index = function(answer, key)
    local result = rawget(answer, "result")
    if type(result) == "table" and result ~= P.null then return result[key] end
  end,
}
function P.after.output(answer)
  if type(answer) ~= "table" or answer == P.null then return answer end
  return setmetatable(answer, answers)
end

local function execute(tool, input)
  return P.after.output(P.await(P.call("tools.execute", { name = rawget(tool, "name"), input = input })))
end
Tool.execute, Tool.call = execute, execute

for name, field in pairs({ name = "name", description = "description", category = "category" }) do
  Tool["get_" .. name] = function(tool) return rawget(tool, field) end
end

local function schema_of(tool)
  return rawget(tool, "schema") or rawget(tool, "parameters")
end
Tool.get_input_schema = schema_of

-- Described tools without an id are told by their name.
local function tool_object(tool)
  if type(tool) ~= "table" then return tool end
  if rawget(tool, "handle") == nil then tool.handle, tool.id = "tool", tool.name end
  return P.object(tool)
end

-- Tools.get gives one object for a name, so an `execute` that a spell put in its place stays there
-- (S41). One that is made anew is another.
local kept = {}
function P.after.tool(tool, args)
  local object = tool_object(tool)
  if type(object) ~= "table" then return object end
  local name = rawget(object, "name")
  if name == nil then return object end
  local first = args.config == nil and args.tool == nil and kept[name] or object
  if first ~= object then
    for key, value in next, object do rawset(first, key, value) end
  end
  kept[name] = first
  return first
end

function P.after.tools(list)
  for index, tool in ipairs(list or {}) do list[index] = tool_object(tool) end
  return list
end

local function described(name)
  local args = { name = name }
  return P.after.tool(P.await(P.call("tools.get", args)), args)
end

-- tool(path, content): the required parameters in their order, then a table of further ones; or
-- one table of all.
function P.class_calls.tool(tool, ...)
  local count, first = select("#", ...), (...)
  if count == 0 or (count == 1 and type(first) == "table") then return tool.execute(first or {}) end
  local schema = schema_of(tool)
  local required = type(schema) == "table" and schema.required or {}
  local input = {}
  for index = 1, count do
    local value = (select(index, ...))
    local name = required[index]
    if type(name) == "string" then
      input[name] = value
    elseif index == count and type(value) == "table" then
      for key, item in next, value do input[key] = item end
    else
      P.fail(2002, "validation", "the tool " .. rawget(tool, "name") .. " takes " .. #required
        .. " values by position; give the others in a table by name")
    end
  end
  return tool.execute(input)
end

-- Tools.fileReader, Tools.file_reader, tools.file_write: a tool by its name.
function P.tool_field(_, field)
  if type(field) ~= "string" or not find(field, "^%a") then return nil end
  local name = P.snake(field)
  return described(P.old_tools[name] or name)
end

local function is_missing(problem)
  return P.is_error(problem) and (problem.code == 2001 or problem.kind == "not_found")
end

-- A class that no table names: the tool of that name, in one of the spellings tools have.
local function tool_of_class(class)
  local plain = P.snake(gsub(class, "Tool$", ""))
  local problem
  for _, name in ipairs({ class, plain .. "_tool", plain }) do
    local done, tool = pcall(described, name)
    if done then return tool end
    if not is_missing(tool) then error(tool, 0) end
    problem = tool
  end
  P.fail(2001, "not_found", "there is no tool for " .. class, rawget(problem, "rule"),
    "Tools.list() names the tools this run has; Tools.create makes one")
end

local function milliseconds(value)
  return type(value) == "number" and value * 1000 or value
end

-- The input of one call: the object's options where the tool has such a parameter, then the call's.
local function input_of(map, options, tool, given)
  local schema = schema_of(tool)
  local parameters = type(schema) == "table" and type(schema.properties) == "table" and schema.properties or {}
  local input = {}
  for key, value in next, options do
    if parameters[key] ~= nil then input[key] = value end
  end
  for key, value in next, given do
    if key ~= "action" then input[key] = value end
  end
  for _, name in ipairs(map.times) do input[name] = milliseconds(input[name]) end
  for key, value in next, map.fixed[given.action] or {} do
    if input[key] == nil then input[key] = value end
  end
  local folder = options[map.folder]
  -- A call without a path is about the folder itself.
  if map.folder ~= "" and type(folder) == "string" and input.path == nil then input.path = "." end
  if map.folder ~= "" and type(folder) == "string" and type(input.path) == "string" then
    if find(input.path, "^/") or find("/" .. input.path .. "/", "/../", 1, true) then
      P.fail(2002, "validation", map.folder .. " is set, so a path begins there: no leading / and no ..")
    end
    input.path = gsub(folder, "/+$", "") .. "/" .. input.path
  end
  return input
end

local function checked_action(class, map, options, given)
  local action = given.action
  if action == nil then return map.tool end
  local name = map.actions[action]
  if not name then
    if next(map.actions) == nil then return map.tool end
    P.fail(2002, "validation", class .. " has no action " .. P.printable(tostring(action)))
  end
  if map.readonly ~= "" and options[map.readonly] == true then
    for _, allowed in ipairs(map.reading) do
      if allowed == action then return name end
    end
    P.fail(2002, "validation", class .. " was made readonly: it does not " .. action)
  end
  return name
end

local function mapped(class, map, options)
  local tool = P.object({ handle = "tool", id = map.tool, name = map.tool })
  local fetched = {}
  local function call(first, given)
    if not rawequal(first, tool) then given = first end
    given = given or {}
    if type(given) ~= "table" then P.fail(2002, "validation", class .. " is called with a table") end
    local name = checked_action(class, map, options, given)
    fetched[name] = fetched[name] or described(name)
    return fetched[name].execute(input_of(map, options, fetched[name], given))
  end
  -- Kept beside the fields: an object given to an agent is the tool by its name.
  P.bind_own(tool, { call = call, execute = call })
  return tool
end

local classes = {}

-- The class of a global such as HttpTool.
function P.tool_class(class)
  if classes[class] then return classes[class] end
  local function new(first, options)
    if not rawequal(first, classes[class]) then options = first end
    options = options or {}
    if type(options) ~= "table" then P.fail(2002, "validation", class .. ".new takes a table") end
    local map = P.class_tools[class]
    if map then return mapped(class, map, options) end
    return tool_of_class(class)
  end
  classes[class] = setmetatable({ new = new, create = new }, {
    __name = class,
    __call = function(_, options) return new(options) end,
  })
  return classes[class]
end
