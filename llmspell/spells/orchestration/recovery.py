"""What to do about an agent that failed in a collaboration (ORC-004, ORC-005). Pure."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.recovery.parsing import parse_error

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.errors import LlmspellError

RETRY_SECONDS: Final = 300.0
"""The longer time that an agent gets which ran out of it."""

MORE_MEMORY_MB: Final = 512
"""What ORC-005 wants to add; a run's limits are never raised, so this is one more try as it is."""

LENIENT: Final = frozenset({"consensus", "hierarchical"})
"""Strategies that go on without one agent: it abstains, or its work goes to another."""


def action_for(
    strategy: str, agent: str, error: LlmspellError, options: dict[str, Any]
) -> dict[str, Any]:
    """The recovery: `{action, agent_id, …}` with `action` RetryWithTimeout,
    RetryWithIncreasedResources, SkipAgent or AbortWorkflow.

    A refusal by policy is never tried again. `on_failure = "continue"` skips where it would abort.
    """
    kind = parse_error(error.to_wire())["type"]
    if kind == "timeout":
        return {"action": "RetryWithTimeout", "agent_id": agent, "new_timeout": RETRY_SECONDS}
    if kind == "memory_limit":
        return {
            "action": "RetryWithIncreasedResources",
            "agent_id": agent,
            "additional_memory_mb": MORE_MEMORY_MB,
        }
    if options.get("on_failure") == "continue" or strategy in LENIENT:
        return {"action": "SkipAgent", "agent_id": agent, "reason": error.message}
    return {
        "action": "AbortWorkflow",
        "agent_id": agent,
        "reason": f"Unrecoverable agent failure: {error.message}",
    }
