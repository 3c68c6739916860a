"""A profile as plain tables, and how one table extends another."""

from __future__ import annotations

from collections.abc import Mapping

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

Recipe = dict[str, "Any"]
"""The tables of a profile file: files, net, tools, models, env, state, modules, limits,
confinement, audit, advisories."""

BUILTIN_ORDER = ("none", "low", "medium", "high")
"""The four profiles from loose to strict."""


DEFAULT_PROFILE = "medium"
"""What a run gets where nobody says anything."""


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> Recipe:
    """`base` with `extra` on top: tables are merged, lists added to, everything else replaced."""
    result: Recipe = dict(base)
    for key, value in extra.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, Mapping):
            result[key] = merged(known, value)
        elif isinstance(known, list) and isinstance(value, (list, tuple)):
            result[key] = [*known, *(item for item in value if item not in known)]
        else:
            result[key] = list(value) if isinstance(value, tuple) else value
    return result


def profile_names() -> tuple[str, ...]:
    """The names of all built-in profiles and presets."""
    from llmspell.profiles._generated import PROFILES

    return tuple(PROFILES)


def builtin(name: str) -> Recipe:
    """A built-in profile or preset, complete. Raises `UsageError` for another name."""
    from llmspell.profiles._generated import PROFILES

    if not isinstance(name, str) or name not in PROFILES:
        raise UsageError(
            f"there is no profile {name!r}", hint=f"the profiles are {', '.join(PROFILES)}"
        )
    return copied(PROFILES[name])


def copied(recipe: Mapping[str, Any]) -> Recipe:
    """The same tables, sharing nothing that can be changed."""
    return {
        key: copied(value)
        if isinstance(value, Mapping)
        else list(value)
        if isinstance(value, list)
        else value
        for key, value in recipe.items()
    }
