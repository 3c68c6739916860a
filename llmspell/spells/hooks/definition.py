"""What a hook is, and how one is read from what a spell hands in (API-089, X23, X24, X25)."""

from __future__ import annotations

from time import time

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, Protocol
from llmspell.spells.api.options import normalise, seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from typing import Any, Final

    from llmspell.spells.ports import HookOutcome

PRIORITY_MAX: Final = 1000
PRIORITY: Final = 50
"""Higher runs first (HOOK-030, X24)."""

SECONDS: Final = 5.0
"""Time one hook may take, and the most its `timeout` may say (HOOK-030, X25)."""

NAMES_MAX: Final = 32
"""Dependencies and conflicts of one hook, each."""

NAME_MAX: Final = 128
MATCHES_MAX: Final = 16
"""Fields that a filter given as data may name."""

MATCH_MAX: Final = 1_024
"""Characters of such a field's path, and of the text it must be: each hook keeps its own."""

FAILURES: Final = ("continue", "stop", "rollback")
MODES: Final = ("sequential", "parallel", "parallel_with_timeout", "asynchronous")
"""`asynchronous` (001:154): told, not asked; nobody waits for it and its answer changes nothing."""

_KNOWN: Final = frozenset(
    {
        *("id", "name", "priority", "handler", "execute", "condition", "filter", "timeout"),
        *("on_failure", "dependencies", "conflicts", "mode", "enabled", "builtin", "metadata"),
        *("error_handling", "execution_mode", "description", "handle"),
    }
)


class BuiltIn(Protocol):
    """A hook that runs here: pure, bounded, of our own making."""

    kind: str

    def act(
        self, point: str, context: Mapping[str, Any]
    ) -> HookOutcome | Awaitable[HookOutcome | None] | None:
        """Its decision; None goes on."""

    def report(self) -> dict[str, Any]:
        """What it has gathered (plain data)."""


class Hook:
    """One hook with its figures. It may be registered at several points."""

    __slots__ = (
        "act",
        "condition",
        "conflicts",
        "dependencies",
        "enabled",
        "executions",
        "failures",
        "id",
        "last",
        "match",
        "mode",
        "name",
        "on_failure",
        "priority",
        "seconds",
        "skipped",
        "spent",
        "timeouts",
    )

    def __init__(
        self,
        identity: str,
        name: str,
        act: Callback | BuiltIn,
        *,
        priority: int = PRIORITY,
        condition: Callback | None = None,
        match: Mapping[str, Any] | None = None,
        seconds: float = SECONDS,
        on_failure: str = "continue",
        dependencies: tuple[str, ...] = (),
        conflicts: tuple[str, ...] = (),
        mode: str = "sequential",
        enabled: bool = True,
    ) -> None:
        self.id = identity
        self.name = name
        self.act = act
        self.priority = priority
        self.condition = condition
        self.match = match
        self.seconds = seconds
        self.on_failure = on_failure
        self.dependencies = dependencies
        self.conflicts = conflicts
        self.mode = mode
        self.enabled = enabled
        self.executions = self.failures = self.timeouts = self.skipped = 0
        self.spent = 0.0
        self.last: float | None = None

    def stats(self, now: float) -> dict[str, Any]:
        """Its figures (HOOK-024); times in milliseconds, the last run in seconds since 1970.

        `now` is of the clock that `last` is of.
        """
        runs = self.executions
        last = None if self.last is None else round(time() - max(0.0, now - self.last), 3)
        return {
            "id": self.id,
            "name": self.name,
            "executions": runs,
            "failures": self.failures,
            "timeouts": self.timeouts,
            "filtered": self.skipped,
            "success_rate": 1.0 if not runs else 1 - self.failures / runs,
            "average_time_ms": 0.0 if not runs else self.spent * 1000 / runs,
            "last_execution": last,
        }

    def describe(self) -> dict[str, Any]:
        """The hook as a spell sees it."""
        return {
            "handle": "hook",
            "id": self.id,
            "name": self.name,
            "priority": self.priority,
            "kind": "function" if isinstance(self.act, Callback) else self.act.kind,
            "enabled": self.enabled,
            "mode": self.mode,
            "on_failure": self.on_failure,
            "timeout_ms": self.seconds * 1000,
        }


