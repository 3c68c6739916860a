(function () {
"use strict";
// Everything the prelude uses is captured here, before a spell can replace it (JS-03).
const host = globalThis.__host;
delete globalThis.__host;

const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const { create, defineProperty, freeze, getPrototypeOf, keys, setPrototypeOf } = Object;
const hasOwn = uncurry(Object.prototype.hasOwnProperty);
const tagOf = uncurry(Object.prototype.toString);
const isArray = Array.isArray;
const stringify = JSON.stringify, parse = JSON.parse;
const { isFinite: isFiniteNumber, isInteger, MAX_SAFE_INTEGER } = Number;
const { floor, min } = Math;
const makeText = String, makeNumber = Number;
const fromCode = String.fromCharCode;
const slice = uncurry(String.prototype.slice), codeAt = uncurry(String.prototype.charCodeAt);
const indexOf = uncurry(String.prototype.indexOf), startsWith = uncurry(String.prototype.startsWith);
const split = uncurry(String.prototype.split), join = uncurry(Array.prototype.join);
const sortList = uncurry(Array.prototype.sort), spliceList = uncurry(Array.prototype.splice);
const isWellFormed = uncurry(String.prototype.isWellFormed), toWellFormed = uncurry(String.prototype.toWellFormed);
const exponential = uncurry(Number.prototype.toExponential);
const execPattern = uncurry(RegExp.prototype.exec);
const Bytes = Uint8Array, Buffer = ArrayBuffer, isView = ArrayBuffer.isView;
const viewBuffer = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "buffer").get);
const viewOffset = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "byteOffset").get);
const viewLength = uncurry(Object.getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), "byteLength").get);
const isoDate = uncurry(Date.prototype.toISOString);
const NativePromise = Promise, resolved = Promise.resolve.bind(Promise);
const then = uncurry(Promise.prototype.then);
const NativeError = Error, NativeMap = Map, NativeSet = Set, NativeDate = Date;
const mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set), mapHas = uncurry(Map.prototype.has);
const mapDelete = uncurry(Map.prototype.delete), mapEach = uncurry(Map.prototype.forEach);
const mapSize = uncurry(Object.getOwnPropertyDescriptor(Map.prototype, "size").get);
const setAdd = uncurry(Set.prototype.add), setHas = uncurry(Set.prototype.has), setDelete = uncurry(Set.prototype.delete);
const setEach = uncurry(Set.prototype.forEach);
const weakAdd = uncurry(WeakSet.prototype.add), weakHas = uncurry(WeakSet.prototype.has);
const weakGet = uncurry(WeakMap.prototype.get), weakSet = uncurry(WeakMap.prototype.set);
const weakMapHas = uncurry(WeakMap.prototype.has);
const applyFunction = Reflect.apply;

// The prelude's parts find each other here; a spell never sees it. It inherits nothing, so that a
// polluted Object.prototype does not show through.
const P = create(null);
P.modules = create(null);
P.after = create(null);

