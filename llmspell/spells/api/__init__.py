"""The one description of the script API: data only, and what is derived from it.

From it come the preludes' tables (`generate`), the broker's argument checks (`schema`) and the
reference docs. No service, no policy and no I/O lives here.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api import async_, fs, http_, json_, log, os_, stdin, storage, tools
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

API: Final[tuple[Module, ...]] = (
    fs.MODULE,
    http_.MODULE,
    tools.MODULE,
    storage.MODULE,
    stdin.MODULE,
    async_.MODULE,
    log.MODULE,
    json_.MODULE,
    os_.MODULE,
)
"""Every module, in the order of the reference."""

CALLS: Final[dict[str, Function]] = {
    function.wire: function
    for module in API
    for function in module.functions
    if function.kind == "call"
}
"""The functions that cross the channel, by wire method."""

GLOBALS: Final[tuple[tuple[str, str], ...]] = (
    ("params", "the values of --param and of `params=` (API-011)"),
    ("args", "the words after the spell's name"),
    ("env", "the granted environment variables (API-012)"),
    ("ENGINE", "lua, javascript or python (API-020)"),
    ("VERSION", "llmspell's version (API-022)"),
    ("PLATFORM", "linux, macos or windows"),
    ("SECURITY_LEVEL", "the profile: none, low, medium or high (API-024)"),
)
"""Values every spell finds; `run.globals` may add more."""

__all__ = ["API", "CALLS", "GLOBALS", "Function", "Module", "Param"]
