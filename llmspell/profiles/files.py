"""Reading a policy file: only the user's own, whole, and exactly what is known (EN-11)."""

from __future__ import annotations

import os
import stat

from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Final

SIZE_MAX: Final = 1_048_576
"""Bytes of a policy or configuration file."""


def read_trusted(path: Path | str) -> bytes:
    """The bytes of a file that nobody else can have written.

    Raises `ConfigurationError` (with what to do) when it is missing, no regular file, over
    1 MiB, owned by another user, writable by everybody, a link that another user made, or in a
    folder where everybody may replace it.
    """
    name = os.fspath(path)
    try:
        link = os.lstat(name)
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigurationError(f"{name}: it can't be read ({error.strerror})") from None
    try:
        found = os.fstat(handle)
        _refuse_foreign(name, link, found)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{name}: it can't be read ({error.strerror})") from None
    finally:
        os.close(handle)
    if len(data) > SIZE_MAX:
        raise ConfigurationError(f"{name}: it is over {SIZE_MAX} bytes")
    return data


def _refuse_foreign(name: str, link: os.stat_result, found: os.stat_result) -> None:
    trusted = (0, os.getuid())
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{name}: it is no regular file")
    if link.st_uid not in trusted:
        what = "it is a link that" if stat.S_ISLNK(link.st_mode) else "it"
        raise ConfigurationError(
            f"{name}: {what} belongs to another user",
            hint="copy it to a file of your own, or change its owner, after reading it",
        )
    if found.st_uid not in trusted:
        raise ConfigurationError(
            f"{name}: it leads to a file of another user",
            hint="copy it to a file of your own, after reading it",
        )
    if found.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"{name}: everybody may write it", hint=f"after reading it: chmod o-w {name}"
        )
    for folder in {os.path.dirname(os.path.abspath(name)), os.path.dirname(os.path.realpath(name))}:
        mode = os.stat(folder).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ConfigurationError(
                f"{name}: everybody may replace it in {folder}", hint=f"chmod o-w {folder}"
            )


def parse_toml(data: bytes, name: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigurationError` for what can't be parsed."""
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}: it is not UTF-8 text") from None
    except RecursionError:
        raise ConfigurationError(f"{name}: it is nested too deeply") from None
    except ValueError as error:
        # Not only TOMLDecodeError: dates and numbers that Python can't hold have errors of theirs.
        raise ConfigurationError(f"{name}: {error}") from None


def read_policy_file(path: Path | str) -> dict[str, Any]:
    """The checked tables of a policy file; only keys that were written are in it.

    Raises `ConfigurationError` naming file and key; an empty file is an error, not a default.
    """
    from llmspell.profiles.document import check_policy

    name = os.fspath(path)
    table = parse_toml(read_trusted(path), name)
    if not table:
        raise ConfigurationError(
            f"{name}: it says nothing", hint='begin it with: extends = "medium"'
        )
    return check_policy(table, name)
