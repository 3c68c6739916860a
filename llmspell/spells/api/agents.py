"""Agents and their templates as a spell sees them (API-031, API-045 … API-052, TRT-033)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.agent_class import (
    AGENT,
    AGENT_PARAM,
    AGENT_TOOL,
    CHANGES,
    INPUT,
    NAME,
    OPTIONS,
    OUTPUT,
    SETTINGS,
    described,
    field,
)
from llmspell.spells.api.model import Class, Module, Param

if TYPE_CHECKING:
    from typing import Final

_TEMPLATE: Final = Param(
    "template",
    ("string", "object"),
    "a template, or its name",
    required=True,
    minimum=1,
    maximum=128,
)

TEMPLATE: Final = Class(
    "template",
    "An agent template. Its settings are its fields, and all of them are in `config`.",
    (
        described(
            "create",
            "An agent of this template, with what differs.",
            (CHANGES,),
            "agent",
            after="handle",
            spread="settings",
            prefix="template",
            wire="create_one",
            whole="template",
        ),
        described(
            "extend",
            "A template with more capabilities than this one.",
            (Param("name", ("string", "object"), "its name", maximum=128), CHANGES),
            "template",
            after="handle",
            prefix="template",
            wire="extend_one",
            whole="template",
            spread="settings",
        ),
    ),
    (
        field("id", "its name"),
        field("template_name", "its name"),
        field("name", "the name that agents of it get"),
        field("base", "the template it was made of"),
        field("capabilities", "what its agents can do, by word", "array"),
        field("config", "all of its settings", "object"),
    ),
)

_FIND: Final = (
    Param(
        "query",
        ("string", "object", "array"),
        "words to look for; a list is of capabilities, a table has query and capabilities",
        maximum=1024,
    ),
    Param("capabilities", ("array", "string"), "what they must be able to do", maximum=64),
)

MODULE: Final = Module(
    "agent",
    ("Agent", "CustomAgent"),
    "Agents: a model with a prompt, memory, tools and limits of its own.",
    (
        described(
            "create",
            "Makes an agent. Options that nothing uses are kept and warned of.",
            (SETTINGS,),
            "agent",
            after="handle",
            spread="settings",
        ),
        described(
            "get",
            "The agent of a name or id, the newest of several. A built-in template's name makes "
            "one.",
            (AGENT_PARAM,),
            "agent",
            after="handle",
        ),
        described("list", "Every agent of this run.", (), "array of agents", after="handles"),
        described(
            "find",
            "Agents that fit words, or can do what is asked, best first.",
            _FIND,
            "array of agents",
            after="handles",
            aliases=("discover",),
        ),
        described(
            "execute",
            "Runs an agent by its name; raises where it fails.",
            (AGENT_PARAM, INPUT, OPTIONS),
            OUTPUT,
            wire="execute_named",
        ),
        described(
            "template",
            "With settings: makes a template of this name. Without: the template of this name.",
            (NAME, Param("settings", ("object",), "the template's settings")),
            "template",
            after="handle",
            spread="settings",
        ),
        described(
            "get_template",
            "The template of a name.",
            (NAME,),
            "template",
            after="handle",
        )._replace(sync=True),
        described("templates", "The names of all templates.", (), "array of strings"),
        described(
            "extend",
            "A template with more capabilities than its base; its name is in the settings, or "
            "made of specialization and base.",
            (_TEMPLATE, CHANGES),
            "template",
            after="handle",
            spread="settings",
        ),
        described(
            "create_from_config",
            "An agent of {base_template, customizations}.",
            (SETTINGS._replace(doc="base_template, customizations and any setting"),),
            "agent",
            after="handle",
            spread="settings",
        ),
    ),
    classes=(AGENT, AGENT_TOOL, TEMPLATE),
    construct="create",
)

TEMPLATES: Final = Module(
    "template",
    ("Template",),
    "Agent templates.",
    (
        described(
            "create",
            "An agent of a template, with what differs.",
            (_TEMPLATE, CHANGES),
            "agent",
            after="handle",
            prefix="template",
            spread="settings",
        ),
        described(
            "extend",
            "A template with more capabilities than its base.",
            (_TEMPLATE, Param("name", ("string", "object"), "its name", maximum=128), CHANGES),
            "template",
            after="handle",
            prefix="template",
            spread="settings",
        ),
        described(
            "get",
            "The template of a name.",
            (NAME,),
            "template",
            after="handle",
            prefix="template",
        )._replace(sync=True),
        described("list", "The names of all templates.", (), "array of strings", prefix="template"),
    ),
)

FINDER: Final = Module(
    "agent_finder",
    ("AgentFinderTool",),
    "A tool by which an agent finds the other agents of the run and may hand over to them (S55).",
    (
        described(
            "create",
            "The tool, for an agent's `tools`.",
            (Param("settings", ("object",), "nothing yet", default={}),),
            "agent_finder",
            after="handle",
            wire="create_finder",
        ),
    ),
    classes=(
        Class(
            "agent_finder",
            "A tool that finds agents.",
            (
                described(
                    "execute",
                    "Agents that fit words, best first.",
                    (Param("input", ("object",), "query", default={}),),
                    "array of {agent_id, name, description, capabilities}",
                    aliases=("call",),
                    wire="run_finder",
                ),
            ),
            (field("id", "agent_finder"), field("name", "agent_finder")),
        ),
    ),
    construct="create",
)


def _special(name: str, title: str, template: str) -> Module:
    return Module(
        name,
        (title,),
        f"Agents of the template {template} (TRT-033).",
        (
            described(
                "create",
                f"An agent of the template {template}, with what differs.",
                (CHANGES,),
                "agent",
                after="handle",
                prefix="template",
                spread="settings",
                fixed=(("template", template),),
            )._replace(kind="local"),
        ),
        construct="create",
    )


MODULES: Final = (
    MODULE,
    TEMPLATES,
    FINDER,
    _special("chat_agent", "ChatAgent", "chat_agent"),
    _special("research_agent", "ResearchAgent", "research_agent"),
    _special("analysis_agent", "AnalysisAgent", "data_analyst"),
    _special("code_agent", "CodeAgent", "code_assistant"),
    _special("writer_agent", "WriterAgent", "content_creator"),
)
