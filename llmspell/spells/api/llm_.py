"""Models, brokered: completions, streams, embeddings (API-016, LLM-001, TRT-035)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_PROVIDER: Final = Param(
    "provider", ("string",), "a configured provider, or auto; default: the user's", maximum=64
)
_MODEL: Final = Param(
    "model", ("string",), "a model of it, or provider/model; default: the provider's", maximum=256
)
_TEXT_MAX: Final = 4_194_304

_REQUEST: Final = (
    Param("prompt", ("string", "array"), "what the user says: text or parts, instead of messages"),
    Param(
        "messages",
        ("array",),
        "{role, content, tool_calls?, tool_call_id?}; content is text or parts "
        "{type = text, text} and {type = image, url or data, mime_type}",
        maximum=1_000,
    ),
    _PROVIDER,
    _MODEL,
    Param("system", ("string",), "what the model is told first", maximum=_TEXT_MAX),
    Param("tools", ("array",), "names of tools, or {name, description, parameters}", maximum=128),
    Param("tool_choice", ("string",), "auto, none, required or a tool's name", maximum=256),
    Param("schema", ("object",), "JSON Schema that the answer must fit; see structured"),
    Param("temperature", ("number",), "0 to 2", minimum=0, maximum=2),
    Param("max_tokens", ("integer",), "longest answer", minimum=1, maximum=1_000_000),
    Param("stop", ("string", "array"), "texts that end the answer"),
    Param(
        "timeout",
        ("number", "string"),
        "for each provider that is asked, retries included: a time, as 30s",
    ),
    Param("fallback", ("array",), "providers to ask when this one fails", maximum=8),
    Param("prefer", ("string",), "of auto: cheapest or fastest", choices=("cheapest", "fastest")),
    Param("needs", ("array",), "of auto: tools, vision, structured, streaming", maximum=4),
    Param("options", ("object",), "further named values; kept as metadata"),
)
_REPLY: Final = (
    "{content, tool_calls, structured?, usage = {input_tokens, output_tokens, total_tokens}, "
    "cost, provider, model, finish_reason}"
)

MODULE: Final = Module(
    "llm",
    ("llm", "LLM"),
    "Models of the configured providers; `fake` needs neither key nor network.",
    (
        Function(
            "complete",
            "One completion.",
            _REQUEST,
            _REPLY,
            wire="llm.complete",
            positional=1,
            spread="options",
            aliases=("chat", "generate"),
        ),
        Function(
            "stream",
            "A completion whose text is handed over piece by piece; the whole reply in the end.",
            (
                Param("request", ("object", "string"), "as for complete, or the prompt"),
                Param("on_chunk", ("callback",), "called with each piece of text"),
            ),
            _REPLY,
            wire="llm.stream",
            positional=2,
            spread="request",
            aliases=("stream_complete",),
        ),
        Function(
            "embed",
            "Vectors of texts.",
            (
                Param("texts", ("array", "string"), "texts, or one", required=True, minimum=1),
                _PROVIDER,
                _MODEL,
                Param("timeout", ("number", "string"), "for the call: a time, as 30s"),
            ),
            "{vectors, usage, cost, provider, model}",
            wire="llm.embed",
            positional=1,
        ),
        Function(
            "count_tokens",
            "Tokens of a text, as near as can be told without asking the model.",
            (
                Param("text", ("string",), "the text", required=True, maximum=_TEXT_MAX),
                _PROVIDER,
                _MODEL,
            ),
            "integer",
            wire="llm.count_tokens",
            positional=1,
            unjudged=True,
        ),
        Function(
            "providers",
            "The configured providers; never a key.",
            (),
            "array of {name, type, model, models, local, default, enabled, allowed}",
            wire="llm.providers",
            unjudged=True,
        ),
        Function(
            "models",
            "The configured models as provider/model.",
            (Param("provider", ("string",), "only this one's", maximum=64),),
            "array of strings",
            wire="llm.models",
            positional=1,
            unjudged=True,
        ),
        Function(
            "info",
            "What is known of a model; prices in US dollars a token.",
            (_MODEL, _PROVIDER),
            "{provider, model, context_length?, output_max?, input_price?, output_price?, tools, "
            "vision, structured, streaming}",
            wire="llm.info",
            positional=1,
        ),
        Function(
            "agent",
            "An agent, as the older text makes one; the same as Agent.create.",
            (Param("settings", ("object",), "as for Agent.create", required=True),),
            "agent",
            kind="local",
            wire="agent.create",
            positional=1,
            after="handle",
            spread="settings",
        ),
    ),
)
