"""One audit record as bytes: canonical JSON on one line, bounded, chained by SHA-256.

`hash` is SHA-256 over the previous record's hash (hex) and the canonical JSON of this record
without `hash`, which is its last field. Everything outside printable ASCII is escaped, so no
field can forge a line, a terminal sequence or a reading direction (SL-06, SL-07).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from llmspell.digests import sha256
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

FIRST: Final = "0" * 64
"""What the first record names as the hash before it."""

START: Final = "session_start"
END: Final = "session_end"

ORDER: Final = (
    "seq",
    "time",
    "session",
    "event",
    "origin",
    "method",
    "action",
    "target",
    "allowed",
    "rule",
    "code",
    "bytes",
    "ms",
)
"""Fields with a meaning of their own; whatever else an event has to say is under `details`."""

TEXT_MAX: Final = 1_024
"""Characters kept of one text; the middle of a longer one is left out (SL-12)."""

ITEMS_MAX: Final = 64
DEPTH_MAX: Final = 4
LINE_MAX: Final = 65_536
"""Bytes of the longest line; details that don't fit are dropped and said to be."""

OUR_WORDS: Final = frozenset({"origin", "method", "action", "allowed", "rule", "code"})
"""Fields whose values are llmspell's own words: short, and nothing in them can be a secret."""

_KEYS: Final = frozenset(ORDER[4:])


def make_record(
    seq: int, moment: str, session: str, event: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The record without `prev` and `hash`. `moment` as `Clock` tells it."""
    record: dict[str, Any] = {
        "seq": seq,
        "time": moment,
        "session": session,
        "event": event,
    }
    details: dict[str, Any] = {}
    for name, value in fields.items():
        if name in OUR_WORDS:
            if value is not None:
                record[name] = value
        elif name in _KEYS:
            if value is not None:
                record[name] = bounded(value)
        elif len(details) < ITEMS_MAX:
            details[bounded_text(str(name))] = bounded(value)
    if details:
        record["details"] = details
    return record


def seal(record: dict[str, Any], previous: str) -> tuple[bytes, str]:
    """The record's line, with newline, and its hash; spelled once, the hash put in at its end.

    Details that make the line too long are dropped and said to be.
    """
    record["prev"] = previous
    body = canonical(record)
    if len(body) > LINE_MAX - 256:
        record["details"] = {"dropped": "too long for a record"}
        body = canonical(record)
    digest = sha256(previous.encode("ascii") + body)
    return b'%b,"hash":"%b"}\n' % (body[:-1], digest.encode("ascii")), digest


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: keys in their order, no spaces, printable ASCII only."""
    return _spell(value).replace("\x7f", "\\u007f").encode("ascii")


def _make_speller() -> Callable[[Any], str]:
    """The C encoder made once: `json.dumps` makes a new one for every call."""
    from json import encoder

    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    plain = json.JSONEncoder().default
    ascii_text = encoder.encode_basestring_ascii
    once = make(None, plain, ascii_text, None, ":", ",", False, False, False)
    return lambda value: "".join(once(value, 0))


_spell: Final = _make_speller()


class Clock:
    """Moments as text, UTC with milliseconds; the second's text is kept for the next record."""

    __slots__ = ("_millisecond", "_moment", "_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""
        self._millisecond = -1
        self._moment = ""

    def text(self, moment: float) -> str:
        """`2026-11-21T10:40:00.123Z` for seconds since the epoch."""
        whole = int(moment)
        millisecond = int((moment - whole) * 1000)
        if whole != self._second:
            self._second = whole
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        elif millisecond == self._millisecond:
            return self._moment
        self._millisecond = millisecond
        self._moment = f"{self._text}.{millisecond:03d}Z"
        return self._moment


def bounded(value: Any, depth: int = 0) -> Any:
    """The value as JSON of bounded size; what JSON can't hold becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else bounded_text(str(value)[:TEXT_MAX])
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str):
        return bounded_text(value)
    if depth < DEPTH_MAX:
        if isinstance(value, Mapping):
            kept = list(value.items())[:ITEMS_MAX]
            return {bounded_text(str(key)): bounded(item, depth + 1) for key, item in kept}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [bounded(item, depth + 1) for item in list(value)[:ITEMS_MAX]]
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes"
    return type(value).__name__


def bounded_text(text: str) -> str:
    """The text, or its two ends: what comes first and last is what people look for."""
    if len(text) <= TEXT_MAX:
        return text
    half = (TEXT_MAX - 24) // 2
    return f"{text[:half]}…{len(text) - 2 * half} more…{text[-half:]}"
