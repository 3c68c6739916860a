"""Custom profiles in code (SEC-001 … SEC-003): the enum, the builder and the presets.

profile = (
    CustomSecurityProfileBuilder("medium")
    .allow_read("data/**")
    .allow_host("api.example.com")
    .limit("memory", "1GiB")
    .build()
)
llmspell.run("spell.lua", profile=profile)
"""

from __future__ import annotations

import enum
from typing import Any, NoReturn

from llmspell.errors import UsageError
from llmspell.policies.limits import parse_limit
from llmspell.profiles.grants import KINDS, Grant
from llmspell.profiles.recipe import Recipe, builtin, merged


class SecurityProfile(enum.StrEnum):
    """The profiles of the seeds. `CUSTOM` is any table made by the builder (SEC-001)."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CUSTOM = "custom"


class CustomSecurityProfile(dict[str, Any]):
    """A custom profile: the tables of a policy file. Immutable; give it as `profile`."""

    def _immutable(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a security profile can't be changed; build another one")

    __setitem__ = __delitem__ = __ior__ = _immutable
    clear = pop = popitem = setdefault = update = _immutable


class CustomSecurityProfileBuilder:
    """Builds a profile step by step; every step checks what it is given (SEC-002).

    Each step raises `UsageError` for what a policy could not hold.
    """

    __slots__ = ("_name", "_table")

    def __init__(self, extends: str | SecurityProfile = "medium", name: str = "custom") -> None:
        if extends == SecurityProfile.CUSTOM:
            raise UsageError("a custom profile extends a built-in one")
        builtin(str(extends))
        self._name = name
        self._table: Recipe = {"extends": str(extends), "name": name}

    def grant(self, text: str) -> CustomSecurityProfileBuilder:
        """Grants or denies one thing as in `read:data/**` or `deny-read:secret`."""
        grant = Grant.parse(text, self._name)
        table, key = KINDS[grant.kind]
        if table == "files":
            key = grant.kind if grant.allowed else f"deny_{grant.kind}"
        elif not grant.allowed:
            key = "deny"
        return self._with({table: {key: [grant.value]}})

    def allow_read(self, path: str) -> CustomSecurityProfileBuilder:
        """May read the path and what is below it."""
        return self.grant(f"read:{path}")

    def allow_write(self, path: str) -> CustomSecurityProfileBuilder:
        """May write the path and what is below it."""
        return self.grant(f"write:{path}")

    def deny_read(self, path: str) -> CustomSecurityProfileBuilder:
        """May neither read nor write the path."""
        return self.grant(f"deny-read:{path}")

    def allow_host(self, host: str) -> CustomSecurityProfileBuilder:
        """May reach the host, as in `--allow-net`."""
        return self.grant(f"net:{host}")

    def allow_tool(self, name: str) -> CustomSecurityProfileBuilder:
        """May run the tool."""
        return self.grant(f"tool:{name}")

    def deny_tool_category(self, category: str) -> CustomSecurityProfileBuilder:
        """May run no tool of the category (SEC-022)."""
        return self._with({"tools": {"deny_categories": [category]}})

    def allow_model(self, name: str) -> CustomSecurityProfileBuilder:
        """May call the model."""
        return self.grant(f"llm:{name}")

    def allow_env(self, name: str) -> CustomSecurityProfileBuilder:
        """May see the environment variable."""
        return self.grant(f"env:{name}")

    def allow_state(self, scope: str) -> CustomSecurityProfileBuilder:
        """May keep values in the scope: `spell`, `tenant` or `global`."""
        return self.grant(f"state:{scope}")

    def allow_module(self, name: str) -> CustomSecurityProfileBuilder:
        """May load the library (SEC-005)."""
        return self.grant(f"module:{name}")

    def limit(self, name: str, value: str | int | float) -> CustomSecurityProfileBuilder:
        """Sets a limit; the word "unlimited" for none."""
        parse_limit(name, value)
        return self._with({"limits": {name: value}})

    def require_tls(self, required: bool = True) -> CustomSecurityProfileBuilder:
        """Whether listed and public hosts are reached by https only."""
        return self._with({"net": {"require_tls": required is not False}})

    def confinement(self, level: str, on_missing: str = "refuse") -> CustomSecurityProfileBuilder:
        """The worker's confinement level, and what a missing effect leads to."""
        return self._with({"confinement": {"level": level, "on_missing": on_missing}})

    def build(self) -> CustomSecurityProfile:
        """The profile. Raises `ConfigurationError` when its parts don't make one."""
        from llmspell.profiles.document import check_policy

        return CustomSecurityProfile(check_policy(self._table, f"the profile {self._name}"))

    def _with(self, extra: Recipe) -> CustomSecurityProfileBuilder:
        self._table = merged(self._table, extra)
        return self


class SecurityProfilePresets:
    """The seeds' presets (SEC-003): names of built-in profiles, to use or to extend."""

    DEVELOPMENT = "development"
    TESTING = "testing"
    PRODUCTION = "production"
    DATA_ANALYSIS = "data_analysis"

    @staticmethod
    def all() -> tuple[str, ...]:
        """The four names."""
        return ("development", "testing", "production", "data_analysis")
