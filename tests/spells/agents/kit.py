"""A host for agents: models that say what a test tells them, tools that are Python's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from llmspell.errors import LlmspellError, Missing
from llmspell.spells.agents.agent import Agent
from llmspell.spells.agents.book import AgentBook
from llmspell.spells.agents.execution import Runner, Way
from llmspell.spells.agents.inputs import asked
from llmspell.spells.agents.templates import TemplateBook
from llmspell.spells.agents.wrapped import call_wrapped
from llmspell.spells.hooks.engine import HookEngine
from tests.spells.fake_host import FakeHost

Said = str | LlmspellError | Mapping[str, Any] | Callable[[Mapping[str, Any]], Any]


def call(name: str, **arguments: Any) -> dict[str, Any]:
    """A model's answer that calls a tool."""
    return {"tool_calls": [{"id": f"call_{name}", "name": name, "arguments": arguments}]}


class ScriptedModels:
    """Says each thing once, in order; afterwards echoes the last message."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.requests: list[dict[str, Any]] = []
        self.origins: list[str] = []

    async def complete(
        self,
        request: Mapping[str, Any],
        *,
        origin: str,
        on_chunk: Callable[[str], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        self.requests.append(dict(request))
        self.origins.append(origin)
        said: Any = self.said.pop(0) if self.said else request["messages"][-1]["content"]
        if callable(said):
            said = said(request)
            if asyncio.iscoroutine(said):
                said = await said
        if isinstance(said, LlmspellError):
            raise said
        reply = {"content": said} if isinstance(said, str) else dict(said)
        if on_chunk is not None:
            for piece in reply.get("content", "").split():
                await on_chunk(piece)
        return {
            "content": "",
            "tool_calls": [],
            "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
            "cost": 0.01,
            "provider": request.get("provider", "fake"),
            "model": request.get("model", "echo"),
            "finish_reason": "stop",
            **reply,
        }

    def last_texts(self) -> list[str]:
        return [str(message["content"]) for message in self.requests[-1]["messages"]]


class PythonTools:
    """Tools that are Python functions; an error they raise is the tool's."""

    def __init__(self, **tools: Callable[[dict[str, Any]], Any]) -> None:
        self.tools = tools
        self.calls: list[tuple[str, dict[str, Any], str]] = []

    def names(self) -> Sequence[str]:
        return sorted(self.tools)

    def describe(self, name: str) -> dict[str, Any]:
        if name not in self.tools:
            raise Missing(f"there is no tool {name}", code=2001)
        schema = {"type": "object", "properties": {"n": {}, "text": {}}}
        return {"name": name, "description": f"the tool {name}", "parameters": schema}

    async def execute(self, name: str, given: Mapping[str, Any], *, origin: str) -> Any:
        self.calls.append((name, dict(given), origin))
        result = self.tools[name](dict(given))
        return await result if asyncio.iscoroutine(result) else result


class KeptState:
    """`ports.State` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}

    async def get(self, scope: str, key: str) -> Any:
        return self.kept.get((scope, key))

    async def set(self, scope: str, key: str, value: Any) -> None:
        self.kept[scope, key] = value


class Desk:
    """Everything of one run that agents need."""

    def __init__(self, *said: Said, engine: str = "lua", **tools: Any) -> None:
        self.models = ScriptedModels(*said)
        self.tools = PythonTools(**tools)
        self.host: Any = FakeHost(models=self.models, tools=self.tools, state=KeptState())
        self.host.engine = engine
        self.host.hooks = HookEngine(self.host)
        self.book = AgentBook(self.host)
        self.templates = TemplateBook(self.book)
        self.runner = Runner(self.host, self.book)
        self.host.answers["agent.execute_tool"] = self._use
        self.host.answers["tools.create"] = self._create

    async def agent(self, **settings: Any) -> Agent:
        return await self.book.create({"provider": "fake", **settings})

    async def run(self, agent: Agent, given: Any, way: Way | None = None) -> dict[str, Any]:
        return await self.runner.run(agent, asked(given), way or Way())

    def emitted(self) -> list[str]:
        return [name for name, _, _ in self.host.events.emitted]

    def register(self, point: str, act: Callable[..., Any]) -> None:
        hook = self.host.hooks.make(self.host.function(act), "test")
        self.host.hooks.registry.register(point, hook)

    async def _use(self, args: dict[str, Any]) -> Any:
        owner = self.book.get(args["id"])
        tool = owner.toolbox.get(args["name"])
        assert tool is not None
        return await call_wrapped(self.host, self.book, self.runner, owner, tool, args["input"])

    async def _create(self, args: dict[str, Any]) -> Any:
        function = args["config"]["execute"]

        async def act(given: dict[str, Any]) -> Any:
            return await self.host.invoke(function, [given])

        self.tools.tools[args["name"]] = act
        return {"handle": "tool", "id": args["name"], "name": args["name"]}
