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

const encodeWith = (mode, pending) => {
  const path = new NativeSet();
  let nodes = 0;

  const objectText = (value, depth, methods) => {
    const names = keys(value);
    if (names.length > WIRE_KEYS) refuse("an object has over " + WIRE_KEYS + " keys");
    let text = "{", count = 0;
    for (let index = 0; index < names.length; index++) {
      const item = value[names[index]];
      if (item === undefined) continue;
      text += (count === 0 ? "" : ",") + quote(names[index]) + ":" + valueText(item, depth + 1);
      count++;
    }
    if (methods !== null) {
      const own = keys(methods);
      for (let index = 0; index < own.length; index++) {
        text += (count === 0 ? "" : ",") + quote(own[index]) + ":" + valueText(methods[own[index]], depth + 1);
        count++;
      }
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
    const prototype = getPrototypeOf(value);
    // Most of what is sent is plain: only the rest may be an object of the API's, or of a class.
    const isPlain = prototype === ObjectPrototype || prototype === null || isArray(value);
    if (!isPlain && mode === "call") {
      const awaited = P.promisedBy(value);
      if (awaited !== undefined) {
        if (awaited.pending === null) return valueText(awaited.value, depth);
        push(pending, awaited.pending);
        return "null";
      }
    }
    if (!isPlain && P.isOurError(value)) return objectText(errorFields(value), depth, null);
    if (typeof value.toJSON === "function") return valueText(value.toJSON(), depth + 1);
    const special = specialText(value);
    if (special !== null) return special;
    if (setHas(path, value)) refuse("a value that contains itself has no form in JSON");
    if (depth >= WIRE_DEPTH) refuse("a value nested deeper than " + WIRE_DEPTH + " levels");
    setAdd(path, value);
    const text = isArray(value) ? arrayText(value, depth)
      : value instanceof NativeError ? objectText(errorFields(value), depth, null)
        : objectText(value, depth, isPlain || mode !== "call" ? null : P.methodsOf(value));
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
      case "function": {
        if (mode !== "call") break;
        // Tools.fileReader and HttpTool are functions that stand for tools.
        const tool = P.toolName?.(value);
        if (tool !== undefined) return objectText({ __proto__: null, name: tool }, depth, null);
        return '{"$callback":' + P.callbackNumber(value) + "}";
      }
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
// Promises of objects that are still being made are added to `pending`: the text is no use then.
P.encode = (value, mode, pending) => encodeWith(mode, pending ?? [])(value, 0);

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
