"""The tools' service over a fake host: built-in tools and a spell's functions are Python's here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from llmspell.errors import Denied
from llmspell.policies.tools import ToolRules
from llmspell.policies.verdict import Verdict
from llmspell.spells.hooks.engine import HookEngine
from llmspell.supervisor.services.tools import ToolService
from tests.spells.fake_host import FakeHost


class Policy:
    """The part of a policy that tools ask."""

    def __init__(self, tools: ToolRules) -> None:
        self.tools = tools


class Context:
    """One call: keeps the verdicts."""

    def __init__(self, desk: ToolDesk, origin: str) -> None:
        self.policy: Any = desk.policy
        self.origin = origin
        self._desk = desk

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        self._desk.verdicts.append((target, verdict.allowed))
        if verdict.allowed is not True:
            raise Denied(f"denied {action} {target}", code=2006, rule=verdict.rule)

    def reserve(self, kind: str, amount: int) -> None:
        """Nothing is counted here."""


class ToolDesk(FakeHost):
    """A host with the real tools' service and the real hooks; `denied` are names of tools."""

    def __init__(self, *denied: str) -> None:
        super().__init__()
        self.policy = Policy(ToolRules("test", "all", denied=denied))
        self.verdicts: list[tuple[str, bool]] = []
        self.ran: list[tuple[str, dict[str, Any]]] = []
        self.hooks: Any = HookEngine(self)
        self.tools = ToolService(self)
        self.answers["tools.execute"] = lambda args: self._execute(args, "spell")

    async def call(self, method: str, args: Mapping[str, Any], *, origin: str) -> Any:
        if method == "tools.execute":
            self.calls.append((method, dict(args), origin))
            return await self._execute(dict(args), origin)
        return await super().call(method, args, origin=origin)

    async def bench(self, context: Any, name: str, given: Mapping[str, Any]) -> Any:
        rules: ToolRules = self.policy.tools
        context.judge(rules.judge(name, frozenset()), action="tool", target=name)
        self.ran.append((name, dict(given)))
        return {"result": f"{name} ran"}

    def _execute(self, args: dict[str, Any], origin: str) -> Coroutine[Any, Any, Any]:
        performed: Coroutine[Any, Any, Any] = self.tools.table["tools.execute"](
            Context(self, origin), args
        )
        return performed

    def do(self, wire: str, **args: Any) -> Any:
        """A call of the spell's."""
        value = self.tools.table[wire](Context(self, "spell"), args)
        return asyncio.run(value) if asyncio.iscoroutine(value) else value

    def run(self, name: str, /, **given: Any) -> Any:
        return self.do("tools.execute", name=name, input=given)

    def create(self, name: str, act: Callable[..., Any], **config: Any) -> Any:
        given = {**config, "execute": self.function(act)}
        return self.do("tools.create", name=name, config=given)

    def hook(self, point: str, act: Callable[..., Any], **config: Any) -> None:
        made = self.hooks.make({"handler": self.function(act), **config}, "hooks.register")
        self.hooks.registry.register(point, made)
