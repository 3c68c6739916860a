"""Agent templates: settings to make agents of, with inheritance (TPL-013 … TPL-018, X47, X48).

A template made of another has all of its capabilities and at least one more. Tables are merged
deeply, lists replaced; `additional_tools` and prompt additions add to what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput, LimitExceeded, Missing
from llmspell.spells.agents import prompts, settings, values
from llmspell.spells.agents.builtin_templates import BUILTIN, canonical
from llmspell.spells.api.options import handle_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.agents.book import AgentBook

TEMPLATES_MAX: Final = 128
DEPTH_MAX: Final = 16
ADDITIONS_MAX: Final = 16

_TOOL_KEYS: Final = ("tools", "default_tools", "common_tools", "recommended_tools")
_ADDITIONS: Final = (
    "custom_prompt_additions",
    "system_prompt_additions",
    "prompt_additions",
    "prompt_addition",
)
_SPECIALTIES: Final = ("specialization", "domain", "domain_expertise")
_NOT_FIELDS: Final = frozenset(
    {"handle", "id", "config", "template_name", "base", "create", "extend"}
)


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its whole settings, those of its bases included."""

    name: str
    base: str | None
    config: dict[str, Any]

    def capabilities(self) -> list[str]:
        """What agents made of it can do, by word."""
        return [str(word) for word in self.config.get("capabilities", [])]

    def to_wire(self) -> dict[str, Any]:
        """The handle a spell gets: the settings are its fields, and `config` all of them."""
        config = values.without_functions(self.config)
        return {
            **{key: value for key, value in config.items() if key not in _NOT_FIELDS},
            "handle": "template",
            "id": self.name,
            "name": config.get("name", self.name),
            "template_name": self.name,
            "base": self.base,
            "capabilities": self.capabilities(),
            "config": config,
        }


