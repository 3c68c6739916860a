"""What a spell prints and logs, counted against its output limit and masked."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.effects import Note, Show

if TYPE_CHECKING:
    from llmspell.channel import messages
    from llmspell.supervisor.plan import SessionPlan


LEVELS = ("trace", "debug", "info", "warn", "error")
"""Of log records, from the least."""


class Printed:
    """The output of one run so far. `over` once it is more than the limit allows."""

    __slots__ = ("_kept", "_plan", "least", "over", "size")

    def __init__(self, plan: SessionPlan) -> None:
        self._plan = plan
        self._kept: list[str] = []
        self.size = 0
        self.over = False
        self.least = LEVELS[0]
        """Log records below this level are counted and not shown."""

    def narrow(self, plan: SessionPlan) -> None:
        """Another plan's limit holds from now on."""
        self._plan = plan

    def print(self, message: messages.Output) -> Show:
        """Text of the spell's; the part beyond the limit is cut off."""
        encoded = message.text.encode("utf-8")
        room = self._plan.output_room(self.size)
        self.size += len(encoded)
        text = message.text
        if len(encoded) > room:
            self.over = True
            kept = encoded[: int(room)].decode("utf-8", "ignore")
            text = f"{kept}\n[output cut here by its limit]\n"
        text = self._plan.mask(text)
        if message.stream == "stdout" and self._plan.keep_output:
            self._kept.append(text)
        return Show(message.stream, text)

    def note(self, message: messages.Log) -> Note | None:
        """A log record; None for the one that goes over the limit."""
        self.size += len(message.message.encode("utf-8", "replace")) + 64 * len(message.fields)
        if self._plan.output_room(self.size) < 0:
            self.over = True
            return None
        if LEVELS.index(message.level) < LEVELS.index(self.least):
            return None
        mask = self._plan.mask
        return Note(message.level, mask(message.message), mask(message.fields))

    def kept(self) -> str:
        """What was printed to stdout, where it is kept for the result."""
        return "".join(self._kept)
