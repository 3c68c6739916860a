"""llmspell's own folders (XDG base directories), found without touching the disk."""

from __future__ import annotations

import os
import stat

from llmspell.digests import sha256
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

NAME: Final = "llmspell"

_DEFAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "config": ("XDG_CONFIG_HOME", ".config"),
    "state": ("XDG_STATE_HOME", ".local/state"),
    "data": ("XDG_DATA_HOME", ".local/share"),
}


_own: dict[tuple[str | None, ...], tuple[str, ...]] = {}
"""`own_folders` for the variables as they were last."""


def home(environ: Mapping[str, str] = os.environ) -> str:
    """The user's home folder: `HOME` when absolute, else the user database's.

    Raises `ConfigurationError` where neither names one.
    """
    given = environ.get("HOME", "")
    if os.path.isabs(given):
        return os.path.normpath(given)
    import pwd

    try:
        found = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        found = ""
    if not os.path.isabs(found):
        raise ConfigurationError("you have no home folder", hint="set HOME to an absolute path")
    return os.path.normpath(found)


def expanded(path: str, environ: Mapping[str, str] = os.environ) -> str:
    """The path with a leading `~/` as the home folder that everything else means, too."""
    return os.path.join(home(environ), path[2:]) if path.startswith("~/") else path


def _folder(kind: str, environ: Mapping[str, str]) -> str:
    variable, default = _DEFAULTS[kind]
    given = environ.get(variable, "")
    # The XDG specification: a relative path is invalid and must be ignored.
    base = given if os.path.isabs(given) else os.path.join(home(environ), default)
    return os.path.join(os.path.normpath(base), NAME)


def cache_folder(environ: Mapping[str, str] = os.environ) -> str:
    """Compiled guests; may be deleted at any time."""
    return _folder("cache", environ)


def config_folder(environ: Mapping[str, str] = os.environ) -> str:
    """`llmspell.toml`, saved policies and grants."""
    return _folder("config", environ)


def state_folder(environ: Mapping[str, str] = os.environ) -> str:
    """Audit records and saved state."""
    return _folder("state", environ)


def data_folder(environ: Mapping[str, str] = os.environ) -> str:
    """The workspaces kept for spells."""
    return _folder("data", environ)


def audit_folder(environ: Mapping[str, str] = os.environ) -> str:
    """Where audit records go unless told otherwise."""
    return os.path.join(state_folder(environ), "audit")


def own_folders(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Every folder that no spell may read or write.

    The default places are among them even when XDG variables point elsewhere for this run:
    what an earlier run kept there is llmspell's own as well (FS-32).
    """
    plain = home(environ)
    given = (plain, *(environ.get(variable) for variable, _ in _DEFAULTS.values()))
    known = _own.get(given)
    if known is None:
        places = (environ, {"HOME": plain})
        folders = (_folder(kind, place) for place in places for kind in _DEFAULTS)
        known = tuple(dict.fromkeys(folders))
        _own.clear()
        _own[given] = known
    return known


def workspace_folder(spell_path: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The folder kept for the spell at this path; None for a spell that has no path.

    The name holds a hash of the resolved path, so two spells of one name never share.
    """
    if spell_path is None:
        return None
    real = os.path.realpath(spell_path)
    mark = sha256(os.fsencode(real))[:16]
    stem = os.path.basename(real).partition(".")[0]
    shown = "".join(char if char.isascii() and char.isalnum() else "-" for char in stem)[:32]
    return os.path.join(data_folder(environ), "workspaces", f"{shown}-{mark}")


def make_private(folder: str) -> str:
    """Makes the folder (0700) if it is missing, and returns it.

    Raises `ConfigurationError` when it is a link, belongs to another user or can be written by
    one, and `OSError` when it can't be made.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(f"{folder}: it is no folder of your own")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"{folder}: other users may write it", hint=f"after looking inside: chmod 700 {folder}"
        )
    return folder
