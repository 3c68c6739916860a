"""Folders that git takes for a repository, whatever they are called (FS-31).

`.git` is protected by its name. A `.git` *file* may point at any other folder, a bare repository
needs no `.git` at all, and git runs hooks and commands of the config of both. So a folder is looked
at the way git itself does (is_git_directory in git's setup.c): HEAD, and objects and refs or a
commondir. Its own names are not written, nor is the one that would make a folder such a one.
"""

from __future__ import annotations

import os

from llmspell.policies.protected import fold
from llmspell.policies.verdict import Verdict, deny
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

    from llmspell.supervisor.services.walk import Place

_MAKING: Final = ("HEAD", "objects", "refs", "commondir")

_NAMES: Final = frozenset(
    {
        *("head", "objects", "refs", "commondir", "gitdir", "config", "config.worktree", "hooks"),
        *("info", "modules", "worktrees", "index", "packed-refs", "logs", "branches", "shallow"),
    }
)
"""git's own names in a repository, folded; what else lies there (worktrees of people) is free."""


def repository_verdict(place: Place) -> Verdict | None:
    """The denial of a change at `place`, or None where git would run nothing of it later.

    Costs system calls only for a path that has one of git's names in it.
    """
    names = place.path.split("/")[1:]
    # The folder that the place's parent handle is of, as a number of names.
    here = len(names) - max(1, len(place.absent))
    for up in range(here + 1):
        name = fold(names[here - up])
        if name not in _NAMES:
            continue
        there = _what_makes_one(place.parent, "../" * up)
        if up == 0 and place.status is None:
            there |= {made for made in _MAKING if fold(made) == name}
        if "HEAD" in there and ({"objects", "refs"} <= there or "commondir" in there):
            return deny(
                "protected.git",
                "git runs what is written here later",
                "no flag allows this; only --profile none, for code of your own",
            )
    return None


def _what_makes_one(folder: int, above: str) -> set[str]:
    found = set()
    for name in _MAKING:
        try:
            os.stat(above + name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except OSError:
            # It may be there: what the disk will not tell counts against the write.
            found.add(name)
            continue
        found.add(name)
    return found
