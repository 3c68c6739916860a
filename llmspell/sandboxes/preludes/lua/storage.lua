-- Storage: what asks functions of the spell, and the same functions for one scope.
local Storage = {}
P.modules.storage = Storage

function Storage.query(predicate, options, named)
  local args = {}
  if type(options) == "string" then args.prefix = options end
  for _, given in ipairs({ options or false, named or false }) do
    if type(given) == "table" then
      for key, value in next, given do args[key] = value end
    end
  end
  if type(predicate) ~= "function" then P.fail(2002, "validation", "Storage.query takes a function of key and value") end
  local found = {}
  repeat
    local page = P.await(P.call("storage.scan", args))
    for _, item in ipairs(page.items) do
      if predicate(item[1], item[2]) then found[item[1]] = item[2] end
    end
    args.after = page.next
  until page.next == nil or page.next == P.null
  return found
end

function Storage.scope(name)
  if type(name) == "table" then name = name.name end
  local view = {}
  for _, spec in ipairs(P.functions_of("storage")) do
    if spec.wire ~= "" then
      local bound = { fixed = { scope = name } }
      for key, value in next, spec do
        if bound[key] == nil then bound[key] = value end
      end
      local action = P.stub(bound)
      view[spec.name], view[spec.camel] = action, action
    end
  end
  function view.query(predicate, options)
    local args = type(options) == "string" and { prefix = options } or {}
    for key, value in next, type(options) == "table" and options or {} do args[key] = value end
    args.scope = name
    return Storage.query(predicate, args)
  end
  return view
end
