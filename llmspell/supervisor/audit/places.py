"""Where audit files are kept: `$XDG_STATE_HOME/llmspell/audit`, one file a session, rotated.

The folder is the user's own and closed to others (0700), the files 0600. Rotation removes the
oldest finished sessions beyond `FILES_MAX` files or `BYTES_MAX` bytes, and only files whose name
is one that llmspell gives. Looking at a thousand files costs more than most sessions, so a process
makes room for its next few at a time (`ROOM`) and looks again when that is used up.
"""

from __future__ import annotations

import os
import stat
import time

from llmspell.config import paths
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

FILES_MAX: Final = 1_000
BYTES_MAX: Final = 256 * 2**20
ROOM: Final = 8
"""What this part of the caps is kept free for, at most: the sessions until rotation looks again."""

FOLDERS_KEPT: Final = 64

_SHAPE: Final = "0000-00-00T000000Z-"
_ZEROS: Final = str.maketrans("123456789", "000000000")
_SUFFIX: Final = ".jsonl"
_SESSION: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_SESSION_MAX: Final = 64

_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | os.O_APPEND
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def is_ours(name: str) -> bool:
    """Whether a file's name is one that llmspell gives: moment, session, `.jsonl`.

    Without `re`, which a cold command would import for this alone.
    """
    stamp, session = name[: len(_SHAPE)], name[len(_SHAPE) : -len(_SUFFIX)]
    return (
        name.endswith(_SUFFIX)
        and stamp.translate(_ZEROS) == _SHAPE
        and 1 <= len(session) <= _SESSION_MAX
        and _SESSION.issuperset(session)
    )


def default_folder() -> str:
    """The folder audit files go to unless the user names a file."""
    return paths.audit_folder()


def create_in_folder(folder: str, session: str, moment: float) -> tuple[int, str]:
    """A new file for the session: its handle and path. Raises `ConfigurationError`, `OSError`."""
    day = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(moment))
    name = f"{day}-{session}.jsonl"
    if not is_ours(name):
        raise ConfigurationError(f"{session!r} is no name for a session")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(folder, _FOLDER)
    try:
        _check_private(handle, folder)
        return os.open(name, _FILE, 0o600, dir_fd=handle), os.path.join(folder, name)
    finally:
        os.close(handle)


def create_at(path: str) -> tuple[int, str]:
    """A new file where the user said. Raises `ConfigurationError` if something is there."""
    full = os.path.abspath(path)
    try:
        return os.open(full, _FILE, 0o600), full
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists; each run has an audit file of its own", hint="give a new file name"
        ) from None


_since_rotation: Final[dict[str, tuple[int, int]]] = {}


def tidy(folder: str, keep: str, size: int) -> int:
    """Rotates unless the room made by this process's last rotation still holds this session.

    `size`: bytes of `keep`, the session's own file. The number of files removed.
    """
    files, total = _since_rotation.get(folder, (FILES_MAX, 0))
    if files + 1 <= FILES_MAX // ROOM and total + size <= BYTES_MAX // ROOM:
        _since_rotation[folder] = files + 1, total + size
        return 0
    removed = rotate(folder, keep)
    if len(_since_rotation) >= FOLDERS_KEPT:
        _since_rotation.clear()
    _since_rotation[folder] = 0, 0
    return removed


def rotate(folder: str, keep: str) -> int:
    """Removes the oldest files beyond the caps less the room for the next sessions; how many.

    Never `keep`, nor one that is being written.
    """
    removed = 0
    handle = os.open(folder, _FOLDER)
    try:
        names = sorted(name for name in os.listdir(handle) if is_ours(name))
        sizes = {name: os.stat(name, dir_fd=handle, follow_symlinks=False) for name in names}
        files = [name for name in names if stat.S_ISREG(sizes[name].st_mode)]
        total = sum(sizes[name].st_size for name in files)
        excess = len(files) - FILES_MAX + FILES_MAX // ROOM
        total -= BYTES_MAX - BYTES_MAX // ROOM
        for name in files:
            if excess <= 0 and total <= 0:
                break
            if name == os.path.basename(keep) or not _finished(handle, name):
                continue
            os.unlink(name, dir_fd=handle)
            total -= sizes[name].st_size
            excess -= 1
            removed += 1
    finally:
        os.close(handle)
    return removed


def hold(handle: int) -> None:
    """Marks the file as being written, until the handle is closed."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return  # Without locks (some network file systems) only rotation is less careful.


def _finished(folder: int, name: str) -> bool:
    try:
        import fcntl
    except ImportError:
        return True
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(name, flags, dir_fd=folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _check_private(handle: int, folder: str) -> None:
    status = os.fstat(handle)
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ConfigurationError(
            f"the audit folder {folder} belongs to somebody else",
            hint="give another place: --audit FILE",
        )
    if status.st_mode & 0o022:
        raise ConfigurationError(
            f"others can write to the audit folder {folder}",
            hint=f"make it your own: chmod 700 {folder}",
        )
    if status.st_mode & 0o077:
        os.fchmod(handle, 0o700)
