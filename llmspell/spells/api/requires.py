"""What `require("llmspell…")` and `import … from "llmspell"` give: the injected API (API-115).

Every other name keeps the profile's answer. Nothing is loaded for these: the objects are the very
globals a spell has, so no module rule is asked.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

ROOTS: Final[tuple[str, ...]] = ("llmspell", "@rs/llmspell", "rs-llmspell")
"""Names of the whole API: its globals, and the names of `REQUIRES` without their prefix."""

REQUIRES: Final[Mapping[str, str]] = {
    "llmspell.agent": "Agent",
    "llmspell.agents": "Agent",
    "llmspell.async": "Async",
    "llmspell.config": "Config",
    "llmspell.errors": "ErrorHandler",
    "llmspell.events": "Events",
    "llmspell.fs": "fs",
    "llmspell.hooks": "Hooks",
    "llmspell.http": "http",
    "llmspell.json": "JSON",
    "llmspell.llm": "llm",
    "llmspell.log": "Logger",
    "llmspell.logger": "Logger",
    "llmspell.orchestrator": "Orchestrator",
    "llmspell.scheduler": "Scheduler",
    "llmspell.spell": "Spell",
    "llmspell.state": "State",
    "llmspell.storage": "Storage",
    "llmspell.template": "Template",
    "llmspell.templates": "Template",
    "llmspell.testing": "Test",
    "llmspell.tools": "Tools",
    "llmspell.workflow": "Workflow",
    "llmspell.workflows": "Workflow",
}
"""A module's name and the global it is; JavaScript also writes `llmspell/agent`."""
