"""How a store writes keys and values: as they are, or sealed with AES-256-GCM (SEC-024).

Sealed: every name and value has a random nonce of its own, the id of the key it is under, and is
bound to its owner and entry, so that nothing can be moved to another place. The column that is
searched holds a keyed digest of the name.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Any, Final, Protocol

from llmspell.errors import OperationFailed
from llmspell.spells.state.values import STORAGE

if TYPE_CHECKING:
    import sqlite3

    from llmspell.spells.state.vault import Vault

KEY_ID: Final = 8
NONCE: Final = 12
"""Bytes of a key's id and of a nonce. A key seals far fewer than the 2^32 texts that random
nonces of 96 bits are good for: a store holds 10 000 entries and keys are rotated."""

_INDEX: Final = "index key"


class Sealer(Protocol):
    """What stands between a store and its columns. `identity` is an entry's `id` column."""

    encrypts: bool

    def prepare(self, database: sqlite3.Connection) -> None:
        """Called once in the transaction that opens the store."""

    def refresh(self) -> None:
        """Called in each transaction before it writes."""

    def identify(self, key: str) -> bytes:
        """The `id` of a key."""

    def hide(self, identity: bytes, key: str) -> bytes:
        """The `name` column."""

    def reveal(self, identity: bytes, name: bytes) -> str:
        """The key that a row is for."""

    def seal(self, identity: bytes, text: bytes) -> bytes:
        """The `value` column."""

    def open(self, identity: bytes, blob: bytes) -> bytes:
        """The text of a `value`. Raises `OperationFailed` 6002."""

    def is_current(self, *blobs: bytes) -> bool:
        """Whether all of them are under the current key."""

    def reseal_index(self, database: sqlite3.Connection) -> None:
        """Puts what the store itself keeps sealed under the current key."""


class Plain:
    """Keys and values as they are, in files that only their user can read."""

    encrypts = False

    def prepare(self, database: sqlite3.Connection) -> None:
        """Refuses a store that was sealed: its rows would look damaged."""
        row = database.execute("SELECT 1 FROM meta WHERE name = ?", (_INDEX,)).fetchone()
        if row is not None:
            raise OperationFailed(
                "the kept values are encrypted",
                code=STORAGE,
                kind="encrypted",
                hint="set storage.encryption_enabled = true in llmspell.toml",
            )

    def refresh(self) -> None:
        """Nothing changes."""

    def identify(self, key: str) -> bytes:
        """The key's own bytes."""
        return key.encode("utf-8")

    def hide(self, identity: bytes, key: str) -> bytes:
        """Nothing: `id` says it."""
        return b""

    def reveal(self, identity: bytes, name: bytes) -> str:
        """The key."""
        return identity.decode("utf-8")

    def seal(self, identity: bytes, text: bytes) -> bytes:
        """The text."""
        return text

    def open(self, identity: bytes, blob: bytes) -> bytes:
        """The text."""
        return blob

    def is_current(self, *blobs: bytes) -> bool:
        """There is no older way."""
        return True

    def reseal_index(self, database: sqlite3.Connection) -> None:
        """There is none."""


class Sealed:
    """AES-256-GCM with the keys of a vault. `mark` is the owner's."""

    encrypts = True

    def __init__(self, vault: Vault, mark: str) -> None:
        self._vault = vault
        self._mark = mark.encode("ascii")
        self._index = b""

    def prepare(self, database: sqlite3.Connection) -> None:
        """Finds or makes the key of the searched column, kept under the vault's.

        A store that was begun in the clear is refused: sealing only what comes would leave the
        rest readable without saying so.
        """
        row = database.execute("SELECT value FROM meta WHERE name = ?", (_INDEX,)).fetchone()
        if row is not None:
            self._index = self.open(b"index", row[0])
            return
        if database.execute("SELECT 1 FROM kept LIMIT 1").fetchone() is not None:
            raise OperationFailed(
                "the kept values were begun without encryption",
                code=STORAGE,
                kind="not_encrypted",
                hint="let the spell clear its storage, or move the file away",
            )
        self._index = os.urandom(32)
        sealed = self.seal(b"index", self._index)
        database.execute("INSERT INTO meta VALUES(?, ?)", (_INDEX, sealed))

    def refresh(self) -> None:
        """Takes up keys that another process made."""
        self._vault.refresh()

    def identify(self, key: str) -> bytes:
        """A keyed digest: tells equal names from others, and nothing else."""
        return hmac.new(self._index, key.encode("utf-8"), hashlib.sha256).digest()

    def hide(self, identity: bytes, key: str) -> bytes:
        """The name, sealed."""
        return self._seal(b"name", identity, key.encode("utf-8"))

    def reveal(self, identity: bytes, name: bytes) -> str:
        """The name, opened."""
        return self._open(b"name", identity, name).decode("utf-8")

    def seal(self, identity: bytes, text: bytes) -> bytes:
        """The value, sealed."""
        return self._seal(b"value", identity, text)

    def open(self, identity: bytes, blob: bytes) -> bytes:
        """The value, opened."""
        return self._open(b"value", identity, blob)

    def is_current(self, *blobs: bytes) -> bool:
        """Whether all of them are under the vault's current key."""
        current = self._vault.current_id
        return all(blob[:KEY_ID] == current for blob in blobs)

    def reseal_index(self, database: sqlite3.Connection) -> None:
        """The index key itself stays: only what it is sealed with changes."""
        sealed = self.seal(b"index", self._index)
        database.execute("UPDATE meta SET value = ? WHERE name = ?", (sealed, _INDEX))

    def _seal(self, what: bytes, identity: bytes, text: bytes) -> bytes:
        key_id = self._vault.current_id
        return seal_with(key_id, self._vault.key(key_id), text, self._bound(what, identity))

    def _open(self, what: bytes, identity: bytes, blob: bytes) -> bytes:
        return open_with(self._vault.key(blob[:KEY_ID]), blob, self._bound(what, identity))

    def _bound(self, what: bytes, identity: bytes) -> bytes:
        return b"llmspell kept 1\0" + self._mark + b"\0" + what + b"\0" + identity


def seal_with(key_id: bytes, key: bytes, text: bytes, bound_to: bytes) -> bytes:
    """`key id || nonce || ciphertext || tag`."""
    nonce = os.urandom(NONCE)
    sealed: bytes = cipher(key).encrypt(nonce, text, key_id + bound_to)
    return key_id + nonce + sealed


def open_with(key: bytes, blob: bytes, bound_to: bytes) -> bytes:
    """The text. Raises `OperationFailed` 6002 when it was changed or is of another place."""
    from cryptography.exceptions import InvalidTag

    key_id, nonce, sealed = blob[:KEY_ID], blob[KEY_ID : KEY_ID + NONCE], blob[KEY_ID + NONCE :]
    try:
        opened: bytes = cipher(key).decrypt(nonce, sealed, key_id + bound_to)
    except (InvalidTag, ValueError):
        raise OperationFailed(
            "an encrypted value was changed or is under another key", code=STORAGE, kind="damaged"
        ) from None
    return opened


def cipher(key: bytes) -> Any:
    """AES-256-GCM of `cryptography`, the `encryption` extra. Raises 6008 where it is missing."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise OperationFailed(
            "encryption at rest needs the library cryptography",
            code=6008,
            kind="unavailable",
            hint="install it: pip install 'llmspell[encryption]'",
        ) from None
    return AESGCM(key)
