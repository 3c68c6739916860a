"""What a spell does about errors (API-102 … API-106)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_ERROR: Final = Param("error", ("any",), "an error as it was caught, its information, or text")
_CONTEXT: Final = Param(
    "context",
    ("object",),
    "component_id, operation, metadata and whatever else says where it happened",
    default={},
)

MODULE: Final = Module(
    "errors",
    ("ErrorHandler", "errors"),
    "What an error means, what may be done about it, and doing it.",
    (
        Function(
            "parse_error",
            "What an error means: type, code, category, suggestions, whether to try again.",
            (_ERROR,),
            "{type, alias, message, code, error_code, category, recoverable, recovery_strategy, "
            "suggestions, causes, prevention, trace_id, …}",
            wire="errors.parse",
            positional=1,
            unjudged=True,
            sync=True,
        ),
        Function(
            "enrich_error",
            "The same with component, operation, security, usage and time around it.",
            (_ERROR, _CONTEXT),
            "{…, context, recovery_suggestions, user_facing}",
            wire="errors.enrich",
            positional=2,
            unjudged=True,
            sync=True,
        ),
        Function(
            "create_recovery_strategy",
            "A strategy as a plain object, from a name, from {type, …}, or from what to do "
            "on_timeout, on_rate_limit, on_provider_error, on_tool_error, ….",
            (Param("config", ("object", "string"), "the strategy", required=True),),
            "{type, …}",
            wire="errors.create_strategy",
            positional=1,
            spread="config",
            aliases=("create_strategy",),
            unjudged=True,
            sync=True,
        ),
        Function(
            "attempt_recovery",
            "Does what the strategy (or the error's own) says. With an operation, a function of "
            "{attempt, provider, context_fraction, …}, it is run again. As (agent, question, "
            "information) it asks the agent again and gives its text.",
            (
                _ERROR._replace(required=True),
                Param("strategy", ("any",), "a strategy, its name, or {strategy = name, …}"),
                Param("operation", ("any",), "the function that failed"),
                Param("key", ("string",), "names what failed, for kept results", maximum=256),
            ),
            "{success, data, result, action, attempts, strategy, reason?, delay?}",
            wire="errors.attempt_recovery",
            positional=3,
            unjudged=True,
        ),
        Function(
            "report_error",
            "Logs, counts and records an error; publishes the event error_reported.",
            (_ERROR, _CONTEXT),
            wire="errors.report",
            positional=2,
            aliases=("report",),
            unjudged=True,
        ),
        Function(
            "get_error_stats",
            "How many errors there were, by code, type and category, and what became of them.",
            (),
            "{total_errors, by_code, by_type, by_category, recovered, …}",
            wire="errors.stats",
            aliases=("get_stats",),
            unjudged=True,
            sync=True,
        ),
    ),
)
