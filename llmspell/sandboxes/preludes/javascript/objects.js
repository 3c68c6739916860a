// Objects that live in the supervisor: agents, tools, workflows, whatever a class describes. Here
// they are their plain fields, with methods on the prototype that send the object's id along.
const prototypes = create(null);
const ours = new WeakSet();
// Objects made by `new`, until the reply is there: the promise of it.
const creations = new WeakMap();
// Promises of objects that calls gave: they have the methods too. What each gave, once it did.
const promised = new WeakMap();

const hide = (object, name, value) => defineProperty(object, name, {
  __proto__: null, value, writable: true, enumerable: false, configurable: true,
});

P.prototypeOf = (name) => {
  if (prototypes[name] === undefined) {
    prototypes[name] = {};
    weakAdd(ours, prototypes[name]);
  }
  return prototypes[name];
};

const spellings = (spec) => {
  const names = [spec.name, spec.camel];
  for (let index = 0; index < spec.aliases.length; index++) {
    push(names, spec.aliases[index]);
    push(names, P.camel(spec.aliases[index]));
  }
  return names;
};
P.spellings = spellings;

// The promise of an object has the object's methods, so that `Agent.get("a").chat("hi")` works.
const waiting = create(P.callPrototype);
const withMethods = (promise) => {
  const state = { __proto__: null, pending: promise, value: undefined };
  weakSet(promised, promise, state);
  then(promise, (object) => {
    state.pending = null;
    state.value = object;
  }, () => {});
  return setPrototypeOf(promise, waiting);
};

// What is asked of an object that is not there yet waits for it; so does its failure.
const later = (pending, name, given) => withMethods(P.tracked((resolve, reject) => {
  P.listen(pending, (object) => {
    try {
      const action = object === null || object === undefined ? undefined : object[name];
      if (typeof action !== "function") P.fail(2002, "validation", "what the call gave has no method " + name);
      resolve(applyFunction(action, object, given));
    } catch (error) {
      reject(error);
    }
  }, reject);
}));

const methodOf = (className, spec) => {
  const finish = P.finishOf(spec);
  const isLocal = spec.wire === "";
  const field = slice(spec.name, 4);
  return { [spec.camel](...given) {
    if (isLocal) return this[field];
    if (weakMapHas(creations, this)) return later(weakGet(creations, this), spec.name, given);
    if (typeof this?.id !== "string") P.fail(2002, "validation", spec.label + " is a method: call it on its object");
    const args = P.collect(spec, given);
    args.id = this.id;
    if (spec.whole) args[spec.whole] = this;
    if (spec.sync) return P.callNow(spec.wire, args, finish && ((value) => finish(value, args)));
    return promiseObjects(P.call(spec.wire, args, finish && ((value) => finish(value, args))), spec);
  } }[spec.camel];
};

const addWaiting = (name) => {
  if (hasOwn(waiting, name) || name === "then" || name === "catch" || name === "finally") return;
  hide(waiting, name, { [name](...given) { return later(this, name, given); } }[name]);
};

const promiseObjects = (promise, spec) => (spec.after === "handle" || spec.after === "tool" ? withMethods(promise) : promise);
P.promiseObjects = promiseObjects;

const addMethod = (prototype, name, action) => {
  hide(prototype, name, action);
  addWaiting(name);
};

P.addClass = (described) => {
  const prototype = P.prototypeOf(described.name);
  for (let index = 0; index < described.methods.length; index++) {
    const spec = P.specOf(described.methods[index], described.name);
    // What is done here is the prelude's own; only fields are read by a method that says so.
    if (spec.wire === "" && (hasOwn(prototype, spec.name) || !startsWith(spec.name, "get_"))) continue;
    const action = methodOf(described.name, spec), names = spellings(spec);
    for (let at = 0; at < names.length; at++) addMethod(prototype, names[at], action);
  }
};

const isHandle = (value) => P.isOptions(value) && typeof value.handle === "string" && typeof value.id === "string";

