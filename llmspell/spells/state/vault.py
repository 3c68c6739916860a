"""The vault: keys of encrypted state and secrets of the user's, with rotation (SEC-024 … 026).

One JSON file (0600), replaced whole. Its keys are kept as they are, or sealed with a key that
scrypt makes of a passphrase (the seeds' PBKDF2 with a fixed salt is not followed). No spell can
reach any of it: the vault is a part of the configuration.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from llmspell.errors import ConfigurationError, InvalidInput, OperationFailed
from llmspell.spells.state import places
from llmspell.spells.state.sealing import KEY_ID, open_with, seal_with
from llmspell.spells.state.values import STORAGE

PASSPHRASE_VARIABLE: Final = "LLMSPELL_MASTER_PASSWORD"
"""The seeds' name (SEC-024)."""

SCRYPT_N: Final = 2**15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 1
"""Costs of scrypt: 32 MiB and about a tenth of a second a try."""

VERSION: Final = 1
SECRETS_MAX: Final = 256
SECRET_BYTES: Final = 64 * 1024
FILE_BYTES: Final = 32 * 2**20
KEYS_MAX: Final = 64
"""Keys a vault holds; a rotation that ends well leaves one."""

_WRAPPING: Final = b"wrapping"
"""The id under which the passphrase's own key seals the others; as long as any key's id."""


