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

Storage.scope = (name) => {
  if (P.isOptions(name)) ({ name } = name);
  const view = {};
  for (let index = 0; index < P.api.length; index++) {
    if (P.api[index].name !== "storage") continue;
    const { functions } = P.api[index];
    for (let at = 0; at < functions.length; at++) {
      const spec = functions[at];
      if (spec.wire === "") continue;
      const action = P.stub({ __proto__: null, ...spec, fixed: { __proto__: null, scope: name } });
      view[spec.name] = action;
      view[spec.camel] = action;
    }
  }
  view.query = (predicate, options) => queryIn(predicate, options, name);
  return freeze(view);
};
