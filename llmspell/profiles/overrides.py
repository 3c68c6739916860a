"""Per-script exceptions from the user's configuration (SEC-004, SEC-006, ENG-014).

    [[security.overrides]]
    script = "~/spells/nightly.lua"
    profile = "low"
    sandbox = true
    modules = ["io"]
    allow = ["net:api.example.com"]
    limits = { wall = "10m" }

Each one that applies is recorded in the audit. They are only read from the user's own files.
"""

from __future__ import annotations

from llmspell.policies.policy import Override
from llmspell.profiles.grants import KINDS, Grant
from llmspell.profiles.recipe import BUILTIN_ORDER, Recipe, builtin, merged
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

SANDBOX_FLOOR: Final = "medium"
"""Profile that `sandbox = true` means at least; `sandbox = false` means `none`."""


class ScriptOverride(NamedTuple):
    """What one script gets instead of its profile. `script` is its absolute path, `source` the
    file that says so. `sandbox` False turns confinement off, True turns it on (SEC-006)."""

    script: str
    source: str
    profile: str | None = None
    sandbox: bool | None = None
    modules: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    limits: tuple[tuple[str, str], ...] = ()

    def profile_instead_of(self, name: str) -> str:
        """The profile that this script gets where nobody asked for one by name."""
        chosen = name if self.profile is None else self.profile
        if self.sandbox is False:
            return "none"
        if self.sandbox is True and _looser_than_floor(builtin(chosen)):
            return SANDBOX_FLOOR
        return chosen

    def apply(self, recipe: Recipe) -> Recipe:
        """The profile's tables with this exception on top. Raises `UsageError`."""
        for module in self.modules:
            recipe = merged(recipe, {"modules": {"allow": [module]}})
        for grant in self.grants:
            table, key = KINDS[grant.checked().kind]
            if table == "files":
                key = grant.kind if grant.allowed else f"deny_{grant.kind}"
            elif not grant.allowed:
                key = "deny"
            recipe = merged(recipe, {table: {key: [grant.value]}})
        if self.limits:
            recipe = merged(recipe, {"limits": dict(self.limits)})
        return recipe

    def records(self, *, with_profile: bool = True) -> tuple[Override, ...]:
        """What the audit must record of it; the profile only where it was used."""
        found: dict[str, str] = {}
        if with_profile and self.profile is not None:
            found["profile"] = self.profile
        if with_profile and self.sandbox is not None:
            found["sandbox"] = "on" if self.sandbox else "off"
        if self.modules:
            found["modules"] = ", ".join(self.modules)
        if self.grants:
            found["allow"] = ", ".join(str(grant) for grant in self.grants)
        found |= {f"limits.{key}": value for key, value in self.limits}
        return tuple(Override(self.script, key, value, self.source) for key, value in found.items())


def _looser_than_floor(recipe: Recipe) -> bool:
    confinement: Mapping[str, str] = recipe["confinement"]
    return BUILTIN_ORDER.index(confinement["level"]) < BUILTIN_ORDER.index(SANDBOX_FLOOR)
