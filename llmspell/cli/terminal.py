"""Untrusted text on a person's terminal: control, bidi and invisible characters are shown escaped.

SL-07, SL-08, FS-38. A pipe or a file gets the bytes as they are.
"""

from __future__ import annotations

import os
import sys

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

LEVELS: Final = ("trace", "debug", "info", "warn", "error")

_UNSAFE: Final = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def escaped(text: str) -> str:
    """`text` with every character that could move, hide or forge shown as its code."""
    if text.isascii() and text.isprintable():
        return text
    import re

    return re.sub(_UNSAFE, lambda match: _code(match.group()), text)


LONE: Final = "[\ud800-\udfff]"
"""Halves of surrogate pairs: no text that can be written holds one."""


def escaped_json(text: str, unsafe: str = _UNSAFE) -> str:
    """A JSON document with such characters as JSON's own escapes: the same values in it."""
    import json
    import re

    return re.sub(unsafe, lambda match: json.dumps(match.group())[1:-1], text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{{{number:x}}}"


class TerminalSink:
    """Where a run's output goes on the command line; written as it happens, never buffered."""

    def __init__(self, *, quiet: bool, level: str, on_closed: Callable[[str], None]) -> None:
        """`on_closed` is told once when whoever reads the output went away."""
        self._on_closed = on_closed
        self._quiet = quiet
        self._level = LEVELS.index(level)
        self._escape = {1: os.isatty(1), 2: os.isatty(2)}
        self._closed = False

    def show(self, stream: str, text: str) -> None:
        """The spell's own output; with `--output json` it goes into the result instead."""
        if stream == "stdout" and self._quiet:
            return
        self._write(1 if stream == "stdout" else 2, text)

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A log record, on stderr."""
        if LEVELS.index(level) < self._level:
            return
        rest = "".join(f" {name}={value!r}" for name, value in fields.items())
        line = f"{level}: {message}{rest}".replace("\n", "\n  ")
        self._write(2, f"{line}\n")

    def _write(self, descriptor: int, text: str) -> None:
        if self._escape[descriptor]:
            text = escaped(text)
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except BrokenPipeError:
            if not self._closed:
                self._closed = True
                self._on_closed("output closed")
        except BlockingIOError:
            # Whoever gave us a non-blocking terminal gets a blocking one.
            os.set_blocking(descriptor, True)
            self._write(descriptor, bytes(data).decode("utf-8", "replace"))


def flush() -> None:
    """Writes what `print` still holds before descriptors are used directly."""
    sys.stdout.flush()
    sys.stderr.flush()
