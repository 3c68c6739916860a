// Tools as properties and as classes: Tools.fileReader, new HttpTool({…}).call({…}) (API-059, API-066).
const Tool = P.prototypeOf("tool");
const schemas = new NativeMap();
const WORD_START = /[A-Z]+(?![a-z])|[A-Z]/g, CLASS = /\bnew\s+([A-Z]\w*Tool)\b/g;
const replaceText = uncurry(String.prototype.replace), lower = uncurry(String.prototype.toLowerCase);
const scanText = uncurry(RegExp.prototype.exec);

const snake = (name) => replaceText(name, WORD_START, (capital, at) => (at === 0 ? "" : "_") + lower(capital));

const parametersOf = (name) => {
  if (!mapHas(schemas, name)) {
    mapSet(schemas, name, then(P.call("tools.get", { __proto__: null, name }), (tool) => keys((tool?.schema ?? tool?.input_schema)?.properties ?? create(null))));
  }
  return mapGet(schemas, name);
};

const execute = (name, input) => P.call("tools.execute", { __proto__: null, name, input });

// By position the arguments are the tool's parameters in the order of its schema.
const callTool = async (name, given) => {
  if (given.length === 0) return execute(name, create(null));
  if (given.length === 1 && P.isOptions(given[0])) return execute(name, given[0]);
  const names = await parametersOf(name), input = create(null);
  if (given.length > names.length) P.fail(2002, "validation", name + " takes " + names.length + " parameters");
  for (let index = 0; index < given.length; index++) if (given[index] !== undefined) input[names[index]] = given[index];
  return execute(name, input);
};

const field = (object, name, value, enumerable) => defineProperty(object, name, {
  __proto__: null, value, writable: true, enumerable, configurable: true,
});

const properties = create(null);
// These functions travel as the tools they stand for.
const functions = new WeakSet();
P.isTool = (value) => weakHas(functions, value);

const toolProperty = (name) => {
  const tool = P.old_tools?.[name] ?? snake(name);
  const action = (...given) => callTool(tool, given);
  setPrototypeOf(action, Tool);
  field(action, "name", tool, true);
  weakAdd(functions, action);
  return freeze(action);
};

P.withToolProperties = (content) => new Proxy(content, {
  __proto__: null,
  get(target, name) {
    if (typeof name !== "string" || name in target || name === "then" || name === "toJSON") return target[name];
    return properties[name] ??= toolProperty(name);
  },
});

const fold = (options, input, described, names) => {
  const merged = create(null), defaults = keys(options), given = keys(input);
  for (let index = 0; index < defaults.length; index++) {
    const name = snake(defaults[index]);
    for (let at = 0; at < names.length; at++) if (names[at] === name) merged[name] = options[defaults[index]];
  }
  for (let index = 0; index < given.length; index++) if (given[index] !== "action" || !described.hasActions) merged[given[index]] = input[given[index]];
  return merged;
};

const inFolder = (folder, path) => {
  if (typeof folder !== "string" || typeof path !== "string" || path[0] === "/") return path;
  return folder[folder.length - 1] === "/" ? folder + path : folder + "/" + path;
};

const option = (options, name) => options[name] ?? options[P.camel(name)];

const callClass = async (described, options, input) => {
  const { action } = input;
  described.hasActions = keys(described.actions).length > 0;
  const tool = described.hasActions && action !== undefined ? described.actions[action] : described.tool;
  if (tool === undefined) P.fail(2002, "validation", described.label + " has no action " + P.show(action));
  if (described.readonly !== "" && option(options, described.readonly) === true && indexOf("," + join(described.reading, ",") + ",", "," + (action ?? described.reading[0]) + ",") < 0) {
    P.fail(2006, "denied", described.label + " was made readonly: the action " + P.show(action) + " writes", "tool.readonly");
  }
  const merged = fold(options, input, described, await parametersOf(tool));
  const fixed = described.fixed[action] ?? create(null), names = keys(fixed);
  for (let index = 0; index < names.length; index++) merged[names[index]] = fixed[names[index]];
  if (described.folder !== "") merged.path = inFolder(option(options, described.folder), merged.path);
  return execute(tool, merged);
};

const classOf = (label, described) => {
  const Made = function (options) {
    const chosen = new.target?.prototype ?? Made.prototype;
    const object = create(chosen), given = P.isOptions(options) ? options : create(null);
    field(object, "name", described.tool, true);
    const call = (input) => callClass(described, given, input ?? create(null));
    field(object, "call", call, false);
    field(object, "execute", call, false);
    return object;
  };
  described.label = label;
  Made.prototype = create(Tool);
  field(Made, "name", label, false);
  Made.new = (options) => new Made(options);
  return freeze(Made);
};

// A class that is not listed is the tool of its name, built in or the spell's own.
const lookUp = async (label) => {
  const names = [label, snake(label), slice(snake(label), 0, -5)];
  for (let index = 0; index < names.length; index++) {
    try {
      return await P.call("tools.get", { __proto__: null, name: names[index] });
    } catch (error) {
      if (error.code !== 2001) throw error;
    }
  }
  return P.fail(2001, "not_found", "there is no tool " + label);
};

P.addClassTools = (setGlobal, source) => {
  const labels = keys(P.class_tools ?? create(null));
  for (let index = 0; index < labels.length; index++) {
    if (indexOf(source, labels[index]) >= 0) setGlobal(labels[index], classOf(labels[index], P.class_tools[labels[index]]));
  }
  CLASS.lastIndex = 0;
  for (let found; (found = scanText(CLASS, source)) !== null;) {
    const label = found[1];
    if (label in globalThis) continue;
    setGlobal(label, function () { return P.toolOf(create(Tool), lookUp(label)); });
  }
};
