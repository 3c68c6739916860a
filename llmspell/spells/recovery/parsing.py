"""From an error, however it arrives, to what a spell can decide by (API-102, ERR-001 … ERR-006).

A pure function of its argument. Errors reach it as each language's own error made plain: objects
with code, kind and message, an object of the spell's own class, or text.
"""

from __future__ import annotations

from llmspell.errors import CODES, MAX_MESSAGE_CHARACTERS
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.recovery.guide import entry_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

WORD_MAX: Final = 64
"""Characters of a type, kind or error word."""

SUGGESTIONS_MAX: Final = 8

NESTED_MAX: Final = 4
"""How deep an error may be wrapped in results (`{success: false, error: …}`)."""

UNKNOWN: Final = "unknown error"


class Meaning(NamedTuple):
    """What a type of error means: whether it is worth trying again, and how (ERR-012)."""

    alias: str
    recoverable: bool
    strategy: str
    suggestion: str


TYPES: Final[Mapping[str, Meaning]] = {
    "validation_error": Meaning("validation", False, "fail_fast", "correct the input"),
    "rate_limit": Meaning(
        "rate_limit_error", True, "exponential_backoff", "wait, then send fewer requests"
    ),
    "context_length_exceeded": Meaning(
        "context_length", True, "retry_with_shorter_context", "try again with a shorter input"
    ),
    "timeout": Meaning(
        "timeout_error", True, "retry_with_shorter_context", "try again with less, or more time"
    ),
    "provider_error": Meaning(
        "provider", True, "switch_to_fallback_provider", "try another provider"
    ),
    "network_error": Meaning("network", True, "exponential_backoff", "try again after a pause"),
    "unavailable": Meaning(
        "resource_unavailable", True, "exponential_backoff", "try again after a pause"
    ),
    "authentication_error": Meaning("authentication", False, "fail_fast", "check the key"),
    "permission_denied": Meaning("security_error", False, "fail_fast", "ask for the grant"),
    "resource_exhausted": Meaning("limit", False, "fail_fast", "use less, or raise the limit"),
    "memory_limit": Meaning("memory", False, "fail_fast", "use less memory, or raise the limit"),
    "circuit_open": Meaning("circuit_breaker", True, "fallback", "use a fallback until it rested"),
    "not_found": Meaning("missing", False, "fail_fast", "check the name"),
    "syntax_error": Meaning("syntax", False, "fail_fast", "correct the source"),
    "security_violation": Meaning("violation", False, "fail_fast", "this run can't go on"),
    "cancelled": Meaning("cancellation", False, "fail_fast", "it was called off"),
    "agent_error": Meaning("agent", True, "exponential_backoff", "try again, or another agent"),
    "tool_error": Meaning(
        "tool", True, "skip_tool_and_continue", "try again, or go on without the tool"
    ),
    "workflow_error": Meaning("workflow", True, "exponential_backoff", "run the step again"),
    "hook_error": Meaning("hook", True, "continue_degraded", "go on without the hook"),
    "configuration_error": Meaning("configuration", False, "fail_fast", "correct the setting"),
    "storage_error": Meaning("storage", True, "exponential_backoff", "try again after a pause"),
    "internal_error": Meaning("internal", False, "fail_fast", "report it"),
    "runtime_error": Meaning("script_error", False, "fail_fast", "correct the spell"),
}
"""Every `type` that `parse_error` gives, with the other spelling that is in use."""

_BY_CODE: Final[Mapping[int, str]] = {
    **dict.fromkeys((1005, 2008, 3007, 4004, 5003), "timeout"),
    **dict.fromkeys((2006, 4008, 6005), "permission_denied"),
    **dict.fromkeys((1001, 1008, 2001, 3001, 4007, 5001, 5008), "not_found"),
    **dict.fromkeys((1004, 1010, 2002, 2009, 2010, 3002, 4010, 5004, 5007), "validation_error"),
    **dict.fromkeys((3006, 5009, 5010), "validation_error"),
    **dict.fromkeys((4009, 6007), "resource_exhausted"),
    **dict.fromkeys((1006, 4005), "memory_limit"),
    **dict.fromkeys((4001, 4003), "syntax_error"),
    1009: "provider_error",
    2007: "unavailable",
    4006: "security_violation",
    6001: "configuration_error",
    6002: "storage_error",
    6003: "network_error",
    6004: "authentication_error",
    6006: "rate_limit",
    6008: "unavailable",
    6009: "internal_error",
    2005: "configuration_error",
    6010: "configuration_error",
}
_BY_AREA: Final[Mapping[str, str]] = {
    "agent": "agent_error",
    "tool": "tool_error",
    "workflow": "workflow_error",
    "script": "runtime_error",
    "hook_event": "hook_error",
    "system": "internal_error",
}
_BY_WORD: Final[Mapping[str, str]] = {
    **{meaning.alias: name for name, meaning in TYPES.items()},
    **{name: name for name in TYPES},
    "denied": "permission_denied",
    "bad_request": "validation_error",
    "structured": "validation_error",
    "model_not_found": "not_found",
    "rate": "rate_limit",
    "rate_limited": "rate_limit",
    "not_found": "not_found",
    "memory": "memory_limit",
    "usage": "validation_error",
    "llm": "provider_error",
    "connection": "network_error",
    "dns": "network_error",
    "budget": "resource_exhausted",
    "context_window": "context_length_exceeded",
}
"""Kinds, and the types that a spell's own error classes carry (ERR-006)."""

