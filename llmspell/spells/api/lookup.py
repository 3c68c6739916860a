"""One described function by its wire name, importing only the module that describes it."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from llmspell.spells.api.model import Function, Module

FILES: Final[Mapping[str, str]] = {
    "fs": "fs",
    "http": "http_",
    "tools": "tools",
    "storage": "storage",
    "stdin": "stdin",
    "agent": "agents",
    "template": "agents",
    "llm": "llm_",
    "hooks": "hooks",
    "hook_manager": "hooks",
    "events": "events",
    "vault": "vault",
    "workflow": "workflows",
    "spell": "spells_",
    "orchestrator": "orchestration",
    "errors": "errors_",
    "config": "config_",
    "scheduler": "scheduler",
}
"""The description's file for the part of a wire name before its dot.

A file holds `MODULE`, or `MODULES` where it describes several.
"""

_found: Final[dict[str, Mapping[str, Function]]] = {}


def function_of(wire: str) -> Function | None:
    """The function that crosses the channel as `wire`; a method gets its `id` parameter too."""
    prefix = wire.partition(".")[0]
    functions = _found.get(prefix)
    if functions is None:
        name = FILES.get(prefix)
        if name is None:
            return None
        # `importlib` would be another import on the way of a cold command.
        described = __import__(f"llmspell.spells.api.{name}", fromlist=(name,))
        modules = getattr(described, "MODULES", None) or (described.MODULE,)
        functions = _found[prefix] = calls_of(modules)
    return functions.get(wire)


def calls_of(modules: Iterable[Module]) -> dict[str, Function]:
    """Every function of some modules that crosses the channel, by wire name."""
    from llmspell.spells.api.model import IDENTITY, Param

    found: dict[str, Function] = {}
    for module in modules:
        for function in module.functions:
            if function.kind == "call":
                found.setdefault(function.wire, function)
        for described in module.classes:
            for method in described.methods:
                if method.kind == "call":
                    own: tuple[Param, ...] = (IDENTITY,)
                    if method.whole:
                        own += (Param(method.whole, ("object",), "the object as it is now"),)
                    found[method.wire] = method._replace(params=(*own, *method.params))
    return found
