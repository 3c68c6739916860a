"""The run's standard input for the spell: a descriptor of the user's, read piece by piece."""

from __future__ import annotations

import codecs
import os
import select
import stat

from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services.context import Args, CallContext

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Final

PIECE: Final = 65_536
"""Bytes read at once; a piece of text is at most that long unless `length` says less."""


class Stdin:
    """Text from a descriptor (None: there is no input). Undecodable bytes become U+FFFD."""

    __slots__ = ("_decoder", "_descriptor", "_ended", "_text")

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._ended = descriptor is None

    def read(self, ctx: CallContext, args: Args) -> str | Coroutine[Any, Any, str | None] | None:
        """The next piece of text, None at the end.

        What is there is given at once; only an input that must be waited for (a terminal, a slow
        pipe) needs the asyncio driver. Raises `OperationFailed`, `LimitExceeded`.
        """
        length = args.get("length")
        while not self._text and not self._ended:
            if not self._ready():
                return self._wait(ctx, length)
            self._fill(ctx)
        return self._take(length)

    async def _wait(self, ctx: CallContext, length: int | None) -> str | None:
        import asyncio

        while not self._text and not self._ended:
            if not self._ready():
                await self._readable(asyncio.get_running_loop())
            self._fill(ctx)
        return self._take(length)

    async def _readable(self, loop: Any) -> None:
        future = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        loop.add_reader(self._descriptor, wake)
        try:
            await future
        finally:
            loop.remove_reader(self._descriptor)

    def _ready(self) -> bool:
        assert self._descriptor is not None
        try:
            if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                return True
            return bool(select.select([self._descriptor], [], [], 0)[0])
        except (OSError, ValueError):
            return True  # Reading says what is wrong.

    def _fill(self, ctx: CallContext) -> None:
        assert self._descriptor is not None
        try:
            data = os.read(self._descriptor, PIECE)
        except BlockingIOError:
            return
        except OSError as error:
            raise OperationFailed(
                f"standard input can't be read: {os.strerror(error.errno or 5).lower()}"
            ) from None
        ctx.reserve("transfer", len(data))
        self._ended = not data
        self._text += self._decoder.decode(data, final=self._ended)

    def _take(self, length: int | None) -> str | None:
        if not self._text:
            return None
        size = len(self._text) if length is None else length
        piece, self._text = self._text[:size], self._text[size:]
        return piece
