"""The built-in hooks (HOOK-027, API-088): they run here, so none of them crosses to the worker.

Which field of a context they look at: what goes in at points before an act (`input`, or `prompt`
of a model), what came out after it (`output`, or `content` of a model).
"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.policies.rate import RateLimiter
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise
from llmspell.spells.hooks.definition import Hook, priority_of, text, time_of
from llmspell.spells.ports import HookOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.spells.hooks.definition import BuiltIn
    from llmspell.spells.ports import Host
    from llmspell.spells.tools.cache import Shelf

TARGETS_MAX: Final = 256
"""Names a collector keeps apart; further ones are counted as `other`."""

SPANS_MAX: Final = 1_000
"""Spans a tracer keeps; older ones go."""

SHOWN_MAX: Final = 2_000
"""Characters of a context that the debugging hook shows."""

RATE_MAX: Final = 1_000_000
LEVELS: Final = ("trace", "debug", "info", "warn", "error")

_BEFORE: Final = ("input", "prompt", "messages", "data")
_AFTER: Final = ("output", "content", "result", "data")


def field_of(point: str, context: Mapping[str, Any]) -> str | None:
    """The field that holds the data of a context, or None when it has none."""
    is_after = point.startswith("after_") or point.endswith(("_complete", "_error"))
    names = _AFTER if is_after else _BEFORE
    return next((name for name in names if context.get(name) is not None), None)


def target_of(context: Mapping[str, Any]) -> str:
    """What the point is about, for logs and figures: the tool, agent, step or model."""
    for name in ("tool_name", "agent_name", "step_name", "workflow_name", "model"):
        value = context.get(name)
        if type(value) is str:
            return value[:128]
    for name in ("tool", "agent", "step", "workflow"):
        value = context.get(name)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        if type(value) is str:
            return value[:128]
    return ""


class Logger:
    """One log record for each point it is at (`level`, `format` text or json)."""

    kind = "logger"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        level = config.get("level", "info")
        if level not in LEVELS:
            raise InvalidInput(f"{function}: level must be one of {', '.join(LEVELS)}")
        if config.get("format", "text") not in ("text", "json", "pretty", "compact"):
            raise InvalidInput(f"{function}: format must be text or json")
        self._host = host
        self._level = str(level)
        self._count = 0

    def act(self, point: str, context: Mapping[str, Any]) -> None:
        self._count += 1
        fields: dict[str, Any] = {"point": point}
        target = target_of(context)
        if target:
            fields["target"] = target
        for name in ("origin", "success", "duration_ms"):
            if type(context.get(name)) in (str, bool, int, float):
                fields[name] = context[name]
        error = context.get("error")
        if isinstance(error, dict) and type(error.get("message")) is str:
            fields["error"] = error["message"][:256]
        self._host.note(self._level, f"hook {point}", fields)

    def report(self) -> dict[str, Any]:
        return {"records": self._count}


class Metrics:
    """Counts, failures and times of each point and target. Read it with `get_metrics()`."""

    kind = "metrics"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        self._counts: dict[tuple[str, str], list[float]] = {}
        if "port" in config or "endpoint" in config:
            host.note("info", f"{function}: a run opens no port; read get_metrics() instead")

    def act(self, point: str, context: Mapping[str, Any]) -> None:
        key = (point, target_of(context))
        if key not in self._counts and len(self._counts) >= TARGETS_MAX:
            key = (point[:128], "other")
        count = self._counts.setdefault(key, [0, 0, 0.0])
        count[0] += 1
        count[1] += context.get("success") is False
        took = context.get("duration_ms")
        if isinstance(took, (int, float)):
            count[2] += took

    def report(self) -> dict[str, Any]:
        rows = [
            {"point": p, "target": t, "count": n, "failures": bad, "total_ms": ms}
            for (p, t), (n, bad, ms) in sorted(self._counts.items())
        ]
        return {"metrics": rows, "total": sum(row["count"] for row in rows)}


class Validator:
    """Refuses data that does not fit a JSON Schema (2009)."""

    kind = "validator"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        from llmspell.spells.tools.schemas import compile_schema

        self._check = compile_schema(config, f"{function}: schema")
        self._refused = 0

    def act(self, point: str, context: Mapping[str, Any]) -> HookOutcome | None:
        field = field_of(point, context)
        try:
            self._check(context if field is None else context[field], field or "the context")
        except InvalidInput as wrong:
            self._refused += 1
            error = InvalidInput(wrong.message, code=2009, rule="hook.validator")
            return HookOutcome("cancel", context, reason=wrong.message, error=error)
        return None

    def report(self) -> dict[str, Any]:
        return {"refused": self._refused}


class Transformer:
    """Gives the data to a function of the spell's and goes on with what it answers."""

    kind = "transformer"

    def __init__(self, host: Host, function: Callback, time: float) -> None:
        self._host = host
        self._function = function
        self._time = time

    async def act(self, point: str, context: Mapping[str, Any]) -> HookOutcome | None:
        from llmspell.spells.plain import without_functions

        field = field_of(point, context)
        given = self._host.mask(without_functions(context if field is None else context[field]))
        value = await self._host.invoke(self._function, [given], seconds=self._time)
        if value is None or value == given:
            return None
        value = without_functions(value)
        if field is not None:
            return HookOutcome("continue", {**context, field: value}, modified=True)
        if not isinstance(value, dict):
            return None
        return HookOutcome("continue", {**context, **value}, modified=True)

    def report(self) -> dict[str, Any]:
        return {}


