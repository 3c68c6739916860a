"""Providers that do as the test says, and the context of one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from llmspell.config.provider_table import check_table
from llmspell.config.providers import ProvidersConfig
from llmspell.errors import Denied
from llmspell.llm.counting import usage
from llmspell.llm.failures import ModelFailure
from llmspell.llm.port import ModelInfo
from llmspell.policies.budget import Budget
from llmspell.policies.hosts import NetRules, parse_net_rule
from llmspell.policies.limits import Limits
from llmspell.policies.names import NameRules
from llmspell.policies.verdict import Verdict
from llmspell.spells.models.asking import Asking, Settings
from llmspell.spells.models.targets import Targets
from tests.spells.fake_host import FakeHost

Act = Callable[[dict[str, Any]], Any]


def says(text: str = "fine", **more: Any) -> Act:
    """An answer."""
    return lambda request: {
        "content": text,
        "tool_calls": [],
        "usage": usage(10, 5),
        "cost": None,
        "finish_reason": "stop",
        **more,
    }


def fails(kind: str, **more: Any) -> Act:
    """A failure."""

    def act(request: dict[str, Any]) -> Any:
        raise ModelFailure(kind, f"it failed: {kind}", **more)

    return act


class Played:
    """A provider that plays its acts one after the other; the last one stays."""

    def __init__(self, *acts: Act, info: ModelInfo | None = None) -> None:
        self.acts = list(acts) or [says()]
        self.requests: list[dict[str, Any]] = []
        self.known = info or ModelInfo(None, None, 0.001, 0.001, True, True, True)
        self.seconds: list[float] = []

    async def complete(self, request: Mapping[str, Any], seconds: float, on_chunk: Any) -> Any:
        self.requests.append(dict(request))
        self.seconds.append(seconds)
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        reply = act(dict(request))
        if asyncio.iscoroutine(reply):
            reply = await reply
        pieces = reply.pop("pieces", None)
        for piece in pieces or ([reply["content"]] if reply["content"] else []):
            if on_chunk is not None:
                await on_chunk(piece)
        if "then" in reply:
            reply.pop("then")(request)
        return reply

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        return {"vectors": [[1.0] for _ in texts], "usage": usage(len(texts), 0), "cost": 0.0}

    async def count_tokens(self, model: str, text: str) -> int:
        return 7

    async def info(self, model: str) -> ModelInfo:
        return self.known


class Context:
    """A brokered call's context with this policy; keeps its verdicts."""

    def __init__(self, models: NameRules | None = None, hosts: tuple[str, ...] = ()) -> None:
        listed = tuple(map(parse_net_rule, hosts))
        self.policy: Any = type("Policy", (), {})()
        self.policy.models = models or NameRules("medium", "models", "allow-llm", "all")
        self.policy.net = NetRules("medium", "listed", listed)
        self.origin = "agent:writer"
        self.verdicts: list[tuple[str, str, bool]] = []

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        self.verdicts.append((action, target, verdict.allowed))
        if verdict.allowed is not True:
            raise Denied(f"denied {action} {target}", rule=verdict.rule, hint=verdict.hint)


TABLES: dict[str, dict[str, Any]] = {
    "openai": {"model": "gpt", "retries": 2, "retry_delay": 0.001, "cost_per_token": 0.001},
    "anthropic": {"model": "claude", "retries": 0, "cost_per_token": 0.002},
    "fake": {},
}


class Desk:
    """Everything a completion needs, with the providers the test plays."""

    def __init__(
        self,
        providers: Mapping[str, Played],
        *,
        tables: Mapping[str, dict[str, Any]] = TABLES,
        limits: Limits | None = None,
        rates: Any = None,
        **config: Any,
    ) -> None:
        self.host = FakeHost()
        self.host.budget = Budget(limits or Limits(model_cost=100))
        checked = {name: check_table(name, table, "test") for name, table in tables.items()}
        config.setdefault("default", "openai")
        self.targets = Targets(ProvidersConfig(providers=checked, **config))
        self.asking = Asking(
            self.host,
            self.targets,
            lambda target: providers[target.stand_in or target.provider.name],
            lambda target: rates,
            lambda: 0.0,
        )
        self.ctx = Context()

    def ask(
        self, given: Mapping[str, Any], settings: Settings | None = None, on_chunk: Any = None
    ) -> Any:
        return asyncio.run(self.asking.complete(self.ctx, given, settings or Settings(), on_chunk))
