"""A broker with real policy, budget and services, called as a worker's call would be."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmspell.policies.budget import Budget
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.loader import load_policy
from llmspell.spells.api.catalogue import CALLS
from llmspell.spells.api.schema import compile_params
from llmspell.supervisor.broker import Broker, Method
from llmspell.supervisor.masking import Masker
from llmspell.supervisor.services import Services


class Records:
    """An audit kept in a list."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, dict[str, Any]]] = []

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        self.kept.append((event, dict(fields)))

    def failed(self) -> bool:
        return False


class Desk:
    """One session's broker over folders in `base`: `work`, `outside`, `kept` (the workspace)."""

    def __init__(
        self,
        base: Path,
        profile: str = "low",
        grants: tuple[str, ...] = (),
        limits: Mapping[str, object] | None = None,
        resolve: Any = None,
        stdin: int | None = None,
    ) -> None:
        base = base.resolve()
        self.work, self.outside, self.kept = base / "work", base / "outside", base / "kept"
        self.work.mkdir(exist_ok=True)
        self.outside.mkdir(exist_ok=True)
        context = PolicyContext.of(
            str(self.work), workspace_folder=str(self.kept), home=str(base / "home")
        )
        self.policy = load_policy(
            profile, context=context, grants=[Grant.parse(text) for text in grants], limits=limits
        )
        self.services = Services(self.policy, resolve=resolve, stdin=stdin)
        self.audit = Records()
        self.budget = Budget(self.policy.limits)
        methods = {
            name: Method(name, compile_params(CALLS[name]), perform, None, name.startswith("fs."))
            for name, perform in self.services.table.items()
        }
        self.broker = Broker(methods, self.policy, self.budget, self.audit, Masker().mask)

    def call(self, name: str, **args: Any) -> Any:
        """The value of a call; raises what the worker would be told."""
        method, context, checked = self.broker.admit(name, args, "spell", None)
        value = method.perform(context, checked)
        if inspect.iscoroutine(value):
            value = asyncio.run(value)
        return self.broker.conclude(method, context, value)

    async def acall(self, name: str, **args: Any) -> Any:
        """As `call`, inside a running loop."""
        method, context, checked = self.broker.admit(name, args, "spell", None)
        value = method.perform(context, checked)
        if inspect.iscoroutine(value):
            value = await value
        return self.broker.conclude(method, context, value)