_CODE_OF_TYPE: Final[Mapping[str, int]] = {
    "validation_error": 2002,
    "rate_limit": 6006,
    "timeout": 2008,
    "provider_error": 1009,
    "context_length_exceeded": 1009,
    "network_error": 6003,
    "authentication_error": 6004,
    "permission_denied": 4008,
    "resource_exhausted": 4009,
    "memory_limit": 4005,
    "not_found": 2003,
    "agent_error": 1003,
    "tool_error": 2003,
    "workflow_error": 3003,
    "hook_error": 5002,
    "syntax_error": 4001,
}
"""The code of an error that came with a type alone."""


def parse_error(error: Any) -> dict[str, Any]:
    """`type`, `message`, `code`, `category`, `suggestions`, … of any error. Never raises.

    `type` is a key of `TYPES` and `alias` its other spelling (X55); `code` one of the 60 numbers;
    `error_code` the word of JavaScript's classes (`E_VALIDATION`); `category` the code's area.
    """
    fields = _fields_of(error)
    message = _message(fields)
    kind = _word(fields.get("kind"))
    code, named = fields.get("code"), _word(fields.get("type"))
    if type(code) is not int or code not in CODES:
        named = named or _from_error_code(code)
        known = _BY_WORD.get(named) or _BY_WORD.get(kind)
        code = _CODE_OF_TYPE.get(known, 4002) if known else 4002
    name = _type_of(code, kind, named, message)
    meaning = TYPES[name]
    described = CODES[code]
    guide = entry_of(code, described.area)
    hint = _clip(fields["hint"]) if isinstance(fields.get("hint"), str) else None
    strategy = _strategy(name, described.area, meaning.strategy)
    recoverable = fields.get("recoverable") is True or meaning.recoverable
    parsed: dict[str, Any] = {
        "type": name,
        "alias": meaning.alias,
        "message": message,
        "code": code,
        "name": described.name,
        "meaning": described.meaning,
        "error_code": _error_code(name),
        "kind": kind or meaning.alias,
        "category": described.area,
        "recoverable": recoverable,
        "recovery_strategy": strategy,
        "recovery_suggestion": hint or meaning.suggestion,
        "suggestions": list(dict.fromkeys(([hint] if hint else []) + list(guide.steps)))[
            :SUGGESTIONS_MAX
        ],
        "causes": list(guide.causes),
        "prevention": list(guide.prevention),
    }
    for key in ("rule", "hint", "trace_id", "stack"):
        if isinstance(fields.get(key), str):
            parsed[key] = _clip(fields[key])
    line = fields.get("line")
    if type(line) is int:
        parsed["line"] = line
    wait = fields.get("retry_after", fields.get("retryAfter"))
    if type(wait) in (int, float) and 0 <= wait < float("inf"):
        parsed["retry_after"] = wait
    if isinstance(fields.get("context"), dict):
        parsed["context"] = fields["context"]
    return parsed


def _fields_of(error: Any) -> Mapping[str, Any]:
    for _ in range(NESTED_MAX):
        if isinstance(error, str):
            return {"message": error}
        if not isinstance(error, dict):
            break
        inner = error.get("error")
        if "message" in error or not isinstance(inner, (dict, str)):
            return error
        error = inner
    return {"message": UNKNOWN if error is None else f"an error that is no text: {error!r:.200}"}


def _message(fields: Mapping[str, Any]) -> str:
    message = fields.get("message")
    return _clip(message) if isinstance(message, str) and message else UNKNOWN


def _type_of(code: int, kind: str, named: str, message: str) -> str:
    if kind == "timeout":
        return "timeout"
    if kind in ("cancelled", "circuit_open", "context_length", "context_length_exceeded"):
        return _BY_WORD[kind]
    lowered = message[:400].lower()
    if "context length" in lowered or "context window" in lowered:
        return "context_length_exceeded"
    if code != 4002:
        # Reading, writing and connecting fail with 2003, all of a model's ends with 1009: what
        # was meant is in the kind.
        if code in (2003, 1009) and kind in _BY_WORD:
            return _BY_WORD[kind]
        return _BY_CODE.get(code) or _BY_AREA[CODES[code].area]
    return _BY_WORD.get(named) or _BY_WORD.get(kind) or "runtime_error"


def _strategy(name: str, area: str, usual: str) -> str:
    if name == "timeout" and area not in ("agent", "system"):
        # Only what a model was given gets shorter; anything else is tried again after a pause.
        return "exponential_backoff"
    return usual


def _from_error_code(code: Any) -> str:
    """`E_RATE_LIMIT` → `rate_limit`."""
    if isinstance(code, str) and code[:2] in ("E_", "e_"):
        return _word(code[2:])
    return ""


def _error_code(name: str) -> str:
    return f"E_{name.removesuffix('_error').upper()}"


def _word(value: Any) -> str:
    return value[:WORD_MAX].lower() if isinstance(value, str) else ""


def _clip(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[: MAX_MESSAGE_CHARACTERS - 1] + "…"
