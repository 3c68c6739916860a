// Tests within a spell (API-117): a test fails by its first assertion that does not hold.
const TESTS_MAX = 10000, SHOWN = 200;
const tests = [];
const Testing = create(null);
P.modules.testing = Testing;

const shown = (value) => {
  const text = typeof value === "string" ? stringify(value) : P.show(value);
  return text.length > SHOWN ? slice(text, 0, SHOWN) + "…" : text;
};

const hold = (holds, message, text) => {
  if (holds) return;
  throw new P.LLMSpellError({ __proto__: null, code: 4002, kind: "assertion", message: message === undefined ? text : makeText(message) + ": " + text });
};

const EQUAL_DEPTH = 64;
const isEqual = (one, other, depth) => {
  if (one === other || (one !== one && other !== other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return (one ?? null) === (other ?? null);
  }
  if (depth > EQUAL_DEPTH || isArray(one) !== isArray(other)) return false;
  const names = keys(one);
  if (names.length !== keys(other).length) return false;
  for (let index = 0; index < names.length; index++) {
    if (!hasOwn(other, names[index]) || !isEqual(one[names[index]], other[names[index]], depth + 1)) return false;
  }
  return true;
};

const typeOf = (value) => (value === null || value === undefined ? "nil" : isArray(value) ? "array" : typeof value);
const isType = (value, type) => {
  const own = typeOf(value);
  return own === type || (type === "table" && (own === "object" || own === "array"))
    || (own === "nil" && (type === "null" || type === "undefined")) || (own === "array" && type === "object");
};

const holds = (value, part) => {
  if (typeof value === "string") return indexOf(value, makeText(part)) >= 0;
  if (!isArray(value)) return typeof value === "object" && value !== null && hasOwn(value, makeText(part));
  for (let index = 0; index < value.length; index++) if (isEqual(value[index], part, 0)) return true;
  return false;
};

const asserts = {
  assert_not_nil: (value, message) => hold(value !== null && value !== undefined, message, "expected a value, got nil"),
  assert_nil: (value, message) => hold(value === null || value === undefined, message, "expected nil, got " + shown(value)),
  assert_true: (value, message) => hold(value === true, message, "expected true, got " + shown(value)),
  assert_false: (value, message) => hold(value === false, message, "expected false, got " + shown(value)),
  assert_equals: (value, expected, message) => hold(isEqual(value, expected, 0), message, "expected " + shown(expected) + ", got " + shown(value)),
  assert_type: (value, type, message) => hold(isType(value, type), message, "expected a value of type " + type + ", got " + typeOf(value)),
  assert_greater_than: (value, limit, message) => hold(value > limit, message, "expected more than " + shown(limit) + ", got " + shown(value)),
  assert_contains: (value, part, message) => hold(holds(value, part), message, shown(value) + " does not contain " + shown(part)),
  assert_error: (action, part, message) => {
    const check = (error) => {
      const text = makeText(error?.message ?? error);
      hold(part === undefined || part === null || indexOf(text, makeText(part)) >= 0, message, "the error " + shown(text) + " does not contain " + shown(part));
      return error;
    };
    const missed = () => hold(false, message, "expected an error");
    let value;
    try {
      value = action();
    } catch (error) {
      return check(error);
    }
    return typeof value?.then === "function" ? then(resolved(value), missed, check) : missed();
  },
};
const named = keys(asserts);
for (let index = 0; index < named.length; index++) asserts[P.camel(named[index])] = asserts[named[index]];
freeze(asserts);

Testing.suite = (suite) => {
  if (typeof suite !== "string" || suite === "") P.fail(2002, "validation", "suite: a name is needed");
  return freeze({ name: suite, test(name, body) {
    if (typeof body !== "function") P.fail(2002, "validation", "test: a name and a function are needed");
    if (tests.length >= TESTS_MAX) P.fail(4009, "limit", "a run has at most " + TESTS_MAX + " tests", "limit.tests");
    push(tests, { __proto__: null, suite, name: makeText(name), body });
  } });
};

const runOne = async ({ suite, name, body }) => {
  const outcome = { suite, name, passed: true };
  try {
    await body(asserts);
  } catch (error) {
    outcome.passed = false;
    outcome.error = makeText(error?.message ?? error);
  }
  P.write("stdout", (outcome.passed ? "ok   " : "FAIL ") + suite + ": " + name + (outcome.passed ? "" : " — " + outcome.error) + "\n");
  return outcome;
};

// Tests that failed in any run_all: the run that had them ends as failed.
P.failedTests = 0;

Testing.run_all = async () => {
  const outcomes = [], chosen = spliceList(tests, 0, tests.length);
  let passed = 0;
  for (let index = 0; index < chosen.length; index++) {
    const outcome = await runOne(chosen[index]);
    push(outcomes, outcome);
    if (outcome.passed) passed++;
  }
  const failed = outcomes.length - passed;
  P.failedTests += failed;
  P.write("stdout", passed + " passed, " + failed + " failed\n");
  return { passed, failed, tests: outcomes };
};
