"""How a target reads its bytes: as lines of text, so that a corpus can be read by people."""

from __future__ import annotations

import json
import math
from typing import Any

from llmspell.channel.bounds import DEPTH_MAX, INTEGER_MAX


def text_of(data: bytes) -> str:
    """The bytes as text; what is no UTF-8 becomes lone surrogates, as a hostile text may hold."""
    return data.decode("utf-8", "surrogateescape")


def lines_of(data: bytes, least: int) -> list[str]:
    """The lines, at least so many; the missing ones are empty."""
    lines = text_of(data).split("\n")
    return lines + [""] * (least - len(lines))


def json_of(text: str) -> Any:
    """The value of a JSON text as the channel would hand it over. Raises `ValueError`."""
    value = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_refuse)
    if _depth(value) > DEPTH_MAX:
        raise ValueError("the channel carries nothing so deep")
    return value


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        raise ValueError("the channel carries no such integer")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("the channel carries no such number")
    return value


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _depth(value: Any) -> int:
    """Levels of a value, without recursion."""
    level, depth = [value], 0
    while level and depth <= DEPTH_MAX:
        depth += 1
        level = [
            item
            for found in level
            if isinstance(found, (dict, list))
            for item in (found.values() if isinstance(found, dict) else found)
        ]
    return depth
