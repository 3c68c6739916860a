"""Results of tool calls kept for a while (TOOL-073, 077, 078): least recently used go first."""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.digests import sha256
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

ENTRIES: Final = 1_000
"""Results kept unless `max_size` says less, and the most it may say (TOOL-077)."""

TTL_SECONDS: Final = 3_600.0

TOTAL_MAX: Final = 8 * 2**20
VALUE_MAX: Final = 2**20
"""Bytes (as JSON) of all results, and of one; a larger one is not kept."""


RUN_MAX: Final = 32 * 2**20
"""Bytes of all the caches that share a `Shelf`: those of one run's tools."""


class Shelf:
    """What the caches of a run hold together: a spell may give each of its tools one."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class ResultCache:
    """JSON texts by tool and input, so that nobody shares an object with the cache."""

    __slots__ = ("_clock", "_entries", "_max", "_shelf", "_size", "_ttl", "hits", "misses")

    def __init__(
        self, clock: Callable[[], float], ttl: float, entries: int, shelf: Shelf | None = None
    ) -> None:
        self._shelf = shelf or Shelf()
        self._clock = clock
        self._ttl = ttl
        self._max = entries
        self._entries: dict[str, tuple[bytes, float]] = {}
        self._size = 0
        self.hits = self.misses = 0

    @classmethod
    def of(
        cls,
        config: Any,
        engine: str,
        clock: Callable[[], float],
        function: str,
        shelf: Shelf | None = None,
    ) -> ResultCache:
        """A cache by `true`, a time, or `{ttl, max_size}`. Raises `InvalidInput`."""
        if config is True or config is None or config in ([], {}):
            config = {}
        elif type(config) in (int, float, str):
            config = {"ttl": config}
        elif type(config) is not dict:
            raise InvalidInput(f"{function}: cache must be true, a time, or {{ttl, max_size}}")
        options: Mapping[str, Any] = normalise(config)
        ttl = TTL_SECONDS
        if options.get("ttl") is not None:
            ttl = seconds(options["ttl"], engine, f"{function}: ttl")
        entries = options.get("max_size", options.get("max_entries", ENTRIES))
        if type(entries) not in (int, float) or not 1 <= entries <= ENTRIES:
            raise InvalidInput(f"{function}: max_size must be from 1 to {ENTRIES}")
        return cls(clock, ttl, int(entries), shelf)

    def get(self, tool: str, given: Any) -> Any:
        """The kept result, or None."""
        key = _key(tool, given)
        entry = None if key is None else self._entries.pop(key, None)
        if key is None or entry is None:
            self.misses += 1
            return None
        text, ends = entry
        if self._clock() >= ends:
            self._hold(-len(text))
            self.misses += 1
            return None
        self._entries[key] = entry
        self.hits += 1
        return jsontext.decode(text)

    def put(self, tool: str, given: Any, value: Any) -> None:
        """Keeps a result, if it is JSON and not too large."""
        key = _key(tool, given)
        text = _text(value)
        if key is None or text is None or len(text) > VALUE_MAX:
            return
        old = self._entries.pop(key, None)
        if old is not None:
            self._hold(-len(old[0]))
        self._entries[key] = (text, self._clock() + self._ttl)
        self._hold(len(text))
        while self._entries and (
            len(self._entries) > self._max or self._size > TOTAL_MAX or self._shelf.size > RUN_MAX
        ):
            self._hold(-len(self._entries.pop(next(iter(self._entries)))[0]))

    def clear(self) -> None:
        """Lets everything go, and its room with it."""
        self._entries.clear()
        self._hold(-self._size)

    def _hold(self, size: int) -> None:
        self._size += size
        self._shelf.size += size

    def stats(self) -> dict[str, Any]:
        """Its figures."""
        return {"entries": len(self._entries), "hits": self.hits, "misses": self.misses}


def _text(value: Any) -> bytes | None:
    try:
        return jsontext.encode(value)
    except jsontext.Malformed:
        return None


def _key(tool: str, given: Any) -> str | None:
    """The same for inputs that differ in the order of their keys only."""
    text = _text(_ordered(given))
    return None if text is None else f"{tool}:{sha256(text)}"


def _ordered(value: Any) -> Any:
    if type(value) is dict:
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if type(value) is list else value
