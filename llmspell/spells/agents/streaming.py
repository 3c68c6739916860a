"""A streamed answer: passed on piece by piece, and never told twice (ASY-011)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Stream:
    """Whoever listens to one request's answers. `begun`: an answer is heard in part."""

    def __init__(self, listener: Callable[[str], Awaitable[None]]) -> None:
        self._listener = listener
        self.begun = False

    async def hear(self, piece: str) -> None:
        """Passes a piece on. Raises what the listener raises."""
        self.begun = True
        await self._listener(piece)

    def ended(self) -> None:
        """The answer is whole; what comes now is the next one."""
        self.begun = False
