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
    const timer = spliceList(timers, timers.length - 1, 1)[0];
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
// One that keeps no run from ending.
P.setQuietTimeout = (action, milliseconds) => startTimer(milliseconds, action, false).id;

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
  if (typeof milliseconds !== "number" || !(milliseconds >= 0)) {
    P.fail(2002, "validation", "Async.timeout: ms must be a number of milliseconds, 0 or more");
  }
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

Async.with_timeout = Async.timeout;

Async.retry = async (operation, options) => {
  if (typeof operation !== "function") P.fail(2002, "validation", "Async.retry takes a function");
  const { attempts = 3, delay = 100, backoff = 2, max_delay, maxDelay } = options ?? {};
  if (!isInteger(attempts) || attempts < 1) {
    P.fail(2002, "validation", "Async.retry: attempts must be an integer, 1 or more");
  }
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

Async.with_retry = (operation, retries) => {
  if (P.isOptions(retries)) return Async.retry(operation, retries);
  const more = retries ?? 3;
  if (!isInteger(more) || more < 0) P.fail(2002, "validation", "Async.withRetry: retries must be an integer, 0 or more");
  return Async.retry(operation, { attempts: more + 1 });
};

const CLOSERS = ["close", "release", "dispose"];
const closeAll = async (resource) => {
  for (let index = 0; index < CLOSERS.length; index++) {
    const action = resource?.[CLOSERS[index]];
    if (typeof action === "function") return void (await applyFunction(action, resource, []));
  }
};

Async.with_resource = async (resource, operation) => {
  if (typeof operation !== "function") P.fail(2002, "validation", "Async.withResource takes a resource and a function");
  const held = await (typeof resource === "function" ? resource() : resource);
  try {
    return await operation(held);
  } finally {
    await closeAll(held);
  }
};

Async.yield_now = () => new NativePromise((resolve) => startTimer(0, () => resolve(undefined), false));
Async.yield = Async.yield_now;
Async.yield_for = Async.sleep;

const ASK_EVERY = 10;
Async.yield_until = async (condition, milliseconds) => {
  if (typeof condition !== "function") P.fail(2002, "validation", "Async.yieldUntil takes a function");
  const end = milliseconds === undefined || milliseconds === null ? Infinity : P.now() + delayOf(milliseconds);
  while (!(await condition())) {
    const left = end - P.now();
    if (left <= 0) throw new P.LLMSpellError({ __proto__: null, code: 4004, kind: "timeout", recoverable: true, message: "not true within " + milliseconds + " ms" });
    await Async.sleep(min(ASK_EVERY, left));
  }
};

// A generator's yields are pending operations: each is waited for and given back.
Async.run = async (work, ...given) => {
  const value = await (typeof work === "function" ? applyFunction(work, undefined, given) : work);
  if (typeof value?.next !== "function" || typeof value[iteratorOf] !== "function") return value;
  let input, isError = false;
  for (;;) {
    const step = isError ? value.throw(input) : value.next(input);
    if (step.done) return step.value;
    try {
      input = await step.value;
      isError = false;
    } catch (error) {
      input = error;
      isError = true;
    }
  }
};

let live = 0;
P.liveTasks = () => live;
// A task is a promise that can be cancelled: who waits for it then gets the error `cancelled`.
const taskOf = (begin, stop) => {
  let ended = false, fail;
  const task = P.tracked((resolve, reject) => {
    const end = (settle) => (value) => {
      if (ended) return;
      ended = true;
      settle(value);
    };
    fail = end(reject);
    begin(end(resolve), fail);
  });
  const methods = {
    await: () => task,
    done: () => ended,
    cancel() {
      if (ended) return;
      stop();
      P.listen(task, undefined, () => {});
      fail(new P.LLMSpellError({ __proto__: null, code: 4002, kind: "cancelled", message: "the task was cancelled" }));
    },
  };
  const names = keys(methods);
  for (let index = 0; index < names.length; index++) {
    defineProperty(task, names[index], { __proto__: null, value: methods[names[index]], writable: true, configurable: true });
  }
  return task;
};

Async.spawn = (operation, ...given) => {
  live++;
  let isLive = true;
  const release = (settle) => (value) => {
    if (isLive) live--;
    isLive = false;
    settle(value);
  };
  return taskOf((resolve, reject) => {
    const run = async () => (typeof operation === "function" ? applyFunction(operation, undefined, given) : operation);
    then(run(), release(resolve), release(reject));
  }, release(() => {}));
};

Async.schedule = (milliseconds, action, ...given) => {
  if (typeof action !== "function") P.fail(2002, "validation", "Async.schedule takes milliseconds and a function");
  let timer;
  return taskOf((resolve, reject) => {
    const run = async () => applyFunction(action, undefined, given);
    timer = startTimer(delayOf(milliseconds), () => {
      live++;
      const release = (settle) => (value) => {
        live--;
        settle(value);
      };
      then(run(), release(resolve), release(reject));
    }, true);
  }, () => stopTimer(timer.id));
};