class Vault:
    """The keys of one file. `passphrase` None: keys lie in the file as they are.

    Raises `ConfigurationError` for a file that others could read or write, 6002 for a damaged one,
    6004 for a wrong passphrase.
    """

    def __init__(self, path: str, passphrase: str | None = None) -> None:
        self.path = path
        self._passphrase = passphrase
        self._wrapping: bytes | None = None
        self._keys: dict[bytes, bytes] = {}
        self._current = b""
        self._data: dict[str, Any] = {}
        self._seen: tuple[int, int] | None = None
        self.refresh()
        if not self._keys:
            with self._changing():
                # Another process may have been first.
                if not self._keys:
                    self._begin()

    @property
    def current_id(self) -> bytes:
        """The id of the key that new texts are sealed with."""
        if not self._current:
            self.refresh()
        return self._current

    def key(self, key_id: bytes) -> bytes:
        """A key by its id. Raises 6002 when the vault has none such (any more)."""
        found = self._keys.get(key_id)
        if found is None:
            self.refresh()
            found = self._keys.get(key_id)
        if found is None:
            raise OperationFailed(
                "a value is encrypted with a key that the vault does not hold",
                code=STORAGE,
                kind="key_missing",
                hint=f"restore the vault {self.path} that was in use then",
            )
        return found

    def refresh(self) -> None:
        """Reads the file anew if another process replaced it."""
        try:
            status = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return
        mark = (status.st_ino, status.st_mtime_ns)
        if mark != self._seen:
            if status.st_mode & 0o077 or status.st_uid != os.getuid():
                raise ConfigurationError(
                    f"{self.path}: others may read the vault", hint=f"chmod 600 {self.path}"
                )
            self._read()
            self._seen = mark

    def rotate(self) -> bytes:
        """Makes a new current key; the older ones stay until `retire`. The new key's id."""
        with self._changing():
            self._require_room()
            self._add_key()
            self._reseal_secrets()
            return self._current

    def retire(self) -> int:
        """Forgets every key but the current one, once nothing is under them; how many."""
        with self._changing():
            old = [key for key in self._data["keys"] if _raw(key["id"]) != self._current]
            self._data["keys"] = [key for key in self._data["keys"] if key not in old]
            self._keys = {self._current: self._keys[self._current]}
        return len(old)

    def age(self) -> float:
        """Seconds since the current key was made."""
        made = next(k["created"] for k in self._data["keys"] if _raw(k["id"]) == self._current)
        return max(0.0, time.time() - float(made))

    def describe(self) -> dict[str, Any]:
        """What may be told of it: `{path, keys, age (seconds), passphrase, secrets}`; no key."""
        return {
            "path": self.path,
            "keys": len(self._keys),
            "age": self.age(),
            "passphrase": self._wrapping is not None,
            "secrets": len(self._data["secrets"]),
        }

    # -- secrets (SEC-025) ---------------------------------------------------------------------

    def store_secret(self, name: str, secret: str) -> None:
        """Keeps a secret such as `api_key:openai`, sealed. It is never logged."""
        if not name or len(name) > 256 or len(secret.encode()) > SECRET_BYTES:
            raise InvalidInput(f"a secret has a name and at most {SECRET_BYTES} bytes")
        with self._changing():
            secrets = self._data["secrets"]
            if name not in secrets and len(secrets) >= SECRETS_MAX:
                raise InvalidInput(f"a vault holds at most {SECRETS_MAX} secrets")
            secrets[name] = self._sealed_secret(name, secret.encode("utf-8"))

    def retrieve_secret(self, name: str) -> str | None:
        """The secret of a name, or None."""
        self.refresh()
        text = self._data["secrets"].get(name)
        if text is None:
            return None
        blob = _raw(text)
        return open_with(self.key(blob[:KEY_ID]), blob, _secret_mark(name)).decode("utf-8")

    def forget_secret(self, name: str) -> bool:
        """Whether there was one."""
        with self._changing():
            return self._data["secrets"].pop(name, None) is not None

    def secret_names(self) -> list[str]:
        """The names of all secrets, sorted."""
        self.refresh()
        return sorted(self._data["secrets"])

    # -- inside --------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._data = {"version": VERSION, "keys": [], "secrets": {}}
        if self._passphrase is not None:
            salt = os.urandom(16)
            self._data["scrypt"] = {
                "salt": _text(salt), "n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P,
            }  # fmt: skip
            self._wrapping = _stretched(self._passphrase, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
        self._add_key()

    def _add_key(self) -> None:
        key_id, key = os.urandom(KEY_ID), os.urandom(32)
        kept = key if self._wrapping is None else self._wrap(key_id, key)
        self._data["keys"].append({"id": _text(key_id), "created": time.time(), "key": _text(kept)})
        self._data["current"] = _text(key_id)
        self._keys[key_id] = key
        self._current = key_id

    def _wrap(self, key_id: bytes, key: bytes) -> bytes:
        assert self._wrapping is not None
        return seal_with(_WRAPPING, self._wrapping, key, b"key\0" + key_id)

    def _sealed_secret(self, name: str, secret: bytes) -> str:
        key = self._keys[self._current]
        return _text(seal_with(self._current, key, secret, _secret_mark(name)))

    def _reseal_secrets(self) -> None:
        for name, text in list(self._data["secrets"].items()):
            blob = _raw(text)
            secret = open_with(self.key(blob[:KEY_ID]), blob, _secret_mark(name))
            self._data["secrets"][name] = self._sealed_secret(name, secret)

    def _require_room(self) -> None:
        if len(self._data["keys"]) >= KEYS_MAX:
            raise OperationFailed(
                f"the vault holds {KEYS_MAX} keys: rotations before this one did not end",
                code=STORAGE,
                kind="vault",
            )

    def _read(self) -> None:
        try:
            with open(self.path, "rb") as file:
                data = json.loads(file.read(FILE_BYTES))
            if data["version"] != VERSION:
                raise OperationFailed(
                    f"{self.path} was written by another llmspell", code=6010, kind="version"
                )
            self._unlock(data.get("scrypt"))
            keys = {_raw(item["id"]): self._unwrapped(item) for item in data["keys"]}
            current = _raw(data["current"])
            if current not in keys or not isinstance(data["secrets"], dict):
                raise ValueError("no current key")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise OperationFailed(
                f"the vault {self.path} can't be read", code=STORAGE, kind="vault"
            ) from None
        self._data, self._keys, self._current = data, keys, current

    def _unlock(self, costs: Mapping[str, Any] | None) -> None:
        if costs is None:
            self._wrapping = None
            return
        if self._passphrase is None:
            raise OperationFailed(
                "the vault has a passphrase",
                code=6004,
                kind="authentication",
                hint=f"set {PASSPHRASE_VARIABLE}",
            )
        numbers = [int(costs[name]) for name in ("n", "r", "p")]
        if not (2**14 <= numbers[0] <= 2**20 and numbers[1] <= 16 and numbers[2] <= 4):
            raise ValueError("costs that nobody wrote")
        self._wrapping = _stretched(self._passphrase, _raw(costs["salt"]), *numbers)

    def _unwrapped(self, item: Mapping[str, Any]) -> bytes:
        key_id, kept = _raw(item["id"]), _raw(item["key"])
        if self._wrapping is not None:
            try:
                kept = open_with(self._wrapping, kept, b"key\0" + key_id)
            except OperationFailed:
                raise OperationFailed(
                    "the vault's passphrase is another one", code=6004, kind="authentication"
                ) from None
        if len(key_id) != KEY_ID or len(kept) != 32:
            raise ValueError("no key")
        return kept

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time: what is on the disk, changed, written whole."""
        lock = self.path + ".lock"
        places.make_file(lock)
        with open(lock, "rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self._seen = None
            self.refresh()
            try:
                yield
                self._write()
            except BaseException:
                # A key that is not on the disk must never seal anything: what it is holds.
                self._keys, self._current, self._seen = {}, b"", None
                raise

    def _write(self) -> None:
        fresh = f"{self.path}.{os.getpid()}.new"
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(handle, "w", encoding="utf-8", closefd=False) as file:
                    json.dump(self._data, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(fresh, self.path)
            except OSError:
                # Keys that came to nothing stay nowhere.
                os.unlink(fresh)
                raise
            finally:
                os.close(handle)
            status = os.stat(self.path)
        except OSError as error:
            raise places.unusable(error) from None
        self._seen = (status.st_ino, status.st_mtime_ns)


def _stretched(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        passphrase.encode("utf-8"), salt=salt, n=n, r=r, p=p, maxmem=2**31 - 1, dklen=32
    )


def _secret_mark(name: str) -> bytes:
    return b"llmspell secret 1\0" + name.encode("utf-8")


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
