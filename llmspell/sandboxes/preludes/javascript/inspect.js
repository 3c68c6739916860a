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
