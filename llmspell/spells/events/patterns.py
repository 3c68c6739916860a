"""Patterns of event names: `*` is any run of characters, everything else is itself.

A spell chooses both patterns and names, so matching never backtracks: a thousand patterns against
one name cost a millisecond at the worst.
"""

from __future__ import annotations

from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.events.event import NAME_MAX
from llmspell.spells.events.names import canonical

if TYPE_CHECKING:
    from typing import Final

STARS_MAX: Final = 8
SUBSCRIPTION: Final = 5006


class Pattern(NamedTuple):
    """`parts` are what stands between the stars; one part alone is a name without any."""

    text: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Pattern:
        """The pattern, with llmspell's own names in their one spelling.

        Raises `OperationFailed` 5006 for what is none, and for over `STARS_MAX` stars.
        """
        if not 1 <= len(text) <= NAME_MAX or not text.isprintable():
            raise not_subscribed(f"a pattern is text of 1 to {NAME_MAX} characters")
        text = canonical(text)
        parts = tuple(text.split("*"))
        if len(parts) - 1 > STARS_MAX:
            raise not_subscribed(f"a pattern has at most {STARS_MAX} stars")
        return cls(text, parts)

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        parts = self.parts
        if len(parts) == 1:
            return name == parts[0]
        first, last = parts[0], parts[-1]
        end = len(name) - len(last)
        if end < len(first) or not (name.startswith(first) and name.endswith(last)):
            return False
        # The earliest place of each part leaves the most room for those after it.
        place = len(first)
        for part in parts[1:-1]:
            found = name.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True


def not_subscribed(why: str) -> OperationFailed:
    """A subscription that can't be made (5006)."""
    return OperationFailed(why, code=SUBSCRIPTION, kind="subscription")