const known = (name) => {
  P.needClass(name);
  return prototypes[name];
};

const asObject = (value) => {
  if (!isHandle(value)) return value;
  const prototype = known(value.handle);
  if (value.handle === "hook" && value.point === "system_shutdown") P.shutdownHooked = true;
  return prototype === undefined ? value : setPrototypeOf(value, prototype);
};
const asObjects = (value) => {
  if (isArray(value)) for (let index = 0; index < value.length; index++) value[index] = asObject(value[index]);
  return value;
};
P.after.handle = asObject;
P.after.handles = asObjects;

// What a function of the spell's is called with: objects, at the top and one level below.
P.revived = (value) => {
  if (typeof value !== "object" || value === null) return value;
  P.withSpellings(value);
  if (isArray(value)) return asObjects(value);
  if (P.isOptions(value)) {
    const names = keys(value);
    for (let index = 0; index < names.length; index++) asObject(value[names[index]]);
  }
  return asObject(value);
};

// For an object that is still being made, or the promise of one: what is `pending`, or the `value`.
P.promisedBy = (value) => {
  if (weakMapHas(creations, value)) return { __proto__: null, pending: weakGet(creations, value) };
  return weakGet(promised, value);
};

// The config's fields can be read at once; what the reply says comes over them. They stay hidden:
// only what the supervisor knows of the object is sent with it.
const made = (prototype, config) => {
  const object = create(prototype);
  if (!P.isOptions(config)) return object;
  const names = keys(config);
  for (let index = 0; index < names.length; index++) {
    if (!(names[index] in object)) hide(object, names[index], config[names[index]]);
  }
  return object;
};

const complete = (object, prototype, reply) => {
  if (!isHandle(reply)) return reply;
  const names = keys(reply);
  for (let index = 0; index < names.length; index++) {
    defineProperty(object, names[index], {
      __proto__: null, value: reply[names[index]], writable: true, enumerable: true, configurable: true,
    });
  }
  // A function may give objects of several classes; a subclass of the spell's stays what it is.
  const own = known(reply.handle);
  if (own !== undefined && own !== prototype && getPrototypeOf(object) === prototype) setPrototypeOf(object, own);
  P.withSpellings(object);
  weakDelete(creations, object);
  // Nothing that has a `then` could be what a promise gives.
  delete object.then;
  return object;
};

const construct = (spec, prototype, chosen, given) => {
  const args = P.collect(spec, given);
  const config = args[spec.spread] ?? args;
  const object = made(chosen, config);
  const creation = P.call(spec.wire, args, (reply) => complete(object, prototype, reply));
  weakSet(creations, object, creation);
  hide(object, "then", (onValue, onError) => P.listen(creation, onValue, onError));
  return object;
};

// An object that a promise will complete, as `new` gives it.
P.toolOf = (object, promise) => {
  const creation = P.tracked((resolve, reject) => then(promise, (reply) => {
    const names = keys(reply);
    for (let index = 0; index < names.length; index++) object[names[index]] = reply[names[index]];
    weakDelete(creations, object);
    delete object.then;
    resolve(object);
  }, reject));
  weakSet(creations, object, creation);
  hide(object, "then", (onValue, onError) => P.listen(creation, onValue, onError));
  return object;
};

// Functions that give an object can be called with `new`, too: that object is there at once.
P.maker = (spec, className, always) => {
  P.needClass(className);
  const finish = P.finishOf(spec), prototype = P.prototypeOf(className);
  const make = function (...given) {
    if (new.target === undefined && !always) {
      const args = P.collect(spec, given);
      if (spec.sync) return P.callNow(spec.wire, args, (value) => finish(value, args));
      return promiseObjects(P.call(spec.wire, args, (value) => finish(value, args)), spec);
    }
    const chosen = new.target?.prototype;
    return construct(spec, prototype, typeof chosen === "object" && chosen !== null ? chosen : prototype, given);
  };
  make.prototype = prototype;
  hide(make, "name", spec.camel);
  return make;
};

