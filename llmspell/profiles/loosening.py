"""In which keys a profile allows more than another: recorded, and refused from project files."""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.policies.limits import Unlimited, parse_limit
from llmspell.profiles.recipe import Recipe
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

_STRICT_TO_LOOSE: Final[Mapping[tuple[str, str], Sequence[object]]] = {
    ("files", "protects"): (True, False),
    ("files", "scratch"): (False, True),
    ("files", "workspace"): (False, True),
    ("net", "mode"): ("none", "listed", "public", "any"),
    ("net", "require_tls"): (True, False),
    ("tools", "mode"): ("none", "granted", "unless", "all"),
    ("models", "mode"): ("none", "listed", "all"),
    ("env", "mode"): ("none", "listed", "all"),
    ("state", "mode"): ("none", "own", "all"),
    ("modules", "mode"): ("none", "whitelist", "all"),
    ("modules", "own_folder"): (False, True),
    ("confinement", "level"): ("high", "medium", "low", "none"),
    ("confinement", "on_missing"): ("refuse", "warn", "record", "none"),
    ("confinement", "allow_degraded"): (False, True),
    ("audit", "on_failure"): ("deny", "warn"),
    ("audit", "sync_each_effect"): (True, False),
}

_LISTS_THAT_ALLOW: Final = (
    ("files", "read"),
    ("files", "write"),
    ("net", "allow"),
    ("tools", "allow"),
    ("models", "allow"),
    ("env", "allow"),
    ("state", "allow"),
    ("modules", "allow"),
)

_LISTS_THAT_REFUSE: Final = (
    ("files", "deny_read"),
    ("files", "deny_write"),
    ("net", "deny"),
    ("tools", "deny"),
    ("tools", "deny_categories"),
    ("tools", "refused_needs"),
    ("models", "deny"),
    ("env", "deny"),
    ("state", "deny"),
    ("modules", "deny"),
)

_ALLOWS_ALL: Final = frozenset({"all", "any"})
"""Modes to which a list of what is allowed adds nothing."""

_NEVER_GRANTED: Final = frozenset({"process", "local_service"})
"""Needs of tools that only the mode `unless` could let through: no grant is about them."""


def loosenings(base: Recipe, recipe: Recipe) -> list[str]:
    """The keys (`net.mode`, `limits.memory`) in which `recipe` allows more than `base`.

    Both are complete. A value that is in neither order counts as looser.
    """
    found: list[str] = []
    for (table, key), order in _STRICT_TO_LOOSE.items():
        before, after = (_value(side, table, key, order[0]) for side in (base, recipe))
        if after != before and (
            after not in order or before not in order or order.index(after) > order.index(before)
        ):
            found.append(f"{table}.{key}")
    for table, key in _LISTS_THAT_ALLOW:
        before = base[table]
        if before.get("mode") in _ALLOWS_ALL or "/" in before[key]:
            continue
        if set(recipe[table][key]) - set(before[key]):
            found.append(f"{table}.{key}")
    for table, key in _LISTS_THAT_REFUSE:
        lost = set(base[table][key]) - set(recipe[table][key])
        if key == "refused_needs" and recipe[table]["mode"] in ("granted", "none"):
            lost -= _NEVER_GRANTED
        if lost:
            found.append(f"{table}.{key}")
    return found + _looser_limits(base, recipe)


def _value(recipe: Recipe, table: str, key: str, default: object) -> object:
    values: Mapping[str, object] = recipe[table]
    return values.get(key, default)


def _looser_limits(base: Recipe, recipe: Recipe) -> list[str]:
    found: list[str] = []
    for name, text in recipe["limits"].items():
        try:
            after = parse_limit(name, text)
            before = parse_limit(name, base["limits"].get(name))
        except UsageError:
            # Says which limit is wrong when the policy is built; here it only must not pass.
            found.append(f"limits.{name}")
            continue
        if isinstance(before, Unlimited):
            continue
        if isinstance(after, Unlimited) or after > before:
            found.append(f"limits.{name}")
    return found
