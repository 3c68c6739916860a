"""File bytes through the broker, in pieces and up to a bound."""

from __future__ import annotations

from typing import Final

from llmspell.errors import InternalError, InvalidInput
from llmspell.tools.sizes import shown
from llmspell.tools.tool import Host

PIECE: Final = 4 * 1024 * 1024
"""Bytes of one call: in Base64 well under a channel message."""


async def read_bytes(host: Host, path: str, most: int, offset: int = 0) -> bytes:
    """The file's bytes from `offset`. Raises `InvalidInput` when they are more than `most`.

    Never asks for more than one byte above the bound, so an endless file costs no more than that.
    """
    data = bytearray()
    while True:
        size = min(PIECE, most + 1 - len(data))
        piece = await read_piece(host, path, offset + len(data), size)
        data += piece
        if len(data) > most:
            raise InvalidInput(
                f"the file has over {shown(most)}",
                hint="raise max_size, or read a part of it by offset and length",
            )
        if len(piece) < size:
            return bytes(data)


async def read_piece(host: Host, path: str, offset: int, length: int) -> bytes:
    """Up to `length` bytes; fewer only at the file's end."""
    args = {"path": path, "encoding": "binary", "offset": offset, "length": length}
    piece = await host.call("fs.read", args)
    if not isinstance(piece, bytes):
        raise InternalError("fs.read answered with something that is no bytes")
    return piece