class TemplateBook:
    """The templates of one run: the built-in ones and those that the spell made."""

    def __init__(self, agents: AgentBook) -> None:
        self._agents = agents
        self._own: dict[str, Template] = {}

    def names(self) -> list[str]:
        """Every template's name, sorted."""
        return sorted({*BUILTIN, *self._own})

    def find(self, name: str) -> Template | None:
        """The template of a name or alias."""
        name = canonical(name)
        found = self._own.get(name)
        if found is None and name in BUILTIN:
            found = self._builtin(name)
        return found

    def get(self, given: Any) -> Template:
        """The template of a name or a handle, with what the spell changed in the handle.

        Raises `Missing` 1001.
        """
        identity = handle_id(given, "template")
        name = identity or given
        found = self.find(name) if isinstance(name, str) else None
        if found is None:
            shown = name[:60] if isinstance(name, str) else "that"
            raise Missing(
                f"there is no agent template {shown!r}",
                code=1001,
                hint=f"there are {', '.join(self.names()[:30])}",
            )
        if identity is not None:
            changes = _changed(found, given)
            if changes:
                found = Template(found.name, found.base, _laid(found.config, changes))
        return found

    def define(self, name: str, given: Mapping[str, Any]) -> Template:
        """A template of this name; over a built-in one it adds to that one (X48)."""
        name = canonical(_named(name))
        config = self._read(given)
        base = config.pop("base_template", None) or config.pop("inherits_from", None)
        if base is not None:
            return self._keep(self._derived(self.get(base), name, config))
        if name in BUILTIN:
            return self._keep(self._derived(self._builtin(name), name, config, grows=False))
        return self._keep(Template(name, None, _laid({}, config)))

    def extend(self, base: Any, name: str | None, given: Mapping[str, Any]) -> Template:
        """A template made of another. Without a name it gets one of specialty and base."""
        parent = self.get(base)
        config = self._read(given)
        name = name or config.get("template_name") or _name_for(parent, config)
        return self._keep(self._derived(parent, canonical(_named(name)), config))

    async def create(self, given: Any, changes: Mapping[str, Any]) -> Agent:
        """An agent of a template. Raises `Missing` 1001, `InvalidInput` 1004, 1010."""
        template = self.get(given)
        config = _laid(template.config, self._spread(template, self._read(changes)))
        return await self._agent(template, config)

    async def create_from_config(self, given: Mapping[str, Any]) -> Agent:
        """An agent of `{base_template, customizations, …}` (TPL-015)."""
        config = self._read(given)
        base = config.pop("base_template", None)
        if base is None:
            raise InvalidInput("create_from_config needs base_template", code=1004)
        template = self.get(base)
        customized = values.table(config.pop("customizations", None), "customizations")
        config = _laid(template.config, {**config, **customized})
        lines = _requirements(customized)
        if lines:
            config = _laid(config, {"custom_prompt_additions": lines})
        expertise = customized.get("domain_expertise")
        if isinstance(expertise, str):
            config["capabilities"] = _union(config.get("capabilities"), [expertise])
        return await self._agent(template, config)

    # -- inside --------------------------------------------------------------------------------

    async def _agent(self, template: Template, config: dict[str, Any]) -> Agent:
        ready = dict(config)
        ready.setdefault("name", template.name)
        ready["type"] = config.get("type", template.name)
        parts = [values.text(ready.get("system_prompt", ""), "system_prompt", settings.PROMPT_MAX)]
        parts.append(ready.pop("system_prompt_template", ""))
        parts += ready.get("prompt_additions", [])
        host = self._agents.host
        texts = [prompts.rendered(host, part, ready) for part in parts if part]
        ready["system_prompt"] = "\n\n".join(texts)
        return await self._agents.create(ready, template=template.name, missing_ok=True)

    def _keep(self, template: Template) -> Template:
        if template.name not in self._own and len(self._own) >= TEMPLATES_MAX:
            raise LimitExceeded("agent_templates", f"a run has at most {TEMPLATES_MAX} templates")
        self._own[template.name] = template
        return template

    def _read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if handle_id(given, "template") is not None:
            given = {key: value for key, value in given.items() if key not in _NOT_FIELDS}
        return settings.merged(given)

    def _builtin(self, name: str) -> Template:
        config = settings.merged(BUILTIN[name])
        base = config.pop("base_template", None)
        if base is None:
            return Template(name, None, _laid({}, config))
        return self._derived(self._builtin(base), name, config)

    def _derived(
        self, parent: Template, name: str, config: dict[str, Any], *, grows: bool = True
    ) -> Template:
        merged = _laid(parent.config, config)
        if "name" not in config:
            merged["name"] = name
        known = parent.capabilities()
        more = _union(known, config.get("capabilities"))
        for key in _SPECIALTIES:
            word = config.get(key)
            more = _union(more, word if isinstance(word, list) else [word])
        if grows and len(more) == len(known):
            more = _union(more, [name])
        merged["capabilities"] = more
        return Template(name, parent.name, merged)

    def _spread(self, template: Template, changes: dict[str, Any]) -> dict[str, Any]:
        """`languages = …` reaches `code_capabilities.languages`, where a template has it (S45)."""
        result = dict(changes)
        for key, value in changes.items():
            if key in template.config or key in settings.KNOWN:
                continue
            holders = [
                name
                for name, table in template.config.items()
                if isinstance(table, dict) and key in table
            ]
            if len(holders) == 1:
                result[holders[0]] = {**result.get(holders[0], {}), key: value}
        return result


