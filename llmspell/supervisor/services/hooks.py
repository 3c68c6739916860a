"""The hooks' service: registration, running on request, factories and figures (API-086 … 091)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.config.hooks import HookSettings, load_hooks
from llmspell.errors import InvalidInput, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.hooks.definition import Hook
from llmspell.spells.hooks.engine import HookEngine
from llmspell.spells.hooks.points import POINTS, point_of
from llmspell.spells.plain import without_functions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmspell.spells.ports import Host
    from llmspell.supervisor.services import Service
    from llmspell.supervisor.services.context import Args, CallContext


class HookService(HookEngine):
    """`ports.Hooks`, and the functions of the API's `Hooks` and `HookManager`."""

    def __init__(self, host: Host, settings: HookSettings | None = None) -> None:
        """`settings` replaces the configuration file. Raises `ConfigurationError`."""
        super().__init__(host, settings or load_hooks())
        if not self.settings.enabled:
            host.note("warn", "hooks are switched off by the configuration ([hooks] enabled)")
        self._started = False
        self.table: Mapping[str, Service] = {
            "hooks.register": self._register,
            "hooks.unregister": self._unregister,
            "hooks.execute": self._execute,
            "hooks.list": self._list,
            "hooks.points": lambda ctx, args: dict(POINTS),
            "hooks.enable": lambda ctx, args: self._enable(args["hook"], True),
            "hooks.disable": lambda ctx, args: self._enable(args["hook"], False),
            "hooks.get_stats": self._stats,
            "hooks.create_logger": lambda ctx, args: self._build("logger", args),
            "hooks.create_metrics_collector": lambda ctx, args: self._build("metrics", args),
            "hooks.create_rate_limiter": lambda ctx, args: self._build("rate_limiter", args),
            "hooks.create_cache": lambda ctx, args: self._build("cache", args),
            "hooks.create_debugger": lambda ctx, args: self._build("debugger", args),
            "hooks.create_tracer": lambda ctx, args: self._build("tracer", args),
            "hooks.create_validator": self._validator,
            "hooks.create_transformer": self._transformer,
            "hook_manager.get_instance": lambda ctx, args: {
                "handle": "hook_manager",
                "id": "hooks",
            },
            "hooks.manager_register": self._register,
            "hooks.manager_unregister": self._unregister,
            "hooks.manager_execute": self._execute,
            "hooks.hook_enable": lambda ctx, args: self._switch(args["id"], True),
            "hooks.hook_disable": lambda ctx, args: self._switch(args["id"], False),
            "hooks.hook_metrics": self._metrics,
        }

    # -- registration --------------------------------------------------------------------------

    async def _register(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        point = point_of(args["point"])
        hook = self.make(args["hook"], "hooks.register")
        self.registry.register(point, hook)
        if point == "system_startup" and not self._started:
            self._started = True
            await self.run(point, {"session": self.host.session, "spell": self.host.spell_name})
        return {**hook.describe(), "point": point}

    def _unregister(self, ctx: CallContext, args: Args) -> bool:
        point = point_of(args["point"])
        found = [hook for hook in self._at(point) if _is(hook, args["hook"])]
        gone = [self.registry.unregister(point, hook) for hook in found]
        return any(gone)

    def _at(self, point: str) -> tuple[Hook, ...]:
        return next((hooks for name, hooks in self.registry.points() if name == point), ())

    def _enable(self, given: Any, enabled: bool) -> bool:
        found = [h for _, hooks in self.registry.points() for h in hooks if _is(h, given)]
        if not found:
            raise Missing("there is no such hook", code=5001)
        for hook in found:
            hook.enabled = enabled
            self.registry.reorder(hook)
        return True

    def _switch(self, identity: str, enabled: bool) -> bool:
        hook = self._hook(identity)
        hook.enabled = enabled
        self.registry.reorder(hook)
        return True

    def _hook(self, identity: str) -> Hook:
        hook = self.registry.hook(identity)
        if hook is None:
            raise Missing("there is no such hook any more", code=5001)
        return hook

    # -- running and figures -------------------------------------------------------------------

    async def _execute(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Runs a point on the spell's behalf (HOOK-023)."""
        point = point_of(args["point"])
        before, began = self.executions, self.host.now()
        outcome = await self.run(point, without_functions(args.get("context") or {}))
        value: dict[str, Any] = {
            "hook_point": point,
            "action": outcome.action,
            "context": dict(outcome.context or {}),
            "modified": outcome.modified,
            "value": outcome.value,
            "hooks_executed": self.executions - before,
            "total_duration_ms": (self.host.now() - began) * 1000,
        }
        if outcome.reason:
            value["reason"] = outcome.reason
        return value

    def _list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        wanted = args.get("point")
        point = None if wanted is None else point_of(wanted)
        return [
            {
                **{key: value for key, value in hook.describe().items() if key != "handle"},
                "point": name,
                "waiting": hook in self.registry.waiting(name),
            }
            for name, hooks in self.registry.points()
            for hook in hooks
            if point in (None, name)
        ]

    def _stats(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        hooks = {hook.id: hook for _, there in self.registry.points() for hook in there}
        count = self.executions
        return {
            "total_executions": count,
            "total_failures": self.failures,
            "total_timeouts": self.timeouts,
            "average_time_ms": 0.0 if not count else self.spent * 1000 / count,
            "total_execution_time_ms": self.spent * 1000,
            "active_hook_points": sum(1 for _ in self.registry.points()),
            "total_registered_hooks": len(hooks),
            "hooks": [hook.stats(self.host.now()) for hook in hooks.values()],
        }

    # -- factories -----------------------------------------------------------------------------

    def _build(self, kind: str, args: Args) -> dict[str, Any]:
        from llmspell.spells.hooks.builtin import make

        config = args.get("config") or {}
        name = f"hooks.create_{kind}"
        number = self.registry.next_id()
        return self._kept(make(self.host, kind, config, number, name, self.shelf))

    def _validator(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        from llmspell.spells.hooks.builtin import make

        number, name = self.registry.next_id(), "hooks.create_validator"
        return self._kept(make(self.host, "validator", args["schema"], number, name))

    def _transformer(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        from llmspell.spells.hooks.builtin import transformer

        number, name = self.registry.next_id(), "hooks.create_transformer"
        config = args.get("config") or {}
        return self._kept(transformer(self.host, args["transformer"], config, number, name))

    def _kept(self, hook: Hook) -> dict[str, Any]:
        self.registry.keep(hook)
        return hook.describe()

    def _metrics(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        hook = self._hook(args["id"])
        own = {} if isinstance(hook.act, Callback) else hook.act.report()
        return {**hook.stats(self.host.now()), **own}


def _is(hook: Hook, given: Any) -> bool:
    """Whether a name, an id, a handle or a function means this hook."""
    if isinstance(given, Callback):
        return hook.act == given
    if isinstance(given, dict):
        return given.get("id") == hook.id
    if not isinstance(given, str):
        raise InvalidInput("a hook is named by its id or name, or by itself")
    return given in (hook.id, hook.name)
