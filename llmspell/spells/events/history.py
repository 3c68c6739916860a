"""Events that outlive the run: written many at a time to the spell's own store (EVT-017).

What is kept is masked. A run that is killed loses what it has not written yet: at most a batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError
from llmspell.spells.events.bus import select
from llmspell.spells.events.patterns import Pattern
from llmspell.spells.state.values import Store, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell.spells.events.event import Event
    from llmspell.spells.ports import Host

TTL_SECONDS: Final = 86_400.0
"""How long an event is kept (EVT-017)."""

BATCH: Final = 50
FULL: Final = 200
"""Events that are written together, and that may wait to be before emitters do."""

PAGES_MAX: Final = 2_000
"""Written batches that one replay looks at, the newest."""


class _Piece(NamedTuple):
    """Events that are written together: the first one's moment, their text, how many."""

    moment: float
    text: bytes
    number: int


class History:
    """The persisted events of one spell. `ttl` in seconds."""

    def __init__(self, host: Host, ttl: float = TTL_SECONDS) -> None:
        self._host = host
        self._waiting: list[Event] = []
        self._wanted: Pattern | None = None
        self._number = 0
        self._closed = False
        self.ttl = ttl
        self.written = 0

    def configure(self, ttl: float | None, pattern: str | None) -> None:
        """How long events are kept and which. Raises `InvalidInput`."""
        if ttl is not None:
            if not ttl > 0:
                raise InvalidInput("events.persist: ttl is a time above 0")
            self.ttl = ttl
        self._wanted = None if pattern is None else Pattern.of(pattern)

    @property
    def is_full(self) -> bool:
        """Whether there is enough to write."""
        return len(self._waiting) >= BATCH

    def add(self, event: Event) -> None:
        """Takes an event up; over `FULL` that wait the oldest go, and a log line says so."""
        if self._closed or (self._wanted is not None and not self._wanted.matches(event["type"])):
            return
        self._waiting.append(event)
        if len(self._waiting) > FULL:
            del self._waiting[0]
            self._host.note("warn", "events come faster than they are persisted: one was left out")

    async def write(self) -> None:
        """Writes what waits. A store that refuses is told of once, not raised: the run goes on."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        kept = await self._store()
        try:
            for start in range(0, len(waiting), BATCH):
                for piece in _fitting(waiting[start : start + BATCH], self._host):
                    await kept.use(self._writer(piece))
                    self.written += piece.number
        except LimitExceeded as error:
            self._closed = True
            self._host.note("warn", f"events are not persisted any more: {error.message}")
        except LlmspellError as error:
            self._host.note("warn", f"{len(waiting)} events were not persisted: {error.message}")

    async def read(
        self, begin: float | None, end: float | None, pattern: str | None, limit: int
    ) -> list[Event]:
        """Persisted events, also of earlier runs; the last `limit` of them."""
        await self.write()
        kept = await self._store()
        # A batch begins with its first event: the one before `begin` may reach into the time.
        texts: list[bytes] = await kept.use(lambda store: _texts(store, begin, end))
        events = (event for text in texts for event in decode(text))
        return select(events, begin, end, pattern, limit)

    def close(self) -> None:
        """No more events are taken up."""
        self._closed = True
        self._waiting.clear()

    def _writer(self, piece: _Piece) -> Callable[[Store], None]:
        self._number += 1
        moment = int(piece.moment * 1000)
        key = f"{moment:015d}-{self._host.session}-{self._number:06d}"
        ttl = self.ttl
        return lambda store: store.set(key, piece.text, ttl)

    async def _store(self) -> Any:
        return await self._host.state.store("events")


def _texts(store: Store, begin: float | None, end: float | None) -> list[bytes]:
    keys = store.keys()
    moments = [int(key.partition("-")[0]) / 1000 for key in keys]
    first = 0
    if begin is not None:
        first = max(0, sum(1 for moment in moments if moment < begin) - 1)
    chosen = [
        key
        for key, moment in zip(keys[first:], moments[first:], strict=True)
        if end is None or moment <= end
    ]
    found = (store.get(key) for key in chosen[-PAGES_MAX:])
    return [text for text in found if text is not None]


def _fitting(events: list[Event], host: Host) -> list[_Piece]:
    """The events as texts that fit into a value each; one that is too large alone is left out."""
    try:
        text = encode(host.mask(events))
    except LimitExceeded:
        if len(events) == 1:
            return []
        half = len(events) // 2
        return [*_fitting(events[:half], host), *_fitting(events[half:], host)]
    return [_Piece(events[0]["timestamp"], text, len(events))]
