"""How long to wait before another try: exponential, with jitter, as the provider asks (LLM-010)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

DELAY_MAX: Final = 60.0
JITTER: Final = 0.1
"""At most a tenth on top, so that what failed together does not come back together."""


def delay(attempt: int, base: float, retry_after: float | None, random: float) -> float:
    """Seconds before try `attempt` + 1 (from 1 up); `random` is from 0 to 1.

    What the provider asks for is the least that is waited, however long.
    """
    seconds = min(DELAY_MAX, base * 2.0 ** min(attempt - 1, 30))
    if retry_after is not None:
        seconds = max(seconds, retry_after) if retry_after > 0 else seconds
    return seconds * (1 + JITTER * random)