// A list that a setter on Array.prototype can't watch.
const push = (list, value) => defineProperty(list, list.length, {
  __proto__: null, value, writable: true, enumerable: true, configurable: true,
});
{ // errors
// Errors as a spell meets them, and as the channel carries them.
const FIELDS = ["code", "kind", "rule", "hint", "recoverable", "trace_id", "line"];
const MAX_TEXT = 4000;
const known = new WeakSet();

class LLMSpellError extends Error {
  constructor(fields) {
    super(typeof fields === "string" ? fields : makeText(fields?.message ?? "the call failed"));
    for (let index = 0; index < FIELDS.length; index++) {
      const name = FIELDS[index];
      const value = typeof fields === "object" && fields !== null && hasOwn(fields, name) ? fields[name] : undefined;
      defineProperty(this, name, { __proto__: null, value, writable: true, enumerable: value !== undefined, configurable: true });
    }
    this.recoverable = this.recoverable === true;
    this.traceId = this.trace_id;
    weakAdd(known, this);
  }
}
defineProperty(LLMSpellError.prototype, "name", { __proto__: null, value: "LLMSpellError", configurable: true });
P.LLMSpellError = LLMSpellError;

P.fail = (code, kind, message, rule, hint) => {
  throw new LLMSpellError({ __proto__: null, code, kind, message, rule, hint });
};

const printable = (text) => (isWellFormed(text) ? text : toWellFormed(text));
P.printable = printable;
const clip = (text) => printable(text.length <= MAX_TEXT ? text : slice(text, 0, MAX_TEXT));

const PLACE = /\(?([^()\s]*):(\d+):\d+\)?$/;
// `compiled` is how the engine calls what it compiled for us; a native engine takes no file name,
// so there the prelude starts at a line that no spell reaches.
const compiled = host.compiled_name ?? null;
const firstLine = host.prelude_line ?? Infinity;

const isOurs = (file, line) => (compiled === null ? file === "llmspell" || file === "=llmspell" : line >= firstLine);

// The spell's frames, under the spell's name, and the line of the innermost.
const spellFrames = (stack) => {
  const lines = split(makeText(stack), "\n");
  const kept = [];
  let line;
  for (let index = 0; index < lines.length; index++) {
    const place = execPattern(PLACE, lines[index]);
    if (place === null) continue;
    const number = makeNumber(place[2]);
    if (isOurs(place[1], number)) continue;
    let text = lines[index];
    if (place[1] === compiled) {
      const start = indexOf(text, compiled + ":");
      text = slice(text, 0, start) + P.name + slice(text, start + compiled.length);
    }
    if (line === undefined && (place[1] === compiled || place[1] === P.name)) line = number;
    push(kept, text);
  }
  return { __proto__: null, text: join(kept, "\n"), line };
};

const readText = (value, name) => {
  // A getter or a Proxy of the spell's may throw here.
  try {
    const text = value[name];
    return typeof text === "string" ? clip(text) : undefined;
  } catch {
    return undefined;
  }
};

const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

const MEMORY = "the spell used more memory than it may";
P.describe = (value, kind) => {
  // QuickJS throws null when it has not even the memory for an error object.
  if (value === null) return { __proto__: null, code: 4005, kind: "memory", message: MEMORY };
  const wire = { __proto__: null, code: 4002, kind: kind ?? "runtime", message: "the spell failed" };
  if (!isObject(value)) {
    try {
      wire.message = clip(makeText(value));
    } catch {
      wire.message = "an error that is no text";
    }
    return wire;
  }
  const name = readText(value, "name");
  const message = readText(value, "message");
  if (name === "InternalError" && message === "out of memory") {
    return { __proto__: null, code: 4005, kind: "memory", message: MEMORY };
  }
  if (message !== undefined) {
    wire.message = name && name !== "Error" && name !== "LLMSpellError" ? clip(name + ": " + message) : message;
  }
  if (message !== undefined && indexOf(message, "could not load module") === 0) P.describeImport(wire, message);
  if (weakHas(known, value)) {
    if (isInteger(value.code)) wire.code = value.code;
    const texts = ["kind", "rule", "hint", "trace_id"];
    for (let index = 0; index < texts.length; index++) {
      const text = readText(value, texts[index]);
      if (text !== undefined) wire[texts[index]] = text;
    }
    if (value.recoverable === true) wire.recoverable = true;
    if (isInteger(value.line)) wire.line = value.line;
  }
  const stack = readText(value, "stack");
  if (stack !== undefined) {
    const frames = spellFrames(stack);
    if (frames.text !== "") wire.stack = clip(frames.text);
    if (frames.line !== undefined) wire.line ??= frames.line;
  }
  return wire;
};
}
{ // base64
// base64, the channel's form of bytes. Two characters at a time, by a table of 4096 entries.
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
let doubles = null, values = null;

const prepare = () => {
  doubles = [];
  values = new Bytes(128);
  for (let high = 0; high < 64; high++) {
    values[codeAt(ALPHABET, high)] = high;
    for (let low = 0; low < 64; low++) push(doubles, ALPHABET[high] + ALPHABET[low]);
  }
};

P.base64Encode = (bytes) => {
  if (doubles === null) prepare();
  const length = viewLength(bytes), whole = length - (length % 3);
  let text = "";
  for (let index = 0; index < whole; index += 3) {
    const bits = (bytes[index] << 16) | (bytes[index + 1] << 8) | bytes[index + 2];
    text += doubles[bits >> 12] + doubles[bits & 4095];
  }
  if (whole === length) return text;
  const bits = (bytes[whole] << 16) | ((bytes[whole + 1] ?? 0) << 8);
  const last = doubles[bits >> 12] + doubles[bits & 4095];
  return text + (length - whole === 2 ? slice(last, 0, 3) + "=" : slice(last, 0, 2) + "==");
};

P.base64Decode = (text) => {
  if (values === null) prepare();
  let length = (text.length / 4) * 3;
  if (text.length > 0 && text[text.length - 1] === "=") length -= text[text.length - 2] === "=" ? 2 : 1;
  const bytes = new Bytes(length);
  let at = 0;
  for (let index = 0; index < text.length; index += 4) {
    const bits = (values[codeAt(text, index)] << 18) | (values[codeAt(text, index + 1)] << 12)
      | (values[codeAt(text, index + 2)] << 6) | values[codeAt(text, index + 3)];
    // Writing behind a typed array's end does nothing: the padding's bytes fall away.
    bytes[at++] = bits >> 16;
    bytes[at++] = (bits >> 8) & 255;
    bytes[at++] = bits & 255;
  }
  return bytes;
};
}
{ // plain
// Values to the channel's JSON and back. Each value is read once, here in the worker: what a getter,
// toJSON or Proxy answers later can't change what was sent (JS-06).
const WIRE_DEPTH = 44, WIRE_NODES = 240000, WIRE_KEYS = 20000;

const refuse = (message) => P.fail(2002, "validation", message);

const numberText = (value) => {
  if (!isFiniteNumber(value)) refuse("NaN and infinities have no form in JSON");
  // Digits alone would claim to be an exact integer, which beyond 2^53 nobody can promise.
  if (isInteger(value) && (value > MAX_SAFE_INTEGER + 1 || value < -MAX_SAFE_INTEGER - 1)) return exponential(value);
  return value === 0 ? "0" : makeText(value);
};

const quote = (text) => {
  if (!isWellFormed(text)) refuse("text with a lone surrogate can't be carried: use toWellFormed(), or bytes");
  return stringify(text);
};
P.quote = quote;

const bytesOf = (value) => {
  if (tagOf(value) === "[object ArrayBuffer]") return new Bytes(value);
  return new Bytes(viewBuffer(value), viewOffset(value), viewLength(value));
};

const specialText = (value) => {
  if (isView(value) && tagOf(value) !== "[object DataView]") return '{"$bytes":"' + P.base64Encode(bytesOf(value)) + '"}';
  if (value instanceof Buffer) return '{"$bytes":"' + P.base64Encode(bytesOf(value)) + '"}';
  if (value instanceof NativePromise) refuse("a promise can't be carried: await it first");
  if (value instanceof NativeMap || value instanceof NativeSet) refuse("a Map or Set can't be carried: make it an object or an array");
  return null;
};

const encodeWith = (mode) => {
  const path = new NativeSet();
  let nodes = 0;

  const objectText = (value, depth) => {
    const names = keys(value);
    if (names.length > WIRE_KEYS) refuse("an object has over " + WIRE_KEYS + " keys");
    let text = "{", count = 0;
    for (let index = 0; index < names.length; index++) {
      const item = value[names[index]];
      if (item === undefined) continue;
      text += (count === 0 ? "" : ",") + quote(names[index]) + ":" + valueText(item, depth + 1);
      count++;
    }
    if (count === 1 && (hasOwn(value, "$bytes") || hasOwn(value, "$callback"))) {
      refuse("an object with the only key $bytes or $callback means something else on the channel");
    }
    return text + "}";
  };

  const arrayText = (value, depth) => {
    if (value.length > WIRE_NODES) refuse("a value of over " + WIRE_NODES + " parts");
    let text = "[";
    for (let index = 0; index < value.length; index++) {
      text += (index === 0 ? "" : ",") + valueText(value[index], depth + 1);
    }
    return text + "]";
  };

  const referenceText = (value, depth) => {
    if (typeof value.toJSON === "function") return valueText(value.toJSON(), depth + 1);
    const special = specialText(value);
    if (special !== null) return special;
    if (setHas(path, value)) refuse("a value that contains itself has no form in JSON");
    if (depth >= WIRE_DEPTH) refuse("a value nested deeper than " + WIRE_DEPTH + " levels");
    setAdd(path, value);
    const text = isArray(value) ? arrayText(value, depth)
      : value instanceof NativeError ? objectText(errorFields(value), depth) : objectText(value, depth);
    setDelete(path, value);
    return text;
  };

  const valueText = (value, depth) => {
    if (++nodes > WIRE_NODES) refuse("a value of over " + WIRE_NODES + " parts");
    if (depth > WIRE_DEPTH + 1) refuse("a value nested deeper than " + WIRE_DEPTH + " levels");
    switch (typeof value) {
      case "string": return quote(value);
      case "number": return numberText(value);
      case "boolean": return value ? "true" : "false";
      case "undefined": return "null";
      case "object": return value === null ? "null" : referenceText(value, depth);
      case "bigint":
        if (value > 9007199254740992n || value < -9007199254740992n) {
          refuse("an integer beyond 2^53 can't be carried exactly: send it as text");
        }
        return makeText(value);
      case "function":
        if (mode === "call") return '{"$callback":' + P.callbackNumber(value) + "}";
    }
    return refuse("a " + typeof value + " has no form in JSON");
  };
  return valueText;
};

const errorFields = (error) => {
  const fields = { __proto__: null, name: makeText(error.name), message: makeText(error.message) };
  const names = keys(error);
  for (let index = 0; index < names.length; index++) fields[names[index]] = error[names[index]];
  return fields;
};

// `mode` is "call" where functions may travel, else "value".
P.encode = (value, mode) => encodeWith(mode)(value, 0);

const revive = (value) => {
  if (typeof value !== "object" || value === null) return value;
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = revive(value[index]);
    return value;
  }
  const names = keys(value);
  if (names.length === 1 && names[0] === "$bytes") return P.base64Decode(value.$bytes);
  for (let index = 0; index < names.length; index++) value[names[index]] = revive(value[names[index]]);
  return value;
};

