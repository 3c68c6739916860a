"""Providers' replies in our form: what a model says is a stranger's text."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.llm import counting
from llmspell.llm.failures import ModelFailure
from llmspell.llm.requests import check_calls
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.models.targets import Target

ANSWER_MAX: Final = 4_194_304
"""Characters of an answer."""


def checked(reply: Mapping[str, Any], target: Target, request: Mapping[str, Any]) -> dict[str, Any]:
    """A provider's reply to a request. Raises `ModelFailure` for what can't be used.

    A real provider that does not say what was used, or says nonsense, is charged by the estimate:
    silence must not make a limit on tokens or money endless.
    """
    content = reply.get("content")
    if not isinstance(content, str) or len(content) > ANSWER_MAX:
        raise ModelFailure("malformed", f"{target.name} answered with no text that can be used")
    try:
        calls = check_calls(reply.get("tool_calls") or [], "tool_calls")
    except InvalidInput as error:
        raise ModelFailure("malformed", f"{target.name}: {error.message}") from None
    usage, cost = _usage(reply.get("usage")), reply.get("cost")
    if target.stand_in is None:
        least = _least(request, content, calls)
        told = {key: usage[key] or least[key] for key in least}
        if told != {key: usage[key] for key in least}:
            # The provider's price is that of what it told.
            usage, cost = counting.usage(told["input_tokens"], told["output_tokens"]), None
    known = {
        "content": content,
        "tool_calls": calls,
        "usage": usage,
        "cost": cost,
        "provider": target.provider.name,
        "model": target.model,
        "finish_reason": str(reply.get("finish_reason") or "stop")[:40],
    }
    if "structured" in reply:
        known["structured"] = reply["structured"]
    return known


def _usage(told: Any) -> dict[str, int]:
    counts = []
    for key in ("input_tokens", "output_tokens"):
        count = told.get(key) if isinstance(told, dict) else 0
        counts.append(count if type(count) is int and 0 <= count < 2**40 else 0)
    return counting.usage(counts[0], counts[1])


def _least(request: Mapping[str, Any], content: str, calls: list[dict[str, Any]]) -> dict[str, int]:
    words = counting.texts_of({"content": content, "tool_calls": calls})
    return {
        "input_tokens": counting.input_tokens(request),
        "output_tokens": counting.estimate(words),
    }


def added(first: Mapping[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second reply with what both used."""
    usage = {key: first["usage"][key] + count for key, count in second["usage"].items()}
    return {**second, "usage": usage, "cost": first["cost"] + second["cost"]}
