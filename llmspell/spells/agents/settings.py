"""An agent's settings as a spell writes them, read into one checked form.

Sources: API-032 … 035, LLM-022, X17, X18. The top level wins over `config`, that over
`model_config` and `base_config`; all spellings of the seeds are taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llmspell.channel.jsontext import Callback
from llmspell.errors import Denied, InvalidInput
from llmspell.spells.agents import values
from llmspell.spells.agents.learning import LearningSettings, read_learning
from llmspell.spells.agents.recovery import Strategy, read_strategy
from llmspell.spells.api.options import normalise, seconds, snake

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_MAX: Final = 128
PROMPT_MAX: Final = 262_144
DESCRIPTION_MAX: Final = 4_096
TOOLS_MAX: Final = 128
SPECIALISTS_MAX: Final = 64
KEYS_MAX: Final = 256
SETTINGS_MAX: Final = 1_048_576
"""Characters of all settings of an agent or a template, as JSON."""
TIMEOUT_DEFAULT: Final = 300.0
"""Seconds of one request to an agent unless it says otherwise."""

ITERATIONS_DEFAULT: Final = 10
MEMORY_ENTRIES_DEFAULT: Final = 50
ENTRIES_MAX: Final = 900
"""Messages a conversation can keep: a model is asked with at most a thousand."""

ALIASES: Final = {
    "system": "system_prompt",
    "instructions": "system_prompt",
    "prompt": "system_prompt",
    "prompt_template": "system_prompt_template",
    "llm_provider": "provider",
    "llm_model": "model",
    "max_turns": "max_iterations",
    "max_execution_time": "execution_time",
    "memory_config": "memory",
    "specialists": "handoffs",
    "fallback_provider": "fallback",
    "fallback_providers": "fallback",
    "fallback_models": "fallback",
    "stop_sequences": "stop",
    "agent_type": "type",
    "retries": "retry_count",
    "max_retries": "retry_count",
    "learning_config": "learning",
}
"""Further spellings of options (X17, X46, S26)."""

POINTS: Final = {
    "before_execution": "before_execution",
    "before_agent_execution": "before_execution",
    "pre_execution": "before_execution",
    "after_execution": "after_execution",
    "after_agent_execution": "after_execution",
    "post_execution": "after_execution",
    "on_error": "on_error",
    "agent_error": "on_error",
    "error": "on_error",
}
"""Points of an agent's own hooks (API-035, API-044) by their spellings."""

KNOWN: Final = frozenset(
    {
        "name", "description", "type", "provider", "model", "system_prompt",
        "system_prompt_template", "temperature", "max_tokens", "stop", "timeout",
        "execution_time", "max_iterations", "max_concurrent_tools", "rate_limit",
        "circuit_breaker", "max_total_tokens", "max_cost", "memory", "tools", "hooks",
        "error_strategy", "retry_count", "retry_delay", "handoffs", "handoff_filter",
        "capabilities", "fallback", "output_schema", "metadata", "state",
        "tool_overrides", "learning",
    }
)  # fmt: skip
"""Options that do something. Any other is kept, shown by get_config, and warned of once."""


MEMORY_KEYS: Final = frozenset(
    {"type", "max_entries", "summarize_after", "summarise_after", "persistence"}
)
"""Options of `memory` that do something; `storage_path` does not: state has a place of its own."""


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """What one agent may use. Seconds, counts, US dollars; None: no limit of the agent's own."""

    timeout: float = TIMEOUT_DEFAULT
    max_iterations: int = ITERATIONS_DEFAULT
    max_tokens: int | None = None
    max_concurrent_tools: int = 4
    requests_per_minute: float | None = None
    burst: float = 1
    max_total_tokens: int | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """How much of the conversation is kept, and where (API-034)."""

    enabled: bool = True
    max_entries: int = MEMORY_ENTRIES_DEFAULT
    summarize_after: int | None = None
    persistence: bool = False


