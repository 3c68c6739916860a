"""How a target reads its bytes: as lines of text, so that a corpus can be read by people."""

from __future__ import annotations

from typing import Any

from llmspell.channel.jsontext import Malformed, decode, holds_callback


def text_of(data: bytes) -> str:
    """The bytes as text; what is no UTF-8 becomes lone surrogates, as a hostile text may hold."""
    return data.decode("utf-8", "surrogateescape")


def lines_of(data: bytes, least: int) -> list[str]:
    """The lines, at least so many; the missing ones are empty."""
    lines = text_of(data).split("\n")
    return lines + [""] * (least - len(lines))


def json_of(text: str, *, functions: bool = False) -> Any:
    """The value of a JSON text as the channel would hand it over. Raises `ValueError`."""
    value = decode(text.encode("utf-8", "surrogateescape"))
    if not functions and holds_callback(value):
        raise Malformed("a function is no JSON")
    return value
