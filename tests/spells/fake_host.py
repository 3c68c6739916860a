"""A `Host` for tests of the engines: functions of the spell's and brokered calls are Python's."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from llmspell.channel.jsontext import Callback, Place
from llmspell.errors import OperationFailed
from llmspell.policies.budget import Budget
from llmspell.policies.limits import Limits
from llmspell.spells.ports import HookOutcome

Act = Callable[..., Any]


class NoHooks:
    """Hook points where nothing is registered."""

    def any(self, *points: str) -> bool:
        return False

    async def run(self, point: str, context: Mapping[str, Any]) -> HookOutcome:
        return HookOutcome(context=context)

    def prepare(self, hooks: Any, function: str) -> Any:
        return ()

    async def run_inline(
        self, point: str, context: Mapping[str, Any], prepared: Any
    ) -> HookOutcome:
        return HookOutcome(context=context)


class KeptEvents:
    """Keeps what is emitted."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, dict[str, Any], str]] = []

    def emit(self, name: str, data: Mapping[str, Any], source: str) -> None:
        self.emitted.append((name, dict(data), source))

    async def ask(self, name: str, data: Mapping[str, Any], source: str) -> dict[str, Any]:
        self.emit(name, data, source)
        return {"action": "continue", "data": dict(data), "delivered": 0, "failed": 0}


class FakeHost:
    """Set the attributes a test needs; `function` makes a callback of a Python function."""

    session = "test"
    engine = "lua"
    spell_name = "test.lua"
    spell_path: str | None = None
    tenant: str | None = None
    policy: Any = None
    models: Any = None
    tools: Any = None
    agents: Any = None
    workflows: Any = None
    state: Any = None

    def __init__(self, **attributes: Any) -> None:
        self.budget = Budget(Limits())
        self.hooks: Any = NoHooks()
        self.events: Any = KeptEvents()
        self.calls: list[tuple[str, dict[str, Any], str]] = []
        self.answers: dict[str, Act] = {}
        self.functions: dict[int, Act] = {}
        self.placed: list[Place] = []
        self.notes: list[tuple[str, str]] = []
        self.records: list[tuple[str, dict[str, Any]]] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def function(self, act: Act) -> Callback:
        number = len(self.functions) + 1
        self.functions[number] = act
        return Callback(number)

    def now(self) -> float:
        return time.monotonic()

    async def call(self, method: str, args: Mapping[str, Any], *, origin: str) -> Any:
        self.calls.append((method, dict(args), origin))
        return await _settled(self.answers[method](dict(args)))

    async def invoke(
        self,
        function: Callback,
        args: Sequence[Any],
        *,
        seconds: float | None = None,
        functions: Sequence[Place] = (),
    ) -> Any:
        self.placed += functions
        try:
            return await asyncio.wait_for(_settled(self.functions[function.number](*args)), seconds)
        except TimeoutError:
            raise OperationFailed("a function did not answer", kind="timeout") from None

    def note(self, level: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        self.notes.append((level, message))

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        self.records.append((event, dict(fields)))

    def mask(self, value: Any) -> Any:
        return value


async def _settled(value: Any) -> Any:
    if inspect.isawaitable(value):
        awaited: Awaitable[Any] = value
        return await awaited
    return value
