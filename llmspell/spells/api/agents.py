"""Agents and their templates as a spell sees them (API-031 … API-052, TRT-001 … TRT-008)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

    from llmspell.spells.api.model import Type

_SETTINGS: Final = Param(
    "settings",
    ("object",),
    "name, description, provider, model, system_prompt, temperature, max_tokens, tools, memory, "
    "hooks, error_strategy, handoffs, timeout, max_iterations, rate_limit, circuit_breaker, …",
    required=True,
)
_CHANGES: Final = _SETTINGS._replace(doc="what differs", required=False, default={})
_NAME: Final = Param("name", ("string",), "a name", required=True, minimum=1, maximum=128)
_AGENT: Final = Param(
    "agent", ("string", "object"), "an agent, its name or id", required=True, minimum=1, maximum=128
)
_TEMPLATE: Final = Param(
    "template",
    ("string", "object"),
    "a template, or its name",
    required=True,
    minimum=1,
    maximum=128,
)
_INPUT: Final = Param(
    "input",
    ("string", "object", "array"),
    "text; or an object with input (or message, query, prompt, task) and context",
    required=True,
)
_MESSAGE: Final = Param(
    "message",
    ("string", "object", "array"),
    "text, or text and images as parts",
    required=True,
)
_PROMPT: Final = Param("prompt", ("string", "object"), "what is asked", required=True)
_OPTIONS: Final = Param("options", ("object",), "context, metadata, images", default={})
_OUTPUT: Final = (
    "{success, content, output, data, tool_calls, metadata, state_updates, handoff_request?, "
    "error?}"
)
_KEY: Final = Param("key", ("string",), "a key", required=True, minimum=1, maximum=256)


def _call(
    name: str,
    doc: str,
    params: tuple[Param, ...] = (),
    returns: str = "nothing",
    *,
    aliases: tuple[str, ...] = (),
    after: str = "",
    spread: str = "",
    prefix: str = "agent",
    wire: str = "",
    fixed: tuple[tuple[str, str], ...] = (),
) -> Function:
    """All of these are unjudged: an agent acts by calls of its own, each judged by itself."""
    return Function(
        name,
        doc,
        params,
        returns,
        wire=f"{prefix}.{wire or name}",
        positional=len(params),
        after=after,
        aliases=aliases,
        spread=spread,
        fixed=fixed,
        unjudged=True,
    )


_TALK: Final = (
    _call(
        "chat",
        "Asks the agent; it remembers the conversation. Gives its answer.",
        (_MESSAGE, _OPTIONS),
        "string",
        aliases=("run", "ask", "llm_call"),
        spread="options",
    ),
    _call(
        "chat_with_context",
        "Asks the agent with a context for this request; gives all of its output.",
        (_MESSAGE, Param("context", ("object",), "what it should know", default={})),
        _OUTPUT,
        aliases=("llm_call_with_context",),
    ),
    _call(
        "execute",
        "Runs the agent on an input. A run that fails gives success = false and the error.",
        (_INPUT, _OPTIONS),
        _OUTPUT,
        aliases=("process_request", "process"),
    ),
    _call(
        "stream",
        "As chat; the function gets each piece of the answer as it comes.",
        (
            _MESSAGE,
            Param("on_chunk", ("callback",), "gets a piece of text", required=True),
            _OPTIONS,
        ),
        "string",
        aliases=("chat_stream", "run_stream"),
    ),
    _call(
        "structured_output",
        "An answer in the form of a JSON Schema.",
        (_PROMPT, Param("schema", ("object",), "a JSON Schema", required=True)),
        "object",
        aliases=("generate_structured",),
    ),
    _call(
        "generate_with_tools",
        "Asks the agent with further tools for this request.",
        (_PROMPT, Param("tools", ("array",), "tools", required=True, maximum=128)),
        _OUTPUT,
    ),
    _call(
        "plan",
        "A plan for a goal.",
        (Param("goal", ("string",), "the goal", required=True, minimum=1),),
        "{goal, steps = {{description, …}}}",
    ),
    _call(
        "reason",
        "A conclusion for a question, with the reasons.",
        (
            Param("question", ("string",), "the question", required=True, minimum=1),
            Param("evidence", ("any",), "what is known"),
        ),
        "{conclusion, reasoning, confidence}",
    ),
)

_MEMORY: Final = (
    _call(
        "remember",
        "Keeps a value with the agent.",
        (_KEY, Param("value", ("any",), "what JSON can hold", required=True)),
    ),
    _call("recall", "A kept value, or nothing.", (_KEY,), "any"),
    _call("forget", "Lets a kept value go; whether there was one.", (_KEY,), "boolean"),
    _call(
        "history",
        "The conversation so far.",
        (),
        "array of {role, content}",
        aliases=("conversation_history", "get_history", "get_conversation_history"),
    ),
    _call(
        "add_to_history",
        "Adds a message to the conversation.",
        (
            Param("message", ("object", "string"), "{role, content}, or text", required=True),
            Param("role", ("string",), "whose text it is", choices=("user", "assistant", "system")),
        ),
    ),
    _call("clear_history", "Forgets the conversation."),
    _call("get_state", "The agent's state, with iteration_count.", (), "object", aliases=("state",)),
    _call(
        "set_state",
        "Replaces the agent's state.",
        (Param("state", ("object",), "what JSON can hold", required=True),),
    ),
    _call("clear_state", "Empties the agent's state."),
    _call(
        "save_state",
        "Keeps state, conversation and kept values for later runs of this spell.",
        (),
        "object",
    ),
    _call(
        "restore_state",
        "Brings back what was saved, or the given snapshot; false when there is nothing.",
        (Param("snapshot", ("object",), "what save_state gave"),),
        "boolean",
        aliases=("load_state",),
    ),
)

_TOOL: Final = Param(
    "tool",
    ("string", "object"),
    "a tool's name, a tool, an agent, a workflow, or {name, description, input_schema, execute}",
    required=True,
    minimum=1,
    maximum=128,
)

_SETUP: Final = (
    _call("add_tool", "Gives the agent a tool.", (_TOOL,)),
    _call("remove_tool", "Takes a tool away; whether it had it.", (_NAME,), "boolean"),
    _call(
        "list_tools",
        "The agent's tools.",
        (),
        "array of {name, type, description}",
        aliases=("get_tools",),
    ),
    _call(
        "execute_tool",
        "Runs one of the agent's tools as the agent would, judged like all.",
        (_NAME, Param("input", ("object",), "the tool's parameters", default={})),
        "any",
    ),
    _call("get_config", "The agent's settings.", (), "object", aliases=("config",)),
    _call(
        "update_config",
        "Changes settings; limits can only become tighter.",
        (_CHANGES,),
        "object",
        spread="settings",
    ),
    _call(
        "system_prompt",
        "The agent's system prompt.",
        (),
        "string",
        aliases=("get_system_prompt", "get_prompt_template"),
    ),
    _call(
        "set_system_prompt",
        "Replaces the agent's system prompt.",
        (Param("prompt", ("string",), "the prompt", required=True),),
        aliases=("update_system_prompt", "set_prompt_template"),
    ),
    _call(
        "register_hook",
        "Adds a hook of the agent's own: before_execution, after_execution or on_error.",
        (
            Param("point", ("string",), "where", required=True, minimum=1, maximum=128),
            Param("hook", ("callback", "object"), "a function, or a hook", required=True),
        ),
        aliases=("add_hook",),
    ),
    _call(
        "unregister_hook",
        "Takes the agent's own hooks at a point away, or the one of a name; whether there was one.",
        (_NAME,),
        "boolean",
        aliases=("remove_hook",),
    ),
)

_LIFE: Final = (
    _call("initialize", "Looks whether the agent can work; its health.", (), "object"),
    _call("shutdown", "Ends the agent; it takes no more requests."),
    _call(
        "health",
        "How the agent does.",
        (),
        "{status, healthy, requests, circuit_breaker, missing_tools, last_error?}",
        aliases=("health_check",),
    ),
    _call(
        "token_usage",
        "Tokens of all requests.",
        (),
        "{input_tokens, output_tokens, total_tokens}",
    ),
    _call("estimated_cost", "US dollars of all requests.", (), "number"),
    _call(
        "as_tool",
        "The agent as a tool for other agents: it takes {message, context}.",
        (Param("settings", ("object",), "name, description", default={}),),
        "agent_tool",
        after="handle",
        spread="settings",
    ),
    _call(
        "delegate_to",
        "Lets another agent do a task; gives its output.",
        (
            _AGENT,
            Param("task", ("string", "object"), "the task", required=True),
            Param("options", ("object",), "context", default={}),
        ),
        _OUTPUT,
        aliases=("delegate",),
    ),
    _call(
        "handoff",
        "Hands the conversation over: the other agent answers, and gets the state that passes "
        "the filter {include, exclude, messages = none|last|all}.",
        (
            _AGENT,
            Param("input", ("string", "object"), "what it is to do", required=True),
            Param("options", ("object",), "reason, state_filter", default={}),
        ),
        _OUTPUT,
        aliases=("handoff_to", "transfer_to"),
        spread="options",
    ),
)


def _field(name: str, doc: str, kind: Type = "string") -> Param:
    return Param(name, (kind,), doc)


AGENT: Final = Class(
    "agent",
    "An agent of this run.",
    (*_TALK, *_MEMORY, *_SETUP, *_LIFE),
    (
        _field("id", "its id within the run"),
        _field("name", "its name"),
        _field("description", "what it is for"),
        _field("provider", "its provider, if it names one"),
        _field("model", "its model, if it names one"),
        _field("type", "agent, or its template's name"),
        _field("capabilities", "what it can do, by word", "array"),
    ),
)

AGENT_TOOL: Final = Class(
    "agent_tool",
    "An agent as a tool (TRT-026, TRT-027).",
    (
        _call(
            "execute",
            "Asks the agent.",
            (Param("input", ("object", "string"), "message and context", required=True),),
            "{response, metadata}",
            aliases=("call",),
            wire="call_tool",
        ),
    ),
    (
        _field("id", "the agent's id"),
        _field("name", "the tool's name"),
        _field("description", "what the model is told of it"),
        _field("schema", "its input as JSON Schema", "object"),
    ),
)

TEMPLATE: Final = Class(
    "template",
    "An agent template. Its settings are its fields, and all of them are in `config`.",
    (
        _call(
            "create",
            "An agent of this template, with what differs.",
            (_CHANGES,),
            "agent",
            after="handle",
            spread="settings",
            prefix="template",
            wire="create_one",
        ),
        _call(
            "extend",
            "A template with more capabilities than this one.",
            (Param("name", ("string", "object"), "its name", maximum=128), _CHANGES),
            "template",
            after="handle",
            prefix="template",
            wire="extend_one",
        ),
    ),
    (
        _field("id", "its name"),
        _field("template_name", "its name"),
        _field("name", "the name that agents of it get"),
        _field("base", "the template it was made of"),
        _field("capabilities", "what its agents can do, by word", "array"),
        _field("config", "all of its settings", "object"),
    ),
)

_FIND: Final = (
    Param("query", ("string",), "words to look for", maximum=1024),
    Param("capabilities", ("array", "string"), "what they must be able to do", maximum=64),
)

MODULE: Final = Module(
    "agent",
    ("Agent", "CustomAgent"),
    "Agents: a model with a prompt, memory, tools and limits of its own.",
    (
        _call(
            "create",
            "Makes an agent. Options that nothing uses are kept and warned of.",
            (_SETTINGS,),
            "agent",
            after="handle",
            spread="settings",
        ),
        _call(
            "get",
            "The agent of a name or id, the newest of several; a built-in template's name makes it.",
            (_AGENT,),
            "agent",
            after="handle",
        ),
        _call("list", "Every agent of this run.", (), "array of agents", after="handles"),
        _call(
            "find",
            "Agents that fit words, or can do what is asked, best first.",
            _FIND,
            "array of agents",
            after="handles",
            aliases=("discover",),
        ),
        _call(
            "execute",
            "Runs an agent by its name; raises where it fails.",
            (_AGENT, _INPUT, _OPTIONS),
            _OUTPUT,
            wire="execute_named",
        ),
        _call(
            "template",
            "With settings: makes a template of this name. Without: the template of this name.",
            (_NAME, Param("settings", ("object",), "the template's settings")),
            "template",
            after="handle",
        ),
        _call(
            "get_template",
            "The template of a name.",
            (_NAME,),
            "template",
            after="handle",
        ),
        _call("templates", "The names of all templates.", (), "array of strings"),
        _call(
            "extend",
            "A template with more capabilities than its base; its name is in the settings, or "
            "made of specialization and base.",
            (_TEMPLATE, _CHANGES),
            "template",
            after="handle",
        ),
        _call(
            "create_from_config",
            "An agent of {base_template, customizations}.",
            (_SETTINGS._replace(doc="base_template, customizations and any setting"),),
            "agent",
            after="handle",
            spread="settings",
        ),
    ),
    classes=(AGENT, AGENT_TOOL),
    construct="create",
)

TEMPLATES: Final = Module(
    "template",
    ("Template",),
    "Agent templates.",
    (
        _call(
            "create",
            "An agent of a template, with what differs.",
            (_TEMPLATE, _CHANGES),
            "agent",
            after="handle",
            prefix="template",
            spread="settings",
        ),
        _call(
            "extend",
            "A template with more capabilities than its base.",
            (_TEMPLATE, Param("name", ("string", "object"), "its name", maximum=128), _CHANGES),
            "template",
            after="handle",
            prefix="template",
        ),
        _call(
            "get",
            "The template of a name.",
            (_NAME,),
            "template",
            after="handle",
            prefix="template",
        ),
        _call("list", "The names of all templates.", (), "array of strings", prefix="template"),
    ),
    classes=(TEMPLATE,),
)


def _special(name: str, title: str, template: str) -> Module:
    return Module(
        name,
        (title,),
        f"Agents of the template {template} (TRT-033).",
        (
            _call(
                "create",
                f"An agent of the template {template}, with what differs.",
                (_CHANGES,),
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
    _special("chat_agent", "ChatAgent", "chat_agent"),
    _special("research_agent", "ResearchAgent", "research_agent"),
    _special("analysis_agent", "AnalysisAgent", "data_analyst"),
    _special("code_agent", "CodeAgent", "code_assistant"),
    _special("writer_agent", "WriterAgent", "content_creator"),
)
