# Async: several things at a time.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

async def _run(work: Any, *given: Any) -> Any:
    value = work(*given) if callable(work) else work
    return await value if is_awaitable(value) else value


def future_of(work: Any) -> Future:
    if isinstance(work, Future):
        return work
    if not (callable(work) or is_awaitable(work)):
        raise invalid(f"a function or something to await is needed, not a {type(work).__name__}")
    return Task(_run(work))


def called(operation: Any, what: str) -> None:
    if not callable(operation):
        raise invalid(f"{what} takes a function")


def futures_of(works: Iterable[Any]) -> list[Future]:
    if not hasattr(type(works), "__iter__") or isinstance(works, (str, bytes, dict)):
        raise invalid("a list of functions or awaitables is needed")
    futures = [future_of(work) for work in works]
    for future in futures:
        future._observed = True
    return futures


def cancel_all(futures: Iterable[Future]) -> None:
    for future in futures:
        if not future._done:
            future.cancel()


class Timer(Future):
    """Ends by itself after a while."""

    __slots__ = ("_number",)

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self._number = LOOP.after(milliseconds, self._settle)

    def cancel(self) -> None:
        LOOP.stop(self._number)
        self._observed = True
        super().cancel()


class Group(Future):
    """Several futures that end together; cancelling it cancels them."""

    __slots__ = ("_members",)

    def __init__(self, members: list[Future]) -> None:
        super().__init__()
        self._members = members

    def cancel(self) -> None:
        self._observed = True
        cancel_all(self._members)
        super().cancel()

    def _settle(self, value: Any = None, error: BaseException | None = None) -> None:
        super()._settle(value, error)
        cancel_all(self._members)


def milliseconds_of(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise invalid(f"{what} must be a number of milliseconds, 0 or more")
    return float(value)


ASK_EVERY = 10
"""Milliseconds between two looks of `Async.yield_until`."""


class Async:
    """Waiting for several things at a time."""

    @staticmethod
    def sleep(ms: float) -> Future:
        return Timer(milliseconds_of(ms, "Async.sleep: ms"))

    @staticmethod
    def all(work: Iterable[Any]) -> Future:
        members = futures_of(work)
        group = Group(members)
        missing = [len(members)]

        def one_ended(future: Future) -> None:
            missing[0] -= 1
            if future._error is not None:
                group._settle(error=future._error)
            elif missing[0] == 0:
                group._settle([member._value for member in members])

        for member in members:
            member._when_done(one_ended)
        if not members:
            group._settle([])
        return group

    @staticmethod
    def all_settled(work: Iterable[Any]) -> Future:
        members = futures_of(work)

        async def wait() -> list[dict[str, Any]]:
            outcomes: list[dict[str, Any]] = []
            for member in members:
                try:
                    outcomes.append({"status": "fulfilled", "value": await member})
                except Exception as error:
                    outcomes.append({"status": "rejected", "reason": error})
            return outcomes

        return Task(wait())

    @staticmethod
    def race(work: Iterable[Any]) -> Future:
        members = futures_of(work)
        if not members:
            raise invalid("Async.race needs at least one piece of work")
        group = Group(members)
        for member in members:
            member._when_done(lambda first: group._settle(first._value, first._error))
        return group

    @staticmethod
    def timeout(operation: Any, ms: float) -> Future:
        limit = milliseconds_of(ms, "Async.timeout: ms")
        member = future_of(operation)
        member._observed = True
        group = Group([member])
        timer = LOOP.after(
            limit,
            lambda: group._settle(
                error=LLMSpellError(
                    f"not done within {ms} ms", code=4004, kind="timeout", recoverable=True
                )
            ),
        )

        def ended(future: Future) -> None:
            LOOP.stop(timer)
            group._settle(future._value, future._error)

        member._when_done(ended)
        return group

    @staticmethod
    def retry(
        operation: Callable[..., Any],
        options: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Future:
        chosen = {"attempts": 3, "delay": 100, "backoff": 2, "max_delay": 30_000}
        chosen.update(options or {})
        chosen.update(named)
        called(operation, "Async.retry")
        attempts = chosen["attempts"]
        if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
            raise invalid("Async.retry: attempts must be an integer, 1 or more")

        async def again() -> Any:
            pause = milliseconds_of(chosen["delay"], "Async.retry: delay")
            attempt = 0
            while True:
                attempt += 1
                try:
                    return await _run(operation)
                except Exception:
                    if attempt >= attempts:
                        raise
                await Timer(pause)
                pause = min(pause * chosen["backoff"], chosen["max_delay"])

        return Task(again())

    with_timeout = timeout

    @staticmethod
    def with_retry(operation: Callable[..., Any], retries: Any = 3) -> Future:
        if isinstance(retries, dict):
            return Async.retry(operation, retries)
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise invalid("Async.with_retry: retries must be an integer, 0 or more")
        return Async.retry(operation, attempts=retries + 1)

    @staticmethod
    def with_resource(resource: Any, operation: Callable[..., Any]) -> Future:
        called(operation, "Async.with_resource")

        async def use() -> Any:
            held = resource
            if callable(resource) or is_awaitable(resource):
                held = await _run(resource)
            try:
                return await _run(operation, held)
            finally:
                for name in ("close", "release", "dispose"):
                    action = held.get(name) if type(held) is dict else getattr(held, name, None)
                    if callable(action):
                        await _run(action)
                        break

        return Task(use())

    @staticmethod
    def run(operation: Any, *given: Any) -> Future:
        async def steps() -> Any:
            value = await _run(operation, *given)
            if not hasattr(type(value), "send"):
                return value
            # A generator's yields are pending operations: each is waited for and given back.
            answer, error = None, None
            while True:
                try:
                    step = value.send(answer) if error is None else value.throw(error)
                except StopIteration as stop:
                    return stop.value
                try:
                    answer, error = await _run(step) if is_awaitable(step) else step, None
                except Exception as problem:
                    error = problem

        return Task(steps())

    @staticmethod
    def schedule(ms: float, operation: Callable[..., Any], *given: Any) -> Future:
        pause = milliseconds_of(ms, "Async.schedule: ms")

        async def wait() -> Any:
            await Timer(pause)
            return await _run(operation, *given)

        return Task(wait())

    @staticmethod
    def spawn(operation: Any, *given: Any) -> Future:
        return Task(_run(operation, *given))

    @staticmethod
    def yield_now() -> Future:
        return Timer(0)

    yield_ = yield_now

    @staticmethod
    def yield_for(ms: float) -> Future:
        return Timer(milliseconds_of(ms, "Async.yield_for: ms"))

    @staticmethod
    def yield_until(operation: Callable[..., Any], timeout: float | None = None) -> Future:
        called(operation, "Async.yield_until")
        end = None if timeout is None else now_ms() + milliseconds_of(timeout, "timeout")

        async def wait() -> None:
            while not await _run(operation):
                left = ASK_EVERY if end is None else end - now_ms()
                if left <= 0:
                    raise LLMSpellError(
                        f"not true within {timeout} ms", code=4004, kind="timeout", recoverable=True
                    )
                await Timer(min(ASK_EVERY, left))

        return Task(wait())
