"""The core of the tool worker: runs tools that the supervisor invokes, several at a time.

Sans-IO but for two primitives: `send(bytes)` puts finished frames on the channel and
`recv(timeout_ms)` gives the body of the next frame, None after the time, and raises `EOFError`
when the channel ended.
A tool that waits for a reply or a pause lets others go on; a tool that computes holds the worker,
and the supervisor's deadline ends it.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from llmspell.channel.bounds import MESSAGE_MAX, OUTSTANDING_MAX
from llmspell.channel.framing import FrameError, frames_of
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.errors import (
    InternalError,
    InvalidInput,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
    from_wire,
)
from llmspell.tools.index import TOOLS
from llmspell.tools.registry import get
from llmspell.tools.tool import Tool

Send = Callable[[bytes], None]
Recv = Callable[[float | None], bytes | None]

RUN_TOOL: Final = 0
"""The callback number that means: run the tool `args[0]` with the input `args[1]`."""

SLEEP_MAX: Final = 300.0
"""Seconds of one pause."""


def preload() -> None:
    """Imports every tool and all that it will ever need; afterwards no file can be opened."""
    import warnings

    warnings.simplefilter("ignore")
    for name in TOOLS:
        tool = get(name)
        if tool.preload is not None:
            tool.preload()
    # A suggestion for a misspelled name imports difflib, which the tools have loaded by now.


class _Ask:
    """What a tool waits for: a reply, or (without a method) that time passes."""

    __slots__ = ("args", "method", "seconds")

    def __init__(self, method: str, args: dict[str, Any], seconds: float) -> None:
        self.method = method
        self.args = args
        self.seconds = seconds

    def __await__(self) -> Generator[_Ask, Any, Any]:
        return (yield self)


class WorkerHost:
    """The `Host` of tools in the worker: each wait is handed to the loop."""

    __slots__ = ()

    async def call(self, method: str, args: dict[str, Any]) -> Any:
        """A brokered call. Raises the error that the broker answered."""
        return await _Ask(method, args, 0.0)

    async def sleep(self, seconds: float) -> None:
        """Lets other tools run for 0 … SLEEP_MAX seconds."""
        await _Ask("", {}, min(max(seconds, 0.0), SLEEP_MAX))


class _Task:
    """One invoke under way."""

    __slots__ = ("call", "invoke", "is_over", "work")

    def __init__(self, invoke: int, work: Coroutine[_Ask, Any, dict[str, Any]]) -> None:
        self.invoke = invoke
        self.work = work
        self.call: int | None = None
        self.is_over = False


class ToolWorker:
    """Everything between the channel and the tools."""

    __slots__ = (
        "_calls",
        "_find",
        "_host",
        "_next_call",
        "_parts",
        "_recv",
        "_send",
        "_tasks",
        "_ticket",
        "_timers",
    )  # fmt: skip

    def __init__(self, send: Send, recv: Recv, find: Callable[[str], Tool] = get) -> None:
        self._send = send
        self._recv = recv
        self._find = find
        self._tasks: dict[int, _Task] = {}
        self._calls: dict[int, _Task] = {}
        self._timers: list[tuple[float, int, _Task]] = []
        self._next_call = 1
        self._ticket = 0
        self._parts: list[str] = []
        self._host = WorkerHost()

    def serve(self) -> None:
        """Works until the channel ends."""
        while True:
            try:
                body = self._recv(self._wait_ms())
            except EOFError:
                return
            if body is not None:
                self._handle(decode(body))
            self._fire_timers()

    def _wait_ms(self) -> float | None:
        while self._timers and self._timers[0][2].is_over:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, (self._timers[0][0] - time.monotonic()) * 1000.0)

    def _fire_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            task = heapq.heappop(self._timers)[2]
            if not task.is_over:
                self._step(task, None, None)

    def _handle(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "part":
            self._parts.append(message["data"])
            if sum(map(len, self._parts)) > MESSAGE_MAX:
                raise InternalError("the supervisor sent an oversized message")
            if message["last"]:
                whole = "".join(self._parts)
                self._parts = []
                self._handle(decode(whole.encode("utf-8")))
        elif kind == "invoke":
            self._invoke(message["id"], message["callback"], message["args"])
        elif kind == "reply":
            self._reply(message)
        elif kind == "cancel":
            self._cancel(message["id"])
        else:
            raise InternalError(f"the supervisor sent {kind!r} to a tool worker")

    def _invoke(self, number: int, callback: int, args: list[Any]) -> None:
        try:
            if callback != RUN_TOOL or len(args) != 2 or type(args[0]) is not str:
                raise InvalidInput("a tool worker takes the name of a tool and its input")
            tool = self._find(args[0])
        except LlmspellError as error:
            self._answer(number, None, error)
            return
        work = tool.run(args[1], self._host)
        assert isinstance(work, Coroutine)
        task = _Task(number, work)
        self._tasks[number] = task
        self._step(task, None, None)

    def _reply(self, message: dict[str, Any]) -> None:
        task = self._calls.pop(message["id"], None)
        if task is None:
            return
        task.call = None
        if message["ok"]:
            self._step(task, message.get("value"), None)
        else:
            self._step(task, None, from_wire(message["error"]))

    def _cancel(self, number: int) -> None:
        task = self._tasks.get(number)
        if task is None:
            return
        if task.call is not None:
            del self._calls[task.call]
            self._post({"type": "cancel", "id": task.call})
        task.work.close()
        error = OperationFailed("the tool was cancelled", code=2003, kind="cancelled")
        self._end(task, None, error)

    def _step(self, task: _Task, value: Any, error: LlmspellError | None) -> None:
        """Runs a tool to its next wait or its end. A call that can't be sent fails in the tool."""
        while True:
            try:
                asked = task.work.send(value) if error is None else task.work.throw(error)
            except StopIteration as stop:
                self._end(task, stop.value, None)
                return
            except Exception as failure:
                self._end(task, None, _typed(failure))
                return
            if not asked.method:
                self._ticket += 1
                deadline = time.monotonic() + asked.seconds
                heapq.heappush(self._timers, (deadline, self._ticket, task))
                return
            error = self._call(task, asked)
            if error is None:
                return

    def _call(self, task: _Task, asked: _Ask) -> LlmspellError | None:
        if len(self._calls) >= OUTSTANDING_MAX:
            return LimitExceeded("calls", f"over {OUTSTANDING_MAX} calls of tools are under way")
        number = self._next_call
        try:
            self._post({"type": "call", "id": number, "method": asked.method, "args": asked.args})
        except (Malformed, FrameError) as failure:
            return InvalidInput(f"the call {asked.method} can't be sent: {failure}")
        self._next_call += 1
        task.call = number
        self._calls[number] = task
        return None

    def _end(self, task: _Task, value: Any, error: LlmspellError | None) -> None:
        task.is_over = True
        del self._tasks[task.invoke]
        self._answer(task.invoke, value, error)

    def _answer(self, invoke: int, value: Any, error: LlmspellError | None) -> None:
        if error is None:
            try:
                self._post({"type": "returned", "id": invoke, "ok": True, "value": value})
                return
            except (Malformed, FrameError) as failure:
                error = OperationFailed(
                    f"the tool's result can't be handed over: {failure}",
                    kind="result",
                    hint="ask for less at once, or for numbers as text",
                )
        wire = error.to_wire()
        try:
            self._post({"type": "returned", "id": invoke, "ok": False, "error": wire})
        except (Malformed, FrameError):
            wire = {"code": error.code, "kind": error.kind, "message": ascii(error.message)[:4000]}
            self._post({"type": "returned", "id": invoke, "ok": False, "error": wire})

    def _post(self, message: dict[str, Any]) -> None:
        self._send(frames_of(encode(message)))


def _typed(failure: Exception) -> LlmspellError:
    if isinstance(failure, LlmspellError):
        return failure
    if isinstance(failure, RecursionError):
        return InvalidInput("the input is nested too deep for this tool")
    if isinstance(failure, MemoryError):
        return LimitExceeded("memory", "the tool needed more memory than it may use")
    # Data of the spell may be in the failure's words; they go back to that spell only.
    return OperationFailed(
        f"the tool made a mistake: {type(failure).__name__}: {failure}", code=2003, kind="tool"
    )


def serve(send: Send, recv: Recv) -> None:
    """Runs the built-in tools over these primitives until the channel ends."""
    ToolWorker(send, recv).serve()
