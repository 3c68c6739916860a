"""The `[security]` section as people write it (SEC-008 … 010, 042, 043), checked by pydantic.

Every key that is accepted changes the policy; a key that this version can't hold is refused, not
ignored: a setting that does nothing would be a promise.
"""

from __future__ import annotations

import os
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmspell.errors import ConfigurationError, LlmspellError
from llmspell.profiles.document import FilesTable
from llmspell.profiles.grants import Grant
from llmspell.profiles.overrides import ScriptOverride

Operation = Literal["read", "write"]
"""Listing and asking for existence go with `read`."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NetworkRestrictions(_Table):
    """`network_restrictions` (SEC-042)."""

    allowed_domains: list[str] | None = None
    require_tls: bool | None = None


class ExecutionLimits(_Table):
    """`script_execution_limits` (SEC-043): bytes and milliseconds."""

    max_script_size: int | None = Field(default=None, gt=0)
    max_execution_time_ms: int | None = Field(default=None, gt=0)


class MemoryLimits(_Table):
    """`memory_limits` (SEC-043): bytes, or text such as 512MiB."""

    max_memory: int | str | None = None


class SandboxSection(_Table):
    """`[security.sandbox]` (SEC-010)."""

    enabled: bool | None = None
    script_execution_limits: ExecutionLimits = ExecutionLimits()
    filesystem_restrictions: FilesTable | None = None
    network_restrictions: NetworkRestrictions = NetworkRestrictions()
    memory_limits: MemoryLimits = MemoryLimits()


class OverrideEntry(_Table):
    """One entry of `[[security.overrides]]` (SEC-004, SEC-006, ENG-014)."""

    script: str = Field(min_length=1)
    profile: str | None = None
    sandbox: bool | None = None
    stdlib_access: list[str] = []
    modules: list[str] = []
    allow: list[str] = []
    limits: dict[str, str | int | float] = {}


class SecuritySection(_Table):
    """`[security]`."""

    profile: str | None = None
    script_sandbox_mode: bool | None = None
    sandbox_enabled: bool | None = None
    allowed_domains: list[str] | None = None
    allowed_file_operations: list[Operation] | None = None
    network_restrictions: NetworkRestrictions = NetworkRestrictions()
    require_tls: bool | None = None
    file_access: FilesTable | None = None
    audit_logging: Literal[True] | None = None
    max_request_size: int | str | None = None
    max_response_size: int | str | None = None
    request_timeout: int | float | str | None = None
    max_concurrent_requests: int | None = Field(default=None, gt=0)
    limits: dict[str, str | int | float] = {}
    sandbox: SandboxSection = SandboxSection()
    overrides: list[OverrideEntry] = []


class Found(NamedTuple):
    """What a section means: a default profile, tables for the profile, hosts, overrides, and the
    file rights that no path keeps."""

    profile: str | None
    table: dict[str, Any]
    hosts: tuple[str, ...] | None
    overrides: tuple[ScriptOverride, ...]
    closed: tuple[str, ...] = ()


def check_security(table: object, source: str, home: str) -> Found:
    """The section, checked. Raises `ConfigurationError` naming `source` and the key."""
    try:
        section = SecuritySection.model_validate(table)
        return _meaning(section, source, home)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["security", *(str(part) for part in mistake["loc"])])
        words = mistake["msg"]
        if mistake["type"] == "extra_forbidden":
            words = "this key is unknown, or this version can't hold it"
        raise ConfigurationError(f"{source}: {where}: {words}") from None
    except ConfigurationError:
        raise
    except LlmspellError as error:
        raise ConfigurationError(f"{source}: security: {error.message}") from None


def _meaning(section: SecuritySection, source: str, home: str) -> Found:
    from llmspell.policies.hosts import parse_net_rule
    from llmspell.profiles.recipe import builtin

    profile = _profile(section, source)
    if profile is not None:
        builtin(profile)
    hosts = _hosts(section)
    for host in hosts or ():
        if host.startswith("."):
            raise ConfigurationError(
                f"{source}: security.allowed_domains: {host!r} can't start with a dot",
                hint=f"write *{host} for the names below it",
            )
        parse_net_rule(host)
    table: dict[str, Any] = {}
    tls = [section.require_tls, section.network_restrictions.require_tls]
    tls.append(section.sandbox.network_restrictions.require_tls)
    if any(value is not None for value in tls):
        # Whoever asks for TLS gets it; two voices that differ mean the strict one.
        table["net"] = {"require_tls": any(value is True for value in tls)}
    files = _files(section)
    if files:
        table["files"] = files
    limits = _limits(section)
    if limits:
        table["limits"] = limits
    if section.audit_logging is True:
        table["audit"] = {"on_failure": "deny"}
    overrides = tuple(_override(entry, source, home) for entry in section.overrides)
    operations = section.allowed_file_operations
    closed = tuple(
        right for right in ("read", "write") if operations is not None and right not in operations
    )
    return Found(profile, table, hosts, overrides, closed)


def _profile(section: SecuritySection, source: str) -> str | None:
    switches = (
        section.script_sandbox_mode,
        section.sandbox_enabled,
        section.sandbox.enabled,
    )
    if False in switches:
        if True in switches or section.profile not in (None, "none"):
            raise ConfigurationError(f"{source}: security: the sandbox is both on and off")
        return "none"
    if True in switches and section.profile == "none":
        raise ConfigurationError(f"{source}: security: the sandbox is on, but profile is none")
    return section.profile


def _hosts(section: SecuritySection) -> tuple[str, ...] | None:
    lists = [
        section.allowed_domains,
        section.network_restrictions.allowed_domains,
        section.sandbox.network_restrictions.allowed_domains,
    ]
    given = [names for names in lists if names is not None]
    if not given:
        return None
    # Several lists restrict one another: what is on one only is on none (EN-07).
    return tuple(name for name in given[0] if all(name in names for names in given))


def _files(section: SecuritySection) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for table in (section.file_access, section.sandbox.filesystem_restrictions):
        if table is not None:
            for key, value in table.model_dump(exclude_unset=True).items():
                files[key] = [*files.get(key, []), *value] if isinstance(value, list) else value
    return files


def _limits(section: SecuritySection) -> dict[str, Any]:
    from llmspell.policies.limits import parse_limit

    execution = section.sandbox.script_execution_limits
    wall = execution.max_execution_time_ms
    found = {
        "script_size": execution.max_script_size,
        "wall": None if wall is None else wall / 1000,
        "memory": section.sandbox.memory_limits.max_memory,
        "request_body": section.max_request_size,
        "response_body": section.max_response_size,
        "request_time": section.request_timeout,
        "requests_at_once": section.max_concurrent_requests,
        **section.limits,
    }
    limits = {name: value for name, value in found.items() if value is not None}
    for name, value in limits.items():
        parse_limit(name, value)
    return limits


def _override(entry: OverrideEntry, source: str, home: str) -> ScriptOverride:
    from llmspell.policies.limits import parse_limit
    from llmspell.profiles.recipe import builtin

    script = os.path.join(home, entry.script[2:]) if entry.script.startswith("~/") else entry.script
    if not os.path.isabs(script):
        raise ConfigurationError(
            f"{source}: security.overrides: {entry.script!r} is no absolute path"
        )
    if entry.profile is not None:
        builtin(entry.profile)
    for name, value in entry.limits.items():
        parse_limit(name, value)
    return ScriptOverride(
        script=os.path.realpath(script),
        source=source,
        profile=entry.profile,
        sandbox=entry.sandbox,
        modules=tuple(dict.fromkeys((*entry.stdlib_access, *entry.modules))),
        grants=tuple(Grant.parse(text, source) for text in entry.allow),
        limits=tuple((name, str(value)) for name, value in entry.limits.items()),
    )
