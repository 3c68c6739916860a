"""What a step names as its component: handles, names, functions, spell files (API-079, X19)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id
from llmspell.spells.workflows.model import NAME_MAX, Component
from llmspell.spells.workflows.options import wrong

if TYPE_CHECKING:
    from typing import Any, Final

KINDS: Final = ("agent", "tool", "workflow")

RUNS: Final = ("execute", "run", "call", "handler", "fn", "func", "function")
"""Fields of a plain object that hold the function a step runs."""

SPELL_SUFFIXES: Final = (".lua", ".js", ".mjs", ".py")


def read_component(value: Any, where: str, kind: str = "") -> Component:
    """The component that a value names. `kind` is what a bare name means. Raises 3002."""
    if isinstance(value, Callback):
        return Component("function", value, "function")
    if isinstance(value, str):
        if not 0 < len(value) <= NAME_MAX:
            raise wrong(where, f"a component's name has 1 to {NAME_MAX} characters")
        if not kind:
            kind = "spell" if value.endswith(SPELL_SUFFIXES) else "agent"
        return Component(kind, value, value)
    if isinstance(value, dict):
        found = _of_handle(value) or _of_object(value)
        if found is not None:
            return found
    raise wrong(
        where,
        "the component must be an agent, a tool, a workflow or a function",
        "give what Agent.get, Tools.get or Workflow.sequential returned, or a function",
    )


def _of_handle(value: dict[str, Any]) -> Component | None:
    for kind in KINDS:
        identity = handle_id(value, kind)
        if identity is not None:
            name = value.get("name")
            shown = name if isinstance(name, str) and name else identity
            # A tool is judged by its name; its id is only the prelude's matter.
            return Component(kind, shown if kind == "tool" else identity, shown[:NAME_MAX])
    return None


def _of_object(value: dict[str, Any]) -> Component | None:
    name = value.get("name")
    runs = next((value[key] for key in RUNS if isinstance(value.get(key), Callback)), None)
    if isinstance(name, str) and ("schema" in value or "get_input_schema" in value):
        # A tool as Tools.get gives it: its `execute` is the prelude's own brokered call.
        return Component("tool", name, name)
    if runs is not None:
        return Component("function", runs, name if isinstance(name, str) else "function")
    return None
