"""Every module of the script API: for the build, the documents and the tests."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api import (
    agents,
    async_,
    config_,
    errors_,
    events,
    fs,
    hooks,
    http_,
    json_,
    llm_,
    log,
    orchestration,
    os_,
    scheduler,
    spells_,
    stdin,
    storage,
    testing,
    tools,
    workflows,
)
from llmspell.spells.api.lookup import calls_of
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

API: Final[tuple[Module, ...]] = (
    fs.MODULE,
    http_.MODULE,
    *tools.MODULES,
    *hooks.MODULES,
    storage.MODULE,
    *agents.MODULES,
    events.MODULE,
    stdin.MODULE,
    *async_.MODULES,
    *log.MODULES,
    llm_.MODULE,
    json_.MODULE,
    os_.MODULE,
    *testing.MODULES,
    errors_.MODULE,
    config_.MODULE,
    workflows.MODULE,
    *spells_.MODULES,
    orchestration.MODULE,
    scheduler.MODULE,
)
"""Every module, in the order of the reference."""

CALLS: Final[dict[str, Function]] = calls_of(API)
"""The functions that cross the channel, by wire method."""

GLOBALS: Final[tuple[tuple[str, str], ...]] = (
    ("params", "the values of --param and of `params=` (API-011)"),
    ("args", "the words after the spell's name"),
    ("env", "the granted environment variables (API-012)"),
    ("ENGINE", "lua, javascript or python (API-020)"),
    ("VERSION", "llmspell's version (API-022)"),
    ("PLATFORM", "linux, macos or windows"),
    ("SECURITY_LEVEL", "the level: none, low, medium, high or custom (API-024)"),
    ("SANDBOX_ENABLED", "whether the worker is confined (API-025)"),
    ("MAX_CONCURRENT_OPERATIONS", "calls that may be under way at a time (API-026)"),
    ("CONFIG_PATH", "llmspell's configuration; from medium up a name alone (API-023)"),
    ("DATA_PATH", "where this spell may keep files"),
    ("CACHE_PATH", "where this spell may keep files that may go"),
    ("AVAILABLE_PROVIDERS", "names of the configured providers (API-027)"),
)
"""Values every spell finds; `run.globals` may add more."""

__all__ = ["API", "CALLS", "GLOBALS", "Function", "Module", "Param"]
