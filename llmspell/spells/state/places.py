"""Where kept values lie: one database an owner, in `$XDG_STATE_HOME/llmspell/kept` (0700, 0600).

A file's name holds a digest of its owner, so two owners never share one and none can choose it.
"""

from __future__ import annotations

import os
import stat
import time

from llmspell.config import paths
from llmspell.digests import sha256
from llmspell.errors import ConfigurationError, OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.state.values import STORAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

FOLDER: Final = "kept"
SUFFIX: Final = ".db"
BESIDES: Final = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps beside a database; they get its permissions."""

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Owner(NamedTuple):
    """Whose values they are. `identity`: the spell's real path; empty for shared scopes."""

    scope: str
    tenant: str = ""
    identity: str = ""

    @property
    def mark(self) -> str:
        """A digest that no other owner has."""
        parts = (self.scope, self.tenant, self.identity)
        # Lengths first: no choice of names makes two owners' texts alike.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return sha256(os.fsencode(text))

    @property
    def file_name(self) -> str:
        """A name that people recognise, and the mark."""
        stem = os.path.basename(self.identity).partition(".")[0] or self.scope
        shown = "".join(char if char.isascii() and char.isalnum() else "-" for char in stem)[:32]
        return f"{self.scope}-{shown}-{self.mark[:32]}{SUFFIX}"


def owner_of(scope: str, tenant: str | None, spell_path: str | None) -> Owner | None:
    """The owner of a scope in one run; None for a spell without a file: it has no other run.

    A spell is its resolved path: an edited file keeps its values, a copy elsewhere has its own.
    """
    if scope == "global":
        return Owner("global")
    if scope == "tenant":
        return Owner("tenant", tenant or "")
    if spell_path is None:
        return None
    return Owner(scope, tenant or "", os.path.realpath(spell_path))


def kept_folder(environ: Mapping[str, str] = os.environ, chosen: str | None = None) -> str:
    """The folder of all stores, made and checked. Raises `ConfigurationError`, 6002."""
    folder = chosen or os.path.join(paths.state_folder(environ), FOLDER)
    try:
        return paths.make_private(folder)
    except OSError as error:
        raise unusable(error) from None


def make_file(path: str) -> None:
    """Makes the file (0600) if it is missing; what is there must be a plain file of one's own.

    Raises `ConfigurationError` for a link or somebody else's file, `OperationFailed` 6002.
    """
    try:
        os.close(os.open(path, _CREATE, 0o600))
        return
    except FileExistsError:
        found = os.lstat(path)
    except OSError as error:
        raise unusable(error) from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_nlink != 1:
        raise ConfigurationError(f"{path}: it is no plain file of your own")
    if found.st_mode & 0o077:
        os.chmod(path, 0o600)


def set_aside(path: str) -> str:
    """Renames a damaged database and what belongs to it; the new path."""
    aside = f"{path}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = f"{aside.partition('~')[0]}~{number}"
    for suffix in ("", *BESIDES):
        try:
            os.rename(path + suffix, aside + suffix)
        except FileNotFoundError:
            continue
    return aside


def databases(folder: str) -> list[str]:
    """The paths of every store in a folder, sorted."""
    names = (name for name in os.listdir(folder) if name.endswith(SUFFIX))
    return sorted(os.path.join(folder, name) for name in names)


def unusable(error: OSError) -> OperationFailed:
    """What the disk said, typed."""
    return OperationFailed(
        f"kept values can't be reached: {os.strerror(error.errno or 5).lower()}",
        code=STORAGE,
        kind="storage",
    )
