"""An agent's settings as `get_config` shows them: plain data that `update_config` takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmspell.spells.agents import values

if TYPE_CHECKING:
    from llmspell.spells.agents.agent import Agent

_TIMES = ("timeout", "max_execution_time")


def config_of(agent: Agent, engine: str) -> dict[str, Any]:
    """The settings in effect, then the options that nothing uses, as they were given.

    Times have the language's unit, like those that a spell writes.
    """
    settings = agent.settings
    limits, memory = settings.limits, settings.memory
    used = ("tools", "hooks", "error_strategy", "handoffs", "execution_time")
    config: dict[str, Any] = {
        key: value
        for key, value in values.without_functions(settings.raw).items()
        if key not in used
    }
    config |= {
        "name": settings.name,
        "description": settings.description,
        "type": settings.type,
        "provider": settings.provider,
        "model": settings.model,
        "system_prompt": settings.system_prompt,
        "temperature": settings.temperature,
        "max_tokens": limits.max_tokens,
        "timeout": limits.timeout * 1000 if engine == "javascript" else limits.timeout,
        "max_iterations": limits.max_iterations,
        "max_concurrent_tools": limits.max_concurrent_tools,
        "tools": agent.toolbox.names(),
        "missing_tools": list(agent.missing_tools),
        "capabilities": list(settings.capabilities),
        "handoffs": [one.name for one in agent.specialists],
        "memory": {
            "type": "conversation" if memory.enabled else "none",
            "max_entries": memory.max_entries,
            "summarize_after": memory.summarize_after,
            "persistence": memory.persistence,
        },
    }
    if agent.template is not None:
        config["template"] = agent.template
    return {key: value for key, value in config.items() if value is not None}
