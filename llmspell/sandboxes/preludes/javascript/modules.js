// require of the spell's own folder. Calls are promises here, so require gives one too.
const loaded = new NativeMap();
const NAME = /^(?:\.\/)?[\w.\/-]+$/;
const testName = uncurry(RegExp.prototype.test);

// Asks the broker, which records the answer and raises the denial; tells whether files of the
// spell's own folder may be loaded.
const ask = (name) => {
  const shown = slice(P.printable(name), 0, 256);
  const verdict = P.callNow("modules.load", { __proto__: null, name: shown });
  return verdict?.own_folder === true;
};

const isGranted = (name) => {
  const granted = P.run.modules ?? [];
  for (let index = 0; index < granted.length; index++) if (granted[index] === name) return true;
  return false;
};

const checkName = (name) => {
  if (!testName(NAME, name) || indexOf(name, "..") >= 0) {
    P.fail(2002, "validation", "a module's name has letters, digits, _, -, / and dots");
  }
};

// The text of a module in the spell's own folder and its path; null where there is none.
const ownSource = async (name) => {
  checkName(name);
  const path = "spell:" + (startsWith(name, "./") ? slice(name, 2) : name);
  const candidates = slice(path, -3) === ".js" || slice(path, -4) === ".mjs"
    ? [path] : [path + ".js", path + ".mjs", path + "/index.js"];
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index];
    try {
      const text = await P.call("fs.read", { __proto__: null, path: candidate });
      return { __proto__: null, path: slice(candidate, 6), text };
    } catch (error) {
      if (error.kind !== "not_found") throw error;
    }
  }
  return null;
};

// Where the spell's own folder comes first, nobody is asked before it was looked at.
const ownFirst = () => P.run.profile === "low" || P.run.profile === "none";

const sourceOf = async (name, mayRead) => {
  let found = mayRead ? await ownSource(name) : null;
  if (found === null && ownFirst()) ask(name);
  if (found === null) P.fail(4007, "not_found", "module " + slice(P.printable(name), 0, 80) + " is not part of this engine");
  return found;
};

const load = async (name, mayRead) => {
  const { path, text } = await sourceOf(name, mayRead);
  let body;
  try {
    body = P.compile(text, path);
  } catch (error) {
    throw P.syntaxError(error, text, path + ": ");
  }
  const module = { exports: {} };
  await applyFunction(body, undefined, [module, module.exports, P.require, P.importModule]);
  return module.exports;
};

const SCHEME = /^(?:@rs\/llmspell|rs-llmspell|llmspell)(?:[.\/](\w+))?$/;

// The injected API by a module's name, or undefined: nothing is loaded for it (API-115).
P.injected = (name) => {
  const found = execPattern(SCHEME, name);
  if (found === null) return undefined;
  return found[1] === undefined ? P.api.all : P.api.all[P.requires?.modules["llmspell." + found[1]]];
};

const asModule = (exports) => {
  if (exports === null || (typeof exports !== "object" && typeof exports !== "function") || hasOwn(exports, "default")) return exports;
  const module = create(null);
  const names = keys(exports);
  for (let index = 0; index < names.length; index++) module[names[index]] = exports[names[index]];
  module.default = exports;
  return module;
};
P.importModule = async (name) => asModule(P.injected(name) ?? (await P.require(name)));

// The injected API is there at once, and so is a denial; whatever must be read comes as a promise.
P.require = (name) => {
  if (typeof name !== "string" || name === "") P.fail(2002, "validation", "require takes a name");
  const injected = P.injected(name);
  if (injected !== undefined) return injected;
  if (!mapHas(loaded, name)) {
    // A module granted by name may be a file of the folder; reading it is judged by itself.
    const mayRead = ownFirst() || ask(name) || isGranted(name);
    mapSet(loaded, name, load(name, mayRead));
  }
  return mapGet(loaded, name);
};

// An import() that was not found ends in the engine's own error, which knows no module loader: said
// in our words.
P.describeImport = (wire, message) => {
  const name = split(message, "'")[1] ?? "";
  wire.code = 4008;
  wire.kind = "denied";
  wire.message = "denied module " + slice(name, 0, 80);
  wire.rule = P.run.profile + ".modules";
  wire.hint = "modules of the spell's own folder come by `await require(name)`; to allow it: --allow-module " + slice(name, 0, 80);
};

// A statement that only a module may have, at the line the engine complained of or above it.
const STATIC = /^\s*(?:import(?:\s+[\w$]|\s*[*{"'])|export(?:\s+\w|\s*[*{]))/;

const isStaticImport = (source, line) => {
  const lines = split(source, "\n");
  for (let index = 0; index < lines.length && index < (line ?? 1); index++) {
    if (execPattern(STATIC, lines[index]) !== null) return true;
  }
  return false;
};

P.syntaxError = (error, source, where) => {
  const { kind, message, line } = P.describe(error);
  if (kind === "memory") return P.memoryError;
  const fields = { __proto__: null, code: 4001, kind: "syntax", message: where + message, line };
  if (isStaticImport(source, line)) {
    fields.message = where + message + ": a spell has no export, and import only at its outermost level";
    fields.hint = "a spell's value is what it returns; modules come by import, or await require(\"name\")";
  }
  return new P.LLMSpellError(fields);
};

// On the first line, so that line numbers stay the spell's own; columns there are put right by
// P.wrapperWidth. Modules and the spell have the same wrapper, so the width is one.
// The importing function has a name only where a statement was rewritten to call it.
P.importName = "__llmspell_import";
const HIDDEN = "                 ";
const before = (source, text, names) => "(async function (" + names + (text === source ? HIDDEN : P.importName) + ") {";
const NAMES = "module, exports, require, ", NO_NAMES = "                          ";
P.wrapperWidth = before("", "", NAMES).length;

const compileAs = (source, name, names, first) => {
  let text = source;
  if (indexOf(source, "import") >= 0) {
    P.need("imports");
    text = P.withoutImports(source);
  }
  return host.compile(first + before(source, text, names) + text + "\n})", name);
};
P.compile = (source, name) => compileAs(source, name, NAMES, "");
P.compileSpell = (source, name) => compileAs(source, name, NO_NAMES, "");
// `throw` comes first, so that not even text that ends the function early is run.
P.checkSyntax = (source, name) => {
  try {
    compileAs(source, name, NO_NAMES, "throw 0;");
  } catch (error) {
    if (error !== 0) throw error;
  }
};
