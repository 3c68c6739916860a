"""How long to wait before another try: exponential, with jitter, as the provider asks (LLM-010)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

DELAY_MAX: Final = 60.0
JITTER: Final = 0.1
"""At most a tenth on top, so that what failed together does not come back together."""

ASKED_MAX: Final = 86_400.0
"""More than a day is nothing one waits for."""


def asked_for(header: str, now: float) -> float | None:
    """Seconds that a `retry-after` header asks for: a number, or an HTTP date; None where neither.

    `now`: seconds since 1970.
    """
    try:
        seconds = float(header)
    except ValueError:
        from email.utils import parsedate_tz

        parts = parsedate_tz(header[:64])
        if parts is None:
            return None
        from calendar import timegm

        try:
            seconds = max(0.0, timegm((*parts[:6], 0, 1, 0)) - (parts[9] or 0) - now)
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds <= ASKED_MAX else None


def delay(attempt: int, base: float, retry_after: float | None, random: float) -> float:
    """Seconds before try `attempt` + 1 (from 1 up); `random` is from 0 to 1.

    What the provider asks for is the least that is waited, however long.
    """
    seconds = min(DELAY_MAX, base * 2.0 ** min(attempt - 1, 30))
    if retry_after is not None:
        seconds = max(seconds, retry_after) if retry_after > 0 else seconds
    return seconds * (1 + JITTER * random)