class RateLimit:
    """Cancels what comes too often with 6006 (`requests_per_minute`, `burst`), per target."""

    kind = "rate_limiter"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        rate = config.get("requests_per_minute", config.get("limit", 60))
        burst = config.get("burst", config.get("burst_allowance", rate))
        for value in (rate, burst):
            if type(value) not in (int, float) or not 1 <= value <= RATE_MAX:
                raise InvalidInput(f"{function}: a rate is a number from 1 to {RATE_MAX}")
        self._host, self._rate, self._burst = host, rate, burst
        self._limits: dict[str, RateLimiter] = {}
        self._refused = 0

    def act(self, point: str, context: Mapping[str, Any]) -> HookOutcome | None:
        name, now = target_of(context), self._host.now()
        if name not in self._limits and len(self._limits) >= TARGETS_MAX:
            name = ""
        limiter = self._limits.get(name)
        if limiter is None:
            limiter = RateLimiter.per_minute(self._rate, self._burst, now)
            self._limits[name] = limiter
        if limiter.take(now):
            return None
        self._refused += 1
        error = LimitExceeded(
            "hook_rate",
            f"{name or point} is limited to {self._rate:g} a minute by a hook",
            hint=f"wait {limiter.wait(now):.0f} s",
        )
        return HookOutcome("cancel", context, reason=error.message, error=error)

    def report(self) -> dict[str, Any]:
        return {"refused": self._refused}


class Cache:
    """Answers a tool's call from an earlier one with the same input; at both tool points."""

    kind = "cache"

    def __init__(
        self, host: Host, config: Mapping[str, Any], function: str, shelf: Shelf | None = None
    ) -> None:
        from llmspell.spells.tools.cache import ResultCache

        self._cache = ResultCache.of(config, host.engine, host.now, function, shelf)

    def act(self, point: str, context: Mapping[str, Any]) -> HookOutcome | None:
        name = target_of(context)
        if point.startswith("before_"):
            found = self._cache.get(name, context.get("input"))
            return None if found is None else HookOutcome("skip", context, value=found)
        if context.get("success") is True and context.get("skipped") is not True:
            self._cache.put(name, context.get("input"), context.get("output"))
        return None

    def report(self) -> dict[str, Any]:
        return self._cache.stats()


