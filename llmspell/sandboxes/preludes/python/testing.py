# PyTest: tests within a spell (API-117).
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

TESTS_MAX = 10_000
SHOWN_MAX = 200


def shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) else encode_basestring(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"


def hold(holds: bool, message: Any, what: str) -> None:
    if not holds:
        text = what if message is None else f"{message}: {what}"
        raise LLMSpellError(text, code=4002, kind="assertion")


KINDS: dict[str, Callable[[Any], bool]] = {
    "nil": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "function": callable,
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, dict),
    "table": lambda value: isinstance(value, (list, tuple, dict)),
}


class Asserts:
    """What a test holds to be true; each takes a message as its last argument."""

    def assert_not_nil(self, value: Any, message: Any = None) -> None:
        hold(value is not None, message, "expected a value, got nil")

    def assert_nil(self, value: Any, message: Any = None) -> None:
        hold(value is None, message, f"expected nil, got {shown(value)}")

    def assert_true(self, value: Any, message: Any = None) -> None:
        hold(value is True, message, f"expected true, got {shown(value)}")

    def assert_false(self, value: Any, message: Any = None) -> None:
        hold(value is False, message, f"expected false, got {shown(value)}")

    def assert_equals(self, value: Any, expected: Any, message: Any = None) -> None:
        hold(value == expected, message, f"expected {shown(expected)}, got {shown(value)}")

    def assert_type(self, value: Any, type: Any, message: Any = None) -> None:
        check = KINDS.get(type) if isinstance(type, str) else None
        found = value.__class__.__name__
        name = type if isinstance(type, str) else getattr(type, "__name__", "?")
        holds = check(value) if check is not None else isinstance(value, type) if not isinstance(type, str) else found == type
        hold(holds, message, f"expected a value of type {name}, got {found}")

    def assert_greater_than(self, value: Any, limit: Any, message: Any = None) -> None:
        holds = KINDS["number"](value) and KINDS["number"](limit) and value > limit
        hold(holds, message, f"expected more than {shown(limit)}, got {shown(value)}")

    def assert_contains(self, value: Any, part: Any, message: Any = None) -> None:
        if isinstance(value, str):
            holds = str(part) in value
        else:
            items = value.values() if isinstance(value, dict) else value
            holds = any(item == part for item in items)
        hold(holds, message, f"{shown(value)} does not contain {shown(part)}")

    def assert_error(self, action: Callable[[], Any], part: Any = None, message: Any = None) -> Any:
        try:
            value = action()
            if is_awaitable(value):
                future_of(value).result()
        except Exception as error:
            text = describe(error)["message"]
            holds = part is None or str(part) in text
            hold(holds, message, f"the error {shown(text)} does not contain {shown(part)}")
            return error
        return hold(False, message, "expected an error")


for _name in [name for name in vars(Asserts) if name.startswith("assert_")]:
    setattr(Asserts, camel(_name), getattr(Asserts, _name))


class Suite:
    """Tests that belong together."""

    def __init__(self, name: str) -> None:
        self.name = str(name)

    def test(self, name: str, body: Callable[..., Any] | None = None) -> Any:
        """Registers a test; without a body it is a decorator."""
        if body is None:
            return lambda function: self.test(name, function) or function
        if not callable(body):
            raise invalid("suite.test takes a name and a function")
        if len(TESTS.registered) >= TESTS_MAX:
            raise LLMSpellError(
                f"a run has at most {TESTS_MAX} tests", code=4009, kind="limit", rule="limit.tests"
            )
        TESTS.registered.append((self.name, str(name), body))
        return None


class _Tests:
    """The registered tests of the run, and how many have failed so far."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str, Callable[..., Any]]] = []
        self.failed = 0

    async def _one(self, suite: str, name: str, body: Callable[..., Any]) -> dict[str, Any]:
        outcome: dict[str, Any] = {"suite": suite, "name": name, "passed": True}
        try:
            value = body(Asserts())
            if is_awaitable(value):
                await value
        except Exception as error:
            outcome.update(passed=False, error=describe(error)["message"])
        text = ("ok   " if outcome["passed"] else "FAIL ") + f"{suite}: {name}"
        STDOUT.write(text + (f" — {outcome['error']}" if "error" in outcome else "") + "\n")
        return outcome

    async def _all(self) -> Record:
        chosen, self.registered = self.registered, []
        outcomes = [await self._one(*test) for test in chosen]
        failed = sum(1 for outcome in outcomes if not outcome["passed"])
        self.failed += failed
        STDOUT.write(f"{len(outcomes) - failed} passed, {failed} failed\n")
        return Record(passed=len(outcomes) - failed, failed=failed, tests=outcomes)

    def run_all(self) -> Future:
        return Task(self._all())


TESTS = _Tests()


def failed_tests() -> LLMSpellError | None:
    """What a run that went well otherwise fails with for its tests."""
    if not TESTS.failed:
        return None
    text = "1 test failed" if TESTS.failed == 1 else f"{TESTS.failed} tests failed"
    return LLMSpellError(text, code=4002, kind="test_failed")
