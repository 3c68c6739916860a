"""The whole policy of one run, as one immutable value."""

from __future__ import annotations

from llmspell.policies.hosts import NetRules
from llmspell.policies.limits import KINDS, Limits, Unlimited
from llmspell.policies.modules import ModuleRules
from llmspell.policies.names import NameRules, StateRules
from llmspell.policies.paths import FileRules
from llmspell.policies.tools import ToolRules
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, Final

LEVELS: Final = ("none", "low", "medium", "high")
"""Confinement levels from loose to strict."""

ON_MISSING: Final = ("none", "record", "warn", "refuse")
"""What to do when the machine can't hold an effect, from loose to strict."""


class Confinement(NamedTuple):
    """How the worker is locked in. `on_missing`: what an effect that is not held leads to.

    `allow_degraded`: the user said that a run with a missing effect may go on, recorded.
    """

    level: str = "high"
    on_missing: str = "refuse"
    allow_degraded: bool = False


class AuditRules(NamedTuple):
    """`on_failure`: `deny` (a call whose record can't be kept is denied) or `warn`."""

    on_failure: str = "deny"
    sync_each_effect: bool = True


class Override(NamedTuple):
    """A per-script exception to the profile, for the audit (SEC-004)."""

    script: str
    key: str
    value: str
    source: str


class Policy(NamedTuple):
    """Everything that decides about one run. Made by `profiles.loader.load_policy`.

    `advisories`: whether the source is scanned for dangerous words (SEC-012; never decides).
    `origin`: where each piece came from, in order; `overrides`: what the audit must record.
    """

    profile: str
    files: FileRules
    net: NetRules
    tools: ToolRules
    models: NameRules
    env: NameRules
    modules: ModuleRules
    limits: Limits
    confinement: Confinement
    audit: AuditRules
    advisories: bool = True
    origin: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    state: StateRules = StateRules()

    def describe(self) -> list[str]:
        """The policy in sentences for a terminal."""
        from llmspell.policies.explain import describe

        return describe(self)

    def to_json(self) -> dict[str, Any]:
        """The policy as JSON values, for `explain --output json` and the audit."""
        from llmspell.policies.explain import to_json

        return to_json(self)


def limits_json(limits: Limits) -> dict[str, int | float | str]:
    """Every limit by name; the word "unlimited" where there is none."""
    return {
        name: value.value if isinstance(value, Unlimited) else value
        for name, value in zip(KINDS, limits, strict=True)
    }