def from_config(
    given: Mapping[str, Any], identity: str, engine: str, function: str
) -> tuple[Hook, list[str]]:
    """A hook of a spell's own, and the keys of its configuration that mean nothing here.

    An `on_failure` that it does not name is "". `function` is the name for error messages.
    Raises `InvalidInput`: 5004 for the priority.
    """
    config = normalise(given)
    act = next((config[key] for key in ("handler", "execute") if key in config), None)
    if not isinstance(act, Callback):
        raise InvalidInput(f"{function}: a hook needs a function as handler (or execute)")
    condition, match = _condition(config, function)
    hook = Hook(
        identity,
        text(config.get("name"), f"{function}: name") or identity,
        act,
        priority=priority_of(config.get("priority"), function),
        condition=condition,
        match=match,
        seconds=time_of(config.get("timeout"), engine, function),
        on_failure=_word(config, ("on_failure", "error_handling"), FAILURES, function) or "",
        dependencies=_names(config, "dependencies", function),
        conflicts=_names(config, "conflicts", function),
        mode=_word(config, ("mode", "execution_mode"), MODES, function) or MODES[0],
        enabled=config.get("enabled") is not False,
    )
    return hook, sorted(config.keys() - _KNOWN)


def priority_of(value: Any, function: str) -> int:
    """A priority from 0 to 1000. Raises `InvalidInput` (5004)."""
    if value is None:
        return PRIORITY
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= PRIORITY_MAX:
        raise InvalidInput(
            f"{function}: priority must be a whole number from 0 to {PRIORITY_MAX}", code=5004
        )
    return value


def time_of(value: Any, engine: str, function: str) -> float:
    """Seconds a hook may take, over 0 and at most five. Raises `InvalidInput`."""
    if value is None:
        return SECONDS
    result = seconds(value, engine, f"{function}: timeout")
    if not 0 < result <= SECONDS:
        raise InvalidInput(f"{function}: a hook's timeout is over 0 and at most {SECONDS:g} s")
    return result


def text(value: Any, what: str) -> str | None:
    """A short printable name, or None when absent. Raises `InvalidInput`."""
    if value is None:
        return None
    if type(value) is not str or not 1 <= len(value) <= NAME_MAX or not value.isprintable():
        raise InvalidInput(f"{what} must be text of 1 to {NAME_MAX} printable characters")
    return value


def matches(match: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
    """Whether every field that a filter names (`tool_name`, `agent.id`) has its value."""
    for path, wanted in match.items():
        value: Any = context
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value != wanted:
            return False
    return True


def _condition(
    config: Mapping[str, Any], function: str
) -> tuple[Callback | None, Mapping[str, Any] | None]:
    value = next((config[key] for key in ("condition", "filter") if key in config), None)
    if value is None:
        return None, None
    if isinstance(value, Callback):
        return value, None
    if (
        isinstance(value, dict)
        and len(value) <= MATCHES_MAX
        and all(type(item) in (str, int, float, bool) for item in value.values())
        and all(len(item) <= MATCH_MAX for item in (*value, *value.values()) if type(item) is str)
    ):
        return None, dict(value)
    raise InvalidInput(
        f"{function}: condition must be a function, or up to {MATCHES_MAX} fields and their values "
        f"of at most {MATCH_MAX} characters"
    )


def _word(
    config: Mapping[str, Any], keys: tuple[str, ...], words: tuple[str, ...], function: str
) -> str | None:
    value = next((config[key] for key in keys if key in config), None)
    if value is None:
        return None
    if value not in words:
        raise InvalidInput(f"{function}: {keys[0]} must be one of {', '.join(words)}")
    return str(value)


def _names(config: Mapping[str, Any], key: str, function: str) -> tuple[str, ...]:
    value = config.get(key)
    if value is None or value == {}:
        return ()
    if isinstance(value, list) and len(value) <= NAMES_MAX:
        names = [text(item, f"{function}: {key}") for item in value]
        return tuple(name for name in names if name is not None)
    raise InvalidInput(f"{function}: {key} must be a list of up to {NAMES_MAX} names of hooks")
