"""Every built-in tool in one literal. Written by `document.py`; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmspell.tools.entry import Entry

TOOLS: Final[Mapping[str, Entry]] = {
    "base64_encoder": Entry(
        name="base64_encoder",
        category="util",
        description="Encodes and decodes Base64, URL and hex text.",
        version="1.0.0",
        capabilities=("encoding",),
        security_level="low",
        needs=frozenset(),
        seconds=10.0,
        data_bytes=10485760,
        memory_bytes=134217728,
        calls_per_minute=None,
        module="llmspell.tools.util.base64_encoder",
    ),
    "calculator": Entry(
        name="calculator",
        category="util",
        description="Computes an arithmetic expression with functions and variables.",
        version="1.0.0",
        capabilities=("math", "calculation"),
        security_level="low",
        needs=frozenset(),
        seconds=10.0,
        data_bytes=10485760,
        memory_bytes=134217728,
        calls_per_minute=None,
        module="llmspell.tools.util.calculator",
    ),
    "file_reader": Entry(
        name="file_reader",
        category="filesystem",
        description="Reads a file as text, finding out its encoding, or as bytes.",
        version="1.0.0",
        capabilities=("file_reading",),
        security_level="high",
        needs=frozenset({"read"}),
        seconds=120.0,
        data_bytes=1073741824,
        memory_bytes=536870912,
        calls_per_minute=None,
        module="llmspell.tools.filesystem.file_reader",
    ),
}
