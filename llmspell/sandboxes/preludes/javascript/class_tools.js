// Tools as properties and as classes: Tools.fileReader, new HttpTool({…}).call({…}) (API-059, API-066).
const Tool = P.prototypeOf("tool");
const described = new NativeMap();
const CLASS = /\b([A-Z]\w*Tool)\b/g;

const ACRONYM = /([A-Z]+)([A-Z][a-z])/g, HUMP = /([a-z\d])([A-Z])/g;
const snake = (name) => lower(replaceText(replaceText(name, ACRONYM, "$1_$2"), HUMP, "$1_$2"));

const describe = (name) => P.call("tools.get", { __proto__: null, name }, P.after.tool);
const schemaOf = async (name) => {
  if (!mapHas(described, name)) mapSet(described, name, describe(name));
  const tool = await mapGet(described, name);
  return tool?.schema ?? tool?.parameters ?? create(null);
};

const execute = (name, input) => P.call("tools.execute", { __proto__: null, name, input }, P.after.output);

// By position come the required parameters in their order, then an object of further ones.
const callTool = async (name, given) => {
  if (given.length === 0) return execute(name, create(null));
  if (given.length === 1 && P.isOptions(given[0])) return execute(name, given[0]);
  const required = (await schemaOf(name)).required ?? [], input = create(null);
  for (let index = 0; index < given.length; index++) {
    const value = given[index];
    if (typeof required[index] === "string") input[required[index]] = value;
    else if (index === given.length - 1 && P.isOptions(value)) addFields(input, value);
    else P.fail(2002, "validation", "the tool " + name + " takes " + required.length + " values by position; give the others in an object by name");
  }
  return execute(name, input);
};

const addFields = (target, source) => {
  const names = keys(source);
  for (let index = 0; index < names.length; index++) target[names[index]] = source[names[index]];
};

const field = (object, name, value, enumerable) => defineProperty(object, name, {
  __proto__: null, value, writable: true, enumerable, configurable: true,
});

const properties = create(null);
// These functions travel as the tools they stand for.
const functions = new NativeWeakMap();
P.toolName = (value) => weakGet(functions, value);

const toolProperty = (name) => {
  const plain = snake(name), tool = P.old_tools[plain] ?? plain;
  const action = (...given) => callTool(tool, given);
  setPrototypeOf(action, Tool);
  field(action, "name", tool, true);
  weakSet(functions, action, tool);
  return freeze(action);
};

// What asks whether an object is a promise, or has a form of its own, finds nothing.
const PROPERTY = /^(?!then$|toJSON$)[A-Za-z]\w*$/;
P.withToolProperties = (content) => new NativeProxy(content, {
  __proto__: null,
  get(target, name) {
    if (typeof name !== "string" || name in target || !testPattern(PROPERTY, name)) return target[name];
    return properties[name] ??= toolProperty(name);
  },
});

const option = (options, name) => (name === "" ? undefined : options[name] ?? options[P.camel(name)]);

// The input of one call: the object's options where the tool has such a parameter, then the call's.
const inputOf = (map, options, schema, given) => {
  const input = create(null), parameters = schema.properties ?? create(null);
  const defaults = keys(options), names = keys(given);
  for (let index = 0; index < defaults.length; index++) {
    const name = hasOwn(parameters, defaults[index]) ? defaults[index] : snake(defaults[index]);
    if (hasOwn(parameters, name)) input[name] = options[defaults[index]];
  }
  for (let index = 0; index < names.length; index++) if (names[index] !== "action") input[names[index]] = given[names[index]];
  const fixed = map.fixed[given.action] ?? create(null), more = keys(fixed);
  for (let index = 0; index < more.length; index++) input[more[index]] ??= fixed[more[index]];
  const folder = option(options, map.folder);
  // A call without a path is about the folder itself.
  if (typeof folder === "string") input.path ??= ".";
  if (typeof folder === "string" && typeof input.path === "string") {
    if (startsWith(input.path, "/") || indexOf("/" + input.path + "/", "/../") >= 0) {
      P.fail(2002, "validation", map.folder + " is set, so a path begins there: no leading / and no ..");
    }
    input.path = replaceText(folder, /\/+$/, "") + "/" + input.path;
  }
  return input;
};

const checkedAction = (label, map, options, { action }) => {
  if (action === undefined || action === null) return map.tool;
  if (keys(map.actions).length === 0) return map.tool;
  const shown = P.printable(makeText(action));
  if (!hasOwn(map.actions, shown)) P.fail(2002, "validation", label + " has no action " + shown);
  if (option(options, map.readonly) === true) {
    for (let index = 0; index < map.reading.length; index++) if (map.reading[index] === shown) return map.actions[shown];
    P.fail(2002, "validation", label + " was made readonly: it does not " + shown);
  }
  return map.actions[shown];
};

const callClass = async (label, map, options, given) => {
  if (!P.isOptions(given)) P.fail(2002, "validation", label + " is called with an object");
  const tool = checkedAction(label, map, options, given);
  return execute(tool, inputOf(map, options, await schemaOf(tool), given));
};

const classOf = (label, map) => {
  const Made = function (options) {
    const chosen = new.target?.prototype ?? Made.prototype;
    const object = create(chosen), given = P.isOptions(options) ? options : create(null);
    addFields(object, { handle: "tool", id: map.tool, name: map.tool });
    const call = (input) => callClass(label, map, given, input ?? create(null));
    field(object, "call", call, false);
    field(object, "execute", call, false);
    return object;
  };
  Made.prototype = create(Tool);
  field(Made, "name", label, false);
  Made.new = (options) => new Made(options);
  weakSet(functions, Made, map.tool);
  return freeze(Made);
};

// A class that is not listed is the tool of its name, built in or the spell's own.
const lookUp = async (label) => {
  const plain = snake(slice(label, 0, -4)), names = [label, plain + "_tool", plain];
  let missing;
  for (let index = 0; index < names.length; index++) {
    try {
      return await describe(names[index]);
    } catch (error) {
      if (error.code !== 2001 && error.kind !== "not_found") throw error;
      missing = error;
    }
  }
  return P.fail(2001, "not_found", "there is no tool for " + label, missing.rule, "Tools.list() names the tools this run has; Tools.create makes one");
};

P.addClassTools = (setGlobal, source) => {
  const labels = keys(P.class_tools);
  for (let index = 0; index < labels.length; index++) {
    if (indexOf(source, labels[index]) >= 0) setGlobal(labels[index], classOf(labels[index], P.class_tools[labels[index]]));
  }
  CLASS.lastIndex = 0;
  for (let found; (found = execPattern(CLASS, source)) !== null;) {
    const label = found[1];
    if (label === "BaseTool" || label in globalThis) continue;
    const Made = function () { return P.toolOf(create(Tool), lookUp(label)); };
    Made.new = () => Made();
    weakSet(functions, Made, snake(slice(label, 0, -4)));
    setGlobal(label, Made);
  }
};
