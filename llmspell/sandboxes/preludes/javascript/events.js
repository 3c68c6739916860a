// Events: what the spell emits travels many at a time; what the supervisor delivers is run here.
const BATCH = 50, WINDOW = 8, CASCADE_MAX = 32, HANDLER_MS = 30000, WAITING_MAX = 20000;
const Events = create(null);
P.modules.events = Events;

let queue = [], underWay = 0, refused = null, unsettled = false, depth = 0;
const handlers = [null], numbers = new NativeMap();
let waiting = [];

const numberOf = (action) => {
  if (!mapHas(numbers, action)) {
    mapSet(numbers, action, handlers.length);
    push(handlers, action);
  }
  return mapGet(numbers, action);
};

// Emitting: a batch is sent while few are under way, the rest waits for their replies.
const wakeWaiting = () => {
  const list = waiting;
  waiting = [];
  for (let index = 0; index < list.length; index++) {
    if (queue.length < list[index].below) list[index].resolve(undefined);
    else push(waiting, list[index]);
  }
};

const sendBatches = () => {
  while (queue.length > 0 && underWay < WINDOW) {
    const batch = spliceList(queue, 0, BATCH);
    underWay++;
    const end = (error) => {
      underWay--;
      refused ??= error;
      sendBatches();
      wakeWaiting();
    };
    P.listen(P.callText("events.emit", '{"events":[' + join(batch, ",") + "]}"), () => end(null), end);
  }
};

const flushOutput = P.flush;
P.flush = () => {
  flushOutput();
  sendBatches();
  if (waiting.length > 0) wakeWaiting();
};

const below = (count) => new NativePromise((resolve) => push(waiting, { __proto__: null, below: count, resolve }));
const takeRefused = () => {
  const error = refused;
  refused = null;
  return error;
};

const OWN = ["type", "event_type", "eventType", "data", "source", "metadata", "timestamp"];
const isOwn = (name) => {
  for (let index = 0; index < OWN.length; index++) if (OWN[index] === name) return true;
  return false;
};

// emit(name, payload) or emit({ type, data }); fields beside `type` are the data where there is none.
const emission = (name, payload) => {
  if (!P.isOptions(name)) return { __proto__: null, type: name, data: payload };
  let { data } = name;
  if (data === undefined) {
    const names = keys(name);
    for (let index = 0; index < names.length; index++) {
      if (!isOwn(names[index])) (data ??= create(null))[names[index]] = name[names[index]];
    }
  }
  return { __proto__: null, type: name.type ?? name.event_type ?? name.eventType, data, source: name.source, metadata: name.metadata };
};

const nothing = resolved(undefined);

Events.emit = (name, payload) => {
  const before = takeRefused();
  if (before !== null) return P.tracked((resolve, reject) => reject(before));
  const event = emission(name, payload);
  if (typeof event.type !== "string") P.fail(5005, "event", "an event needs a name: emit(name, payload)");
  if (depth > CASCADE_MAX) P.fail(5005, "limit", "events that handlers emit go over " + CASCADE_MAX + " deep");
  if (queue.length >= WAITING_MAX) P.fail(5005, "limit", "over " + WAITING_MAX + " events wait to be sent: await Events.emit(…)");
  if (depth > 0) event.depth = depth;
  push(queue, P.encode(event, "value"));
  unsettled = true;
  if (queue.length < BATCH) return nothing;
  sendBatches();
  return queue.length < BATCH ? nothing : below(BATCH);
};

// A call that must not overtake what was emitted before it.
const inTurn = async (wire, args) => {
  sendBatches();
  while (queue.length > 0) await below(1);
  const result = await P.call(wire, args);
  const error = takeRefused();
  if (error !== null) throw error;
  return result;
};

Events.emit_sync = (name, payload) => {
  unsettled = true;
  return inTurn("events.emit_sync", { __proto__: null, event: emission(name, payload) });
};
Events.flush = () => inTurn("events.flush", create(null));

