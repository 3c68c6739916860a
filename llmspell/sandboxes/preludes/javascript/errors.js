// Errors as a spell meets them, and as the channel carries them.
const FIELDS = ["code", "kind", "rule", "hint", "recoverable", "trace_id", "line", "retry_after"];
const MAX_TEXT = 4000;
const known = new WeakSet();
const RATE = 6006;

const field = (object, name, value, isShown) => defineProperty(object, name, {
  __proto__: null, value, writable: true, enumerable: isShown, configurable: true,
});

// As the API throws it, `code` is the number of the table of errors; `type` and `errorCode` are
// the words that the seeds' classes use. A spell makes one by (message, type, code, context).
class LLMSpellError extends Error {
  constructor(given, type, code, context) {
    const isFields = typeof given === "object" && given !== null;
    const fields = isFields ? given : { __proto__: null, kind: type, code };
    super(makeText((isFields ? given.message : given) ?? "the call failed"));
    for (let index = 0; index < FIELDS.length; index++) {
      const value = isFields && !hasOwn(fields, FIELDS[index]) ? undefined : fields[FIELDS[index]];
      field(this, FIELDS[index], value, value !== undefined);
    }
    this.recoverable = this.recoverable === true;
    this.traceId = this.trace_id;
    if (context !== undefined) field(this, "context", context, true);
    field(this, "timestamp", isoDate(new NativeDate()), false);
    weakAdd(known, this);
  }
  get type() {
    return this.code === RATE ? "rate_limit" : this.kind;
  }
  set type(value) {
    this.kind = value;
  }
  get error_code() {
    if (typeof this.code === "string") return this.code;
    return this.type === "rate_limit" ? "E_RATE_LIMIT" : this.type === "validation" ? "E_VALIDATION" : undefined;
  }
  get errorCode() { return this.error_code; }
  get retryAfter() { return this.retry_after; }
  get recovery_suggestion() { return this.hint; }
  get recoverySuggestion() { return this.hint; }
  toJSON() {
    const { name, message, type, code, context, timestamp, stack } = this;
    return { name, message, type, code, error_code: this.error_code, context, timestamp, stack };
  }
}

class RateLimitError extends LLMSpellError {
  constructor(given, context) {
    if (typeof given === "object" && given !== null) super(given);
    else super({ __proto__: null, code: RATE, kind: "rate_limit", retry_after: given, recoverable: true, message: "Rate limit exceeded. Retry after " + given + "s" });
    if (context !== undefined) field(this, "context", { retryAfter: this.retry_after, ...context }, true);
  }
}

class ValidationError extends LLMSpellError {
  constructor(given, context) {
    if (isArray(given) || typeof given === "string") {
      const errors = isArray(given) ? given : [{ message: given }], texts = [];
      for (let index = 0; index < errors.length; index++) push(texts, makeText(errors[index]?.message ?? errors[index]));
      super({ __proto__: null, code: 2002, kind: "validation", message: "Validation failed: " + join(texts, ", ") });
      field(this, "validationErrors", errors, false);
    } else super(given);
    if (context !== undefined) field(this, "context", context, true);
  }
}

for (const named of [LLMSpellError, RateLimitError, ValidationError]) {
  defineProperty(named.prototype, "name", { __proto__: null, value: named.name, writable: true, configurable: true });
  P[named.name] = named;
}
P.isOurError = (value) => weakHas(known, value);

P.errorFrom = (fields) => (fields.code === RATE ? new RateLimitError(fields)
  : fields.kind === "validation" ? new ValidationError(fields) : new LLMSpellError(fields));

P.fail = (code, kind, message, rule, hint) => {
  throw P.errorFrom({ __proto__: null, code, kind, message, rule, hint });
};

const printable = (text) => (isWellFormed(text) ? text : toWellFormed(text));
P.printable = printable;
const clip = (text) => printable(text.length <= MAX_TEXT ? text : slice(text, 0, MAX_TEXT));

const PLACE = /\(?([^()\s]*):(\d+):(\d+)\)?$/;
// `compiled` is how the engine calls what it compiled for us; a native engine takes no file name,
// so there the prelude starts at a line that no spell reaches.
const compiled = host.compiled_name ?? null;
const firstLine = host.prelude_line ?? Infinity;

const isOurs = (file, line) => (compiled === null ? file === "llmspell" || file === "=llmspell" : line >= firstLine);

// On a source's first line our wrapper stands before the spell's text.
const withColumn = (text, place) => {
  const column = makeNumber(place[3]) - P.wrapperWidth;
  if (column < 1) return text;
  const closed = text[text.length - 1] === ")" ? ")" : "";
  return slice(text, 0, text.length - closed.length - place[3].length) + column + closed;
};

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
    let text = number === 1 ? withColumn(lines[index], place) : lines[index];
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

// The engine refuses a string longer than it can number before it asks for memory: under a memory
// limit that is the limit's doing as well. repeat() calls the same thing a wrong count.
const TOO_LONG = "string too long";
const isLimited = () => typeof P.run?.globals?.MAX_MEMORY === "number";
const NativeInternalError = InternalError, nativeRepeat = uncurry(String.prototype.repeat);
defineProperty(String.prototype, "repeat", {
  __proto__: null,
  value: {
    repeat(count) {
      const number = makeNumber(count);
      if (number > 0x7fffffff && number < Infinity) throw new NativeInternalError(TOO_LONG);
      return nativeRepeat(this, number);
    },
  }.repeat,
});

const MEMORY = "the spell used more memory than it may";
// Made beforehand: when it is needed there may be no memory left to make it.
P.memoryError = freeze(new LLMSpellError({ __proto__: null, code: 4005, kind: "memory", message: MEMORY }));

P.describe = (value, kind) => {
  // QuickJS throws null when it has not even the memory for an error object; so may a spell.
  if (value === null && host.out_of_memory()) {
    return { __proto__: null, code: 4005, kind: "memory", message: MEMORY };
  }
  const wire = { __proto__: null, code: 4002, kind: kind ?? "runtime", message: "the spell failed" };
  if (kind === "unhandled_rejection") wire.hint = "await the promise, or give it a catch";
  if (!isObject(value)) {
    try {
      wire.message = value === null || value === undefined ? "the spell threw " + value : clip(makeText(value));
    } catch {
      wire.message = "an error that is no text";
    }
    return wire;
  }
  const name = readText(value, "name");
  const message = readText(value, "message");
  if (name === "InternalError" && (message === "out of memory" || (message === TOO_LONG && isLimited()))) {
    return { __proto__: null, code: 4005, kind: "memory", message: MEMORY };
  }
  if (message !== undefined) {
    wire.message = name && name !== "Error" && !weakHas(known, value) ? clip(name + ": " + message) : message;
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
    if (isFiniteNumber(value.retry_after)) wire.retry_after = value.retry_after;
  }
  const stack = readText(value, "stack");
  if (stack !== undefined) {
    const frames = spellFrames(stack);
    if (frames.text !== "") wire.stack = clip(frames.text);
    if (frames.line !== undefined) wire.line ??= frames.line;
  }
  return wire;
};
