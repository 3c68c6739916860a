"""The hook points and every spelling the seeds give them (X22)."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

POINTS: Final[Mapping[str, str]] = {
    "before_agent_execution": "before an agent works on an input",
    "after_agent_execution": "after it, also when it failed (`success` says so)",
    "agent_error": "when it failed",
    "before_tool_execution": "before a tool's input is checked and judged",
    "after_tool_execution": "after a tool, also when it failed (`success` says so)",
    "tool_error": "when a tool failed",
    "before_workflow_execution": "before a workflow's first step",
    "after_workflow_execution": "after its last one, also when it failed (`success` says so)",
    "workflow_error": "when it failed",
    "before_workflow_step": "before each step",
    "after_workflow_step": "after each step, also when it failed (`success` says so)",
    "workflow_step_complete": "after each step that ended well",
    "before_llm_call": "before a model is asked; `prompt` may be rewritten",
    "after_llm_call": "after its answer",
    "before_tools_available": "before an agent is told of its tools",
    "after_tools_used": "after an agent used tools",
    "system_startup": "once, when the first hook is registered here",
    "system_shutdown": "when the spell and its tasks have ended well, before the run does",
    "configuration_change": "when the spell changed its configuration",
}
"""The points that llmspell runs; any other name is a custom point, run by `Hooks.execute`."""

_ALIASES: Final[Mapping[str, str]] = {
    "before_execution": "before_agent_execution",
    "after_execution": "after_agent_execution",
    "on_error": "agent_error",
    "agent_execution_start": "before_agent_execution",
    "agent_execution_complete": "after_agent_execution",
    "agent_execution_error": "agent_error",
    "tool_execution_start": "before_tool_execution",
    "tool_execution_complete": "after_tool_execution",
    "tool_execution_error": "tool_error",
    "workflow_execution_start": "before_workflow_execution",
    "workflow_execution_complete": "after_workflow_execution",
    "workflow_execution_error": "workflow_error",
    "workflow_step_start": "before_workflow_step",
    "pre_agent": "before_agent_execution",
    "post_agent": "after_agent_execution",
    "pre_tool": "before_tool_execution",
    "post_tool": "after_tool_execution",
    "pre_workflow": "before_workflow_execution",
    "post_workflow": "after_workflow_execution",
    "pre_llm": "before_llm_call",
    "post_llm": "after_llm_call",
    "before_llm": "before_llm_call",
    "after_llm": "after_llm_call",
}
"""Other names of the points. The agent-level ones mean every agent when registered globally."""

NAME_MAX: Final = 128
"""Characters of a point's name."""


def point_of(name: Any) -> str:
    """The point that a spelling means: `beforeLlmCall`, `BeforeLLMCall`, `pre-llm`, or custom.

    Raises `InvalidInput` (5008) for what is no name.
    """
    if type(name) is not str or not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise InvalidInput(f"a hook point is a name of 1 to {NAME_MAX} characters", code=5008)
    if name in POINTS:
        return name
    plain = snake(name.replace("-", "_"))
    plain = _ALIASES.get(plain, plain)
    return plain if plain in POINTS else name
