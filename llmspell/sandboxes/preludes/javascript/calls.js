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

// Promises of the spell's own, rejected and not yet heard, as the engine reports them.
const unheard = new NativeMap();
host.on_rejection?.((promise, error, isHandled) => {
  if (isHandled) mapDelete(unheard, promise);
  else mapSet(unheard, promise, error);
});

// Asked when no promise reaction is left to run: who listens later listens too late, as elsewhere.
P.unhandledRejection = () => {
  if (mapSize(unheard) === 0) return null;
  let first = null;
  mapEach(unheard, (error) => {
    first ??= { __proto__: null, failed: true, error, kind: "unhandled_rejection" };
  });
  return first;
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

// What arrived while a synchronous call waited for its own reply.
let held = [], heldAt = 0;
P.next = (timeout) => {
  if (heldAt < held.length) return held[heldAt++];
  if (heldAt > 0) {
    held = [];
    heldAt = 0;
  }
  return P.receive(timeout);
};

// A call whose value is there when it returns. Nothing else of the spell runs meanwhile, so it is
// only for what the supervisor answers at once.
P.callNow = (method, args, finish) => {
  const text = P.encode(args, "call");
  P.flush();
  const id = lastCall + 1;
  P.send('{"type":"call","id":' + id + ',"method":' + stringify(method) + ',"args":' + text + "}");
  lastCall = id;
  for (;;) {
    const message = P.receive(null);
    if (message === null) continue;
    if (message.type !== "reply" || message.id !== id) {
      push(held, message);
      continue;
    }
    if (message.ok !== true) throw new P.LLMSpellError(message.error ?? create(null));
    return finish === undefined ? message.value : finish(message.value);
  }
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
    if (spec.sync) return P.callNow(spec.wire, args, finish && ((value) => finish(value, args)));
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
