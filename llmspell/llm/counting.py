"""Tokens and money, as they are known before a call and after it (LLM-011, LLM-021)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.llm.port import ModelInfo

BYTES_A_TOKEN: Final = 4
"""What texts of Western languages come to; the estimate where no tokenizer is asked."""

BYTES_A_TOKEN_RESERVED: Final = 3
"""For reservations: code and other scripts take more tokens a byte."""

TOKENS_A_MESSAGE: Final = 4
TOKENS_AN_IMAGE: Final = 1_600
"""What the providers' largest tilings of one image come to."""


def estimate(text: str) -> int:
    """Tokens of a text, roughly; the same everywhere, so good for comparing."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def texts_of(message: Mapping[str, Any]) -> str:
    """All words of a message, its tool calls among them."""
    content = message.get("content")
    parts = [content] if isinstance(content, str) else []
    if isinstance(content, list):
        parts += [part["text"] for part in content if part["type"] == "text"]
    for call in message.get("tool_calls", ()):
        parts += [call["name"], compact(call["arguments"])]
    return "\n".join(parts)


def input_tokens(request: Mapping[str, Any]) -> int:
    """What a request's input comes to, roughly: what `fake` counts."""
    return sum(TOKENS_A_MESSAGE + estimate(texts_of(item)) for item in request["messages"])


def reserved_input(request: Mapping[str, Any]) -> int:
    """What a request's input comes to at the most, for its reservation."""
    size = 0
    for message in request["messages"]:
        size += len(texts_of(message).encode("utf-8", "replace"))
    for given in (request.get("tools"), request.get("schema")):
        if given:
            size += len(compact(given))
    messages = len(request["messages"]) * TOKENS_A_MESSAGE
    return -(-size // BYTES_A_TOKEN_RESERVED) + messages + images(request) * TOKENS_AN_IMAGE


def images(request: Mapping[str, Any]) -> int:
    """Images among a request's messages."""
    return sum(
        sum(part["type"] == "image" for part in message["content"])
        for message in request["messages"]
        if isinstance(message.get("content"), list)
    )


def price(info: ModelInfo, tokens_in: float, tokens_out: float) -> float | None:
    """US dollars for so many tokens; None where a price is not known."""
    if info.input_price is None or info.output_price is None:
        return None
    return tokens_in * info.input_price + tokens_out * info.output_price


def usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    """The usage of a reply."""
    return {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }


def compact(value: Any) -> str:
    """JSON without spaces, keys sorted: the canonical form of requests."""
    import json

    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_bytes
    )


def _bytes(value: object) -> dict[str, str]:
    import binascii

    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": binascii.b2a_base64(value, newline=False).decode("ascii")}
    raise TypeError(f"a {type(value).__name__} is no JSON")
