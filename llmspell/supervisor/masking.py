"""Secrets are taken out of whatever leaves the supervisor: replies, results, errors, audit.

A registered value is found as it is and as base64 (at each of its three alignments, so also inside
`Basic user:value`), hex, URL-encoded and JSON-escaped text. Key patterns of well-known services
are masked in what people read (audit, errors) even when nobody registered them (NW-34, SEC-034).
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any, Final

MASK: Final = "•••"
SECRET_MIN: Final = 4
"""Shortest value that is registered; masking shorter ones would black out ordinary words."""

DEPTH_MAX: Final = 128

KEY_MIN: Final = 15
"""Characters below which no text can hold a key of a known form, but for a password in a URL."""

_ENCODED_MIN: Final = 8
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")

_SHORT_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f",
    "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
"""How JSON writes these characters; every other control character by its number."""

_KEYS: Final = (
    r"\bsk-[A-Za-z0-9_-]{16,256}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,256}"
    r"|\bgithub_pat_[A-Za-z0-9_]{20,256}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,256}"
    r"|\bAIza[A-Za-z0-9_-]{30,64}"
    r"|\beyJ[A-Za-z0-9_-]{10,2048}\.[A-Za-z0-9_-]{10,2048}\.[A-Za-z0-9_-]{5,2048}"
    r"|(?i:(?<=bearer )|(?<=basic ))[A-Za-z0-9._~+/=-]{8,2048}"
    r"|(?<=://)[^/\s:@]{1,256}:[^/\s@]{1,256}(?=@)"
)

_KEY_MARKS: Final = (
    *("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("AKIA", "ASIA", "xox", "AIza", "eyJ", "://"),
)
_KEY_MARKS_ANY_CASE: Final = ("bearer ", "basic ")
"""What every text that `_KEYS` matches holds, one or the other."""


class Masker:
    """Replaces registered secrets in JSON values; built once for a session, immutable."""

    __slots__ = ("_binary", "_forms", "_keys", "_text")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= SECRET_MIN:
                forms |= _forms_of(secret)
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._text: re.Pattern[str] | None = None
        self._binary: re.Pattern[bytes] | None = None
        self._keys: re.Pattern[str] | None = None
        if self._forms:
            import re

            self._text = re.compile("|".join(map(re.escape, self._forms)))
            spelled = dict.fromkeys(each for form in self._forms for each in _bytes_of(form))
            self._binary = re.compile(b"|".join(map(re.escape, spelled)))

    def mask(self, value: Any) -> Any:
        """The value (JSON, also bytes) with every registered secret replaced, keys included."""
        if self._text is None:
            return value
        return self._walk(value, 0, False)

    def mask_record(self, value: Any) -> Any:
        """As `mask`, for what people read: also what merely looks like a key."""
        return self._walk(value, 0, True)

    def mask_text(self, text: str, *, patterns: bool = False) -> str:
        """One text, masked."""
        if self._text is not None:
            text = self._text.sub(MASK, text)
        if patterns and (len(text) >= KEY_MIN or "@" in text) and _may_hold_a_key(text):
            if self._keys is None:
                import re

                self._keys = re.compile(_KEYS)
            text = self._keys.sub(MASK, text)
        return text

    def beginning_at_end(self, text: str) -> int:
        """Characters at the end of a text with which a registered secret may begin."""
        longest = min(len(text), len(self._forms[0]) - 1) if self._forms else 0
        for size in range(longest, 0, -1):
            end = text[-size:]
            if any(form.startswith(end) for form in self._forms):
                return size
        return 0

    def _walk(self, value: Any, depth: int, patterns: bool) -> Any:
        if isinstance(value, str):
            return self.mask_text(value, patterns=patterns)
        if isinstance(value, (bytes, bytearray)):
            if self._binary is None:
                return value
            return self._binary.sub(MASK.encode(), bytes(value))
        if depth > DEPTH_MAX:
            return MASK
        if isinstance(value, dict):
            return {
                self._walk(key, depth + 1, patterns): self._walk(item, depth + 1, patterns)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._walk(item, depth + 1, patterns) for item in value]
        return value


def _may_hold_a_key(text: str) -> bool:
    """False only where `_KEYS` can match nothing; compiling it takes longer than most runs' rest.

    Only ASCII is told apart: what folds to it (`ſ` to `s`) is left to the pattern itself.
    """
    if not text.isascii() or any(mark in text for mark in _KEY_MARKS):
        return True
    lowered = text.lower()
    return any(mark in lowered for mark in _KEY_MARKS_ANY_CASE)


def _forms_of(secret: str) -> set[str]:
    import binascii

    data = secret.encode("utf-8", "replace")
    # What is read in another encoding than it was written in, as the headers of answers are.
    forms = {secret, data.decode("latin-1")}
    misread = _bytes_of(secret)[-1].decode("utf-8", "replace")
    if len(misread.replace("\ufffd", "")) >= SECRET_MIN:
        forms.add(misread)
    for plain in (True, False):
        escaped = "".join(_escape(character, plain) for character in secret)
        # Some spell a slash with a backslash, and DEL as a number.
        forms |= {escaped, escaped.replace("/", "\\/"), escaped.replace("\x7f", "\\u007f")}
    if len(data) >= _ENCODED_MIN:
        hexed = data.hex()
        forms |= {hexed, hexed.upper(), _url_encoded(data, "%%%02X"), _url_encoded(data, "%%%02x")}
        for shift in range(3):
            # What the neighbours' bits decide is cut off both ends.
            text = binascii.b2a_base64(b"\0" * shift + data, newline=False).decode("ascii")
            start = (0, 2, 3)[shift]
            spare = (shift + len(data)) % 3
            end = len(text) if spare == 0 else len(text) - (3 if spare == 1 else 2)
            core = text[start:end]
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= SECRET_MIN}


def _bytes_of(text: str) -> list[bytes]:
    """The text in UTF-8 and, where that can hold it, in Latin-1."""
    found = [text.encode("utf-8", "replace")]
    try:
        return [*found, text.encode("latin-1")]
    except UnicodeEncodeError:
        return found


def _escape(character: str, plain: bool) -> str:
    """The character in a JSON text; `plain`: beyond ASCII it stays as it is."""
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if " " <= character <= "\x7f" or (plain and character >= "\x80"):
        return character
    number = ord(character)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def _url_encoded(data: bytes, form: str) -> str:
    return "".join(chr(byte) if byte in _PLAIN else form % byte for byte in data)
