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
P.callPrototype = Call.prototype;
P.listen = (promise, onValue, onError) => {
  weakAdd(observed, promise);
  return then(promise, onValue, onError);
};

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

// A call whose arguments hold objects that are still being made is sent when they are there.
const callLater = (method, args, finish, pending) => P.tracked((resolve, reject) => {
  let missing = pending.length;
  for (let index = 0; index < pending.length; index++) {
    P.listen(pending[index], () => {
      if (--missing > 0) return;
      try {
        resolve(P.call(method, args, finish));
      } catch (error) {
        reject(error);
      }
    }, reject);
  }
});

P.call = (method, args, finish) => {
  const pending = [];
  const text = P.encode(args, "call", pending);
  if (pending.length > 0) return callLater(method, args, finish, pending);
  return P.callText(method, text, finish);
};

// The same for arguments that are JSON already.
P.callText = (method, text, finish) => {
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
  const pending = [];
  const text = P.encode(args, "call", pending);
  if (pending.length > 0) P.fail(2002, "validation", method + ": an object is still being made: await it first");
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
    if (message.ok !== true) throw P.errorFrom(message.error ?? create(null));
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
  const error = P.errorFrom(message.error ?? create(null));
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

// Functions of the spell's among the arguments, by their places: they come beside them.
const place = (args, functions) => {
  for (let index = 0; index < functions.length; index++) {
    const [path, number] = functions[index];
    let holder = args;
    for (let at = 0; at < path.length && typeof holder === "object" && holder !== null; at++) {
      if (at < path.length - 1) holder = hasOwn(holder, path[at]) ? holder[path[at]] : undefined;
      else if (!hasOwn(holder, path[at])) holder[path[at]] = mapGet(callbacks, number);
    }
  }
};

const onInvoke = (message) => {
  const id = message.id, args = message.args ?? [];
  if (message.functions !== undefined) place(args, message.functions);
  const action = mapGet(callbacks, message.callback);
  mapSet(invokes, id, true);
  const run = async () => {
    if (action === undefined) P.fail(4010, "invalid_function", "the spell has no function of this number");
    for (let index = 0; index < args.length; index++) args[index] = P.revived(args[index]);
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

