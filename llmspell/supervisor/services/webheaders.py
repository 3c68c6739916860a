"""Request headers a spell may set, and what stays behind when a request goes to another origin."""

from __future__ import annotations

import re

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

HEADERS_MAX: Final = 100
BYTES_MAX: Final = 32_768
"""Request headers and their bytes in one request."""

Headers = list[tuple[bytes, bytes]]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-real-ip",
    }
)
_OUR_PREFIXES: Final = ("proxy-", "x-forwarded", "sec-websocket-", "sec-fetch-")
_CREDENTIAL: Final = re.compile(
    r"auth|cookie|token|api[-_]?key|secret|session|credential|password|signature", re.IGNORECASE
)


def check_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers with lower-case names.

    Raises `InvalidInput` for a header that is llmspell's to set (framing, proxying, upgrading:
    NW-24, NW-36), a name or value no header may have (NW-17), and for too many.
    """
    checked: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        lower = name.lower()
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name[:40]!r} is no header name")
        # Servers that hand headers on as variables make no difference between `_` and `-`.
        meant = lower.replace("_", "-")
        if meant in _OURS or meant.startswith(_OUR_PREFIXES):
            raise InvalidInput(f"the header {name} is set by llmspell; leave it out")
        if lower in checked:
            raise InvalidInput(f"the header {name} is there twice")
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise InvalidInput(f"the header {name} must be text or a number")
        text = str(value)
        if _BAD_VALUE.search(text):
            raise InvalidInput(f"the header {name} holds a line break or control character")
        try:
            size += len(name) + len(text.encode("latin-1"))
        except UnicodeEncodeError:
            raise InvalidInput(f"the header {name} holds more than Latin-1 text") from None
        checked[lower] = text.strip(" \t")
    if len(checked) > HEADERS_MAX or size > BYTES_MAX:
        raise InvalidInput(f"over {HEADERS_MAX} headers or {BYTES_MAX} bytes of them")
    return checked


def without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """What may go along to another origin (NW-23): nothing that looks like a credential."""
    return {name: value for name, value in headers.items() if not _CREDENTIAL.search(name)}


def encode_headers(authority: str, headers: Mapping[str, str], body: bytes | None) -> Headers:
    """The headers as they travel, with those that llmspell sets."""
    encoded: Headers = [(b"host", authority.encode("ascii"))]
    if "user-agent" not in headers:
        encoded.append((b"user-agent", b"llmspell"))
    if "accept" not in headers:
        encoded.append((b"accept", b"*/*"))
    encoded.append((b"accept-encoding", b"gzip, deflate"))
    encoded += [(name.encode("ascii"), text.encode("latin-1")) for name, text in headers.items()]
    if body is not None:
        encoded.append((b"content-length", str(len(body)).encode("ascii")))
    return encoded


def decode_headers(headers: Headers) -> dict[str, str]:
    """A response's headers: lower-case names, repeated ones joined by `, ` (cookies by newline)."""
    decoded: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in decoded:
            joint = "\n" if name == "set-cookie" else ", "
            value = decoded[name] + joint + value
        decoded[name] = value
    return decoded