// Asked when main and every task have ended: handlers of what was emitted still run.
P.endOfEvents = () => {
  if (!unsettled) return false;
  unsettled = false;
  P.tracked((resolve, reject) => then(Events.flush(), resolve, reject));
  return true;
};

// Fields of the data are at the event too (X28), and every name in camelCase.
const readable = (event) => {
  const { data } = event;
  event.event_type = event.type;
  event.timestamp = new NativeDate(event.timestamp * 1000);
  if (typeof data === "object" && data !== null && !isArray(data) && !isView(data)) {
    const names = keys(data);
    for (let index = 0; index < names.length; index++) {
      if (!hasOwn(event, names[index])) put(event, names[index], data[names[index]]);
    }
  }
  return P.withSpellings(event);
};
const put = (target, name, value) => defineProperty(target, name, {
  __proto__: null, value, writable: true, enumerable: true, configurable: true,
});
const readableAll = (events) => {
  for (let index = 0; index < events.length; index++) readable(events[index]);
  return events;
};

const late = () => new P.LLMSpellError({ __proto__: null, code: 4004, kind: "timeout", message: "it did not end within " + HANDLER_MS / 1000 + " s" });

// The value of a handler, which may be a promise.
const run = (action, event, at) => {
  const before = depth;
  depth = at;
  let value;
  try {
    value = action(event);
  } finally {
    depth = before;
  }
  if (!(value instanceof NativePromise)) return value;
  return new NativePromise((resolve, reject) => {
    const timer = P.setQuietTimeout(() => reject(late()), HANDLER_MS);
    const end = (settle) => (result) => {
      P.clearTimeout(timer);
      settle(result);
    };
    P.listen(value, end(resolve), end(reject));
  });
};

const messageOf = (error) => slice(makeText(P.describe(error).message), 0, 500);

const dispatch = async (batch, collect) => {
  const outcome = { __proto__: null, failures: [], filtered: 0, stopped: 0 };
  unsettled = true;
  for (let index = 0; index < batch.length; index++) {
    const event = batch[index][0], to = batch[index][1], at = batch[index][2];
    if (isArray(event)) readableAll(event);
    else readable(event);
    for (let place = 0; place < to.length; place++) {
      const filter = to[place][2];
      try {
        let value = true;
        if (filter > 0) {
          value = run(handlers[filter], event, at);
          if (value instanceof NativePromise) value = await value;
        }
        if (!value) {
          outcome.filtered++;
          continue;
        }
        value = run(handlers[to[place][1]], event, at);
        if (value instanceof NativePromise) value = await value;
        if (value === undefined) continue;
        if (value === "stop" || value === "StopPropagation" || (P.isOptions(value) && value.stop === true)) {
          outcome.stopped++;
          outcome.action ??= "stop";
          break;
        }
        if (value === "retry" || value === "retry_with_modified_context") {
          outcome.action = value;
          if (collect) outcome.data = event.data;
        }
      } catch (error) {
        push(outcome.failures, [index, to[place][0], messageOf(error)]);
      }
    }
  }
  return outcome;
};

// Subscribing.
const wireOptions = (options) => {
  let { filter, where } = options;
  if (filter !== undefined && typeof filter !== "function") {
    where = filter;
    filter = undefined;
  }
  let batch = options.batch ?? options.batch_size ?? options.batchSize ?? options.count;
  if (options.mode === "batched") batch ??= BATCH;
  return {
    __proto__: null, priority: options.priority, once: options.once, where, batch,
    window: options.window ?? options.interval, filter: filter && numberOf(filter),
  };
};

