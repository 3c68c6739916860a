-- Hooks at the end of the run: they run while the spell's functions still can.
local earlier = P.at_end

-- Asked when main and every task have ended. A run that fails or is stopped has no such end.
function P.at_end()
  if earlier() then return true end
  if not P.shutdown_hooked then return false end
  P.shutdown_hooked = false
  P.spawn(function() P.await(P.call("hooks.execute", { point = "system_shutdown" })) end)
  return true
end
