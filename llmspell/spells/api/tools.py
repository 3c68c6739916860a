"""The tools of a run: built-in ones and the spell's own (API-053 … API-069)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_NAME: Final = Param("name", ("string",), "the tool's name", required=True, minimum=1, maximum=128)
_CATEGORY: Final = Param("category", ("string",), "a category of tools", maximum=128)
_TOOL: Final = Param(
    "tool", ("string", "object"), "a tool, or its name", required=True, minimum=1, maximum=128
)
_INPUT: Final = Param("input", ("object",), "the tool's parameters", default={})
_CONFIG: Final = Param(
    "config",
    ("object",),
    "description, category, input_schema, output_schema, execute = function(input), examples,"
    " version, capabilities, cache = {ttl, max_size}, rate_limit (calls a minute),"
    " max_concurrency, timeout",
    default={},
)

TOOL_CLASS: Final = Class(
    "tool",
    "A tool: a built-in one, or a function of the spell's.",
    (
        Function(
            "execute",
            "Runs the tool.",
            (_INPUT,),
            "{result, metadata?, …}",
            kind="local",
            positional=1,
            aliases=("call",),
        ),
        Function("get_name", "Its name.", returns="string", kind="local"),
        Function("get_description", "What it does.", returns="string", kind="local"),
        Function("get_category", "Its category.", returns="string", kind="local"),
        Function(
            "get_input_schema",
            "The JSON Schema of its input, where the object has it (from get, create, register).",
            returns="object",
            kind="local",
            aliases=("get_schema",),
        ),
        Function(
            "get_output_schema",
            "The JSON Schema of its result, if it declares one.",
            returns="object or nothing",
            wire="tools.output_schema",
            unjudged=True,
            sync=True,
        ),
        Function(
            "get_examples",
            "Examples of its use.",
            returns="array",
            wire="tools.examples",
            unjudged=True,
            sync=True,
        ),
        Function(
            "get_metadata",
            "Schemas, examples, version, permissions, limits, and its figures in this run.",
            returns="object",
            wire="tools.metadata",
            unjudged=True,
            sync=True,
        ),
        Function(
            "can_chain_with",
            "Whether its result can be the input of another tool, by their schemas.",
            (_TOOL._replace(name="other"),),
            "boolean",
            wire="tools.can_chain_with",
            positional=1,
            unjudged=True,
            sync=True,
        ),
        Function(
            "chain_with",
            "Runs it, then another tool on its result; both are judged.",
            (_TOOL._replace(name="other"), _INPUT),
            "{result, …} of the other tool",
            wire="tools.chain_with",
            positional=2,
            unjudged=True,
        ),
        Function(
            "to_function_definition",
            "{name, description, parameters}, as models take it.",
            returns="object",
            wire="tools.function_definition",
            unjudged=True,
            sync=True,
        ),
        Function(
            "parse_call",
            "The input that a model's function call {name, arguments} means.",
            (Param("function_call", ("object",), "{name, arguments}", required=True),),
            "object",
            wire="tools.parse_call",
            positional=1,
            aliases=("parse_llm_call",),
            unjudged=True,
            sync=True,
        ),
    ),
    (
        Param("name", ("string",), "its name"),
        Param("description", ("string",), "what it does"),
        Param("category", ("string",), "its category"),
        Param("schema", ("object",), "the JSON Schema of its input (from get, create, register)"),
    ),
)

PIPELINE_CLASS: Final = Class(
    "pipeline",
    "Tools in a row.",
    (
        Function(
            "execute",
            "Runs every step; {{input.x}} is the input's x, {{name.x}} what a step gave.",
            (Param("input", ("any",), "what the steps find as input"),),
            "{success, result, outputs, steps}",
            wire="tools.pipeline_execute",
            positional=1,
            aliases=("run",),
            unjudged=True,
        ),
        Function(
            "get_steps",
            "Its steps.",
            returns="array of {tool, output}",
            wire="tools.pipeline_steps",
            unjudged=True,
            sync=True,
        ),
    ),
    (Param("name", ("string",), "its name"),),
)

_CREATE: Final = Function(
    "create",
    "Makes a tool of a function of the spell's. It is used by its name at once: by the spell, its"
    " agents, workflows and pipelines. In Python also a decorator; the function's parameters are"
    " the input's then.",
    (_NAME._replace(required=False, maximum=64), _CONFIG),
    "tool",
    wire="tools.create",
    positional=2,
    after="tool",
    spread="config",
    unjudged=True,
)

TOOLS: Final = Module(
    "tools",
    ("Tools", "tools"),
    "The tools this run may see. Each has name, description, category, schema and execute(input).",
    (
        Function(
            "list",
            "All tools, or those of one category.",
            (_CATEGORY,),
            "array of tools",
            wire="tools.list",
            positional=1,
            after="tools",
            unjudged=True,
        ),
        Function(
            "get",
            "One tool by its name.",
            (_NAME,),
            "tool",
            wire="tools.get",
            positional=1,
            after="tool",
            unjudged=True,
        ),
        Function(
            "search",
            "Tools whose name or description fits.",
            (Param("query", ("string",), "words to look for", required=True, maximum=1024),),
            "array of tools",
            wire="tools.search",
            positional=1,
            after="tools",
            unjudged=True,
        ),
        Function(
            "by_category",
            "The tools of one category.",
            (_CATEGORY._replace(required=True, minimum=1),),
            "array of tools",
            wire="tools.by_category",
            positional=1,
            after="tools",
            unjudged=True,
        ),
        Function(
            "get_by_category",
            "The same as by_category, as the seeds spell it.",
            (_CATEGORY._replace(required=True, minimum=1),),
            "array of tools",
            kind="local",
            wire="tools.by_category",
            positional=1,
            after="tools",
        ),
        Function(
            "discover",
            "Tools that have all of these capabilities.",
            (
                Param("capabilities", ("array",), "words", maximum=32),
                _CATEGORY,
                Param("min_version", ("string",), "the least version", maximum=32),
            ),
            "array of tools",
            wire="tools.discover",
            positional=1,
            after="tools",
            unjudged=True,
        ),
        Function(
            "execute",
            "Runs a tool.",
            (_NAME, _INPUT),
            "{result, …}; what the result holds is found in the answer, too",
            wire="tools.execute",
            positional=2,
            after="output",
        ),
        _CREATE,
        Function(
            "register",
            "Registers a tool given as an object with name and execute. One that Tools.create made"
            " is registered already.",
            (Param("tool", ("object",), "the tool", required=True),),
            "tool",
            wire="tools.register",
            positional=1,
            after="tool",
            unjudged=True,
        ),
        Function(
            "unregister",
            "Lets a tool of the spell's own go; whether there was one.",
            (_TOOL,),
            "boolean",
            wire="tools.unregister",
            positional=1,
            unjudged=True,
        ),
        Function(
            "configure",
            "Sets cache, rate_limit, max_concurrency or timeout of any tool, for this run.",
            (_TOOL, _CONFIG),
            "true",
            wire="tools.configure",
            positional=2,
            unjudged=True,
        ),
        Function(
            "create_pipeline",
            "Tools in a row: {name, steps = {{name, tool, input, condition, on_error}, …}}; input"
            " is an object with {{places}} or a function of the context.",
            (Param("config", ("object",), "name and steps", required=True),),
            "pipeline",
            wire="tools.create_pipeline",
            positional=1,
            after="handle",
            unjudged=True,
        ),
        Function(
            "get_stats",
            "Calls, failures and times (ms) of the tools that are the spell's own or configured.",
            returns="object by tool name",
            wire="tools.get_stats",
            unjudged=True,
            sync=True,
        ),
    ),
    classes=(PIPELINE_CLASS,),
)

TOOL: Final = Module(
    "tool",
    ("Tool",),
    "A tool of the spell's own, as a constructor (API-053).",
    (_CREATE._replace(kind="local"),),
    classes=(TOOL_CLASS,),
    construct="create",
)

MODULES: Final = (TOOLS, TOOL)
MODULE: Final = TOOLS
