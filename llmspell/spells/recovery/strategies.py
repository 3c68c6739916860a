"""Recovery strategies as plain objects: reading every spelling, defaults, bounds (ERR-008 … 012).

A strategy is data, so it can be kept, sent to an agent as its `error_strategy`, and read by a
person. `create` gives one whatever spelling it came in; what it does is in `attempts`.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

TYPES: Final = (
    "fail_fast",
    "exponential_backoff",
    "retry_with_shorter_context",
    "switch_to_fallback_provider",
    "skip_tool_and_continue",
    "fallback",
    "continue_degraded",
    "circuit_breaker",
    "by_error",
)

_SPELLINGS: Final[Mapping[str, str]] = {
    **{name: name for name in TYPES},
    "fail": "fail_fast",
    "stop": "fail_fast",
    "abort": "fail_fast",
    "retry": "exponential_backoff",
    "retry_with_backoff": "exponential_backoff",
    "backoff": "exponential_backoff",
    "wait": "exponential_backoff",
    "retry_with_summary": "retry_with_shorter_context",
    "summarise": "retry_with_shorter_context",
    "summarize": "retry_with_shorter_context",
    "fallback_provider": "switch_to_fallback_provider",
    "skip": "skip_tool_and_continue",
    "skip_tool": "skip_tool_and_continue",
    "continue": "skip_tool_and_continue",
    "degraded": "continue_degraded",
    "fallback_to_cached": "continue_degraded",
    "use_cached_results": "continue_degraded",
    "cache": "continue_degraded",
    "cache_timeout": "continue_degraded",
    "breaker": "circuit_breaker",
}

ERRORS: Final[Mapping[str, tuple[str, ...]]] = {
    "on_timeout": ("timeout",),
    "on_rate_limit": ("rate_limit",),
    "on_provider_error": ("provider_error", "authentication_error", "context_length_exceeded"),
    "on_context_length": ("context_length_exceeded",),
    "on_tool_error": ("tool_error", "not_found", "unavailable"),
    "on_validation_error": ("validation_error",),
    "on_network_error": ("network_error",),
    "on_permission_denied": ("permission_denied",),
    "on_agent_error": ("agent_error",),
    "on_workflow_error": ("workflow_error",),
}
"""The types of `parse_error` that each `on_…` key is for; `default` is for all others."""

RETRIES: Final = 3
RETRIES_MAX: Final = 20
DELAY: Final = 1.0
DELAY_MAX: Final = 60.0
"""Seconds: a recovery waits no longer than this before each attempt, whatever was asked for."""

MULTIPLIER: Final = 2.0
CACHE_SECONDS: Final = 3_600.0
FAILURES: Final = 5
RECOVERY_SECONDS: Final = 60.0
TRIAL_SECONDS: Final = 30.0
PROVIDERS_MAX: Final = 8

_TIMES: Final[Mapping[str, str]] = {
    "initial_delay": "initial_delay",
    "base_delay": "initial_delay",
    "delay": "initial_delay",
    "max_delay": "max_delay",
    "cache_timeout": "cache_timeout",
    "timeout": "timeout",
    "recovery_timeout": "recovery_timeout",
    "reset_timeout": "recovery_timeout",
}
"""Options that say a time, and the name each has in a strategy (X57: both breakers' spellings)."""


def create(config: Any, engine: str) -> dict[str, Any]:
    """The strategy that a name or an object says (API-104). `engine` gives bare times their unit.

    Gives `{type, …}` with every default filled in and times in seconds; keys that mean nothing
    here are kept as they are. Raises `InvalidInput` for an unknown strategy or a wrong value.
    """
    if isinstance(config, str):
        config = {"type": config}
    if not isinstance(config, dict):
        raise InvalidInput("a recovery strategy is a name or an object")
    given = normalise(config)
    given.update(_inner(given))
    named = given.pop("type", None) or given.pop("strategy", None) or given.pop("name", None)
    branches = [key for key in given if key.startswith("on_") or key == "default_strategy"]
    if named == "by_error" or (named is None and branches):
        return _by_error(given, engine)
    if named is None and "recovery_strategy" in given:
        # The information of `parse_error` is itself a strategy (X54).
        named = given["recovery_strategy"]
        given = {key: given[key] for key in ("retry_after",) if key in given}
    if not isinstance(named, str):
        raise InvalidInput("a recovery strategy needs its type", hint=f"such as {TYPES[1]}")
    kind = named.lower()
    if kind not in _SPELLINGS and kind.startswith("fallback_to_"):
        # `fallback_to_web_search`: another tool does it instead (S38).
        given.setdefault("tool", kind.removeprefix("fallback_to_"))
        kind = "fallback"
    if kind not in _SPELLINGS:
        raise InvalidInput(
            f"there is no recovery strategy {named[:60]!r}", hint=f"one of {', '.join(TYPES)}"
        )
    if kind in ("fallback_to_cached", "use_cached_results", "cache", "cache_timeout"):
        given.setdefault("use_cached_results", True)
    return {"type": _SPELLINGS[kind], **_options(_SPELLINGS[kind], given, engine)}


def told(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """A strategy as a spell gets it: times as text, so that they mean the same wherever they are
    read again; what is to be done by type of error has no type of its own."""
    times = frozenset(_TIMES.values())
    return {
        key: f"{value:g}s" if key in times and type(value) in (int, float) else value
        for key, value in strategy.items()
        if value is not None and (key, value) != ("type", "by_error")
    }


def choose(strategy: Mapping[str, Any], error_type: str, engine: str) -> dict[str, Any]:
    """The strategy for one type of error: a `by_error` one's branch, else itself."""
    if strategy["type"] != "by_error":
        return dict(strategy)
    branch = next((strategy[key] for key, types in ERRORS.items()
                   if error_type in types and key in strategy), None)  # fmt: skip
    chosen = create(branch if branch is not None else strategy["default_strategy"], engine)
    shared = {key: strategy[key] for key in strategy if key in _SHARED and key in chosen}
    own = branch if isinstance(branch, dict) else {}
    return {**chosen, **{key: value for key, value in shared.items() if key not in own}}


_SHARED: Final = frozenset(
    {"max_retries", "initial_delay", "max_delay", "multiplier", "providers", "tool", "agent"}
)


def delay_of(strategy: Mapping[str, Any], attempt: int) -> float:
    """Seconds before the attempt after so many (from 1); without jitter, which the caller adds."""
    wait = strategy["initial_delay"] * strategy["multiplier"] ** (attempt - 1)
    return float(min(wait, strategy["max_delay"]))


def _inner(given: Mapping[str, Any]) -> dict[str, Any]:
    """`fallbackConfig` and `config`: options one level down, as S38 has them."""
    found: dict[str, Any] = {}
    for key in ("fallback_config", "config", "retry_config"):
        if isinstance(given.get(key), dict):
            found.update(given[key])
    return {key: value for key, value in found.items() if key not in given}


def _by_error(given: dict[str, Any], engine: str) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "by_error", "default_strategy": "fail_fast"}
    for key, value in given.items():
        if key.startswith("on_") or key in ("default", "default_strategy"):
            if key not in ERRORS and not key.startswith("default"):
                raise InvalidInput(
                    f"a recovery strategy has no {key[:60]!r}", hint=f"one of {', '.join(ERRORS)}"
                )
            create(value, engine)
            result["default_strategy" if key.startswith("default") else key] = value
        else:
            result[key] = value
    shared = _options("exponential_backoff", result, engine)
    return {**result, **{key: shared[key] for key in shared if key in given}}


def _options(kind: str, given: Mapping[str, Any], engine: str) -> dict[str, Any]:
    options = {key: value for key, value in given.items() if key not in _TIMES}
    for key, name in _TIMES.items():
        if given.get(key) is not None:
            options[name] = seconds(given[key], engine, f"the strategy's {key}")
        elif given.get(f"{key}_ms") is not None:
            options[name] = _milliseconds(given[f"{key}_ms"], key)
    _callbacks_refused(options)
    if kind in ("exponential_backoff", "retry_with_shorter_context", "switch_to_fallback_provider"):
        retries = given.get("max_retries", given.get("retries", RETRIES))
        if given.get("max_attempts") is not None:
            retries = _count(given["max_attempts"], "max_attempts", 1) - 1
        options["max_retries"] = _count(retries, "max_retries", 0)
        options["initial_delay"] = min(options.get("initial_delay", DELAY), DELAY_MAX)
        options["max_delay"] = min(options.get("max_delay", DELAY_MAX), DELAY_MAX)
        multiplier = given.get("multiplier", given.get("backoff_multiplier", MULTIPLIER))
        if type(multiplier) not in (int, float) or not 1 <= multiplier <= 100:
            raise InvalidInput("the strategy's multiplier must be from 1 to 100")
        options["multiplier"] = multiplier
    if kind == "switch_to_fallback_provider":
        providers = given.get("providers", given.get("fallback_providers", []))
        if isinstance(providers, str):
            providers = [providers]
        if not isinstance(providers, list) or not all(isinstance(one, str) for one in providers):
            raise InvalidInput("the strategy's providers must be a list of names")
        options["providers"] = providers[:PROVIDERS_MAX]
    if kind == "continue_degraded":
        options.setdefault("cache_timeout", CACHE_SECONDS)
        options["use_cached_results"] = given.get("use_cached_results", True) is True
        options["skip_failed_tools"] = given.get("skip_failed_tools", False) is True
    if kind == "circuit_breaker":
        threshold = given.get("failure_threshold", FAILURES)
        options["failure_threshold"] = _count(threshold, "failure_threshold", 1)
        options["timeout"] = max(options.get("timeout", TRIAL_SECONDS), 0.001)
        options["recovery_timeout"] = max(options.get("recovery_timeout", RECOVERY_SECONDS), 0.001)
    if kind == "fallback":
        options["tool"] = given.get(
            "tool", given.get("fallback_tool_name", given.get("fallback_tool"))
        )
        options["agent"] = given.get(
            "agent", given.get("fallback_agent_id", given.get("fallback_agent"))
        )
    return options


def _callbacks_refused(options: Mapping[str, Any]) -> None:
    from llmspell.channel.jsontext import Callback

    for key, value in options.items():
        if isinstance(value, Callback):
            raise InvalidInput(
                f"the strategy's {key} can't be a function",
                hint="give attempt_recovery the function as its operation",
            )


def _milliseconds(value: Any, key: str) -> float:
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise InvalidInput(f"the strategy's {key}_ms must be a number of milliseconds")
    return min(float(value) / 1000, 86_400.0)


def _count(value: Any, key: str, least: int) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not least <= value <= RETRIES_MAX:
        raise InvalidInput(f"the strategy's {key} must be from {least} to {RETRIES_MAX}")
    return int(value)
