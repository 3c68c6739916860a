// The world a spell sees: the API as frozen objects on the global object.
const setGlobal = (name, value) => defineProperty(globalThis, name, {
  __proto__: null, value, writable: true, enumerable: false, configurable: true,
});

const put = (content, name, value) => defineProperty(content, name, {
  __proto__: null, value, writable: true, enumerable: true, configurable: true,
});

// The module that describes each class: what a module's functions give may be another one's.
const classModules = create(null);

// The class of what a function gives: the one of its name, of its module, or of its wire's service.
const classOf = (module, spec) => {
  const service = split(spec.wire, ".")[0], { classes } = module;
  if (classModules[spec.name] !== undefined) return spec.name;
  for (let index = 0; index < classes.length; index++) if (classes[index].name === service) return service;
  return classes.length > 0 ? classes[0].name : service;
};

const actionOf = (module, spec) => {
  if (spec.wire === "") return undefined;
  return spec.after === "handle" && !spec.sync ? P.maker(spec, classOf(module, spec), false) : P.stub(spec);
};

const addFunctions = (content, module) => {
  const own = P.modules[module.name] ?? create(null);
  for (let index = 0; index < module.functions.length; index++) {
    const spec = P.specOf(module.functions[index], module.names[0]);
    const action = own[spec.name] ?? actionOf(module, spec), names = P.spellings(spec);
    for (let at = 0; at < names.length; at++) put(content, names[at], action);
    // `new Workflow.Sequential({…})`
    if (spec.after === "handle") put(content, upper(slice(spec.camel, 0, 1)) + slice(spec.camel, 1), action);
  }
};

// What calling the module itself does: `new Agent({…})`.
const contentOf = (module) => {
  if (module.name === "json") return NativeJson;
  if (module.name === "log") return (level, message, fields) => P.log(level, message, fields);
  for (let index = 0; index < module.functions.length; index++) {
    const spec = module.functions[index];
    if (spec.name === module.construct) return P.maker(P.specOf(spec, module.names[0]), classOf(module, spec), true);
  }
  return {};
};

// A part of the prelude that most runs do without is text until then. It is compiled behind every
// line of a spell's, so that its frames are told from the spell's.
P.need = (name) => {
  const text = P.late[name];
  if (text === undefined) return;
  P.late[name] = undefined;
  let lines = "\n";
  while (lines.length < (host.prelude_line ?? 0)) lines += lines;
  P.withBase(host.compile(lines + text, "llmspell"));
};

// A module is made of its description when it is first asked for.
const contents = create(null), building = new NativeSet();
const build = (late) => {
  if (contents[late.name] !== undefined) return contents[late.name];
  const module = parse(late.text);
  P.need(late.name);
  if (late.name === "tools") P.need("class_tools");
  module.name = late.name;
  module.names = late.names;
  setAdd(building, late.name);
  for (let index = 0; index < module.classes.length; index++) P.addClass(module.classes[index]);
  let content = contentOf(module);
  addFunctions(content, module);
  if (module.name === "tools") {
    put(content, "BaseTool", P.BaseTool);
    content = P.withToolProperties(freeze(content));
  }
  return contents[late.name] = freeze(content);
};

P.needClass = (name) => {
  const late = classModules[name];
  if (late !== undefined && !setHas(building, late.name)) build(late);
};

const addModule = (late) => {
  // What the language has of its own is there from the start.
  if (late.name === "json") build(late);
  const { classes, names } = late;
  for (let index = 0; index < classes.length; index++) classModules[classes[index]] = late;
  for (let index = 0; index < names.length; index++) {
    const name = names[index];
    defineProperty(P.api.all, name, { __proto__: null, get: () => build(late), enumerable: true });
    defineProperty(globalThis, name, {
      __proto__: null, enumerable: false, configurable: true,
      get() {
        setGlobal(name, build(late));
        return build(late);
      },
      set(value) { setGlobal(name, value); },
    });
  }
};

const addApi = () => {
  P.api.all = create(null);
  for (let index = 0; index < P.api.length; index++) addModule(P.api[index]);
  for (const level of ["trace", "debug", "info", "warn", "error"]) setGlobal(level, P.modules.log[level]);
  for (const name of ["LLMSpellError", "RateLimitError", "ValidationError"]) {
    setGlobal(name, P[name]);
    put(P.api.all, name, P[name]);
  }
  setGlobal("json", NativeJson);
  put(P.api.all, "json", NativeJson);
  setGlobal("sleep", P.modules.async.sleep);
  setGlobal("cooperative_yield", P.modules.async.yield);
  setGlobal("require", P.require);
  put(P.api.all, "default", P.api.all);
  freeze(P.api.all);
};
P.modules.json = {
  __proto__: null, encode: (value) => stringify(value), decode: (text) => parse(text), stringify, parse,
};

const out = (...values) => P.write("stdout", P.showAll(values));
const err = (...values) => P.write("stderr", P.showAll(values));
P.modules.console = { __proto__: null, log: out, info: out, debug: out, error: err, warn: err };
P.modules.util = { __proto__: null, sleep: P.modules.async.sleep };

const addConsole = () => {
  setGlobal("console", freeze({
    log: out, info: out, debug: out, dir: out, error: err, warn: err, trace: err,
    assert: (holds, ...values) => holds || err("Assertion failed", ...values),
  }));
  setGlobal("print", out);
};

const addTimers = () => {
  setGlobal("setTimeout", P.setTimeout);
  setGlobal("setInterval", P.setInterval);
  setGlobal("setImmediate", (action, ...given) => P.setTimeout(action, 0, ...given));
  setGlobal("clearTimeout", P.clearTimeout);
  setGlobal("clearInterval", P.clearTimeout);
};

// The engine counts from its boot, which was long ago where a zygote or an image was booted.
const restartClock = () => {
  const native = globalThis.performance;
  if (native === undefined) return;
  const { now } = native, passed = now();
  const clock = { now() { return now() - passed; } };
  defineProperty(clock, "timeOrigin", { __proto__: null, value: native.timeOrigin + passed, enumerable: true });
  defineProperty(globalThis, "performance", { __proto__: null, value: clock });
};

// What programs ask of `process`; the environment is the granted part of it.
const makeProcess = (run) => ({
  env: run.env ?? {}, argv: concat(["llmspell", P.name], run.args ?? []), platform: run.globals?.PLATFORM ?? "linux",
  version: "", versions: {}, cwd: () => "/", uptime: () => P.now() / 1000,
  nextTick: (action, ...given) => void then(resolved(undefined), () => action(...given)),
  stdout: { write: (text) => (P.write("stdout", makeText(text)), true) },
  stderr: { write: (text) => (P.write("stderr", makeText(text)), true) },
});

// A guest's image is made once for all runs.
if (host.boots === true) for (const name of keys(P.late)) P.need(name);

// At boot: what a zygote has by then, its children share.
addApi();
addConsole();
addTimers();

P.makeEnvironment = () => {
  const { run } = P;
  if (indexOf(run.source, "Tool") >= 0) {
    P.need("class_tools");
    P.addClassTools(setGlobal, run.source);
  }
  restartClock();
  setGlobal("params", run.params ?? {});
  setGlobal("args", run.args ?? []);
  setGlobal("env", run.env ?? {});
  setGlobal("process", makeProcess(run));
  setGlobal("ENGINE", "javascript");
  setGlobal("SECURITY_LEVEL", run.profile);
  const extra = run.globals ?? {};
  const names = keys(extra);
  for (let index = 0; index < names.length; index++) setGlobal(names[index], extra[names[index]]);
};