@dataclass(slots=True)
class Settings:
    """An agent's checked settings. `raw` is the merged table they were read from."""

    name: str
    raw: dict[str, Any]
    description: str = ""
    type: str = "agent"
    provider: str | None = None
    model: str | None = None
    system_prompt: str = ""
    prompt_template: str | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)
    memory: MemorySettings = field(default_factory=MemorySettings)
    learning: LearningSettings = field(default_factory=LearningSettings)
    strategy: Strategy = field(default_factory=Strategy)
    tools: list[Any] = field(default_factory=list)
    hooks: dict[str, list[Any]] = field(default_factory=dict)
    handoffs: list[Any] = field(default_factory=list)
    handoff_filter: Any = None
    capabilities: tuple[str, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)
    tool_overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def merged(given: Mapping[str, Any]) -> dict[str, Any]:
    """One table of snake_case options, nested ones laid under the top level (X18)."""
    if len(given) > KEYS_MAX:
        raise InvalidInput(f"an agent takes at most {KEYS_MAX} options", code=1004)
    if values.holds_bytes(dict(given)):
        raise InvalidInput("an agent's options hold no bytes, and little nesting", code=1004)
    if len(values.as_json(dict(given))) > SETTINGS_MAX:
        raise InvalidInput(f"an agent's options have over {SETTINGS_MAX} characters", code=1004)
    config = normalise(one_spelling(given))
    flat: dict[str, Any] = {}
    for layer in ("base_config", "model_config", "config"):
        flat |= _renamed(values.table(config.pop(layer, None), layer))
    flat |= _renamed(config)
    resources = values.table(flat.pop("resources", None), "resources")
    for key, value in _renamed(resources).items():
        flat.setdefault(key, value)
    return {key: value for key, value in flat.items() if value is not None}


def one_spelling(given: Mapping[str, Any]) -> dict[str, Any]:
    """The later of two spellings of one key: `{...template.config, systemPrompt: "x"}`."""
    kept: dict[str, tuple[str, Any]] = {}
    for key, value in given.items():
        kept[snake(key)] = (key, value)
    return dict(kept.values())


