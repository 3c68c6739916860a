"""The stores of one run as the user configured them: opening, backups, rotation of the keys."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from llmspell.config import paths
from llmspell.config.storage import StorageSettings, load_storage
from llmspell.errors import InternalError, InvalidInput, Missing, OperationFailed
from llmspell.spells.state import places
from llmspell.spells.state.sealing import Sealed, Sealer
from llmspell.spells.state.sqlite import SqliteStore
from llmspell.spells.state.values import KEYS_MAX, STORAGE, TOTAL_MAX, Quota, Store
from llmspell.spells.state.vault import PASSPHRASE_VARIABLE, Vault

BACKUPS: Final = "backups"
BACKUPS_MAX: Final = 8
"""Copies of one store that are kept; a newer one takes the place of the oldest."""

ROTATING: Final = 60.0
"""Seconds that a rotation waits for one store's writers."""

EVENTS_QUOTA: Final = Quota(KEYS_MAX, TOTAL_MAX)


class Keeping:
    """Opens the stores of one spell's runs. Synchronous: called on a thread."""

    def __init__(
        self, settings: StorageSettings, tenant: str | None, spell_path: str | None
    ) -> None:
        self.settings = settings
        self._tenant = tenant
        self._spell_path = spell_path
        self._vault: Vault | None = None

    @classmethod
    def of(cls, tenant: str | None, spell_path: str | None) -> Keeping:
        """By the user's own configuration. Raises `ConfigurationError`."""
        return cls(load_storage(), tenant, spell_path)

    def only_in_memory(self, scope: str) -> str | None:
        """Why a scope ends with the run, or None when it is kept."""
        if self.settings.backend == "memory":
            return f"storage.backend is memory: the scope {scope} ends with this run"
        if places.owner_of(scope, self._tenant, self._spell_path) is None:
            return f"a spell without a file has no other run: the scope {scope} ends with this one"
        return None

    def open(self, scope: str) -> Store:
        """The store of a scope. Raises `ConfigurationError`, 6002, 6004, 6008, 6010."""
        owner = places.owner_of(scope, self._tenant, self._spell_path)
        if owner is None:
            raise InternalError(f"the scope {scope} has no owner")
        folder = places.kept_folder(chosen=self.settings.folder)
        store = SqliteStore(
            os.path.join(folder, owner.file_name),
            owner.mark,
            self._quota(scope),
            self._sealer(owner.mark),
            compress=self.settings.compress,
            busy=self.settings.busy,
        )
        try:
            self._back_up_in_time(store)
        except BaseException:
            store.close()
            raise
        return store

    def backup(self, store: Store) -> str:
        """Copies a store beside the others; the copy's name. The oldest copies go."""
        if not isinstance(store, SqliteStore):
            raise InvalidInput("storage.backup: this scope ends with the run")
        folder, stem = self._copies(store)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{stem}.{stamp}-{os.urandom(3).hex()}{places.SUFFIX}"
        with _turn(os.path.dirname(folder), fcntl.LOCK_SH):
            # A copy made in the midst of a rotation would be under a key that goes.
            store.backup(os.path.join(folder, name))
        found = _copies_of(folder, stem)
        old = time.time() - self.settings.backup_retention
        for index, path in enumerate(reversed(found)):
            if index >= BACKUPS_MAX or (index > 0 and os.lstat(path).st_mtime < old):
                os.unlink(path)
        return name

    def backups(self, store: Store) -> list[str]:
        """The names of a store's copies, the oldest first."""
        if not isinstance(store, SqliteStore):
            return []
        return [os.path.basename(path) for path in _copies_of(*self._copies(store))]

    def restore(self, store: Store, name: str) -> None:
        """Puts a copy in a store's place. Raises `Missing` for a name that is none of its own."""
        if not isinstance(store, SqliteStore) or name not in self.backups(store):
            raise Missing(f"there is no backup {name[:100]!r} of this scope", code=STORAGE)
        folder, _ = self._copies(store)
        with _turn(os.path.dirname(folder), fcntl.LOCK_SH):
            store.restore(os.path.join(folder, name))

    def rotate(self) -> dict[str, int]:
        """A new key; everything sealed anew in every store of the user's; the old keys go.

        Interrupted, it is begun again: old keys stay until nothing is under them (SEC-026).
        """
        vault = self._require_vault()
        folder = places.kept_folder(chosen=self.settings.folder)
        # One at a time: another's end would retire the key that this one seals with.
        with _turn(folder, fcntl.LOCK_EX):
            vault.rotate()
            resealed = 0
            known = [*places.databases(folder), *places.databases(_backups(folder))]
            for path in known:
                mark = _sealed_mark(path)
                if mark is not None:
                    sealer = Sealed(vault, mark)
                    with closing(SqliteStore(path, mark, sealer=sealer, busy=ROTATING)) as store:
                        resealed += store.reseal()
            return {"resealed": resealed, "stores": len(known), "retired": vault.retire()}

    def _back_up_in_time(self, store: SqliteStore) -> None:
        if self.settings.backup_interval > 0:
            folder, stem = self._copies(store)
            found = _copies_of(folder, stem)
            newest = os.lstat(found[-1]).st_mtime if found else 0.0
            if time.time() - newest >= self.settings.backup_interval:
                self.backup(store)

    def _copies(self, store: SqliteStore) -> tuple[str, str]:
        folder, name = os.path.split(store.path)
        return _backups(folder), name.removesuffix(places.SUFFIX)

    def _quota(self, scope: str) -> Quota:
        if scope == "events":
            return EVENTS_QUOTA
        settings = self.settings
        return Quota(settings.keys_max or KEYS_MAX, settings.bytes_max or TOTAL_MAX)

    def _sealer(self, mark: str) -> Sealer | None:
        if not self.settings.encrypt:
            return None
        vault = self._require_vault()
        if 0 < self.settings.rotation <= vault.age():
            self.rotate()
        return Sealed(vault, mark)

    def _require_vault(self) -> Vault:
        if self._vault is None:
            self._vault = open_vault(self.settings)
        return self._vault


@contextmanager
def _turn(folder: str, kind: int) -> Iterator[None]:
    """Among processes: rotations alone, copies together."""
    path = os.path.join(folder, ".rotation")
    places.make_file(path)
    with open(path, "rb") as held:
        fcntl.flock(held, kind)
        yield


def open_vault(settings: StorageSettings) -> Vault:
    """The user's vault, made if there is none yet. The passphrase is the environment's."""
    path = settings.vault
    if path is None:
        try:
            folder = paths.make_private(os.path.join(paths.state_folder(), "vault"))
        except OSError as error:
            raise places.unusable(error) from None
        path = os.path.join(folder, "vault.json")
    return Vault(path, os.environ.get(PASSPHRASE_VARIABLE) or None)


def _backups(folder: str) -> str:
    try:
        return paths.make_private(os.path.join(folder, BACKUPS))
    except OSError as error:
        raise places.unusable(error) from None


def _copies_of(folder: str, stem: str) -> list[str]:
    return [
        path for path in places.databases(folder) if os.path.basename(path).startswith(stem + ".")
    ]


def _sealed_mark(path: str) -> str | None:
    """The owner's mark of a sealed store, None for one in the clear."""
    try:
        with closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as database:
            rows = dict(database.execute("SELECT name, value FROM meta"))
    except sqlite3.Error as error:
        # Its old key would go while something is still under it.
        raise OperationFailed(
            f"{path} can't be read ({type(error).__name__}); nothing was retired",
            code=STORAGE,
            kind="damaged",
            hint="move the file away, then rotate again",
        ) from None
    return str(rows["owner"]) if "index key" in rows else None


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
