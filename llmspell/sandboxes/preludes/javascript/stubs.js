// The API's functions from their descriptions: arguments in, replies out.
const isOptions = (value) => typeof value === "object" && value !== null && !isArray(value) && !isView(value);
P.isOptions = isOptions;

P.camel = (name) => {
  const words = split(name, "_");
  let text = words[0];
  for (let index = 1; index < words.length; index++) text += upper(slice(words[index], 0, 1)) + slice(words[index], 1);
  return text;
};

// A described function with what its description leaves out.
P.specOf = (spec, label) => {
  const { name } = spec;
  spec.camel = P.camel(name);
  spec.label = label + "." + spec.camel;
  spec.wire ??= "";
  spec.after ??= "";
  spec.spread ??= "";
  spec.positional ??= 0;
  spec.params ??= [];
  spec.aliases ??= [];
  spec.fixed ??= create(null);
  spec.camels = [];
  for (let index = 0; index < spec.params.length; index++) push(spec.camels, P.camel(spec.params[index]));
  return spec;
};

// What is no parameter goes into the one that takes the rest, where there is such a one.
const takeNamed = (args, spec, name, value) => {
  if (name === spec.spread && isOptions(value)) return copyFields(args[name] ??= create(null), value);
  for (let at = 0; at < spec.params.length; at++) {
    if (spec.camels[at] === name || spec.params[at] === name) return void (args[spec.params[at]] = value);
  }
  if (spec.spread === "") args[name] = value;
  else (args[spec.spread] ??= create(null))[name] = value;
};

const mergeOptions = (args, spec, options) => {
  const names = keys(options), given = args[spec.spread];
  // What the spell gave stays as it is.
  if (isOptions(given)) copyFields(args[spec.spread] = create(null), given);
  for (let index = 0; index < names.length; index++) takeNamed(args, spec, names[index], options[names[index]]);
};

const copyFields = (target, source) => {
  const names = keys(source);
  for (let index = 0; index < names.length; index++) target[names[index]] = source[names[index]];
};

// Arguments by position, then one object of named ones; or everything named.
const collect = (spec, given) => {
  const args = create(null);
  const { positional } = spec;
  if (given.length === 1 && isOptions(given[0]) && !spec.object_first) {
    mergeOptions(args, spec, given[0]);
  } else {
    for (let index = 0; index < positional && index < given.length; index++) {
      if (given[index] !== undefined) args[spec.params[index]] = given[index];
    }
    const options = given[positional];
    if (given.length > positional + 1 || (options !== undefined && !isOptions(options))) {
      P.fail(2002, "validation", spec.label + " takes " + positional + " arguments and an object of named ones");
    }
    if (options !== undefined) mergeOptions(args, spec, options);
  }
  copyFields(args, spec.fixed);
  return args;
};
P.collect = collect;

// Replies get camelCase spellings beside their own keys: own data stays what every language sees.
const CAMEL_KEYS = 20000;
const camels = create(null);
let remembered = 0;

const camelOf = (name) => {
  const known = camels[name];
  if (known !== undefined) return known;
  const camel = P.camel(name);
  if (++remembered <= CAMEL_KEYS) camels[name] = camel;
  return camel;
};

const addSpelling = (value, name) => {
  const camel = camelOf(name);
  if (camel === name || hasOwn(value, camel)) return;
  defineProperty(value, camel, {
    __proto__: null, configurable: true, enumerable: false,
    get() { return this[name]; },
    set(item) { this[name] = item; },
  });
};

const spellAll = (value, left) => {
  if (typeof value !== "object" || value === null || isView(value)) return left;
  if (isArray(value)) {
    for (let index = 0; index < value.length && left > 0; index++) left = spellAll(value[index], left);
    return left;
  }
  const names = keys(value);
  for (let index = 0; index < names.length && left > 0; index++) {
    const name = names[index];
    if (indexOf(name, "_") > 0) addSpelling(value, name);
    left = spellAll(value[name], left - 1);
  }
  return left;
};
P.withSpellings = (value) => {
  spellAll(value, CAMEL_KEYS);
  return value;
};

// Contents of files, pages and stores are the spell's own data and come as they are.
const AS_THEY_ARE = ["fs.", "http.", "storage.", "stdin.", "tools.execute"];
const isPlain = (wire) => {
  for (let index = 0; index < AS_THEY_ARE.length; index++) if (startsWith(wire, AS_THEY_ARE[index])) return true;
  return false;
};

P.finishOf = (spec) => {
  const after = P.after[spec.after];
  if (isPlain(spec.wire)) return after;
  return after === undefined ? P.withSpellings : (value, args) => after(P.withSpellings(value), args);
};

P.stub = (spec) => {
  const finish = P.finishOf(spec);
  return { [spec.camel](...given) {
    const args = collect(spec, given);
    if (spec.sync) return P.callNow(spec.wire, args, finish && ((value) => finish(value, args)));
    return P.promiseObjects(P.call(spec.wire, args, finish && ((value) => finish(value, args))), spec);
  } }[spec.camel];
};

// A response travels as its plain fields: what the prelude adds is hidden.
P.after.response = (response) => {
  const { body, status } = response;
  const added = { __proto__: null, ok: status >= 200 && status < 300, text: () => body,
    json: () => parse(body) };
  const names = keys(added);
  for (let index = 0; index < names.length; index++) {
    defineProperty(response, names[index], {
      __proto__: null, value: added[names[index]], writable: true, configurable: true,
    });
  }
  return response;
};
P.after.json = (response, args) => {
  if (response.status < 200 || response.status >= 300) {
    P.fail(2003, "http_status", "GET " + args.url + " answered " + response.status);
  }
  return parse(response.body);
};
