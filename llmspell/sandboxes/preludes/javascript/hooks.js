// Hooks at the end of the run: they run while the spell's functions still can.

// Asked when main and every task have ended. A run that fails or is stopped has no such end.
P.endOfHooks = () => {
  if (P.shutdownHooked !== true) return false;
  P.shutdownHooked = false;
  P.call("hooks.execute", { __proto__: null, point: "system_shutdown" });
  return true;
};
