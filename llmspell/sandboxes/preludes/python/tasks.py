# Futures, tasks and the loop that drives them: no asyncio, which needs sockets of its own.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

POLL_EVERY = 64
_UNSET = object()


class Future:
    """Something that will have a value or an error: `await` it, or block with `.result()`."""

    __slots__ = ("__weakref__", "_done", "_error", "_observed", "_value", "_waiters")

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._observed = False
        self._waiters: list[Callable[[Future], None]] = []

    def done(self) -> bool:
        """Whether it has ended."""
        return self._done

    def __await__(self) -> Generator[Future, None, Any]:
        self._observed = True
        while not self._done:
            yield self
        return self._outcome()

    def result(self) -> Any:
        """The value, waiting for it; other tasks go on meanwhile."""
        self._observed = True
        while not self._done:
            LOOP.pump()
        return self._outcome()

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._settle(error=LLMSpellError("cancelled", kind="cancelled"))

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def _settle(self, value: Any = None, error: BaseException | None = None) -> None:
        if self._done:
            return
        self._done, self._value, self._error = True, value, error
        if error is not None:
            LOOP.failures.append(self)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter(self)

    def _when_done(self, action: Callable[[Future], None]) -> None:
        if self._done:
            action(self)
        else:
            self._waiters.append(action)

    def __repr__(self) -> str:
        state = "done" if self._done else "pending"
        return f"<{type(self).__name__} {state}: await it, or call .result()>"


class Task(Future):
    """A coroutine that the loop drives."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self._coroutine = coroutine
        self._waits_for: Future | None = None
        LOOP.live.add(self)
        LOOP.ready.append(self)

    def cancel(self) -> None:
        """Ends the task; what it waits for is cancelled too."""
        if self._done:
            return
        waits_for = self._waits_for
        self._observed = True
        LOOP.live.discard(self)
        self._settle(error=LLMSpellError("the task was cancelled", kind="cancelled"))
        if waits_for is not None:
            waits_for.cancel()
        try:
            self._coroutine.close()
        except BaseException:
            # It is running (in a nested pump), or refuses to end: it goes on unheard.
            return

    def _step(self) -> None:
        if self._done:
            return
        self._waits_for = None
        try:
            waits_for = self._coroutine.send(None)
        except StopIteration as stop:
            self._end(stop.value, None)
        except SystemExit as error:
            LOOP.exit = error
            self._end(None, error)
        except BaseException as error:
            self._end(None, error)
        else:
            if not isinstance(waits_for, Future):
                waits_for = Future()
                waits_for._settle(error=TypeError("only llmspell's own calls can be awaited here"))
            self._waits_for = waits_for
            waits_for._when_done(self._wake)

    def _wake(self, _future: Future) -> None:
        if not self._done:
            LOOP.ready.append(self)

    def _end(self, value: Any, error: BaseException | None) -> None:
        LOOP.live.discard(self)
        self._settle(value, error)


class Loop:
    """Tasks, timers and the channel, one step at a time."""

    def __init__(self) -> None:
        self.ready: list[Task] = []
        self.live: set[Task] = set()
        self.failures: list[Future] = []
        self.exit: SystemExit | None = None
        self.at_end: list[Callable[[], bool]] = []
        self.outstanding: dict[int, Call] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._steps = 0

    def after(self, milliseconds: float, action: Callable[[], None]) -> int:
        """Calls `action` later; the number stops it."""
        self._count += 1
        self._timers.append((now_ms() + milliseconds, self._count, action))
        self._timers.sort(key=_timer_key, reverse=True)
        return self._count

    def stop(self, number: int) -> None:
        """Stops a timer."""
        self._timers = [timer for timer in self._timers if timer[1] != number]

    def pump(self) -> None:
        """One step of everything: timers, a ready task, or a message."""
        if self.exit is not None:
            raise self.exit
        fired, pause = self._fire()
        if fired:
            return
        if self.ready:
            self.ready.pop(0)._step()
            self._steps += 1
            if self._steps % POLL_EVERY:
                return
            pause = 0.0
        if self.ready:
            pause = 0.0
        flush_output()
        message = receive(pause)
        if message is not None:
            dispatch(message)

    def run_until_done(self) -> None:
        """Until no task lives and no call is outstanding."""
        while self.exit is None and (self.live or self.outstanding or self._at_end()):
            self.pump()

    def _at_end(self) -> bool:
        """Whether something still waited to be done, which has begun now."""
        return any([action() for action in self.at_end])

    def unheard(self) -> BaseException | None:
        """The error of a call or task that nobody ever waited for."""
        for future in self.failures:
            if not future._observed:
                return future._error
        return None

    def _fire(self) -> tuple[bool, float | None]:
        """Runs what is due: whether anything was, and the milliseconds until the next timer."""
        fired = False
        while self._timers:
            pause = self._timers[-1][0] - now_ms()
            if pause > 0:
                return fired, pause
            self._timers.pop()[2]()
            fired = True
        return fired, None


def _timer_key(timer: tuple[float, int, Callable[[], None]]) -> tuple[float, int]:
    return timer[0], timer[1]


LOOP = Loop()
