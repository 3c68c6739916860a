"""Words in a source that deserve a look (SEC-012). Advice only: it never allows or refuses.

Scanning text can't decide what code does - `_G["o" .. "s"]` passes and a comment is found - so
the result is shown and recorded, and the confinement is what holds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SCANNED_MAX: Final = 1_048_576
"""Characters of the source that are looked at."""

LINE_MAX: Final = 2_000
"""Characters of a line that are looked at; bounds the time whatever the source."""

FOUND_MAX: Final = 50
"""Advisories of one scan."""

PATTERNS: Final = (
    ("os.execute", r"\bos\s*\.\s*execute\b"),
    ("io.popen", r"\bio\s*\.\s*popen\b"),
    ("require.*ffi", r"\brequire\b[^\n]{0,40}?\bffi\b"),
    ("loadfile", r"\bloadfile\b"),
    ("dofile", r"\bdofile\b"),
    ("require.*os", r"\brequire\b\s*\(?\s*['\"]os['\"]"),
    ("process.exit", r"\bprocess\s*\.\s*exit\b"),
    ("eval(", r"\beval\s*\("),
    ("Function(", r"\bFunction\s*\("),
    ("require.*child_process", r"\brequire\b[^\n]{0,40}?child_process"),
    ("require.*fs", r"\brequire\b\s*\(?\s*['\"](?:node:)?fs\b"),
    ("__proto__", r"__proto__"),
    ("ctypes", r"\bimport\s+ctypes\b|\bfrom\s+ctypes\b"),
    ("subprocess", r"\bimport\s+subprocess\b|\bfrom\s+subprocess\b"),
    ("os.system", r"\bos\s*\.\s*(?:system|popen|exec[lv]\w*|spawn\w+|fork)\b"),
    ("__subclasses__", r"__subclasses__"),
)
"""The seeds' patterns under their own names, and Python's."""


class Advisory(NamedTuple):
    """One finding: the pattern's name, the line (from 1), and the sentence of the seeds."""

    pattern: str
    line: int
    message: str


def scan(source: str) -> list[Advisory]:
    """The findings, at most 50, in the order of lines; time grows with the source's length."""
    import re

    compiled = [(name, re.compile(pattern)) for name, pattern in PATTERNS]
    found: list[Advisory] = []
    for number, line in enumerate(source[:SCANNED_MAX].split("\n"), start=1):
        text = line[:LINE_MAX]
        for name, pattern in compiled:
            if pattern.search(text):
                found.append(Advisory(name, number, f"Dangerous pattern detected: {name}"))
                if len(found) == FOUND_MAX:
                    return found
    return found
