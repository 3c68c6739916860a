"""A file is written whole or not at all: to an unnamed file first, then put in its place.

A killed writer leaves nothing but, between two system calls, one temporary name; such leftovers
go when the same folder is written again. Put in place by `rename(2)`, which replaces a link and
never follows one.
"""

from __future__ import annotations

import binascii
import os
import re
import stat
import time
from itertools import islice

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

LEFTOVER: Final = re.compile(r"\.llmspell-[0-9a-f]{16}\.tmp")
"""Names that writing uses for moments; spells can't use them."""

LEFTOVER_SECONDS: Final = 60.0
"""Age after which a temporary name has no writer any more: the live ones last microseconds."""

LOOKED_AT_MAX: Final = 20_000
"""Entries of a folder that are looked at for leftovers."""

PLACED_MODE: Final = 0o777
"""Permission bits kept from a replaced file; setuid, setgid and sticky never are (FS-27)."""


def write_whole(folder: int, name: str, data: bytes, old: os.stat_result | None, mode: int) -> None:
    """Writes `data` as `name` in the handle `folder`, synced to disk.

    `old` is the status of the file it replaces, whose permission bits it keeps; a new file gets
    `mode` less the umask. Raises `OSError`; then the old file is untouched and nothing is left.
    """
    handle, temporary = _unnamed(folder, mode)
    try:
        write_all(handle, data)
        if old is not None:
            _inherit(handle, old)
        os.fsync(handle)
        if temporary is None and old is None:
            try:
                _give_name(handle, folder, name)
                return
            except FileExistsError:
                pass  # Somebody made it meanwhile: it is replaced like any other.
        if temporary is None:
            fresh = _temporary_name()
            _give_name(handle, folder, fresh)
            temporary = fresh
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        temporary = None
    finally:
        os.close(handle)
        if temporary is not None:
            _forget(folder, temporary)


def write_all(handle: int, data: bytes) -> None:
    """Writes every byte, also when the kernel takes them in pieces. Raises `OSError`."""
    rest = memoryview(data)
    while rest:
        written = os.write(handle, rest)
        if written <= 0:
            raise OSError(5, "Input/output error")
        rest = rest[written:]


def remove_leftovers(folder: int) -> None:
    """Removes old temporary names of killed writers from the handle `folder`."""
    before = time.time() - LEFTOVER_SECONDS
    listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(listing) as found:
            looked_at = islice(found, LOOKED_AT_MAX)
            names = [item.name for item in looked_at if LEFTOVER.fullmatch(item.name)]
        for name in names:
            status = os.stat(name, dir_fd=listing, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                _forget(listing, name)
    except OSError:
        return  # Tidying is a courtesy; the write itself says what is wrong.
    finally:
        os.close(listing)


def _unnamed(folder: int, mode: int) -> tuple[int, str | None]:
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        try:
            flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
            return os.open(".", flags, mode, dir_fd=folder), None
        except OSError as error:
            if error.errno in (13, 28, 30, 122):  # EACCES, ENOSPC, EROFS, EDQUOT: final
                raise
    name = _temporary_name()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, mode, dir_fd=folder), name


def _give_name(handle: int, folder: int, name: str) -> None:
    os.link(f"/proc/self/fd/{handle}", name, dst_dir_fd=folder, follow_symlinks=True)


def _temporary_name() -> str:
    return f".llmspell-{binascii.hexlify(os.urandom(8)).decode('ascii')}.tmp"


def _inherit(handle: int, old: os.stat_result) -> None:
    mine = os.fstat(handle)
    if (mine.st_uid, mine.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(handle, old.st_uid, old.st_gid)
        except PermissionError:
            pass  # Only root can; a file replaced in a shared folder is then the writer's.
    os.fchmod(handle, old.st_mode & PLACED_MODE)


def _forget(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return
