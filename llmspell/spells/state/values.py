"""What a store keeps and what may be asked of it at once: entries, operations and their bounds."""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

KEY_MAX: Final = 256
"""Characters of a key."""

VALUE_MAX: Final = 2**20
"""Bytes (as JSON) of one value."""

KEYS_MAX: Final = 10_000
TOTAL_MAX: Final = 64 * 2**20
"""Keys and bytes of one owner's store, unless `[storage]` says otherwise."""

BATCH_MAX: Final = 1_000
"""Keys or operations of one batch or transaction."""

PAGE_MAX: Final = 500
PAGE_BYTES: Final = 4 * 2**20
"""Entries and bytes of one page of a query."""

MIGRATION_MAX: Final = KEYS_MAX
"""Operations of one migration: it may touch all there is."""

APPLY_BYTES: Final = 16 * 2**20
APPLY_VALUES: Final = 1_000_000
"""Bytes (as JSON) and values in them that one batch or transaction may read, compare and merge: an
operation of forty bytes names a MiB of empty lists, which are twenty times that in memory."""

VERSION_KEY: Final = ""
"""Where a store keeps the version of what is in it. No spell can name or list this key; copies,
transactions and encryption treat it like any other."""

VERSION_MAX: Final = 2**31
STORAGE: Final = 6002
OPERATIONS: Final = ("set", "delete", "get", "check", "merge")

_SPELLINGS: Final[Mapping[str, str]] = {
    "put": "set", "insert": "set", "update": "set", "remove": "delete", "del": "delete",
    "read": "get", "compare": "check", "expect": "check",
}  # fmt: skip


class Quota(NamedTuple):
    """What one store may hold."""

    keys: int = KEYS_MAX
    size: int = TOTAL_MAX


class Operation(NamedTuple):
    """One part of a transaction. `text`: the JSON of a value; `ttl`: seconds, None for ever.

    "check" ends the transaction unless the key's value equals `text` (None: unless it is absent).
    """

    kind: str
    key: str
    text: bytes | None = None
    ttl: float | None = None


class Reading:
    """What one batch or transaction has read so far; charged before anything is decoded."""

    __slots__ = ("_bytes", "_values")

    def __init__(self) -> None:
        self._bytes = APPLY_BYTES
        self._values = APPLY_VALUES

    def take(self, text: bytes | None) -> bytes | None:
        """The JSON of a value, when it may still be read. Raises `LimitExceeded`."""
        if text is not None:
            self._bytes -= len(text)
            self._values -= 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
            if self._bytes < 0 or self._values < 0:
                raise LimitExceeded(
                    "storage",
                    f"one call reads at most {APPLY_BYTES} bytes and {APPLY_VALUES} values",
                    hint="ask for fewer keys at a time, or for pages by Storage.scan",
                )
        return text


class Store(Protocol):
    """Values of one owner. Synchronous; raises typed errors only."""

    def get(self, key: str) -> bytes | None:
        """The JSON of a value."""

    def set(self, key: str, text: bytes, ttl: float | None = None) -> None:
        """Keeps a value for `ttl` seconds, or for good."""

    def delete(self, key: str) -> bool:
        """Forgets a value; whether there was one."""

    def keys(
        self, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """Keys in order, beginning with `prefix`, behind `after`."""

    def apply(self, operations: Sequence[Operation]) -> list[bytes | None]:
        """All operations or none; a "get" gives a value, the others None."""

    def clear(self) -> int:
        """Forgets everything; how many there were."""

    def compact(self) -> None:
        """Gives back the room of what was forgotten."""

    def stats(self) -> dict[str, Any]:
        """`{backend, keys, bytes, …}`."""

    def close(self) -> None:
        """Lets go. Idempotent."""


def encode(value: Any) -> bytes:
    """A value as it is kept. Raises `InvalidInput`, `LimitExceeded`."""
    if isinstance(value, (dict, list, tuple)) and jsontext.holds_callback(value):
        raise InvalidInput("value: a function can't be stored")
    try:
        text = jsontext.encode(value)
    except jsontext.Malformed as error:
        raise InvalidInput(f"value: {error}") from None
    if len(text) > VALUE_MAX:
        raise LimitExceeded("storage", f"a stored value has at most {VALUE_MAX} bytes")
    return text


def decode(text: bytes | None) -> Any:
    """The value of what was kept. Raises `OperationFailed` 6002 for what is no JSON."""
    if text is None:
        return None
    try:
        return jsontext.decode(text)
    except jsontext.Malformed:
        raise OperationFailed(
            "a kept value can't be read any more", code=STORAGE, kind="storage"
        ) from None


def check_key(key: object) -> str:
    """The key, if it is one. Raises `InvalidInput`."""
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_MAX:
        raise InvalidInput(f"a key is text of 1 to {KEY_MAX} characters")
    return key


def check_ttl(ttl: object) -> float | None:
    """Seconds until a value is forgotten, or None. Raises `InvalidInput`."""
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not 0 < ttl < 2**40:
        raise InvalidInput("ttl is seconds above 0")
    return float(ttl)


def parse_operations(
    given: Sequence[Any], most: int = BATCH_MAX, what: str = "transaction"
) -> list[Operation]:
    """A spell's list of operations: `{op, key, value?, ttl?}`. Raises `InvalidInput` naming one."""
    if len(given) > most:
        raise LimitExceeded("storage", f"a {what} has at most {most} operations")
    return [_operation(f"storage.{what}: operation {at}", item) for at, item in enumerate(given, 1)]


def version_of(text: bytes | None) -> int:
    """The version that a store keeps; 0 where it keeps none."""
    found = decode(text)
    return found if type(found) is int else 0


def to_version(before: int, after: int) -> tuple[Operation, Operation]:
    """What a migration's transaction begins with: no other one has run meanwhile."""
    expected = encode(before) if before else None
    return Operation("check", VERSION_KEY, expected), Operation("set", VERSION_KEY, encode(after))


def _operation(where: str, item: Any) -> Operation:
    if not isinstance(item, dict):
        raise InvalidInput(f"{where} is no object with op and key")
    kind = item.get("op", item.get("type", item.get("operation")))
    kind = _SPELLINGS.get(kind, kind) if isinstance(kind, str) else kind
    if kind not in OPERATIONS:
        raise InvalidInput(f"{where}: op must be one of {', '.join(OPERATIONS)}")
    known = {"op", "type", "operation", "key", "value", "ttl"}
    unknown = sorted(set(item) - known)
    if unknown:
        raise InvalidInput(f"{where} takes no {unknown[0]!r}")
    text = None
    if kind in ("set", "merge"):
        if "value" not in item:
            raise InvalidInput(f"{where}: value is missing")
        text = encode(item["value"])
    elif kind == "check" and item.get("value") is not None:
        text = encode(item["value"])
    return Operation(kind, check_key(item.get("key")), text, check_ttl(item.get("ttl")))


def merged(old: bytes | None, new: bytes) -> bytes:
    """The JSON merge of two objects; anything else is replaced (STO-003)."""
    before, after = decode(old), decode(new)
    if isinstance(before, dict) and isinstance(after, dict):
        return encode({**before, **after})
    return new


def same(first: bytes | None, second: bytes | None) -> bool:
    """Whether two kept values are equal, however they were spelled."""
    if first is None or second is None:
        return first is second
    return first == second or bool(decode(first) == decode(second))


def conflict(key: str) -> OperationFailed:
    """What a failed "check" raises."""
    return OperationFailed(
        f"the transaction expected another value of {key!r}; nothing was changed",
        code=STORAGE,
        kind="conflict",
        recoverable=True,
    )
