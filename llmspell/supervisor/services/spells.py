"""`spell.*`: spells as objects, and running another spell's file."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from llmspell.supervisor.desk import Desk
    from llmspell.supervisor.services.context import Args, CallContext
    from llmspell.supervisor.services.nested import NestedRuns


class SpellService:
    """The spells of one run."""

    def __init__(self, host: Desk) -> None:
        self._host = host
        self._nested: NestedRuns | None = None
        self.table = {"spell.run_file": self.run_file}

    def close(self) -> None:
        """Ends the spells that are still under way."""
        if self._nested is not None:
            self._nested.close()

    async def run_file(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Runs another spell's file in a worker of its own."""
        if self._nested is None:
            from llmspell.supervisor.services.nested import NestedRuns

            self._nested = NestedRuns(self._host)
        return await self._nested.run_file(ctx, args)