const subscribe = (pattern, handler, options, predicate, fixed) => {
  if (P.isOptions(handler)) {
    options = handler;
    ({ handler } = options);
  }
  if (typeof handler !== "function") P.fail(5008, "handler", "Events.subscribe takes a function of the event");
  const args = wireOptions(options ?? create(null));
  if (predicate !== undefined) {
    const own = args.filter && handlers[args.filter];
    args.filter = numberOf((event) => predicate(event) && (!own || own(event)));
  }
  args.pattern = pattern;
  args.handler = numberOf(handler);
  args.dispatcher = dispatch;
  if (fixed !== undefined) args.once = true;
  unsettled = true;
  return P.call("events.add", args, (value) => {
    const { id } = value;
    defineProperty(value, "unsubscribe", { __proto__: null, value: () => P.call("events.remove", { __proto__: null, id }) });
    return value;
  });
};

Events.subscribe = (pattern, handler, options) => subscribe(pattern, handler, options);
Events.once = (pattern, handler, options) => subscribe(pattern, handler, options, undefined, true);

Events.aggregate = (pattern, options, handler) => {
  if (typeof options === "function") [options, handler] = [handler, options];
  if (!P.isOptions(options) || (options.count ?? options.batch ?? options.window) === undefined) {
    P.fail(5006, "subscription", "Events.aggregate needs a count or a window");
  }
  return subscribe(pattern, handler, options);
};

Events.unsubscribe = (what, handler) => {
  const args = create(null);
  const action = typeof what === "function" ? what : handler;
  if (action !== undefined) {
    if (!mapHas(numbers, action)) return resolved(0);
    args.handler = mapGet(numbers, action);
  }
  if (P.isOptions(what)) args.id = what.id;
  else if (typeof what === "string") args[execPattern(/^sub-[0-9]+$/, what) === null ? "pattern" : "id"] = what;
  return P.call("events.remove", args);
};

Events.filter = (predicate) => {
  if (typeof predicate !== "function") P.fail(5007, "filter", "Events.filter takes a function of the event");
  const view = {
    subscribe: (pattern, handler, options) => subscribe(pattern, handler, options, predicate),
    once: (pattern, handler, options) => subscribe(pattern, handler, options, predicate, true),
    unsubscribe: Events.unsubscribe, off: Events.unsubscribe, emit: Events.emit, emitSync: Events.emit_sync,
    filter: (other) => Events.filter((event) => predicate(event) && other(event)),
  };
  view.on = view.subscribe;
  return freeze(view);
};

// The past: the list, or one event after another in `for await`.
const momentOf = (value) => (value instanceof NativeDate ? isoDate(value) : value);

Events.replay = (from, to, options) => {
  const args = create(null);
  const given = [from, to, options];
  for (let index = 0; index < given.length; index++) {
    const item = given[index];
    if (P.isOptions(item) && !(item instanceof NativeDate)) {
      const names = keys(item);
      for (let at = 0; at < names.length; at++) args[names[at]] = momentOf(item[names[at]]);
    } else if (index < 2 && item !== undefined && item !== null) {
      args[index === 0 ? "from" : "to"] = momentOf(item);
    }
  }
  const list = P.call("events.replay", args, (events) => readableAll(events));
  defineProperty(list, Symbol.asyncIterator, { __proto__: null, async *value() {
    const events = await list;
    for (let index = 0; index < events.length; index++) yield events[index];
  } });
  return list;
};

Events.wait_for = (pattern, timeout, options) => {
  const args = { __proto__: null };
  const named = P.isOptions(pattern) ? pattern : P.isOptions(timeout) ? timeout : options ?? {};
  const names = keys(named);
  for (let index = 0; index < names.length; index++) args[names[index]] = named[names[index]];
  if (typeof pattern === "string") args.pattern = pattern;
  if (!P.isOptions(timeout)) args.timeout = timeout ?? args.timeout;
  return P.call("events.wait_for", args, readable);
};

Events.sleep = (seconds) => {
  if (typeof seconds !== "number" || !(seconds >= 0)) P.fail(2002, "validation", "Events.sleep takes a number of seconds, 0 or more");
  return P.modules.async.sleep(seconds * 1000);
};