P.decode = (text) => {
  const value = parse(text);
  return indexOf(text, '"$bytes"') < 0 ? value : revive(value);
};
}
{ // *api
P.api = [{name:"fs",names:["fs"],functions:[{name:"read",camel:"read",wire:"fs.read",params:["path","encoding","offset","length"],camels:["path","encoding","offset","length"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"write",camel:"write",wire:"fs.write",params:["path","data","create_parents"],camels:["path","data","createParents"],required:2,positional:2,object_first:false,after:"",fixed:{}},{name:"append",camel:"append",wire:"fs.append",params:["path","data"],camels:["path","data"],required:2,positional:2,object_first:false,after:"",fixed:{}},{name:"list",camel:"list",wire:"fs.list",params:["path","recursive","pattern","limit"],camels:["path","recursive","pattern","limit"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"stat",camel:"stat",wire:"fs.stat",params:["path"],camels:["path"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"exists",camel:"exists",wire:"fs.exists",params:["path"],camels:["path"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"mkdir",camel:"mkdir",wire:"fs.mkdir",params:["path","parents"],camels:["path","parents"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"remove",camel:"remove",wire:"fs.remove",params:["path","recursive"],camels:["path","recursive"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"move",camel:"move",wire:"fs.move",params:["from","to"],camels:["from","to"],required:2,positional:2,object_first:false,after:"",fixed:{}}]},{name:"http",names:["http"],functions:[{name:"request",camel:"request",wire:"http.request",params:["method","url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["method","url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:0,object_first:false,after:"response",fixed:{}},{name:"get",camel:"get",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"GET"}},{name:"post",camel:"post",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"POST"}},{name:"put",camel:"put",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"PUT"}},{name:"patch",camel:"patch",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"PATCH"}},{name:"delete",camel:"delete",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"DELETE"}},{name:"head",camel:"head",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"response",fixed:{method:"HEAD"}},{name:"get_json",camel:"getJson",wire:"http.request",params:["url","headers","query","body","json","timeout","max_bytes","follow_redirects"],camels:["url","headers","query","body","json","timeout","maxBytes","followRedirects"],required:1,positional:1,object_first:false,after:"json",fixed:{}}]},{name:"tools",names:["Tools","tools"],functions:[{name:"list",camel:"list",wire:"tools.list",params:["category"],camels:["category"],required:0,positional:1,object_first:false,after:"tools",fixed:{}},{name:"get",camel:"get",wire:"tools.get",params:["name"],camels:["name"],required:1,positional:1,object_first:false,after:"tool",fixed:{}},{name:"search",camel:"search",wire:"tools.search",params:["query"],camels:["query"],required:1,positional:1,object_first:false,after:"tools",fixed:{}},{name:"by_category",camel:"byCategory",wire:"tools.by_category",params:["category"],camels:["category"],required:1,positional:1,object_first:false,after:"tools",fixed:{}},{name:"get_by_category",camel:"getByCategory",wire:"tools.by_category",params:["category"],camels:["category"],required:1,positional:1,object_first:false,after:"tools",fixed:{}},{name:"execute",camel:"execute",wire:"tools.execute",params:["name","input"],camels:["name","input"],required:1,positional:2,object_first:false,after:"",fixed:{}}]},{name:"storage",names:["Storage","storage"],functions:[{name:"get",camel:"get",wire:"storage.get",params:["key"],camels:["key"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"set",camel:"set",wire:"storage.set",params:["key","value","ttl"],camels:["key","value","ttl"],required:2,positional:2,object_first:false,after:"",fixed:{}},{name:"delete",camel:"delete",wire:"storage.delete",params:["key"],camels:["key"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"exists",camel:"exists",wire:"storage.exists",params:["key"],camels:["key"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"list",camel:"list",wire:"storage.list",params:["prefix"],camels:["prefix"],required:0,positional:1,object_first:false,after:"",fixed:{}},{name:"clear",camel:"clear",wire:"storage.clear",params:[],camels:[],required:0,positional:0,object_first:false,after:"",fixed:{}}]},{name:"stdin",names:["stdin"],functions:[{name:"read",camel:"read",wire:"stdin.read",params:["length"],camels:["length"],required:0,positional:1,object_first:false,after:"",fixed:{}},{name:"lines",camel:"lines",wire:"",params:[],camels:[],required:0,positional:0,object_first:false,after:"",fixed:{}},{name:"read_all",camel:"readAll",wire:"",params:[],camels:[],required:0,positional:0,object_first:false,after:"",fixed:{}}]},{name:"async",names:["Async"],functions:[{name:"sleep",camel:"sleep",wire:"",params:["ms"],camels:["ms"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"all",camel:"all",wire:"",params:["work"],camels:["work"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"all_settled",camel:"allSettled",wire:"",params:["work"],camels:["work"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"race",camel:"race",wire:"",params:["work"],camels:["work"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"timeout",camel:"timeout",wire:"",params:["operation","ms"],camels:["operation","ms"],required:2,positional:2,object_first:true,after:"",fixed:{}},{name:"retry",camel:"retry",wire:"",params:["operation","options"],camels:["operation","options"],required:1,positional:2,object_first:false,after:"",fixed:{}},{name:"spawn",camel:"spawn",wire:"",params:["operation"],camels:["operation"],required:1,positional:1,object_first:true,after:"",fixed:{}}]},{name:"log",names:["log","Logger"],functions:[{name:"trace",camel:"trace",wire:"",params:["message","fields"],camels:["message","fields"],required:1,positional:2,object_first:true,after:"",fixed:{}},{name:"debug",camel:"debug",wire:"",params:["message","fields"],camels:["message","fields"],required:1,positional:2,object_first:true,after:"",fixed:{}},{name:"info",camel:"info",wire:"",params:["message","fields"],camels:["message","fields"],required:1,positional:2,object_first:true,after:"",fixed:{}},{name:"warn",camel:"warn",wire:"",params:["message","fields"],camels:["message","fields"],required:1,positional:2,object_first:true,after:"",fixed:{}},{name:"error",camel:"error",wire:"",params:["message","fields"],camels:["message","fields"],required:1,positional:2,object_first:true,after:"",fixed:{}}]},{name:"json",names:["JSON"],functions:[{name:"encode",camel:"encode",wire:"",params:["value"],camels:["value"],required:1,positional:1,object_first:true,after:"",fixed:{}},{name:"decode",camel:"decode",wire:"",params:["text"],camels:["text"],required:1,positional:1,object_first:false,after:"",fixed:{}},{name:"stringify",camel:"stringify",wire:"",params:["value"],camels:["value"],required:1,positional:1,object_first:true,after:"",fixed:{}},{name:"parse",camel:"parse",wire:"",params:["text"],camels:["text"],required:1,positional:1,object_first:false,after:"",fixed:{}}]}];
}
{ // channel
// Messages out and in, parts included.
const PART_SIZE = 87000, STEP = 87000, MESSAGE_MAX = 16777216;

const rawSend = (text) => {
  if (host.send(text) !== true) throw null;
};

// Lengths here are in UTF-16 units, of which each is at most three bytes on the channel.
const wireSize = (text) => {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = codeAt(text, index);
    if (code > 127) size += code > 2047 ? (code >= 0xd800 && code < 0xe000 ? 1 : 2) : 1;
  }
  return size;
};

const pieceEnd = (text, end) => {
  const code = codeAt(text, end - 1);
  return end < text.length && code >= 0xd800 && code < 0xdc00 ? end - 1 : end;
};
P.pieceEnd = pieceEnd;

P.send = (text) => {
  if (text.length <= PART_SIZE) return rawSend(text);
  if (text.length > MESSAGE_MAX || wireSize(text) > MESSAGE_MAX) {
    P.fail(4009, "limit", "a message of over 16 MiB can't be sent", "limit.message");
  }
  for (let start = 0; start < text.length;) {
    const end = pieceEnd(text, min(start + STEP, text.length));
    rawSend('{"type":"part","data":' + stringify(slice(text, start, end)) + ',"last":' + (end === text.length) + "}");
    start = end;
  }
};

let parts = "";

// The next message, or null on timeout (milliseconds; null waits for ever).
P.receive = (timeout) => {
  for (;;) {
    let text = host.recv(timeout);
    if (text === null || text === undefined) return null;
    if (text === false) throw null;
    let message = setPrototypeOf(P.decode(text), null);
    if (message.type !== "part") return message;
    parts += message.data;
    if (message.last) {
      text = parts;
      parts = "";
      return setPrototypeOf(P.decode(text), null);
    }
  }
};

P.now = () => host.clock(1);
P.wall = () => host.clock(0);
}
{ // output
// What a spell prints. Each print is a frame of its own until it floods: then prints are gathered,
// so that an honest loop of a million lines does not look like an attack on the channel.
const CHUNK = 10900, BURST = 400, PER_MILLISECOND = 4;

let allowance = BURST, refilled = 0;
let gathered = "", gatheredStream = "stdout";

const emit = (stream, text) => {
  for (let start = 0; start < text.length;) {
    const end = P.pieceEnd(text, min(start + CHUNK, text.length));
    P.send('{"type":"output","stream":"' + stream + '","text":' + stringify(slice(text, start, end)) + "}");
    start = end;
  }
};

P.flush = () => {
  if (gathered === "") return;
  const text = gathered;
  gathered = "";
  emit(gatheredStream, text);
};

const maySendNow = () => {
  if (allowance <= 0) {
    const now = P.now();
    allowance = min(BURST, floor((now - refilled) * PER_MILLISECOND));
    if (allowance <= 0) return false;
    refilled = now;
  }
  allowance--;
  return true;
};

P.write = (stream, text) => {
  text = P.printable(text);
  if (text === "") return;
  if (gathered === "" && maySendNow()) return emit(stream, text);
  if (stream !== gatheredStream) P.flush();
  gatheredStream = stream;
  gathered += text;
  if (gathered.length >= CHUNK || maySendNow()) P.flush();
};
}
{ // inspect
// How console.log shows a value that is no text.
const MAX_DEPTH = 4, MAX_ITEMS = 100, MAX_INLINE = 72;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const test = uncurry(RegExp.prototype.test);
const symbolText = uncurry(Symbol.prototype.toString);

const list = (open, items, close, indent) => {
  if (items.length === 0) return open + close;
  const inline = open + " " + join(items, ", ") + " " + close;
  if (inline.length <= MAX_INLINE && indexOf(inline, "\n") < 0) return inline;
  return open + "\n" + indent + "  " + join(items, ",\n" + indent + "  ") + "\n" + indent + close;
};

const objectItems = (value, depth, path, indent) => {
  const items = [], names = keys(value);
  for (let index = 0; index < names.length && index < MAX_ITEMS; index++) {
    const name = test(IDENTIFIER, names[index]) ? names[index] : stringify(names[index]);
    push(items, name + ": " + show(value[names[index]], depth + 1, path, indent + "  "));
  }
  if (names.length > MAX_ITEMS) push(items, "… " + (names.length - MAX_ITEMS) + " more");
  return items;
};

const showObject = (value, depth, path, indent) => {
  if (value instanceof NativeError) {
    const name = makeText(value.name) + ": " + makeText(value.message);
    return depth === 0 ? name : "[" + name + "]";
  }
  if (value instanceof NativeDate) return isoDate(value);
  if (value instanceof NativePromise) return "Promise {}";
  if (setHas(path, value)) return "[circular]";
  if (depth >= MAX_DEPTH) return isArray(value) ? "[…]" : "{…}";
  setAdd(path, value);
  let text;
  if (isArray(value) || isView(value)) {
    const items = [], inner = indent + "  ";
    for (let index = 0; index < value.length && index < MAX_ITEMS; index++) push(items, show(value[index], depth + 1, path, inner));
    if (value.length > MAX_ITEMS) push(items, "… " + (value.length - MAX_ITEMS) + " more");
    text = (isArray(value) ? "" : slice(tagOf(value), 8, -1) + " ") + list("[", items, "]", indent);
  } else if (value instanceof NativeMap) {
    const items = [];
    mapEach(value, (item, key) => push(items, show(key, depth + 1, path, indent) + " => " + show(item, depth + 1, path, indent)));
    text = "Map " + list("{", items, "}", indent);
  } else if (value instanceof NativeSet) {
    const items = [];
    setEach(value, (item) => push(items, show(item, depth + 1, path, indent)));
    text = "Set " + list("{", items, "}", indent);
  } else {
    text = list("{", objectItems(value, depth, path, indent), "}", indent);
  }
  setDelete(path, value);
  return text;
};

const show = (value, depth, path, indent) => {
  switch (typeof value) {
    case "string": return stringify(value);
    case "bigint": return makeText(value) + "n";
    case "symbol": return symbolText(value);
    case "function": return "[function " + makeText(value.name || "anonymous") + "]";
    case "object": return value === null ? "null" : showObject(value, depth, path, indent);
  }
  return makeText(value);
};

P.show = (value) => {
  if (typeof value === "string") return value;
  try {
    return show(value, 0, new NativeSet(), "");
  } catch {
    // A getter, a Proxy or a toString of the spell's raised.
    return "[a value that can't be shown]";
  }
};

P.showAll = (values) => {
  let text = "";
  for (let index = 0; index < values.length; index++) text += (index === 0 ? "" : " ") + P.show(values[index]);
  return text + "\n";
};
}
{ // calls
// Calls to the supervisor as promises, its invokes of the spell's functions, and the API's tables.
const calls = new NativeMap(), invokes = new NativeMap();
const callbacks = new NativeMap(), numbers = new NativeMap();
let lastCall = 0, lastCallback = 0;

P.callbackNumber = (action) => {
  if (!mapHas(numbers, action)) {
    mapSet(numbers, action, ++lastCallback);
    mapSet(callbacks, lastCallback, action);
  }
  return mapGet(numbers, action);
};

const observed = new WeakSet();
P.failures = [];

// A promise that knows whether anybody listens: a refused call that nobody awaits fails the run.
class Call extends Promise {
  static get [Symbol.species]() {
    return NativePromise;
  }
  then(onValue, onError) {
    weakAdd(observed, this);
    return then(this, onValue, onError);
  }
}
freeze(Call.prototype);
freeze(Call);

const settlers = new WeakMap();

P.tracked = (start) => {
  let resolve, reject;
  const promise = new Call((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  // Keeps the engine from holding a rejection against us; `observed` is what we judge by.
  then(promise, undefined, () => {});
  start(resolve, (error) => {
    push(P.failures, { __proto__: null, promise, error });
    reject(error);
  });
  return promise;
};

P.unheardFailure = () => {
  for (let index = 0; index < P.failures.length; index++) {
    if (!weakHas(observed, P.failures[index].promise)) return P.failures[index];
  }
  return null;
};

P.call = (method, args, finish) => {
  const text = P.encode(args, "call");
  P.flush();
  const id = lastCall + 1;
  P.send('{"type":"call","id":' + id + ',"method":' + stringify(method) + ',"args":' + text + "}");
  lastCall = id;
  const promise = P.tracked((resolve, reject) => {
    mapSet(calls, id, { __proto__: null, resolve, reject, finish: finish ?? ((value) => value), place: new NativeError("") });
  });
  weakSet(settlers, promise, id);
  return promise;
};

// Takes back a call that lost a race; nothing happens for any other promise.
P.cancel = (promise) => {
  const id = typeof promise === "object" && promise !== null && weakMapHas(settlers, promise) ? weakGet(settlers, promise) : 0;
  const call = mapGet(calls, id);
  if (call === undefined) return;
  mapDelete(calls, id);
  P.send('{"type":"cancel","id":' + id + "}");
  weakAdd(observed, promise);
  call.reject(new P.LLMSpellError({ __proto__: null, code: 4002, kind: "cancelled", message: "the call was cancelled" }));
};

P.outstanding = () => mapSize(calls) + mapSize(invokes);
P.hasCallbacks = () => mapSize(callbacks) > 0;

const onReply = (message) => {
  const call = mapGet(calls, message.id);
  if (call === undefined) return;
  mapDelete(calls, message.id);
  if (message.ok === true) {
    try {
      return call.resolve(call.finish(message.value));
    } catch (error) {
      return call.reject(error);
    }
  }
  const error = new P.LLMSpellError(message.error ?? create(null));
  // The reply arrives when the caller's stack is gone: show where the call was made.
  defineProperty(error, "stack", { __proto__: null, value: call.place.stack, writable: true, configurable: true });
  call.reject(error);
};

const sendReturned = (id, text, error) => {
  if (!mapHas(invokes, id)) return;
  mapDelete(invokes, id);
  P.flush();
  P.send('{"type":"returned","id":' + id + (text !== null ? ',"ok":true,"value":' + text + "}"
    : ',"ok":false,"error":' + P.encode(P.describe(error), "value") + "}"));
};

const onInvoke = (message) => {
  const id = message.id, args = message.args ?? [];
  const action = mapGet(callbacks, message.callback);
  mapSet(invokes, id, true);
  const run = async () => {
    if (action === undefined) P.fail(4010, "invalid_function", "the spell has no function of this number");
    return applyFunction(action, undefined, args);
  };
  then(run(), (value) => {
    let text = null, problem;
    try {
      text = P.encode(value, "call");
    } catch (error) {
      problem = error;
    }
    sendReturned(id, text, problem);
  }, (error) => sendReturned(id, null, error));
};

P.dispatch = (message) => {
  if (message.type === "reply") return onReply(message);
  if (message.type === "invoke") return onInvoke(message);
  if (message.type === "cancel" && mapHas(invokes, message.id)) {
    sendReturned(message.id, null, new P.LLMSpellError({ __proto__: null, code: 4002, kind: "cancelled", message: "the invoke was cancelled" }));
  }
};

const isOptions = (value) => typeof value === "object" && value !== null && !isArray(value) && !isView(value);

const mergeOptions = (args, spec, options) => {
  const names = keys(options);
  for (let index = 0; index < names.length; index++) {
    let name = names[index];
    for (let at = 0; at < spec.camels.length; at++) if (spec.camels[at] === name) name = spec.params[at];
    args[name] = options[names[index]];
  }
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
  mergeOptions(args, spec, spec.fixed);
  return args;
};

P.stub = (spec) => {
  const finish = P.after[spec.after];
  return { [spec.camel](...given) {
    const args = collect(spec, given);
    return P.call(spec.wire, args, finish && ((value) => finish(value, args)));
  } }[spec.camel];
};

const toolHandle = (tool) => {
  if (!isOptions(tool)) return tool;
  const { name, description, category, schema } = tool;
  const execute = (input) => P.call("tools.execute", { __proto__: null, name, input: input ?? create(null) });
  tool.execute = execute;
  tool.call = execute;
  tool.getName = () => name;
  tool.getDescription = () => description;
  tool.getCategory = () => category;
  tool.getInputSchema = () => schema;
  return tool;
};

P.after.tool = toolHandle;
P.after.tools = (tools) => {
  for (let index = 0; index < tools.length; index++) tools[index] = toolHandle(tools[index]);
  return tools;
};
P.after.response = (response) => {
  const { body } = response;
  response.ok = response.status >= 200 && response.status < 300;
  response.text = () => body;
  response.json = () => parse(body);
  return response;
};
P.after.json = (response, args) => {
  if (response.status < 200 || response.status >= 300) {
    P.fail(2003, "http_status", "GET " + args.url + " answered " + response.status);
  }
  return parse(response.body);
};
}
{ // async
// Async and the timers. Work is a promise, or a function that gives one.
const Async = create(null);
P.modules.async = Async;

const timers = [];
let lastTimer = 0;

const startTimer = (milliseconds, action, holds) => {
  const timer = { __proto__: null, id: ++lastTimer, at: P.now() + milliseconds, action, holds };
  let index = timers.length;
  while (index > 0 && timers[index - 1].at < timer.at) index--;
  spliceList(timers, index, 0, timer);
  return timer;
};

const stopTimer = (id) => {
  for (let index = 0; index < timers.length; index++) {
    if (timers[index].id === id) return void spliceList(timers, index, 1);
  }
};

// Runs what is due; gives the milliseconds until the next timer, or null.
P.fireTimers = () => {
  while (timers.length > 0) {
    const pause = timers[timers.length - 1].at - P.now();
    if (pause > 0) return pause;
    const [timer] = spliceList(timers, timers.length - 1, 1);
    timer.action();
    host.run_jobs();
  }
  return null;
};

// setTimeout keeps a spell running, a sleep that nobody awaits does not.
P.timersHold = () => {
  for (let index = 0; index < timers.length; index++) if (timers[index].holds) return true;
  return false;
};
P.timersWait = () => timers.length > 0;

const delayOf = (value) => {
  const milliseconds = makeNumber(value ?? 0);
  return milliseconds >= 0 ? milliseconds : 0;
};

const guarded = (action, given) => {
  try {
    applyFunction(action, undefined, given);
  } catch (error) {
    P.uncaught ??= { __proto__: null, error };
  }
};

P.setTimeout = (action, milliseconds, ...given) => {
  if (typeof action !== "function") P.fail(2002, "validation", "setTimeout takes a function");
  return startTimer(delayOf(milliseconds), () => guarded(action, given), true).id;
};

P.setInterval = (action, milliseconds, ...given) => {
  if (typeof action !== "function") P.fail(2002, "validation", "setInterval takes a function");
  const id = ++lastTimer;
  const again = () => {
    startTimer(delayOf(milliseconds), again, true).id = id;
    guarded(action, given);
  };
  startTimer(delayOf(milliseconds), again, true).id = id;
  return id;
};
P.clearTimeout = stopTimer;

const start = async (work) => (typeof work === "function" ? work() : work);
const listOf = (works) => {
  if (!isArray(works)) P.fail(2002, "validation", "a list of promises or functions is needed");
  return works;
};

const promisesOf = (works) => {
  const result = [], given = listOf(works);
  for (let index = 0; index < given.length; index++) {
    const work = typeof given[index] === "function" ? given[index]() : given[index];
    push(result, work);
  }
  return result;
};
const cancelAll = (promises) => {
  for (let index = 0; index < promises.length; index++) P.cancel(promises[index]);
};
const on = (promise, onValue, onError) => then(start(promise), onValue, onError);

Async.sleep = (milliseconds) => {
  if (typeof milliseconds !== "number" || !(milliseconds >= 0)) {
    P.fail(2002, "validation", "Async.sleep: ms must be a number of milliseconds, 0 or more");
  }
  return new NativePromise((resolve) => startTimer(milliseconds, () => resolve(undefined), false));
};

Async.all = (works) => new NativePromise((resolve, reject) => {
  const promises = promisesOf(works), results = [];
  let missing = promises.length;
  if (missing === 0) return resolve(results);
  for (let index = 0; index < promises.length; index++) {
    push(results, undefined);
    on(promises[index], (value) => {
      results[index] = value;
      if (--missing === 0) resolve(results);
    }, (error) => {
      cancelAll(promises);
      reject(error);
    });
  }
});

Async.all_settled = (works) => new NativePromise((resolve) => {
  const promises = promisesOf(works), results = [];
  let missing = promises.length;
  if (missing === 0) return resolve(results);
  const settle = (index, outcome) => {
    results[index] = outcome;
    if (--missing === 0) resolve(results);
  };
  for (let index = 0; index < promises.length; index++) {
    push(results, undefined);
    on(promises[index], (value) => settle(index, { status: "fulfilled", value }), (reason) => settle(index, { status: "rejected", reason }));
  }
});

Async.race = (works) => new NativePromise((resolve, reject) => {
  const promises = promisesOf(works);
  if (promises.length === 0) P.fail(2002, "validation", "Async.race needs at least one promise");
  const end = (settle) => (value) => {
    settle(value);
    cancelAll(promises);
  };
  for (let index = 0; index < promises.length; index++) on(promises[index], end(resolve), end(reject));
});

Async.timeout = (work, milliseconds) => {
  const promise = typeof work === "function" ? work() : work;
  return new NativePromise((resolve, reject) => {
    const timer = startTimer(delayOf(milliseconds), () => {
      reject(new P.LLMSpellError({ __proto__: null, code: 4004, kind: "timeout", recoverable: true, message: "not done within " + milliseconds + " ms" }));
      P.cancel(promise);
    }, false);
    const end = (settle) => (value) => {
      stopTimer(timer.id);
      settle(value);
    };
    on(promise, end(resolve), end(reject));
  });
};

Async.retry = async (operation, options) => {
  const { attempts = 3, delay = 100, backoff = 2, max_delay, maxDelay } = options ?? {};
  let pause = delay;
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation(attempt);
    } catch (error) {
      if (attempt >= attempts) throw error;
    }
    await Async.sleep(pause);
    pause = min(pause * backoff, max_delay ?? maxDelay ?? 30000);
  }
};

let live = 0;
P.liveTasks = () => live;
Async.spawn = (operation, ...given) => P.tracked((resolve, reject) => {
  live++;
  const run = async () => (typeof operation === "function" ? applyFunction(operation, undefined, given) : operation);
  then(run(), (value) => {
    live--;
    resolve(value);
  }, (error) => {
    live--;
    reject(error);
  });
});
}
{ // log
// Log records, and JSON.
const LEVELS = ["trace", "debug", "info", "warn", "error"];
const log = create(null);
P.modules.log = log;

P.log = (level, message, fields) => {
  let listed = false;
  for (let index = 0; index < LEVELS.length; index++) listed ||= LEVELS[index] === level;
  if (!listed) P.fail(2002, "validation", "a log level is one of trace, debug, info, warn, error");
  const record = { __proto__: null, type: "log", level, message: P.printable(P.show(message)) };
  if (fields !== undefined && fields !== null) {
    if (typeof fields !== "object") P.fail(2002, "validation", "a record's fields are an object");
    record.fields = fields;
  }
  const text = P.encode(record, "value");
  P.flush();
  P.send(text);
};

for (let index = 0; index < LEVELS.length; index++) {
  const level = LEVELS[index];
  log[level] = (message, fields) => P.log(level, message, fields);
}
}
{ // stdin
// Standard input: pieces from the supervisor, cut into lines here.
const Stdin = create(null);
P.modules.stdin = Stdin;
let buffered = "", ended = false;

const fill = async () => {
  if (ended) return false;
  const piece = await P.call("stdin.read", create(null));
  if (piece === null || piece === undefined || piece === "") {
    ended = true;
    return false;
  }
  buffered += piece;
  return true;
};

const take = (length) => {
  const piece = slice(buffered, 0, length);
  buffered = slice(buffered, length);
  return piece;
};

Stdin.read = async (length) => {
  const most = typeof length === "object" && length !== null ? length.length : length;
  if (buffered === "" && !(await fill())) return null;
  return take(most ?? buffered.length);
};

Stdin.read_all = async () => {
  while (await fill());
  return take(buffered.length);
};

const readLine = async () => {
  let stop = indexOf(buffered, "\n");
  while (stop < 0 && (await fill())) stop = indexOf(buffered, "\n");
  if (stop < 0) return buffered === "" ? null : take(buffered.length);
  return slice(take(stop + 1), 0, -1);
};

Stdin.lines = async function* lines() {
  for (let line = await readLine(); line !== null; line = await readLine()) yield line;
};
}
{ // modules
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
}
{ // environment
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

P.makeEnvironment = () => {
  const { run } = P;
  addApi();
  addConsole();
  addTimers();
  setGlobal("params", run.params ?? {});
  setGlobal("args", run.args ?? []);
  setGlobal("env", run.env ?? {});
  setGlobal("ENGINE", "javascript");
  setGlobal("SECURITY_LEVEL", run.profile);
  const extra = run.globals ?? {};
  const names = keys(extra);
  for (let index = 0; index < names.length; index++) setGlobal(names[index], extra[names[index]]);
};
}
// One run: wait for it, build its world, drive it, report its end.
const VALUE_MAX = 5592000;

P.report = (ending) => {
  let text = null;
  if (!ending.failed) {
    try {
      text = P.encode(ending.value, "value");
      if (text.length > VALUE_MAX) P.fail(4009, "limit", "the spell's value is over 16 MiB", "limit.message");
    } catch (error) {
      ending = { __proto__: null, failed: true, error };
      text = null;
    }
  }
  P.flush();
  if (text !== null) return P.send('{"type":"done","value":' + text + "}");
  P.send('{"type":"failed","error":' + P.encode(P.describe(ending.error, ending.kind), "value") + "}");
};

// What decides the end, or null while something may still happen.
const verdict = (main) => {
  if (main.failed) return main;
  if (P.uncaught) return { __proto__: null, failed: true, error: P.uncaught.error };
  const busy = P.outstanding() > 0 || P.liveTasks() > 0;
  if (main.done) {
    if (busy || P.timersHold()) return null;
    const unheard = P.unheardFailure();
    return unheard === null ? main : { __proto__: null, failed: true, error: unheard.error };
  }
  if (busy || P.timersWait() || P.hasCallbacks()) return null;
  return { __proto__: null, failed: true, error: new P.LLMSpellError({ __proto__: null, code: 4002, kind: "runtime", message: "the spell awaits something that can never happen" }) };
};

const loop = (main) => {
  for (;;) {
    host.run_jobs();
    const pause = P.fireTimers();
    const ending = verdict(main);
    if (ending !== null) return ending;
    P.flush();
    const message = P.receive(pause);
    if (message !== null) P.dispatch(message);
  }
};

const compileSpell = (source) => {
  if (startsWith(source, "#!")) source = "//" + slice(source, 2);
  // On the first line, so that line numbers stay the spell's own.
  return P.compile("(async function () {" + source + "\n})", P.name);
};

const drive = () => {
  do {
    P.run = P.receive(null);
  } while (P.run === null || P.run.type !== "run");
  P.name = P.run.name ?? "spell.js";
  P.makeEnvironment();
  let body;
  try {
    body = compileSpell(P.run.source);
  } catch (error) {
    return { __proto__: null, failed: true, error: syntaxError(error) };
  }
  const main = { __proto__: null, done: false, failed: false, value: undefined, error: undefined };
  then(applyFunction(body, undefined, []), (value) => {
    main.done = true;
    main.value = value;
  }, (error) => {
    main.failed = true;
    main.error = error;
  });
  return loop(main);
};

const syntaxError = (error) => {
  const described = P.describe(error);
  const fields = { __proto__: null, code: 4001, kind: "syntax", message: described.message, line: described.line };
  return described.kind === "memory" ? null : new P.LLMSpellError(fields);
};

let end;
try {
  end = drive();
} catch (error) {
  end = { __proto__: null, failed: true, error };
}
try {
  P.report(end);
} catch (error) {
  // Too little memory to say more than this.
  host.send('{"type":"failed","error":{"code":4005,"kind":"memory","message":"the spell used more memory than it may"}}');
}
})();
