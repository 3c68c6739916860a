"""Walks below a folder that never follow a link, never recurse and hold one handle at a time.

A tree of any depth costs no stack and two descriptors (FS-41). Going up uses `..` and checks
that the folder reached is the one come from: a folder moved away meanwhile ends the walk.
"""

from __future__ import annotations

import os
import stat

from llmspell.errors import LimitExceeded, OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

ENTRIES_MAX: Final = 20_000
"""Entries looked at in one walk; more raises `LimitExceeded`."""

NAMES_MAX: Final = 250_000
"""Names in the paths of all entries of one walk: in a very deep tree each path is long,
and judging it takes 5 µs a name."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Identity = tuple[int, int]


class Entry(NamedTuple):
    """One object below the folder; `names` lead from the folder to it."""

    names: tuple[str, ...]
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder itself (a link to one is not)."""
        return stat.S_ISDIR(self.status.st_mode)


class _Level(NamedTuple):
    identity: Identity
    folders: list[str]


def entries(
    folder: int,
    *,
    recursive: bool = True,
    enter: object = None,
    most: int = ENTRIES_MAX,
    all_or_none: bool = False,
) -> Iterator[Entry]:
    """Every entry below the handle `folder`, parents before children, sorted in each folder.

    `enter`, when given, is called with the `Entry` of a subfolder and says whether to go in. One
    that this user can't enter is passed over, or with `all_or_none` ends the walk.
    Raises `LimitExceeded` past `most` entries, `OperationFailed` when the tree moves under it,
    `OSError` for what can't be read.
    """
    allowed = enter if callable(enter) else None
    current = os.open(".", _FOLDER, dir_fd=folder)
    names: list[str] = []
    seen = written = 0
    try:
        levels = [_Level(_identity(os.fstat(current)), [])]
        found = _scan(current, most)
        while True:
            for name, status in found:
                seen += 1
                written += len(names) + 1
                if seen > most or written > NAMES_MAX:
                    raise _too_many(most)
                entry = Entry((*names, name), status)
                yield entry
                if recursive and entry.is_folder and (not allowed or allowed(entry)):
                    levels[-1].folders.append(name)
            found = []
            if levels[-1].folders:
                name = levels[-1].folders.pop(0)
                try:
                    current = _step(current, name)
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except PermissionError:
                    if all_or_none:
                        raise
                    continue
                names.append(name)
                levels.append(_Level(_identity(os.fstat(current)), []))
                found = _scan(current, most)
            elif len(levels) == 1:
                return
            else:
                levels.pop()
                names.pop()
                current = _up(current, levels[-1].identity)
    finally:
        os.close(current)


def clear(folder: int) -> Iterator[os.stat_result]:
    """Removes everything below the handle `folder`; yields the status of each object removed.

    A link is removed, never followed. Raises as `entries` does.
    """
    current = os.open(".", _FOLDER, dir_fd=folder)
    try:
        path = [("", _identity(os.fstat(current)))]
        while True:
            below = None
            with os.scandir(current) as found:
                for item in found:
                    status = os.stat(item.name, dir_fd=current, follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        below = item.name
                        break
                    os.unlink(item.name, dir_fd=current)
                    yield status
            if below is not None:
                current = _step(current, below)
                path.append((below, _identity(os.fstat(current))))
                continue
            if len(path) == 1:
                return
            name, identity = path.pop()
            current = _up(current, path[-1][1])
            status = os.stat(name, dir_fd=current, follow_symlinks=False)
            if _identity(status) != identity:
                raise _moved()
            os.rmdir(name, dir_fd=current)
            yield status
    finally:
        os.close(current)


def _scan(folder: int, most: int) -> list[tuple[str, os.stat_result]]:
    names: list[str] = []
    with os.scandir(folder) as found:
        for item in found:
            names.append(item.name)
            if len(names) > most:
                raise _too_many(most)
    result = []
    for name in sorted(names):
        try:
            result.append((name, os.stat(name, dir_fd=folder, follow_symlinks=False)))
        except FileNotFoundError:
            continue
    return result


def _step(current: int, name: str) -> int:
    following = os.open(name, _FOLDER, dir_fd=current)
    os.close(current)
    return following


def _up(current: int, expected: Identity) -> int:
    above = os.open("..", _FOLDER, dir_fd=current)
    try:
        if _identity(os.fstat(above)) != expected:
            raise _moved()
    except BaseException:
        os.close(above)
        raise
    os.close(current)
    return above


def _identity(status: os.stat_result) -> Identity:
    return (status.st_dev, status.st_ino)


def _moved() -> OperationFailed:
    return OperationFailed(
        "the folder was moved while it was read; try again", kind="changed", recoverable=True
    )


def _too_many(most: int) -> LimitExceeded:
    return LimitExceeded(
        "entries",
        f"over {most} entries, or too deep",
        hint="work on its inner folders one by one",
    )
