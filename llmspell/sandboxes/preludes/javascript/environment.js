// The world a spell sees: the API as frozen objects on the global object.
const setGlobal = (name, value) => defineProperty(globalThis, name, {
  __proto__: null, value, writable: true, enumerable: false, configurable: true,
});

const addFunctions = (content, module) => {
  const own = P.modules[module.name] ?? create(null);
  for (let index = 0; index < module.functions.length; index++) {
    const spec = module.functions[index];
    spec.label = module.name + "." + spec.camel;
    let action = own[spec.name];
    if (action === undefined && spec.wire !== "") action = P.stub(spec);
    content[spec.name] = action;
    content[spec.camel] = action;
  }
};

const addApi = () => {
  for (let index = 0; index < P.api.length; index++) {
    const module = P.api[index];
    const content = module.name === "json" ? JSON
      : module.name === "log" ? (level, message, fields) => P.log(level, message, fields) : {};
    addFunctions(content, module);
    freeze(content);
    for (let at = 0; at < module.names.length; at++) setGlobal(module.names[at], content);
  }
  for (const level of ["trace", "debug", "info", "warn", "error"]) setGlobal(level, P.modules.log[level]);
  setGlobal("LLMSpellError", P.LLMSpellError);
  setGlobal("json", JSON);
  setGlobal("util", freeze({ sleep: P.modules.async.sleep }));
  setGlobal("sleep", P.modules.async.sleep);
  setGlobal("require", P.require);
};
P.modules.json = {
  __proto__: null, encode: (value) => stringify(value), decode: (text) => parse(text), stringify, parse,
};

const addConsole = () => {
  const out = (...values) => P.write("stdout", P.showAll(values));
  const err = (...values) => P.write("stderr", P.showAll(values));
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

// At boot: what a zygote has by then, its children share.
addApi();
addConsole();
addTimers();

P.makeEnvironment = () => {
  const { run } = P;
  restartClock();
  setGlobal("params", run.params ?? {});
  setGlobal("args", run.args ?? []);
  setGlobal("env", run.env ?? {});
  setGlobal("ENGINE", "javascript");
  setGlobal("SECURITY_LEVEL", run.profile);
  const extra = run.globals ?? {};
  const names = keys(extra);
  for (let index = 0; index < names.length; index++) setGlobal(names[index], extra[names[index]]);
};
