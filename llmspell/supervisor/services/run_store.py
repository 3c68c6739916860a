"""The memory of a run as a store among others: what batches and transactions work on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmspell.spells.state.values import Operation, Reading, conflict, merged, same
from llmspell.supervisor.services.storage import KEYS_MAX, TOTAL_MAX, Storage


class RunStore:
    """A `Storage` as a store among others (`spells.state.values.Store`)."""

    __slots__ = ("_values",)

    def __init__(self, values: Storage) -> None:
        self._values = values

    def get(self, key: str) -> bytes | None:
        """The JSON of a value."""
        return self._values.text(key)

    def set(self, key: str, text: bytes, ttl: float | None = None) -> None:
        """Keeps a value."""
        self._values.put(key, text, ttl)

    def delete(self, key: str) -> bool:
        """Forgets a value; whether there was one."""
        return self._values.forget(key)

    def keys(
        self, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """Keys in order, beginning with `prefix`, behind `after`."""
        found = [key for key in self._values.keys(prefix) if after is None or key > after]
        return found if limit is None else found[:limit]

    def apply(self, operations: Sequence[Operation]) -> list[bytes | None]:
        """All operations or none."""
        before = self._values.snapshot()
        reading = Reading()
        try:
            return [self._one(operation, reading) for operation in operations]
        except BaseException:
            self._values.restore(before)
            raise

    def _one(self, operation: Operation, reading: Reading) -> bytes | None:
        kind, key, text, ttl = operation
        if kind == "get":
            return reading.take(self.get(key))
        if kind == "delete":
            self.delete(key)
        elif kind == "check":
            if not same(reading.take(self.get(key)), text):
                raise conflict(key)
        elif text is not None:
            if kind == "merge":
                text = merged(reading.take(self.get(key)), text)
            self.set(key, text, ttl)
        return None

    def clear(self) -> int:
        """Forgets everything; how many there were."""
        keys, _ = self._values.size()
        self._values.restore(({}, 0))
        return keys

    def compact(self) -> None:
        """What has expired goes by itself."""
        self._values.size()

    def stats(self) -> dict[str, Any]:
        """Keys, bytes and their bounds."""
        keys, size = self._values.size()
        return {
            "backend": "memory",
            "keys": keys,
            "bytes": size,
            "keys_max": KEYS_MAX,
            "bytes_max": TOTAL_MAX,
            "encrypted": False,
            "schema_version": 0,
        }

    def close(self) -> None:
        """Its memory goes with it."""
