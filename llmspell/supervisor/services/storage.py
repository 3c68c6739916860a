"""Key-value storage of one session, in memory (API-097, 099, 101)."""

from __future__ import annotations

import time

from llmspell.channel import jsontext
from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.services.context import Args, CallContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

KEY_MAX: Final = 256
"""Characters of a key."""

VALUE_MAX: Final = 2**20
TOTAL_MAX: Final = 16 * 2**20
"""Bytes (as JSON) of one value and of all values with their keys."""

KEYS_MAX: Final = 10_000


class _Entry(NamedTuple):
    text: bytes
    ends: float | None


class Storage:
    """Values by key, as JSON text so that no two callers ever share one object.

    `clock` gives monotonic seconds. `later` gives the service of the other scopes (`state.py`).
    """

    __slots__ = ("_clock", "_entries", "_later", "_size")

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[], Any] | None = None,
    ) -> None:
        self._entries: dict[str, _Entry] = {}
        self._size = 0
        self._clock = clock
        self._later = later

    def perform(self, wire: str, own: Callable[[CallContext, Args], Any]) -> Any:
        """The call as a method: `own` for the scope `run`, else the later service's."""

        def act(ctx: CallContext, args: Args) -> Any:
            if "scope" not in args or args["scope"] == "run" or self._later is None:
                return own(ctx, args)
            return self._later().table[wire](ctx, args)

        return act

    def get(self, ctx: CallContext, args: Args) -> Any:
        """The value, or None."""
        entry = self._live(_key(args["key"]))
        return None if entry is None else jsontext.decode(entry.text)

    def set(self, ctx: CallContext, args: Args) -> None:
        """Keeps a value, for `ttl` seconds when given. Raises `LimitExceeded`, `InvalidInput`."""
        key = _key(args["key"])
        value = args["value"]
        if isinstance(value, (dict, list, tuple)) and jsontext.holds_callback(value):
            raise InvalidInput("value: a function can't be stored")
        try:
            text = jsontext.encode(value)
        except jsontext.Malformed as error:
            raise InvalidInput(f"value: {error}") from None
        if len(text) > VALUE_MAX:
            raise LimitExceeded("storage", f"a stored value has at most {VALUE_MAX} bytes")
        ttl = args.get("ttl")
        if ttl is not None and not ttl > 0:
            raise InvalidInput("ttl is seconds above 0")
        self._put(key, text, ttl)

    def delete(self, ctx: CallContext, args: Args) -> bool:
        """Forgets a value; whether there was one."""
        return self.forget(_key(args["key"]))

    def exists(self, ctx: CallContext, args: Args) -> bool:
        """Whether a key holds a value."""
        return self._live(_key(args["key"])) is not None

    def list(self, ctx: CallContext, args: Args) -> list[str]:
        """The keys that begin with `prefix`, sorted."""
        return [*self.keys(args.get("prefix") or "")]

    def clear(self, ctx: CallContext, args: Args) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._size = 0

    def put(self, key: str, text: bytes, ttl: float | None) -> None:
        """Keeps the JSON `text`; the key was checked, or is the store's own. Raises
        `LimitExceeded`."""
        self._put(key, text, ttl)

    def text(self, key: str) -> bytes | None:
        """The JSON of a value, or None."""
        entry = self._live(key)
        return None if entry is None else entry.text

    def forget(self, key: str) -> bool:
        """Forgets a value; whether there was one."""
        if self._live(key) is None:
            return False
        self._drop(key)
        return True

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin with `prefix`, sorted; not the store's own, which is empty."""
        self._expire()
        return sorted(key for key in self._entries if key and key.startswith(prefix))

    def snapshot(self) -> tuple[dict[str, _Entry], int]:
        """All there is, for `restore`."""
        return dict(self._entries), self._size

    def restore(self, kept: tuple[dict[str, _Entry], int]) -> None:
        """Takes everything since a snapshot back."""
        self._entries, self._size = kept

    def size(self) -> tuple[int, int]:
        """Keys and bytes."""
        self._expire()
        return len(self._entries), self._size

    def _put(self, key: str, text: bytes, ttl: float | None) -> None:
        self._expire()
        old = self._entries.get(key)
        growth = len(text) - (0 if old is None else len(old.text))
        if old is None:
            growth += len(key.encode("utf-8", "replace"))
            if len(self._entries) >= KEYS_MAX:
                raise LimitExceeded("storage", f"storage holds at most {KEYS_MAX} keys")
        if growth > 0 and self._size + growth > TOTAL_MAX:
            raise LimitExceeded("storage", f"storage holds at most {TOTAL_MAX} bytes")
        self._size += growth
        self._entries[key] = _Entry(text, None if ttl is None else self._clock() + ttl)

    def _live(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.ends is not None and self._clock() >= entry.ends:
            self._drop(key)
            return None
        return entry

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key)
        self._size -= len(entry.text) + len(key.encode("utf-8", "replace"))

    def _expire(self) -> None:
        now = self._clock()
        for key in [k for k, e in self._entries.items() if e.ends is not None and now >= e.ends]:
            self._drop(key)


def _key(key: str) -> str:
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_MAX:
        raise InvalidInput(f"a key is text of 1 to {KEY_MAX} characters")
    return key
