"""Hooks: points around every act, and what runs there (API-086 … 091, HOOK-001 … 034)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_POINT: Final = Param(
    "point",
    ("string",),
    "a hook point in any spelling (before_tool_execution, beforeToolExecution, pre-tool), or a"
    " custom name",
    required=True,
    minimum=1,
    maximum=128,
)
_HOOK: Final = Param(
    "hook",
    ("callback", "object", "string"),
    "a function of the context; an object {handler, name, priority, condition, timeout, on_failure,"
    " dependencies, conflicts, mode}, with mode sequential, parallel, parallel_with_timeout or"
    " asynchronous; a hook that a factory made; or a built-in's name",
    required=True,
    maximum=128,
)
_WHICH: Final = Param(
    "hook",
    ("callback", "object", "string"),
    "the hook, its id, its name or its function",
    required=True,
    maximum=128,
)
_CONTEXT: Final = Param("context", ("object",), "what the hooks are given", default={})
_CONFIG: Final = Param("config", ("object",), "options of the hook", default={})

_OUTCOME: Final = "{hook_point, action, context, modified, value, hooks_executed}"


def _factory(name: str, doc: str, aliases: tuple[str, ...] = ()) -> Function:
    return Function(
        f"create_{name}",
        doc,
        (_CONFIG,),
        "hook",
        wire=f"hooks.create_{name}",
        positional=1,
        after="handle",
        spread="config",
        aliases=aliases,
        unjudged=True,
    )


_REGISTER: Final = Function(
    "register",
    "Registers a hook at a point. At most ten at one point, highest priority first (0 to 1000,"
    " default 50), 5 s each. A hook answers nothing to go on, the changed context, false to cancel,"
    " or {action=continue|modify|skip|redirect|retry|cancel|stop, …}.",
    (_POINT, _HOOK),
    "hook",
    wire="hooks.register",
    positional=2,
    after="handle",
    aliases=("register_hook",),
    unjudged=True,
)
_UNREGISTER: Final = Function(
    "unregister",
    "Takes a hook from a point; whether it was there.",
    (_POINT, _WHICH),
    "boolean",
    wire="hooks.unregister",
    positional=2,
    aliases=("unregister_hook",),
    unjudged=True,
)
_EXECUTE: Final = Function(
    "execute",
    "Runs the hooks of a point, most often a custom one.",
    (_POINT, _CONTEXT),
    _OUTCOME,
    wire="hooks.execute",
    positional=2,
    aliases=("execute_hooks",),
    unjudged=True,
)

_HOOK_CLASS: Final = Class(
    "hook",
    "A hook: registered, or made by a factory and then registered at as many points as one likes.",
    (
        Function(
            "enable", "Lets it run again.", wire="hooks.hook_enable", returns="boolean",
            unjudged=True,
        ),
        Function(
            "disable", "Keeps it from running.", wire="hooks.hook_disable", returns="boolean",
            unjudged=True,
        ),
        Function(
            "get_metrics",
            "Its figures, and what it gathered: metrics, spans, refusals, cache hits.",
            wire="hooks.hook_metrics",
            returns="object",
            aliases=("get_stats",),
            unjudged=True,
            sync=True,
        ),
    ),
    (
        Param("name", ("string",), "its name"),
        Param("priority", ("integer",), "0 to 1000, higher first"),
        Param("kind", ("string",), "function, or the built-in's name"),
        Param("point", ("string",), "the point it was registered at"),
    ),
)  # fmt: skip

_MANAGER_CLASS: Final = Class(
    "hook_manager",
    "The run's hooks, as HookManager.getInstance() gives them.",
    (
        _REGISTER._replace(
            name="register_hook", wire="hooks.manager_register", aliases=("register",)
        ),
        _UNREGISTER._replace(
            name="unregister_hook", wire="hooks.manager_unregister", aliases=("unregister",)
        ),
        _EXECUTE._replace(name="execute_hooks", wire="hooks.manager_execute", aliases=("execute",)),
    ),
)

HOOKS: Final = Module(
    "hooks",
    ("Hooks", "hooks"),
    "Functions of the spell's that run before, after and on errors of agents, tools, workflows,"
    " steps and model calls. What a hook changed is judged again from the start.",
    (
        _REGISTER,
        _UNREGISTER,
        _EXECUTE,
        Function(
            "list",
            "What is registered, at one point or everywhere, by priority.",
            (_POINT._replace(required=False),),
            "array of {id, name, point, priority, enabled, waiting}",
            wire="hooks.list",
            positional=1,
            unjudged=True,
            sync=True,
        ),
        Function(
            "points",
            "The points that llmspell runs, and when.",
            returns="object",
            wire="hooks.points",
            unjudged=True,
            sync=True,
        ),
        Function(
            "enable",
            "Lets a hook run again; by name, all hooks of that name.",
            (_WHICH,),
            "boolean",
            wire="hooks.enable",
            positional=1,
            unjudged=True,
        ),
        Function(
            "disable",
            "Keeps a hook from running without taking it out.",
            (_WHICH,),
            "boolean",
            wire="hooks.disable",
            positional=1,
            unjudged=True,
        ),
        Function(
            "get_stats",
            "Figures of the run's hooks: total_executions, total_failures, times, and each hook's.",
            returns="object",
            wire="hooks.get_stats",
            unjudged=True,
            sync=True,
        ),
        _factory("logger", "A hook that logs each point it is at: {level, format}."),
        _factory(
            "metrics_collector",
            "A hook that counts; read it with get_metrics(). No port is opened.",
        ),
        Function(
            "create_validator",
            "A hook that cancels what does not fit a JSON Schema (2009).",
            (Param("schema", ("object",), "a JSON Schema without patterns", required=True),),
            "hook",
            wire="hooks.create_validator",
            positional=1,
            after="handle",
            unjudged=True,
        ),
        Function(
            "create_transformer",
            "A hook that gives the input (or the output) to a function and goes on with what it"
            " answers.",
            (
                Param("transformer", ("callback",), "function(data)", required=True),
                _CONFIG,
            ),
            "hook",
            wire="hooks.create_transformer",
            positional=2,
            after="handle",
            unjudged=True,
        ),
        _factory(
            "rate_limiter",
            "A hook that cancels what comes too often (6006): {requests_per_minute, burst}.",
        ),
        _factory("cache", "A hook that answers tool calls from earlier ones: {ttl, max_size}."),
        _factory("debugger", "A hook that shows each context at level debug."),
        _factory("tracer", "A hook that keeps when each point was passed."),
    ),
    classes=(_HOOK_CLASS,),
)

MANAGER: Final = Module(
    "hook_manager",
    ("HookManager",),
    "The same hooks, as the seeds' examples spell them (API-091).",
    (
        Function(
            "get_instance",
            "The run's hooks.",
            returns="hook_manager",
            wire="hook_manager.get_instance",
            after="handle",
            unjudged=True,
            # What is registered without `await` must stand before the call that comes next.
            sync=True,
        ),
    ),
    classes=(_MANAGER_CLASS,),
)

MODULES: Final = (HOOKS, MANAGER)
