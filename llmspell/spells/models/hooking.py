"""What the hooks around a call of a model see, and what they may change."""

from __future__ import annotations

from llmspell.llm import counting
from llmspell.llm.failures import ModelFailure
from llmspell.llm.requests import check_calls, check_request, last_user_text
from llmspell.records import TYPE_CHECKING
from llmspell.spells.models.replies import ANSWER_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.ports import HookOutcome

BEFORE: Final = "before_llm_call"
AFTER: Final = "after_llm_call"

_CHANGEABLE: Final = ("provider", "model", "messages", "temperature", "max_tokens", "stop")
"""What a hook may change of a request."""


def shown(fields: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """What a hook gets to see: plain data of the request as it stands."""
    checked = check_request(fields)
    context: dict[str, Any] = {key: checked[key] for key in _CHANGEABLE if key in checked}
    context["prompt"] = last_user_text(checked)
    context["tools"] = [tool["name"] for tool in checked.get("tools", ())]
    context["origin"] = origin
    return context


def instead(fields: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The reply that a hook gives in a model's place; it costs nothing."""
    told = value if isinstance(value, dict) else {"content": value}
    content = told.get("content")
    if not isinstance(content, str):
        content = "" if content is None else counting.compact(content)
    reply = {
        "content": content,
        "tool_calls": check_calls(told.get("tool_calls") or [], "tool_calls"),
        "usage": counting.usage(0, 0),
        "cost": 0.0,
        "provider": str(fields.get("provider") or "hook")[:64],
        "model": str(fields.get("model") or "hook")[:256],
        "finish_reason": "skipped",
    }
    if "structured" in told:
        reply["structured"] = told["structured"]
    return reply


def changed(fields: dict[str, Any], outcome: HookOutcome) -> dict[str, Any]:
    """The request as a hook left it. Its messages win over a prompt that stands beside them."""
    context = outcome.context
    if context is None or not (outcome.modified or outcome.action == "redirect"):
        return fields
    before = check_request(fields)
    new = dict(fields)
    for key in _CHANGEABLE:
        if key in context:
            new[key] = context[key]
    if context.get("messages") is not None:
        # They were shown with the system's and the prompt's among them.
        for key in ("prompt", "system", "system_prompt"):
            new.pop(key, None)
    prompt = context.get("prompt")
    same = context.get("messages") == before["messages"]
    if same and isinstance(prompt, str) and prompt != last_user_text(before):
        new["messages"] = _with_prompt(before["messages"], prompt)
    return new


def _with_prompt(messages: list[dict[str, Any]], prompt: str) -> list[dict[str, Any]]:
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            new = {**messages[index], "content": prompt}
            return [*messages[:index], new, *messages[index + 1 :]]
    return [*messages, {"role": "user", "content": prompt}]


def changed_reply(reply: dict[str, Any], outcome: HookOutcome) -> dict[str, Any]:
    """The reply with the content, calls and structure that a hook left in `response`."""
    response = (outcome.context or {}).get("response")
    if not outcome.modified or not isinstance(response, dict):
        return reply
    content = response.get("content")
    new = dict(reply)
    if isinstance(content, str) and len(content) <= ANSWER_MAX:
        new["content"] = content
    if "tool_calls" in response:
        new["tool_calls"] = check_calls(response["tool_calls"] or [], "tool_calls")
    if "structured" in response:
        new["structured"] = response["structured"]
    return new


def refuse_cancelled(outcome: HookOutcome) -> None:
    """Raises `ModelFailure` of kind `cancelled` where a hook said so."""
    if outcome.action == "cancel":
        raise ModelFailure("cancelled", f"a hook cancelled the call: {outcome.reason[:200]}")