class Debugger:
    """Shows each context at level debug, cut to a bound."""

    kind = "debugger"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        self._host = host

    def act(self, point: str, context: Mapping[str, Any]) -> None:
        shown = repr(self._host.mask(dict(context)))[:SHOWN_MAX]
        self._host.note("debug", f"hook {point}: {shown}", {"point": point})

    def report(self) -> dict[str, Any]:
        return {}


class Tracer:
    """Keeps when each point was passed: `get_metrics().spans`."""

    kind = "tracer"

    def __init__(self, host: Host, config: Mapping[str, Any], function: str) -> None:
        from collections import deque

        self._host = host
        self._began = host.now()
        self._spans: deque[dict[str, Any]] = deque(maxlen=SPANS_MAX)
        self._seen = 0

    def act(self, point: str, context: Mapping[str, Any]) -> None:
        self._seen += 1
        at = (self._host.now() - self._began) * 1000
        span: dict[str, Any] = {"point": point, "target": target_of(context), "at_ms": at}
        for name in ("origin", "duration_ms", "success"):
            if type(context.get(name)) in (str, int, float, bool):
                span[name] = context[name]
        self._spans.append(span)

    def report(self) -> dict[str, Any]:
        return {"spans": list(self._spans), "total": self._seen}


_KINDS: Final[Mapping[str, Callable[[Host, Mapping[str, Any], str], BuiltIn]]] = {
    "logger": Logger,
    "metrics": Metrics,
    "validator": Validator,
    "rate_limiter": RateLimit,
    "cache": Cache,
    "debugger": Debugger,
    "tracer": Tracer,
}
_ALIASES: Final[Mapping[str, str]] = {
    "logging": "logger",
    "metrics_collector": "metrics",
    "debugging": "debugger",
    "tracing": "tracer",
    "rate_limiting": "rate_limiter",
    "rate_limit": "rate_limiter",
    "caching": "cache",
}


def make(
    host: Host,
    kind: str,
    config: Mapping[str, Any],
    identity: str,
    function: str,
    shelf: Shelf | None = None,
) -> Hook:
    """A built-in hook by its name; caches hold what there is room for on the `shelf`.

    Raises `InvalidInput` (5008 for a name there is not).
    """
    word = _ALIASES.get(kind, kind)
    maker = _KINDS.get(word)
    if maker is None or (word == "validator" and not config):
        known = ", ".join(name for name in _KINDS if name != "validator")
        raise InvalidInput(
            f"{function}: there is no built-in hook {kind[:40]!r}; there are {known}", code=5008
        )
    if word == "validator":
        return Hook(identity, word, maker(host, config, function))
    options = normalise(config)
    built: BuiltIn
    if maker is Cache:
        built = Cache(host, options, function, shelf)
    else:
        built = maker(host, options, function)
    return _hook(identity, word, built, options, host, function)


def transformer(
    host: Host, act: Callback, config: Mapping[str, Any], identity: str, function: str
) -> Hook:
    """A hook that gives data to a function of the spell's. Raises `InvalidInput`."""
    options = normalise(config)
    built = Transformer(host, act, time_of(options.get("timeout"), host.engine, function))
    return _hook(identity, "transformer", built, options, host, function)


def _hook(
    identity: str,
    name: str,
    built: BuiltIn,
    options: Mapping[str, Any],
    host: Host,
    function: str,
) -> Hook:
    given = text(options.get("name"), f"{function}: name")
    priority = priority_of(options.get("priority"), function)
    time = time_of(options.get("timeout"), host.engine, function)
    on_failure = options.get("on_failure", "continue")
    if on_failure not in ("continue", "stop", "rollback"):
        raise InvalidInput(f"{function}: on_failure must be continue, stop or rollback")
    return Hook(
        identity, given or name, built, priority=priority, seconds=time, on_failure=on_failure
    )
