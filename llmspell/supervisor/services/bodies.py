"""Response bodies: decompressed in bounded steps, counted decoded, and given as text or bytes."""

from __future__ import annotations

import zlib

from llmspell.errors import LimitExceeded, OperationFailed
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

STEP: Final = 65_536
"""Most bytes that one step of decompression gives."""

RATIO_MAX: Final = 200
RATIO_FROM: Final = 2**20
"""Decoded bytes per received byte that are allowed beyond the first MiB (NW-28)."""

MEMBERS_MAX: Final = 1_000
"""gzip files that may follow each other: each costs far more than its 20 bytes."""

_TEXT_TYPES: Final = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
)
_CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}


class Unpacker:
    """Undoes one Content-Encoding. Raises `OperationFailed` for one not asked for, or a bomb."""

    __slots__ = ("_gzip", "_members", "_started", "_stream", "given", "taken")

    def __init__(self, encoding: str) -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise _broken(f"the answer's encoding {name[:40]!r} was not asked for")
        self._gzip = name in ("gzip", "x-gzip")
        plain = name in ("", "identity")
        self._stream = None if plain else zlib.decompressobj(31 if self._gzip else 15)
        self._started = False
        self._members = 1
        self.taken = 0
        self.given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of what was received, each at most `STEP` bytes."""
        self.taken += len(data)
        if self._stream is None:
            self.given += len(data)
            yield data
            return
        while data:
            if self._stream.eof:
                # gzip files may follow each other (RFC 1952); bytes after deflate are dropped.
                if not self._gzip:
                    return
                self._members += 1
                if self._members > MEMBERS_MAX:
                    raise LimitExceeded(
                        "response_body", f"the answer is packed in over {MEMBERS_MAX} pieces"
                    )
                self._stream = zlib.decompressobj(31)
            piece = self._step(data)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            self.given += len(piece)
            if self.given > RATIO_FROM and self.given > RATIO_MAX * self.taken:
                raise _broken("the answer unpacks to far more than was sent")
            if piece:
                yield piece

    def finish(self) -> None:
        """Raises `OperationFailed` when the compressed body was cut."""
        if self._stream is not None and self.taken and not self._stream.eof:
            raise _broken("the compressed answer was cut")

    def _step(self, data: bytes) -> bytes:
        assert self._stream is not None
        try:
            piece = self._stream.decompress(data, STEP)
        except zlib.error:
            if self._gzip or self._started:
                raise _broken("the compressed answer is damaged") from None
            # Some servers send deflate without its wrapper (RFC 9110, 8.4.1.2).
            self._stream = zlib.decompressobj(-15)
            self._started = True
            return self._step(data)
        self._started = True
        return piece


def text_or_bytes(body: bytes, content_type: str) -> str | bytes:
    """Text for types that are text (by the charset named, else UTF-8), else the bytes."""
    kind, _, parameters = content_type.lower().partition(";")
    kind = kind.strip()
    if not (kind.startswith(_TEXT_TYPES) or kind.endswith(("+json", "+xml"))):
        if kind:
            return body
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body
    charset = "utf-8"
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            charset = value.strip().strip('"')
    return body.decode(_CHARSETS.get(charset, "utf-8"), errors="replace")


def _broken(what: str) -> OperationFailed:
    return OperationFailed(what, code=6003, kind="network")
