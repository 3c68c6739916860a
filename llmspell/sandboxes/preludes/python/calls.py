# Calls to the supervisor, its invokes of the spell's functions, and the API's stubs.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

class Call(Future):
    """A brokered call, already sent."""

    __slots__ = ("_finish", "_id", "_method")

    def __init__(
        self,
        method: str,
        args: dict[str, Any],
        finish: Callable[[Any], Any] | None,
        text: str | None = None,
    ) -> None:
        """`text`: the arguments, where they are JSON already."""
        super().__init__()
        if text is None:
            text = encode(args, calls=True)
        flush_output()
        number = CALLS.next_id()
        send_text(f'{{"type":"call","id":{number},"method":{encode_basestring(method)},"args":{text}}}')
        self._id, self._method, self._finish = number, method, finish
        LOOP.outstanding[number] = self

    def cancel(self) -> None:
        """Takes the call back."""
        if LOOP.outstanding.pop(self._id, None) is not None:
            self._observed = True
            send_text(f'{{"type":"cancel","id":{self._id}}}')
            self._settle(error=LLMSpellError("the call was cancelled", kind="cancelled"))

    def _reply(self, message: Any) -> None:
        if message.get("ok") is not True:
            return self._settle(error=error_from(message.get("error") or {}))
        value = message.get("value")
        if self._finish is not None:
            try:
                value = self._finish(value)
            except Exception as error:
                return self._settle(error=error)
        return self._settle(value)

    def __repr__(self) -> str:
        state = "done" if self._done else "pending"
        return f"<call {self._method} {state}: await it, or call .result()>"


class _Calls:
    """Numbers of calls and callbacks, and the invokes under way."""

    def __init__(self) -> None:
        self._last = 0
        self.callbacks: dict[int, Callable[..., Any]] = {}
        self.numbers: dict[object, int] = {}
        self.invokes: dict[int, Task] = {}

    def next_id(self) -> int:
        self._last += 1
        return self._last


CALLS = _Calls()


def identity_of(action: Any) -> object:
    """A method is a new object each time it is looked up, and still the same function."""
    function = getattr(action, "__func__", None)
    return id(action) if function is None else (id(action.__self__), id(function))


def callback_number(action: Callable[..., Any]) -> int:
    identity = identity_of(action)
    number = CALLS.numbers.get(identity)
    if number is None:
        number = len(CALLS.callbacks) + 1
        # Kept for good, so the identity can't pass to another object.
        CALLS.callbacks[number] = action
        CALLS.numbers[identity] = number
    return number


def is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


def takes(action: Callable[..., Any], given: int) -> int:
    """How many of the arguments a function takes: `lambda context: …` need not name the others."""
    function = getattr(action, "__func__", action)
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & 0x04:  # *args
        return given
    return min(given, code.co_argcount - (function is not action))


def place(args: list[Any], functions: list[Any]) -> None:
    """Puts functions of the spell's at their places in the arguments: they come beside them."""
    for path, number in functions:
        holder: Any = args
        try:
            for key in path[:-1]:
                holder = holder[key]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(holder, dict):
            holder.setdefault(path[-1], CALLS.callbacks.get(number))


async def run_callback(number: int, args: list[Any]) -> Any:
    action = CALLS.callbacks.get(number)
    if action is None:
        raise LLMSpellError("the spell has no function of this number", code=4010, kind="invalid_function")
    value = action(*[revived(arg) for arg in args[: takes(action, len(args))]])
    return await value if is_awaitable(value) else value


def send_returned(number: int, task: Future) -> None:
    CALLS.invokes.pop(number, None)
    task._observed = True
    error = task._error
    text = ""
    if error is None:
        try:
            text = encode(task._value, calls=True)
        except Exception as problem:
            error = problem
    flush_output()
    if error is None:
        send_text(f'{{"type":"returned","id":{number},"ok":true,"value":{text}}}')
    else:
        send_text(f'{{"type":"returned","id":{number},"ok":false,"error":{encode_plain(describe(error))}}}')


def dispatch(message: Any) -> None:
    """Handles one message of the supervisor's."""
    kind = message.get("type")
    if kind == "reply":
        call = LOOP.outstanding.pop(message["id"], None)
        if call is not None:
            call._reply(message)
    elif kind == "invoke":
        number = message["id"]
        args = message.get("args") or []
        if "functions" in message:
            place(args, message["functions"])
        task = Task(run_callback(message["callback"], args))
        CALLS.invokes[number] = task
        task._when_done(lambda done: send_returned(number, done))
    elif kind == "cancel" and message["id"] in CALLS.invokes:
        CALLS.invokes[message["id"]].cancel()
