"""What an agent can do for a spell: the methods of the classes agent and agent_tool.

Sources: API-036 … API-044, TRT-001 … TRT-008, TRT-026, TRT-027.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Param, getter

if TYPE_CHECKING:
    from typing import Final

    from llmspell.spells.api.model import Type

SETTINGS: Final = Param(
    "settings",
    ("object",),
    "name, description, provider, model, system_prompt, temperature, max_tokens, stop, "
    "output_schema; tools; capabilities; state; memory {max_entries, summarize_after, "
    "persistence}; learning {enabled, max_lessons, "
    "reflect}; hooks {before_execution, after_execution, on_error}; handoffs and "
    "handoff_filter; error_strategy, fallback, circuit_breaker; timeout, max_iterations, "
    "max_concurrent_tools, max_total_tokens, max_cost, rate_limit {requests_per_minute, "
    "burst_allowance}; tool_overrides; template. All of them also inside config",
    required=True,
)
CHANGES: Final = SETTINGS._replace(doc="what differs", required=False, default={})
NAME: Final = Param("name", ("string",), "a name", required=True, minimum=1, maximum=128)
AGENT_PARAM: Final = Param(
    "agent", ("string", "object"), "an agent, its name or id", required=True, minimum=1, maximum=128
)
INPUT: Final = Param(
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
OPTIONS: Final = Param("options", ("object",), "context, metadata, images", default={})
OUTPUT: Final = (
    "{success, content, output, data, tool_calls, metadata, state_updates, handoff_request?, "
    "error?}"
)
_KEY: Final = Param("key", ("string",), "a key", required=True, minimum=1, maximum=256)


def described(
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
    whole: str = "",
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
        whole=whole,
        unjudged=True,
    )


_TALK: Final = (
    described(
        "chat",
        "Asks the agent; it remembers the conversation. Gives its answer.",
        (_MESSAGE, OPTIONS),
        "string",
        aliases=("run", "ask", "llm_call"),
        spread="options",
    ),
    described(
        "chat_with_context",
        "Asks the agent with a context for this request; gives all of its output.",
        (_MESSAGE, Param("context", ("object",), "what it should know", default={})),
        OUTPUT,
        aliases=("llm_call_with_context", "run_with_context"),
    ),
    described(
        "execute",
        "Runs the agent on an input. A run that fails gives success = false and the error.",
        (INPUT, OPTIONS),
        OUTPUT,
        aliases=("process_request", "process"),
    ),
    described(
        "stream",
        "As chat; the function gets each piece of the answer as it comes.",
        (
            _MESSAGE,
            Param("on_chunk", ("callback",), "gets a piece of text", required=True),
            OPTIONS,
        ),
        "string",
        aliases=("chat_stream", "run_stream"),
    ),
    described(
        "structured_output",
        "An answer in the form of a JSON Schema.",
        (_PROMPT, Param("schema", ("object",), "a JSON Schema", required=True)),
        "object",
        aliases=("generate_structured",),
    ),
    described(
        "generate_with_tools",
        "Asks the agent with further tools for this request.",
        (_PROMPT, Param("tools", ("array",), "tools", required=True, maximum=128)),
        OUTPUT,
    ),
    described(
        "function_calling",
        "Which of the functions the model would call, and with what; none of them is run.",
        (
            Param(
                "functions",
                ("array",),
                "definitions {name, description, parameters}, tools or their names",
                required=True,
                maximum=64,
            ),
            INPUT,
        ),
        "{function_calls = {{name, arguments}, …}, content}",
        aliases=("call_functions",),
    ),
    described(
        "plan",
        "A plan for a goal.",
        (Param("goal", ("string",), "the goal", required=True, minimum=1),),
        "{goal, steps = {{description, …}}}",
    ),
    described(
        "reason",
        "A conclusion for a question, with the reasons.",
        (
            Param("question", ("string",), "the question", required=True, minimum=1),
            Param("evidence", ("any",), "what is known"),
        ),
        "{conclusion, reasoning, confidence}",
    ),
    described(
        "solve_problem",
        "A solution for a problem, with its steps.",
        (
            Param(
                "problem",
                ("string", "object"),
                "the problem; or {description, constraints, …}",
                required=True,
                minimum=1,
            ),
        ),
        "{solution, steps, confidence}",
        aliases=("solve",),
    ),
    described(
        "learn_from_feedback",
        "Draws a lesson from feedback; it stands in the agent's prompt from now on.",
        (
            Param(
                "feedback",
                ("string", "object"),
                "text; or {feedback, rating, …}",
                required=True,
                minimum=1,
            ),
        ),
        "{learned, lessons}",
        aliases=("learn",),
    ),
    described(
        "learning_config",
        "How the agent learns, and its lessons.",
        (),
        "{enabled, max_lessons, reflect, lessons}",
        aliases=("get_learning_config",),
    ),
    described("clear_lessons", "Forgets what feedback taught the agent."),
)

_MEMORY: Final = (
    described(
        "remember",
        "Keeps a value with the agent.",
        (_KEY, Param("value", ("any",), "what JSON can hold", required=True)),
    ),
    described("recall", "A kept value, or nothing.", (_KEY,), "any"),
    described("forget", "Lets a kept value go; whether there was one.", (_KEY,), "boolean"),
    described(
        "history",
        "The conversation so far.",
        (),
        "array of {role, content}",
        aliases=("conversation_history", "get_history", "get_conversation_history"),
    ),
    described(
        "add_to_history",
        "Adds a message to the conversation.",
        (
            Param("message", ("object", "string"), "{role, content}, or text", required=True),
            Param("role", ("string",), "whose text it is", choices=("user", "assistant", "system")),
        ),
    ),
    described("clear_history", "Forgets the conversation."),
    described(
        "get_state", "The agent's state, with iteration_count.", (), "object", aliases=("state",)
    ),
    described(
        "set_state",
        "Replaces the agent's state.",
        (Param("state", ("object",), "what JSON can hold", required=True),),
    ),
    described("clear_state", "Empties the agent's state."),
    described(
        "save_state",
        "Keeps state, conversation and kept values for later runs of this spell.",
        (),
        "object",
    ),
    described(
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
    described("add_tool", "Gives the agent a tool.", (_TOOL,)),
    described("remove_tool", "Takes a tool away; whether it had it.", (NAME,), "boolean"),
    described(
        "list_tools",
        "The agent's tools.",
        (),
        "array of {name, type, description}",
        aliases=("get_tools",),
    ),
    described(
        "execute_tool",
        "Runs one of the agent's tools as the agent would, judged like all.",
        (NAME, Param("input", ("object",), "the tool's parameters", default={})),
        "any",
    ),
    described(
        "get_config", "The agent's settings.", (), "object", aliases=("config", "get_model_config")
    ),
    described(
        "update_config",
        "Changes settings; limits can only become tighter.",
        (CHANGES,),
        "object",
        aliases=("set_model_config",),
        spread="settings",
    ),
    described(
        "system_prompt",
        "The agent's system prompt.",
        (),
        "string",
        aliases=("get_system_prompt", "get_prompt_template"),
    ),
    described(
        "set_system_prompt",
        "Replaces the agent's system prompt.",
        (Param("prompt", ("string",), "the prompt", required=True),),
        aliases=("update_system_prompt", "set_prompt_template"),
    ),
    described(
        "register_hook",
        "Adds a hook of the agent's own: before_execution, after_execution or on_error.",
        (
            Param("point", ("string",), "where", required=True, minimum=1, maximum=128),
            Param("hook", ("callback", "object"), "a function, or a hook", required=True),
        ),
        aliases=("add_hook",),
    ),
    described(
        "unregister_hook",
        "Takes the agent's own hooks at a point away, or the one of a name; whether there was one.",
        (NAME,),
        "boolean",
        aliases=("remove_hook",),
    ),
)

_LIFE: Final = (
    described("initialize", "Looks whether the agent can work; its health.", (), "object"),
    described("shutdown", "Ends the agent; it takes no more requests."),
    described(
        "health",
        "How the agent does.",
        (),
        "{status, healthy, requests, circuit_breaker, missing_tools, last_error?}",
        aliases=("health_check",),
    ),
    described(
        "token_usage",
        "Tokens of all requests.",
        (),
        "{input_tokens, output_tokens, total_tokens}",
    ),
    described("estimated_cost", "US dollars of all requests.", (), "number"),
    described(
        "as_tool",
        "The agent as a tool for other agents: it takes {message, context}.",
        (Param("settings", ("object",), "name, description", default={}),),
        "agent_tool",
        after="handle",
        spread="settings",
    ),
    described(
        "delegate_to",
        "Lets another agent do a task; gives its output.",
        (
            AGENT_PARAM,
            Param("task", ("string", "object"), "the task", required=True),
            Param("options", ("object",), "context", default={}),
        ),
        OUTPUT,
        aliases=("delegate",),
    ),
    described(
        "handoff",
        "Hands the conversation over: the other agent answers, and gets the state that passes "
        "the filter {include, exclude, messages = none|last|all}.",
        (
            AGENT_PARAM,
            Param("input", ("string", "object"), "what it is to do", required=True),
            Param("options", ("object",), "reason, state_filter", default={}),
        ),
        OUTPUT,
        aliases=("handoff_to", "transfer_to"),
        spread="options",
    ),
)


def field(name: str, doc: str, kind: Type = "string") -> Param:
    return Param(name, (kind,), doc)


AGENT: Final = Class(
    "agent",
    "An agent of this run.",
    (
        *(*_TALK, *_MEMORY, *_SETUP, *_LIFE),
        getter("id", "Its id within the run."),
        getter("name", "Its name."),
        getter("description", "What it is for."),
    ),
    (
        field("id", "its id within the run"),
        field("name", "its name"),
        field("description", "what it is for"),
        field("provider", "its provider, if it names one"),
        field("model", "its model, if it names one"),
        field("type", "agent, or its template's name"),
        field("capabilities", "what it can do, by word", "array"),
    ),
)

AGENT_TOOL: Final = Class(
    "agent_tool",
    "An agent as a tool (TRT-026, TRT-027).",
    (
        described(
            "execute",
            "Asks the agent.",
            (Param("input", ("object", "string"), "message and context", required=True),),
            "{response, metadata}",
            aliases=("call",),
            wire="call_tool",
        ),
    ),
    (
        field("id", "the agent's id"),
        field("name", "the tool's name"),
        field("description", "what the model is told of it"),
        field("schema", "its input as JSON Schema", "object"),
    ),
)