// What a tool's result holds is found in its answer as well: answer.results (S27). Hidden, so that
// the answer is printed, copied and sent as it came.
P.after.output = (answer) => {
  if (!P.isOptions(answer) || !P.isOptions(answer.result)) return answer;
  const { result } = answer, names = keys(result);
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    if (!hasOwn(answer, name) && name !== "then" && name !== "__proto__") hide(answer, name, result[name]);
  }
  return answer;
};

// Tools as the registry shows them.
const Tool = P.prototypeOf("tool");
const runTool = { execute(input) {
  if (weakMapHas(creations, this)) return later(weakGet(creations, this), "execute", [input]);
  return P.call("tools.execute", { __proto__: null, name: this.name, input: input ?? create(null) }, P.after.output);
} }.execute;
const toolMethods = {
  execute: runTool, call: runTool,
  get_name() { return this.name; },
  get_description() { return this.description; },
  get_category() { return this.category; },
  get_input_schema() { return this.schema ?? this.parameters; },
  get_schema() { return this.schema ?? this.parameters; },
};
for (const name of keys(toolMethods)) {
  addMethod(Tool, name, toolMethods[name]);
  addMethod(Tool, P.camel(name), toolMethods[name]);
}
// A described tool without an id is told by its name.
const asTool = (tool) => {
  if (!P.isOptions(tool)) return tool;
  if (tool.handle === undefined) {
    tool.handle = "tool";
    tool.id = tool.name;
  }
  return setPrototypeOf(tool, known(tool.handle) ?? Tool);
};
// Tools.get gives one object for a name, so an `execute` that a spell put in its place stays there
// (S41). One that is made anew is another.
const keptTools = new NativeMap();
P.after.tool = (reply, args) => {
  const tool = asTool(reply);
  if (!P.isOptions(tool) || typeof tool.name !== "string") return tool;
  const isNew = args?.config !== undefined || args?.tool !== undefined;
  const first = isNew ? undefined : mapGet(keptTools, tool.name);
  if (first === undefined) {
    mapSet(keptTools, tool.name, tool);
    return tool;
  }
  const names = keys(tool);
  for (let index = 0; index < names.length; index++) first[names[index]] = tool[names[index]];
  return first;
};
P.after.tools = (tools) => {
  if (isArray(tools)) for (let index = 0; index < tools.length; index++) tools[index] = asTool(tools[index]);
  return tools;
};

// Tools.BaseTool: a class of the spell's extends it and brings `execute` (API-069).
class BaseTool {
  constructor(config) {
    if (!P.isOptions(config)) P.fail(2002, "validation", "BaseTool: super({name, description, category}) is needed");
    const names = keys(config);
    for (let index = 0; index < names.length; index++) this[names[index]] = config[names[index]];
  }
  async execute() {
    P.fail(2002, "validation", "a tool that extends BaseTool must have a method execute");
  }
  getName() { return this.name; }
  getDescription() { return this.description; }
  getCategory() { return this.category; }
}
P.BaseTool = freeze(BaseTool);

// An instance of a class of the spell's travels with what the services call of it.
const TRAVELLING = ["execute", "handler"];
const bound = new WeakMap();
P.methodsOf = (value) => {
  const prototype = getPrototypeOf(value);
  if (prototype === null || prototype === ObjectPrototype) return null;
  for (let at = prototype; at !== null; at = getPrototypeOf(at)) if (weakHas(ours, at)) return null;
  let methods = weakGet(bound, value);
  if (methods !== undefined) return methods;
  methods = create(null);
  for (let index = 0; index < TRAVELLING.length; index++) {
    const name = TRAVELLING[index];
    if (typeof value[name] === "function" && !hasOwn(value, name)) {
      methods[name] = (...given) => applyFunction(value[name], value, given);
    }
  }
  weakSet(bound, value, methods);
  return methods;
};
