"""Sizes as people write them: `10MB` is 10 × 1024 × 1024, as in the seeds (000:15606)."""

from __future__ import annotations

import re
from typing import Final

from llmspell.errors import InvalidInput

_SIZE: Final = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([kmg]?i?b?)\s*", re.IGNORECASE)
_FACTORS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def parse_size(value: str | int, place: str, most: int) -> int:
    """Bytes of a number or a text; 1 … `most`. Raises `InvalidInput`."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value[:40])
        if match is None:
            raise InvalidInput(f"{place} is no size", hint="write it as 10MB, 512KB or a number")
        factor = _FACTORS[match[2].lower().rstrip("b").rstrip("i")]
        value = int(float(match[1]) * factor)
    if not 1 <= value <= most:
        raise InvalidInput(f"{place} must be from 1 byte to {shown(most)}")
    return value


def shown(size: int) -> str:
    """A size in words: `10 MB`."""
    for name, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= factor:
            return f"{size / factor:.4g} {name}"
    return f"{size} bytes"
