"""The embedded store: one SQLite database (WAL) an owner, safe with several processes at once."""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from llmspell.errors import LimitExceeded, LlmspellError, OperationFailed
from llmspell.spells.state import places
from llmspell.spells.state.sealing import Plain, Sealer
from llmspell.spells.state.values import (
    STORAGE,
    VALUE_MAX,
    VERSION_KEY,
    Operation,
    Quota,
    Reading,
    conflict,
    merged,
    same,
)

BUSY_SECONDS: Final = 5.0
"""How long a writer waits for another process's transaction."""

COMPRESS_FROM: Final = 512
"""Bytes of a value from which it is kept compressed, where that is on."""

MIGRATIONS: Final = (
    """
    CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE kept(
        id BLOB PRIMARY KEY, name BLOB NOT NULL, value BLOB NOT NULL,
        ends REAL, updated REAL NOT NULL);
    """,
    """
    CREATE TABLE totals(
        only INTEGER PRIMARY KEY CHECK(only = 1), keys INTEGER NOT NULL, bytes INTEGER NOT NULL);
    INSERT INTO totals SELECT 1, count(*), coalesce(sum(length(name) + length(value)), 0) FROM kept;
    CREATE TRIGGER kept_added AFTER INSERT ON kept BEGIN
        UPDATE totals SET keys = keys + 1, bytes = bytes + length(new.name) + length(new.value);
    END;
    CREATE TRIGGER kept_changed AFTER UPDATE OF name, value ON kept BEGIN
        UPDATE totals SET bytes = bytes + length(new.name) + length(new.value)
            - length(old.name) - length(old.value);
    END;
    CREATE TRIGGER kept_removed AFTER DELETE ON kept BEGIN
        UPDATE totals SET keys = keys - 1, bytes = bytes - length(old.name) - length(old.value);
    END;
    CREATE INDEX kept_ends ON kept(ends) WHERE ends IS NOT NULL;
    """,
)
"""What each version of the schema adds to the one before; a database is brought up at opening."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})

_PUT: Final = (
    "INSERT INTO kept(id, name, value, ends, updated) VALUES(?, ?, ?, ?, ?) "
    "ON CONFLICT(id) DO UPDATE SET name = excluded.name, value = excluded.value, "
    "ends = excluded.ends, updated = excluded.updated"
)
_LIVE: Final = "(ends IS NULL OR ends > ?)"


class SqliteStore:
    """Values of one owner in a database of their own. Used from one thread at a time."""

    def __init__(
        self,
        path: str,
        mark: str,
        quota: Quota | None = None,
        sealer: Sealer | None = None,
        *,
        compress: bool = False,
        busy: float = BUSY_SECONDS,
    ) -> None:
        self.path = path
        self._mark = mark
        self._quota = quota or Quota()
        self._seal: Sealer = sealer or Plain()
        self._compress = compress
        places.make_file(path)
        self._database = sqlite3.connect(
            path, timeout=busy, isolation_level=None, check_same_thread=False
        )
        try:
            with self._guarded():
                self._open(mark)
        except BaseException:
            self._database.close()
            raise

    # -- single values -------------------------------------------------------------------------

    def get(self, key: str) -> bytes | None:
        """The JSON of a value."""
        with self._guarded():
            return self._get(key)

    def set(self, key: str, text: bytes, ttl: float | None = None) -> None:
        """Keeps a value. Raises `LimitExceeded` over the quota, 6002 for what the disk refuses."""
        with self._transaction():
            self._put(key, text, ttl)

    def delete(self, key: str) -> bool:
        """Forgets a value; whether there was one."""
        with self._transaction():
            return self._delete(key)

    # -- many ----------------------------------------------------------------------------------

    def keys(
        self, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """Keys in order, beginning with `prefix`, behind `after`."""
        with self._guarded():
            rows = self._database.execute(
                f"SELECT id, name FROM kept WHERE {_LIVE}", (time.time(),)
            ).fetchall()
            names = sorted(self._seal.reveal(identity, name) for identity, name in rows)
        found = [
            name
            for name in names
            if name != VERSION_KEY and name.startswith(prefix) and (after is None or name > after)
        ]
        return found if limit is None else found[:limit]

    def apply(self, operations: Sequence[Operation]) -> list[bytes | None]:
        """All operations or none."""
        results: list[bytes | None] = []
        reading = Reading()
        with self._transaction():
            for operation in operations:
                results.append(self._one(operation, reading))
        return results

    def clear(self) -> int:
        """Forgets everything; how many there were."""
        with self._transaction():
            count: int = self._database.execute("SELECT keys FROM totals").fetchone()[0]
            self._database.execute("DELETE FROM kept")
        return count

    def compact(self) -> None:
        """Forgets what has expired, gives the room back to the disk."""
        with self._transaction():
            self._expire()
        with self._guarded():
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def stats(self) -> dict[str, Any]:
        """Keys, bytes, quota and version of the schema."""
        with self._guarded():
            keys, size = self._database.execute("SELECT keys, bytes FROM totals").fetchone()
        return {
            "backend": "sqlite",
            "keys": keys,
            "bytes": size,
            "keys_max": self._quota.keys,
            "bytes_max": self._quota.size,
            "encrypted": self._seal.encrypts,
            "schema_version": len(MIGRATIONS),
        }

    def backup(self, path: str) -> None:
        """Copies the whole store, as it is at one moment, to a new file, or there is none."""
        places.make_file(path)
        try:
            with self._guarded():
                copy = sqlite3.connect(path)
                try:
                    self._database.backup(copy)
                finally:
                    copy.close()
        except BaseException:
            # What is left would be taken for a backup.
            os.unlink(path)
            raise

    def restore(self, path: str) -> None:
        """Puts a copy in the place of everything. It must be of the same owner: 6002 otherwise."""
        copy = SqliteStore(path, self._mark, self._quota, self._seal)
        try:
            with self._guarded():
                copy._database.backup(self._database)
                self._seal.prepare(self._database)
        finally:
            copy.close()

    def reseal(self) -> int:
        """Seals everything that is under an old key anew with the current one; how many."""
        with self._transaction():
            self._seal.reseal_index(self._database)
            rows = self._database.execute("SELECT id, name, value FROM kept").fetchall()
            old = [row for row in rows if not self._seal.is_current(row[1], row[2])]
            for identity, name, value in old:
                key = self._seal.reveal(identity, name)
                text = self._seal.open(identity, value)
                self._database.execute(
                    "UPDATE kept SET name = ?, value = ? WHERE id = ?",
                    (self._seal.hide(identity, key), self._seal.seal(identity, text), identity),
                )
        return len(old)

    def close(self) -> None:
        """Lets the database go. Idempotent."""
        self._database.close()

    # -- inside a transaction ------------------------------------------------------------------

    def _one(self, operation: Operation, reading: Reading) -> bytes | None:
        kind, key, text, ttl = operation
        if kind == "get":
            return reading.take(self._get(key))
        if kind == "delete":
            self._delete(key)
        elif kind == "check":
            if not same(reading.take(self._get(key)), text):
                raise conflict(key)
        elif text is not None:
            if kind == "merge":
                text = merged(reading.take(self._get(key)), text)
            self._put(key, text, ttl)
        return None

    def _get(self, key: str) -> bytes | None:
        identity = self._seal.identify(key)
        row = self._database.execute(
            f"SELECT value FROM kept WHERE id = ? AND {_LIVE}", (identity, time.time())
        ).fetchone()
        return None if row is None else _unpacked(self._seal.open(identity, row[0]))

    def _put(self, key: str, text: bytes, ttl: float | None) -> None:
        self._expire()
        now = time.time()
        identity = self._seal.identify(key)
        packed = _packed(text, self._compress)
        self._database.execute(
            _PUT,
            (
                identity,
                self._seal.hide(identity, key),
                self._seal.seal(identity, packed),
                None if ttl is None else now + ttl,
                now,
            ),
        )
        keys, size = self._database.execute("SELECT keys, bytes FROM totals").fetchone()
        if keys > self._quota.keys:
            raise LimitExceeded("storage", f"this scope holds at most {self._quota.keys} keys")
        if size > self._quota.size:
            raise LimitExceeded("storage", f"this scope holds at most {self._quota.size} bytes")

    def _delete(self, key: str) -> bool:
        identity = self._seal.identify(key)
        done = self._database.execute(
            f"DELETE FROM kept WHERE id = ? AND {_LIVE}", (identity, time.time())
        )
        return done.rowcount > 0

    def _expire(self) -> None:
        self._database.execute("DELETE FROM kept WHERE ends <= ?", (time.time(),))

    # -- opening and failing -------------------------------------------------------------------

    def _open(self, mark: str) -> None:
        database = self._database
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA secure_delete = FAST")
        with self._transaction():
            version: int = database.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise OperationFailed(
                    f"{self.path} was written by a newer llmspell (schema {version})",
                    code=6010,
                    kind="version_mismatch",
                    hint="run it with that version, or move the file away",
                )
            for script in MIGRATIONS[version:]:
                for statement in _statements(script):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            self._check_owner(mark)
            self._seal.prepare(database)

    def _check_owner(self, mark: str) -> None:
        row = self._database.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone()
        if row is None:
            self._database.execute("INSERT INTO meta VALUES('owner', ?)", (mark,))
        elif row[0] != mark:
            raise OperationFailed(
                "kept values can't be reached: the file belongs to another owner",
                code=STORAGE,
                kind="storage",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guarded():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                # Behind the lock: a rotation that ran meanwhile has changed the current key.
                self._seal.refresh()
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._typed(error) from None

    def _typed(self, error: sqlite3.Error) -> LlmspellError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in _DAMAGED:
            self._database.close()
            aside = places.set_aside(self.path)
            return OperationFailed(
                "the kept values are damaged and can't be read",
                code=STORAGE,
                kind="damaged",
                hint=f"the file was put aside as {aside}; the next use begins an empty one",
            )
        if code in _BUSY:
            words, kind = "another process is writing the kept values", "busy"
        elif code in _FULL:
            words, kind = "the disk refused to keep the value", "disk"
        else:
            words, kind = f"the kept values can't be used ({type(error).__name__})", "storage"
        return OperationFailed(words, code=STORAGE, kind=kind, recoverable=kind == "busy")


def _statements(script: str) -> Iterator[str]:
    """The statements one by one: `executescript` would commit the transaction it is in."""
    gathered = ""
    for line in script.splitlines():
        gathered += line + "\n"
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""


def _packed(text: bytes, compress: bool) -> bytes:
    if compress and len(text) >= COMPRESS_FROM:
        small = zlib.compress(text, 6)
        if len(small) < len(text):
            return b"z" + small
    return b"-" + text


def _unpacked(packed: bytes) -> bytes:
    if packed[:1] != b"z":
        return packed[1:]
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(packed[1:], VALUE_MAX)
    except zlib.error:
        text, reader = b"", None
    if reader is None or not reader.eof:
        raise OperationFailed("a kept value is damaged", code=STORAGE, kind="damaged")
    return text