def _changed(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a template's handle that the spell changed, in its fields or in `config`."""
    shown = template.to_wire()
    inside = given.get("config")
    changed = _differing(shown["config"], inside) if isinstance(inside, dict) else {}
    fields = {key: value for key, value in given.items() if key not in _NOT_FIELDS}
    return settings.merged(changed | _differing(shown, fields))


def _laid(
    base: Mapping[str, Any], over: Mapping[str, Any], depth: int = DEPTH_MAX
) -> dict[str, Any]:
    """`over` laid on `base`: tables deeply, the rest replaced; tools and prompts as they add."""
    result = {**base}
    for key, value in over.items():
        if key in _TOOL_KEYS or key in _ADDITIONS or key in ("additional_tools", "capabilities"):
            continue
        known = result.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            result[key] = _deep(known, value, depth - 1)
        else:
            result[key] = value
    if "system_prompt" in over and "system_prompt_template" not in over:
        result.pop("system_prompt_template", None)
    elif "system_prompt_template" in over and "system_prompt" not in over:
        result.pop("system_prompt", None)
    _lay_tools(result, base, over)
    _lay_prompts(result, base, over)
    if "capabilities" in over:
        result["capabilities"] = _union(base.get("capabilities"), over["capabilities"])
    return result


def _deep(base: Mapping[str, Any], over: Mapping[str, Any], depth: int) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        known = result.get(key)
        if isinstance(value, dict) and isinstance(known, dict) and depth > 0:
            result[key] = _deep(known, value, depth - 1)
        else:
            result[key] = value
    return result


def _differing(shown: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a spell changed in a table it was given: the functions in the rest stay as they are."""
    changes: dict[str, Any] = {}
    for key, value in given.items():
        known = shown.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _differing(known, value)
            if value:
                changes[key] = value
        # An empty table is a list in Lua and an object elsewhere.
        elif value != known and (value or known or type(known) not in (dict, list)):
            changes[key] = value
    return changes


def _lay_tools(result: dict[str, Any], base: Mapping[str, Any], over: Mapping[str, Any]) -> None:
    given = [item for key in _TOOL_KEYS[:3] for item in _list(over.get(key), key)]
    tools = given if given else _list(base.get("tools"), "tools")
    tools = [*tools, *_list(over.get("additional_tools"), "additional_tools")]
    kept: list[Any] = []
    for tool in tools:
        if tool not in kept:
            kept.append(tool)
    if kept:
        result["tools"] = kept
    if "recommended_tools" in over:
        result["recommended_tools"] = over["recommended_tools"]


def _lay_prompts(result: dict[str, Any], base: Mapping[str, Any], over: Mapping[str, Any]) -> None:
    additions = list(base.get("prompt_additions", []))
    for key in _ADDITIONS:
        additions += _list(over.get(key), key)
    enhanced = over.get("enhanced_prompts")
    if isinstance(enhanced, dict) and isinstance(enhanced.get("system_addition"), str):
        additions.append(enhanced["system_addition"])
    kept = list(dict.fromkeys(values.text(one, "a prompt addition", 65_536) for one in additions))
    if len(kept) > ADDITIONS_MAX:
        raise InvalidInput(f"a template takes {ADDITIONS_MAX} prompt additions", code=1004)
    if kept:
        result["prompt_additions"] = kept


def _list(given: Any, what: str) -> list[Any]:
    return values.items(given, what, settings.TOOLS_MAX)


def _union(first: Any, second: Any) -> list[str]:
    words = [*(first or []), *(second or [])]
    return list(dict.fromkeys(word[:256] for word in words if isinstance(word, str) and word))


def _named(name: Any) -> str:
    text = values.text(name, "a template's name", settings.NAME_MAX)
    if not text.strip() or not text.isprintable():
        raise InvalidInput("a template's name must be a printable name, not empty", code=1004)
    return text


def _name_for(parent: Template, config: Mapping[str, Any]) -> str:
    """`market_analysis` on `research_agent` → `market_research_agent` (S52)."""
    if isinstance(config.get("name"), str):
        return str(config["name"])
    for key in _SPECIALTIES:
        word = config.get(key)
        if isinstance(word, str) and word:
            return f"{word.split('_')[0]}_{parent.name}"[: settings.NAME_MAX]
    return f"extended_{parent.name}"[: settings.NAME_MAX]


def _requirements(customized: Mapping[str, Any]) -> str:
    """What customizations ask of an agent, as lines of its prompt."""
    lines = []
    for key, word in (
        ("domain_expertise", "Domain expertise"),
        ("data_sources", "Data sources"),
        ("compliance_mode", "Compliance"),
    ):
        value = customized.get(key)
        if value:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{word}: {shown}")
    wanted = customized.get("output_requirements")
    if isinstance(wanted, dict):
        lines += [f"Output: {key} = {values.as_json(value)}" for key, value in wanted.items()]
    return "\n".join(lines)[: settings.PROMPT_MAX]
