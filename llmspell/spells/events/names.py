"""The names of the events that llmspell's own services emit (EVT-004 … EVT-013, X29: snake_case).

`canonical` maps the seeds' other spellings (`agentCompleted`, `AgentStarted`) to these; a spell's
own event names stay as they were written.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

AGENT_CREATED: Final = "agent_created"
AGENT_STARTED: Final = "agent_started"
"""`{agent_id, agent, input_hash}` (EVT-009)."""
AGENT_COMPLETED: Final = "agent_completed"
"""`{agent_id, agent, success, duration, result}` (EVT-009, EVT-013); `duration` in seconds."""
AGENT_ERROR: Final = "agent_error"
"""`{agent_id, error_type, message, retry_after?, context}` (EVT-010)."""
AGENT_EXECUTION_STARTED: Final = "agent_execution_started"
"""`{agent_id, agent, input, hook_results {hooks, action, modified}}` (EVT-004)."""
AGENT_EXECUTION_COMPLETED: Final = "agent_execution_completed"
"""`{agent_id, success, hook_results, execution_time_ms}` (EVT-005)."""
AGENT_EXECUTION_ERROR: Final = "agent_execution_error"
"""`{agent_id, error, execution_time_ms}` (EVT-006)."""
AGENT_HANDOFF: Final = "agent_handoff"
"""`{from_agent, to_agent, reason}`."""

TOOL_USED: Final = "tool_used"
"""`{agent_id, agent, tool_name, origin, execution_context {origin, duration_ms}}` (EVT-007)."""
TOOL_ERROR: Final = "tool_error"
"""`{tool_name, origin, error, code}`."""

COORDINATION_STARTED: Final = "coordination_started"
DELEGATION_COMPLETED: Final = "delegation_completed"
"""Agents of agents (EVT-008): `{agent_id, workers}`, `{agent_id, worker, success}`."""

WORKFLOW_STARTED: Final = "workflow_started"
WORKFLOW_STEP_STARTED: Final = "workflow_step_started"
WORKFLOW_STEP_COMPLETED: Final = "workflow_step_completed"
WORKFLOW_COMPLETE: Final = "workflow_complete"
"""`{workflow_name, workflow_id, duration, success_rate}` (EVT-011); `duration` in seconds."""
WORKFLOW_ERROR: Final = "workflow_error"
"""`{workflow_name, workflow_id, step?, error}` (EVT-012)."""
WORKFLOW_PAUSED: Final = "workflow_paused"
WORKFLOW_RESUMED: Final = "workflow_resumed"
WORKFLOW_CANCELLED: Final = "workflow_cancelled"
CHECKPOINT_CREATED: Final = "checkpoint_created"

CIRCUIT_BREAKER_OPENED: Final = "circuit_breaker_opened"
CIRCUIT_BREAKER_CLOSED: Final = "circuit_breaker_closed"
"""Emitted by spells (EVT-014) and by what llmspell breaks itself: `{name, failures}`."""

KNOWN: Final = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)
)
"""Every name above."""

ALIASES: Final[Mapping[str, str]] = {
    "workflow_completed": WORKFLOW_COMPLETE,
    "workflow_step_complete": WORKFLOW_STEP_COMPLETED,
    "tool_execution_complete": TOOL_USED,
    "tool_execution_completed": TOOL_USED,
    "agent_execution_complete": AGENT_EXECUTION_COMPLETED,
    "coordination_start": COORDINATION_STARTED,
    "delegation_complete": DELEGATION_COMPLETED,
}
"""Other words of the seeds for the same event."""


def canonical(name: str) -> str:
    """The name under which an event or an exact subscription is known."""
    if name in KNOWN:
        return name
    spelled = snake(name)
    spelled = ALIASES.get(spelled, spelled)
    return spelled if spelled in KNOWN else name
