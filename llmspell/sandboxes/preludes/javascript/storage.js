// Storage: what asks functions of the spell, and the same functions for one scope.
const Storage = create(null);
P.modules.storage = Storage;

const queryIn = async (predicate, options, scope) => {
  if (typeof predicate !== "function") P.fail(2002, "validation", "Storage.query takes a function of key and value");
  const given = typeof options === "string" ? { __proto__: null, prefix: options } : options ?? {};
  const args = { __proto__: null, prefix: given.prefix, scope: scope ?? given.scope }, found = {};
  for (;;) {
    const page = await P.call("storage.scan", args);
    for (let index = 0; index < page.items.length; index++) {
      const key = page.items[index][0], value = page.items[index][1];
      if (await predicate(key, value)) {
        defineProperty(found, key, { __proto__: null, value, writable: true, enumerable: true, configurable: true });
      }
    }
    if (page.next === null || page.next === undefined) return found;
    args.after = page.next;
  }
};

Storage.query = (predicate, options, named) => queryIn(predicate, typeof options === "string" && named ? { __proto__: null, prefix: options, scope: named.scope } : options);

// The functions of a scope and what they take, in order.
const CALLS = {
  __proto__: null, get: ["key"], set: ["key", "value", "ttl"], delete: ["key"], exists: ["key"], list: ["prefix"],
  get_batch: ["keys"], set_batch: ["data", "ttl"], delete_batch: ["keys"], scan: ["prefix", "after", "limit", "start", "before"],
  transaction: ["operations"], version: [], migrate: ["version", "migration"], clear: [], compact: [], stats: [], backup: [], backups: [], restore: ["name"],
};
const isNamed = (name) => name === undefined || name === "ttl" || name === "prefix" || name === "after" || name === "limit" || name === "start" || name === "before";

const inScope = (scope, call, params) => (...given) => {
  const args = { __proto__: null, scope };
  for (let index = 0; index < given.length; index++) {
    const value = given[index];
    if (P.isOptions(value) && isNamed(params[index])) {
      const names = keys(value);
      for (let at = 0; at < names.length; at++) args[names[at]] = value[names[at]];
    } else if (index < params.length) {
      if (value !== undefined) args[params[index]] = value;
    } else {
      P.fail(2002, "validation", "storage." + call + " takes " + params.length + " arguments");
    }
  }
  return P.call("storage." + call, args);
};

Storage.scope = (name) => {
  if (P.isOptions(name)) ({ name } = name);
  const view = {}, names = keys(CALLS);
  for (let index = 0; index < names.length; index++) {
    const action = inScope(name, names[index], CALLS[names[index]]);
    view[names[index]] = action;
    view[P.camel(names[index])] = action;
  }
  view.query = (predicate, options) => queryIn(predicate, options, name);
  return freeze(view);
};
