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
  const rejected = P.unhandledRejection();
  if (rejected !== null) return rejected;
  const busy = P.outstanding() > 0 || P.liveTasks() > 0;
  if (main.done) {
    if (busy || P.timersHold() || P.endOfEvents?.() || P.endOfHooks?.()) return null;
    const unheard = P.unheardFailure();
    if (unheard === null && P.failedTests > 0) {
      return { __proto__: null, failed: true, error: new P.LLMSpellError({ __proto__: null, code: 4002, kind: "test_failed", message: P.failedTests + (P.failedTests === 1 ? " test failed" : " tests failed") }) };
    }
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
    const message = P.next(pause);
    if (message !== null) P.dispatch(message);
  }
};

const drive = () => {
  do {
    P.run = P.receive(null);
  } while (P.run === null || P.run.type !== "run");
  // Many copies of what is here may have waited for this.
  host.begin?.();
  P.name = P.run.name ?? "spell.js";
  P.makeEnvironment();
  let body, { source } = P.run;
  if (startsWith(source, "#!")) source = "//" + slice(source, 2);
  try {
    if (P.run.check === true) {
      P.checkSyntax(source, P.name);
      return { __proto__: null, failed: false, value: null };
    }
    body = P.compileSpell(source, P.name);
  } catch (error) {
    return { __proto__: null, failed: true, error: P.syntaxError(error, source, "") };
  }
  const main = { __proto__: null, done: false, failed: false, value: undefined, error: undefined };
  then(applyFunction(body, undefined, [P.importModule]), (value) => {
    main.done = true;
    main.value = value;
  }, (error) => {
    main.failed = true;
    main.error = error;
  });
  return loop(main);
};

const main = () => {
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
};

// The host of a guest boots first and calls this later, perhaps in many copies of what is there now.
if (host.boots === true) return main;
main();
