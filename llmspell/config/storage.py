"""`[storage]` of the user's `llmspell.toml`: where and how kept values lie (X31, STO-013 … 015).

A project's file has no say: it may lie in a folder that a stranger filled. What the seeds name and
this version does in another way is accepted with one line that says so; a key that nobody knows is
an error.
"""

from __future__ import annotations

import os

from llmspell.config import paths
from llmspell.config.sections import own_section
from llmspell.errors import ConfigurationError, UsageError
from llmspell.policies.limits import parse_bytes
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

EMBEDDED: Final = ("sqlite", "sled", "rocksdb", "embedded")
"""Spellings of the embedded store; `memory` is the other backend."""

_BOOLEANS: Final = ("backup_enabled", "compression_enabled", "encryption_enabled")
_NUMBERS: Final = (
    "query_timeout", "backup_interval", "backup_retention", "max_keys", "key_rotation_hours",
)  # fmt: skip
_REPLACED: Final[Mapping[str, str]] = {
    "connection_pool_size": "a run has one connection to each of its stores",
    "cache_size": "SQLite's own page cache is used",
    "redis": "there is no Redis backend",
}


class StorageSettings(NamedTuple):
    """`busy`: seconds a writer waits. Intervals in seconds, `retention` too. `vault`: its file.

    `rotation`: seconds after which a key is replaced by itself, 0 for never. `notes`: what to say
    to the user once.
    """

    backend: str = "sqlite"
    folder: str | None = None
    keys_max: int | None = None
    bytes_max: int | None = None
    busy: float = 5.0
    compress: bool = False
    encrypt: bool = False
    vault: str | None = None
    rotation: float = 0.0
    backup_interval: float = 0.0
    backup_retention: float = 168 * 3600.0
    notes: tuple[str, ...] = ()


def load_storage(environ: Mapping[str, str] = os.environ) -> StorageSettings:
    """The settings of the user's own file. Raises `ConfigurationError` naming file and key."""
    table, source = own_section("storage", environ)
    return check_storage(table, source, paths.home(environ))


def check_storage(table: object, source: str, home: str) -> StorageSettings:
    """The section, checked. Raises `ConfigurationError`."""
    if not isinstance(table, dict):
        raise ConfigurationError(f"{source}: storage is no table")
    for key, value in table.items():
        _check_key(key, value, source)
    notes = [f"storage.{key}: {words}" for key, words in _REPLACED.items() if key in table]
    backend = table.get("backend", "sqlite")
    if backend not in (*EMBEDDED, "memory"):
        raise ConfigurationError(
            f"{source}: storage.backend: there is no {backend!r}",
            hint="say sqlite, or memory; sled and rocksdb are accepted and mean sqlite",
        )
    if backend in ("sled", "rocksdb"):
        notes.append(f"storage.backend = {backend!r} means the embedded store, which is SQLite")
    interval = float(table.get("backup_interval", 3600))
    return StorageSettings(
        backend="memory" if backend == "memory" else "sqlite",
        folder=_path(table, "path", source, home),
        keys_max=None if "max_keys" not in table else int(table["max_keys"]),
        bytes_max=_size(table.get("max_size"), source),
        busy=table.get("query_timeout", 5000) / 1000,
        compress=table.get("compression_enabled", False),
        encrypt=table.get("encryption_enabled", False),
        vault=_path(table, "encryption_key_path", source, home),
        rotation=table.get("key_rotation_hours", 0) * 3600.0,
        backup_interval=interval if table.get("backup_enabled", False) else 0.0,
        backup_retention=table.get("backup_retention", 168) * 3600.0,
        notes=tuple(notes),
    )


def _check_key(key: str, value: Any, source: str) -> None:
    if key in _BOOLEANS:
        good = isinstance(value, bool)
    elif key in _NUMBERS:
        good = not isinstance(value, bool) and isinstance(value, (int, float)) and value > 0
        good = good and value < 2**31
    elif key in ("backend", "path", "encryption_key_path"):
        good = isinstance(value, str) and bool(value)
    elif key == "max_size":
        good = isinstance(value, (int, str)) and not isinstance(value, bool)
    else:
        good = key in _REPLACED
        if not good:
            raise ConfigurationError(f"{source}: storage.{key}: this key is unknown")
    if not good:
        raise ConfigurationError(f"{source}: storage.{key}: {value!r} is no value for it")


def _path(table: Mapping[str, Any], key: str, source: str, home: str) -> str | None:
    text = table.get(key)
    if text is None:
        return None
    path = os.path.join(home, text[2:]) if text.startswith("~/") else text
    if not os.path.isabs(path):
        path = os.path.join(os.path.dirname(os.path.abspath(source)), path)
    return os.path.normpath(path)


def _size(value: Any, source: str) -> int | None:
    if value is None:
        return None
    try:
        size = parse_bytes(value) if isinstance(value, str) else int(value)
    except UsageError as error:
        raise ConfigurationError(f"{source}: storage.max_size: {error.message}") from None
    if not 0 < size < 2**53:
        raise ConfigurationError(f"{source}: storage.max_size: {value!r} is out of range")
    return size
