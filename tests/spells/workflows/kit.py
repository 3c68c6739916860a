"""A run's workflows over a fake host: tools and agents are Python's, state is a dict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from llmspell.errors import Denied, Missing, OperationFailed
from llmspell.supervisor.services.spells import SpellService
from llmspell.supervisor.services.workflows import WorkflowService
from tests.spells.fake_host import FakeHost, _settled


class Tools:
    """Tools by name; each call is kept with its origin."""

    def __init__(self) -> None:
        self.acts: dict[str, Callable[..., Any]] = {}
        self.calls: list[tuple[str, dict[str, Any], str]] = []

    def names(self) -> list[str]:
        return sorted(self.acts)

    async def execute(self, name: str, given: Mapping[str, Any], *, origin: str) -> Any:
        self.calls.append((name, dict(given), origin))
        if name == "denied":
            raise Denied("denied tool denied", code=2006, rule="tools.deny", hint="--allow-tool")
        if name not in self.acts:
            raise Missing(f"there is no tool {name}", code=2001)
        return await _settled(self.acts[name](dict(given)))


class Agents:
    """Agents by name; each is a function of its input."""

    def __init__(self) -> None:
        self.acts: dict[str, Callable[[str], Any]] = {}
        self.calls: list[tuple[str, dict[str, Any], str]] = []

    def find(self, name_or_id: str) -> str | None:
        return name_or_id if name_or_id in self.acts else None

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        self.calls.append((name_or_id, dict(given), origin))
        if name_or_id not in self.acts:
            raise Missing(f"there is no agent {name_or_id}", code=1001)
        output = await _settled(self.acts[name_or_id](given["input"]))
        return {"success": True, "output": output, "content": str(output)}


class State:
    """Kept values, also across two kits that share it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    async def get(self, scope: str, key: str) -> Any:
        return self.kept.get((scope, key))

    async def set(self, scope: str, key: str, value: Any) -> None:
        self.kept[scope, key] = value

    async def delete(self, scope: str, key: str) -> bool:
        return self.kept.pop((scope, key), None) is not None


class Kit:
    """`make` gives a workflow's id, `run` its result; both through the wire table."""

    def __init__(self, engine: str = "lua", state: State | None = None) -> None:
        self.tools, self.agents, self.state = Tools(), Agents(), state or State()
        self.host = FakeHost(engine=engine, tools=self.tools, agents=self.agents, state=self.state)
        self.service = WorkflowService(self.host)
        self.spells = SpellService(self.host)
        self.host.workflows = self.service
        for table in (self.service.table, self.spells.table):
            for name in table:
                self.host.answers[name] = self._answer(name, table[name])

    def _answer(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda args: act(None, args)

    def fn(self, act: Callable[..., Any]) -> Any:
        """A function of the spell's, with only as many arguments as it takes."""
        count = act.__code__.co_argcount
        return self.host.function(lambda *args: act(*args[:count]))

    async def call(self, name: str, **args: Any) -> Any:
        table = self.spells.table if name.startswith("spell.") else self.service.table
        return await _settled(table[name](None, args))  # type: ignore[arg-type]

    async def make(self, kind: str, definition: Any, options: Any = None) -> str:
        args = {"definition": definition}
        if options is not None:
            args["options"] = options
        made = await self.call(f"workflow.{kind}", **args)
        return str(made["id"])

    async def run(self, kind: str, definition: Any, given: Any = None, **options: Any) -> Any:
        identity = await self.make(kind, definition)
        return await self.call("workflow.execute", id=identity, input=given, options=options)


def failing(times: int, then: Any = "ok", kind: str = "failed") -> Callable[..., Any]:
    """A function that fails so many times before it gives something."""
    left = [times]

    def act(*args: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise OperationFailed("it broke", kind=kind)
        return then

    return act


def play(act: Awaitable[Any]) -> Any:
    """Runs a test's coroutine."""

    async def bounded() -> Any:
        return await asyncio.wait_for(act, 20)

    return asyncio.run(bounded())