def _renamed(config: Mapping[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in config.items():
        target = ALIASES.get(key, key)
        if target == key or target not in config:
            renamed[target] = value
    return renamed


def read(raw: dict[str, Any], name: str, engine: str, *, free: bool = False) -> Settings:
    """The settings of a merged table. `name` is used when it has none; `free` for templates.

    Raises `InvalidInput` 1004 naming the option.
    """
    settings = Settings(_name(raw.get("name", name)), raw)
    settings.description = _text(raw, "description", DESCRIPTION_MAX)
    settings.type = _text(raw, "type", NAME_MAX) or "agent"
    settings.provider = _text(raw, "provider", NAME_MAX) or None
    settings.model = _text(raw, "model", 256) or None
    settings.system_prompt = _text(raw, "system_prompt", PROMPT_MAX)
    settings.prompt_template = _text(raw, "system_prompt_template", PROMPT_MAX) or None
    if "temperature" in raw:
        settings.temperature = values.number(raw["temperature"], "temperature", 0, 2)
    settings.stop = _words(raw, "stop", 16)
    settings.fallback = _words(raw, "fallback", 8)
    settings.capabilities = _words(raw, "capabilities", 128)
    if "output_schema" in raw:
        schema = values.table(raw["output_schema"], "output_schema")
        settings.output_schema = values.plain(schema, "output_schema", 65_536)
    settings.limits = _limits(raw, engine)
    settings.memory = _memory(raw.get("memory"))
    settings.learning = read_learning(raw.get("learning"))
    settings.strategy = read_strategy(raw, engine)
    settings.tools = values.items(raw.get("tools"), "tools", TOOLS_MAX)
    settings.hooks = _hooks(raw.get("hooks"))
    settings.handoffs = _specialists(raw.get("handoffs"))
    settings.handoff_filter = raw.get("handoff_filter")
    state = values.table(raw.get("state"), "state")
    settings.state = values.plain(state, "state", PROMPT_MAX)
    for name, fixed in values.table(raw.get("tool_overrides"), "tool_overrides").items():
        settings.tool_overrides[name] = values.table(fixed, f"tool_overrides.{name[:60]}")
    if not free:
        settings.unknown = tuple(key[:60] for key in raw if key not in KNOWN)
        memory = raw.get("memory")
        if isinstance(memory, dict):
            odd = [key for key in memory if key not in MEMORY_KEYS]
            settings.unknown += tuple(f"memory.{key[:60]}" for key in odd)
    return settings


def _name(value: Any) -> str:
    name = values.text(value, "name", NAME_MAX)
    if not name.strip() or not name.isprintable():
        raise InvalidInput("name must be a printable name, not empty", code=1004)
    return name


def _text(raw: Mapping[str, Any], key: str, most: int) -> str:
    return values.text(raw[key], key, most) if key in raw else ""


def _words(raw: Mapping[str, Any], key: str, most: int) -> tuple[str, ...]:
    return tuple(values.text(item, key, 256) for item in values.items(raw.get(key), key, most))


def _limits(raw: Mapping[str, Any], engine: str) -> AgentLimits:
    timeout = TIMEOUT_DEFAULT
    if "timeout" in raw:
        timeout = seconds(raw["timeout"], engine, "timeout")
    if "execution_time" in raw:
        most = seconds(raw["execution_time"], engine, "max_execution_time")
        timeout = min(timeout, most) if "timeout" in raw else most
    if timeout <= 0:
        raise InvalidInput("timeout must be more than 0", code=1004)
    per_minute, burst = _rate(raw.get("rate_limit"))
    return AgentLimits(
        timeout=timeout,
        max_iterations=values.integer(
            raw.get("max_iterations", ITERATIONS_DEFAULT), "max_iterations", 1, 100
        ),
        max_tokens=_count(raw, "max_tokens", 10_000_000),
        max_concurrent_tools=_count(raw, "max_concurrent_tools", 16) or 4,
        requests_per_minute=per_minute,
        burst=burst,
        max_total_tokens=_count(raw, "max_total_tokens", 10**12),
        max_cost=values.number(raw["max_cost"], "max_cost", 0, 1e9) if "max_cost" in raw else None,
    )


def _count(raw: Mapping[str, Any], key: str, most: int) -> int | None:
    return values.integer(raw[key], key, 1, most) if key in raw else None


def _rate(given: Any) -> tuple[float | None, float]:
    if given is None:
        return None, 1
    if not isinstance(given, dict):
        given = {"requests_per_minute": given}
    rate = values.number(
        given.get("requests_per_minute"), "rate_limit.requests_per_minute", 0.01, 1e6
    )
    burst = values.number(given.get("burst_allowance", 1), "rate_limit.burst_allowance", 1, 1e6)
    return rate, max(burst, 1)


def _memory(given: Any) -> MemorySettings:
    if given is None or given is True:
        return MemorySettings()
    if given is False:
        return MemorySettings(enabled=False)
    table = values.table(given, "memory")
    after = table.get("summarize_after", table.get("summarise_after"))
    return MemorySettings(
        enabled=table.get("type") != "none",
        max_entries=values.integer(
            table.get("max_entries", MEMORY_ENTRIES_DEFAULT), "memory.max_entries", 1, ENTRIES_MAX
        ),
        summarize_after=None
        if after is None
        else values.integer(after, "memory.summarize_after", 2, ENTRIES_MAX),
        persistence=table.get("persistence") not in (None, False),
    )


def _hooks(given: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for key, value in values.table(given, "hooks").items():
        found.setdefault(hook_point(key), []).extend(value if isinstance(value, list) else [value])
    return found


def hook_point(name: str) -> str:
    """The agent's own point of a spelling. Raises `InvalidInput` that names the points."""
    point = POINTS.get(snake(name).replace("-", "_"))
    if point is None:
        known = ", ".join(sorted(set(POINTS.values())))
        raise InvalidInput(
            f"an agent has no hook point {name[:60]!r}",
            code=1004,
            hint=f"its own are {known}; Hooks.register has the others",
        )
    return point


def error_handlers(given: list[Any]) -> list[Callback]:
    """The functions among the hooks of `on_error`: each a function or {execute|handler}."""
    found = []
    for item in given:
        if isinstance(item, dict):
            item = item.get("execute", item.get("handler"))
        if not isinstance(item, Callback):
            raise InvalidInput("the hook on_error must be a function", code=1004)
        found.append(item)
    return found


def _specialists(given: Any) -> list[Any]:
    if isinstance(given, dict) and "handle" not in given and "agent" not in given:
        # {code_reviewer = "For analyzing code quality"}: name and description.
        given = [
            {"agent": key, **value} if isinstance(value, dict) and "handle" not in value
            else {"agent": value if isinstance(value, dict) else key,
                  "description": value if isinstance(value, str) else ""}
            for key, value in given.items()
        ]  # fmt: skip
    return values.items(given, "handoffs", SPECIALISTS_MAX)


def check_tighter(old: AgentLimits, new: AgentLimits) -> None:
    """Refuses a change that would loosen a limit: raises `Denied` 4008 naming it."""
    pairs: tuple[tuple[str, float | None, float | None], ...] = (
        ("timeout", old.timeout, new.timeout),
        ("max_iterations", old.max_iterations, new.max_iterations),
        ("max_tokens", old.max_tokens, new.max_tokens),
        ("max_concurrent_tools", old.max_concurrent_tools, new.max_concurrent_tools),
        ("rate_limit", old.requests_per_minute, new.requests_per_minute),
        ("max_total_tokens", old.max_total_tokens, new.max_total_tokens),
        ("max_cost", old.max_cost, new.max_cost),
    )
    for name, before, after in pairs:
        if before is not None and (after is None or after > before):
            raise Denied(
                f"update_config can't loosen the agent's {name}",
                rule="agent.tighten-only",
                hint="make another agent, or leave the limit out of the change",
            )
