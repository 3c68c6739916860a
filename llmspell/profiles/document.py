"""The form of policy tables as people write them, checked by pydantic at first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmspell.errors import ConfigurationError, LlmspellError

Names = list[str]
LimitText = str | int | float


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FilesTable(_Table):
    """`[files]`: paths and patterns; `deny_…` closes what a wider rule opens."""

    read: Names = []
    write: Names = []
    deny_read: Names = []
    deny_write: Names = []
    scratch: bool = True
    workspace: bool = True


class NetTable(_Table):
    """`[net]`: hosts as in `--allow-net`."""

    mode: Literal["none", "listed", "public", "any"] = "none"
    allow: Names = []
    deny: Names = []
    require_tls: bool = True


class ToolsTable(_Table):
    """`[tools]`: names and categories of tools."""

    mode: Literal["none", "granted", "unless", "all"] = "granted"
    allow: Names = []
    deny: Names = []
    deny_categories: Names = []
    refused_needs: list[
        Literal["read", "write", "net", "process", "local_service", "model", "env"]
    ] = []


class NamesTable(_Table):
    """`[models]` and `[env]`."""

    mode: Literal["none", "listed", "all"] = "listed"
    allow: Names = []
    deny: Names = []


class StateTable(_Table):
    """`[state]`: scopes of kept values (spell, tenant, global)."""

    mode: Literal["none", "own", "all"] = "none"
    allow: Names = []
    deny: Names = []


class ModulesTable(_Table):
    """`[modules]`: standard and installed modules of the language."""

    mode: Literal["none", "whitelist", "all"] = "none"
    allow: Names = []
    deny: Names = []
    own_folder: bool = False


class ConfinementTable(_Table):
    """`[confinement]`: the worker's level, and what a missing effect leads to."""

    level: Literal["none", "low", "medium", "high"] = "high"
    on_missing: Literal["none", "record", "warn", "refuse"] = "refuse"
    allow_degraded: bool = False


class AuditTable(_Table):
    """`[audit]`."""

    on_failure: Literal["deny", "warn"] = "deny"
    sync_each_effect: bool = True


class PolicyDocument(_Table):
    """A policy file or a custom profile. It always extends a built-in profile."""

    name: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    description: str | None = Field(default=None, max_length=500)
    extends: str | None = None
    advisories: bool = True
    files: FilesTable | None = None
    net: NetTable | None = None
    tools: ToolsTable | None = None
    models: NamesTable | None = None
    env: NamesTable | None = None
    state: StateTable | None = None
    modules: ModulesTable | None = None
    limits: dict[str, LimitText] | None = None
    confinement: ConfinementTable | None = None
    audit: AuditTable | None = None


def check_policy(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The table, checked; only what was written is kept (a default never loosens).

    Raises `ConfigurationError` naming `source` and the key.
    """
    from llmspell.policies.limits import parse_limit
    from llmspell.profiles.recipe import profile_names

    try:
        document = PolicyDocument.model_validate(table)
        checked = document.model_dump(exclude_unset=True, exclude_none=True)
        for name, value in checked.get("limits", {}).items():
            parse_limit(name, value)
    except ValidationError as error:
        raise ConfigurationError(f"{source}: {_first(error)}") from None
    except LlmspellError as error:
        raise ConfigurationError(f"{source}: {error.message}") from None
    known = profile_names()
    if document.extends is not None and document.extends not in known:
        raise ConfigurationError(
            f"{source}: extends: there is no profile {document.extends!r}",
            hint=f"the profiles are {', '.join(known)}",
        )
    if document.name in known:
        raise ConfigurationError(f"{source}: name: {document.name!r} is a built-in profile's")
    _check_values(checked, source)
    return checked


def _check_values(checked: Mapping[str, Any], source: str) -> None:
    from llmspell.profiles.grants import KINDS, Grant

    for kind, (table, _) in KINDS.items():
        for key in (kind, "allow") if table == "files" else ("allow", "deny"):
            for value in checked.get(table, {}).get(key, []):
                try:
                    Grant(kind, value, key != "deny").checked()
                except LlmspellError as error:
                    raise ConfigurationError(f"{source}: {table}.{key}: {error.message}") from None


def _first(error: ValidationError) -> str:
    """The first mistake in words: where, and what was expected."""
    mistake = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        return f"{where}: this key is unknown"
    return f"{where}: {mistake['msg']}"
