// require of the spell's own folder. Calls are promises here, so require gives one too.
const loaded = new NativeMap();
const NAME = /^(?:\.\/)?[\w.\/-]+$/;
const testName = uncurry(RegExp.prototype.test);

const denied = (name) => {
  const shown = slice(P.printable(name), 0, 80);
  P.fail(4008, "denied", "denied module " + shown, P.run.profile + ".modules", "to allow it: --allow-module " + shown);
};

const mayRequire = (name) => {
  if (P.run.profile === "none" || P.run.profile === "low") return true;
  const granted = P.run.modules ?? [];
  for (let index = 0; index < granted.length; index++) if (granted[index] === name) return true;
  return false;
};

const sourceOf = async (name) => {
  const path = "spell:" + (startsWith(name, "./") ? slice(name, 2) : name);
  let refusal;
  for (const candidate of [path, path + ".js", path + "/index.js"]) {
    if (candidate === path && slice(path, -3) !== ".js") continue;
    try {
      return { __proto__: null, path: slice(candidate, 6), text: await P.call("fs.read", { __proto__: null, path: candidate }) };
    } catch (error) {
      if (error.code === 4008 || error.kind !== "not_found") throw error;
      refusal = error;
    }
  }
  throw refusal;
};

const load = async (name) => {
  const { path, text } = await sourceOf(name);
  const body = P.compile("(async function (module, exports, require) {" + text + "\n})", path);
  const module = { exports: {} };
  await applyFunction(body, undefined, [module, module.exports, P.require]);
  return module.exports;
};

P.require = async (name) => {
  if (typeof name !== "string") P.fail(2002, "validation", "require takes a name");
  if (!mayRequire(name)) denied(name);
  if (!testName(NAME, name) || indexOf(name, "..") >= 0) {
    P.fail(2002, "validation", "a module's name has letters, digits, _, -, / and dots");
  }
  if (!mapHas(loaded, name)) mapSet(loaded, name, load(name));
  return mapGet(loaded, name);
};

// import() ends in the engine's own error, which knows no module loader: said in our words.
P.describeImport = (wire, message) => {
  const [, name = ""] = split(message, "'");
  wire.code = 4008;
  wire.kind = "denied";
  wire.message = "denied module " + slice(name, 0, 80);
  wire.rule = P.run.profile + ".modules";
  wire.hint = "modules of the spell's own folder come by `await require(name)`; to allow it: --allow-module " + slice(name, 0, 80);
};

P.compile = (source, name) => host.compile(source, name);
