"""`[hooks]` of the user's own `llmspell.toml` (HOOK-030). Every bound can only be made smaller."""

from __future__ import annotations

import os

from llmspell.config.sections import own_section
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final


class HookSettings(NamedTuple):
    """`seconds`: the time of one hook; `on_failure`: what a hook's failure means where it does not
    say so itself; `parallel`: whether hooks that may run at once do."""

    enabled: bool = True
    per_point: int = 10
    seconds: float = 5.0
    lowest: int = 0
    highest: int = 1_000
    parallel: bool = True
    on_failure: str = "continue"


_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "max_hooks_per_point": (1, 10),
    "execution_timeout": (1, 5_000),
    "execution_timeout_ms": (1, 5_000),
    "priority_range_min": (0, 1_000),
    "priority_range_max": (0, 1_000),
}
_BOOLEANS: Final = ("enabled", "parallel_execution")
_FAILURES: Final = ("continue", "stop", "rollback")


def load_hooks(environ: Mapping[str, str] = os.environ) -> HookSettings:
    """The settings in effect. Raises `ConfigurationError` naming file and key."""
    return check_hooks(*own_section("hooks", environ))


def check_hooks(table: Mapping[str, Any], source: str) -> HookSettings:
    """The section, checked. Raises `ConfigurationError`. `execution_timeout` is milliseconds."""
    for key, value in table.items():
        if key in _BOOLEANS:
            good, wanted = isinstance(value, bool), "true or false"
        elif key in _BOUNDS:
            low, high = _BOUNDS[key]
            good, wanted = type(value) is int and low <= value <= high, f"{low} to {high}"
        elif key == "error_handling":
            good, wanted = value in _FAILURES, f"one of {', '.join(_FAILURES)}"
        else:
            raise ConfigurationError(f"{source}: hooks.{key}: this key is unknown")
        if not good:
            raise ConfigurationError(f"{source}: hooks.{key}: {value!r} is not {wanted}")
    settings = HookSettings(
        enabled=table.get("enabled", True),
        per_point=table.get("max_hooks_per_point", 10),
        seconds=table.get("execution_timeout", table.get("execution_timeout_ms", 5_000)) / 1_000,
        lowest=table.get("priority_range_min", 0),
        highest=table.get("priority_range_max", 1_000),
        parallel=table.get("parallel_execution", True),
        on_failure=table.get("error_handling", "continue"),
    )
    if settings.lowest > settings.highest:
        raise ConfigurationError(f"{source}: hooks.priority_range_min is over priority_range_max")
    return settings
