"""The folders that a policy's paths start from."""

from __future__ import annotations

import os

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class PolicyContext(NamedTuple):
    """Absolute host folders. `workspace_folder` is None when none is kept for the spell;
    `own_folders` are llmspell's cache, configuration, state and audit; `home` is the user's."""

    working_folder: str
    spell_folder: str
    workspace_folder: str | None
    own_folders: tuple[str, ...]
    home: str
    resolved: dict[str, str] | None = None
    """What paths turned out to be, each looked up once; what a policy made here depends on."""

    @classmethod
    def of(
        cls,
        working_folder: str,
        spell_folder: str | None = None,
        *,
        workspace_folder: str | None = None,
        own_folders: Iterable[str] = (),
        home: str | None = None,
    ) -> PolicyContext:
        """A context whose paths are made absolute; the spell's folder is the working folder
        unless given."""
        return cls(
            os.path.abspath(working_folder),
            os.path.abspath(working_folder if spell_folder is None else spell_folder),
            None if workspace_folder is None else os.path.abspath(workspace_folder),
            tuple(os.path.abspath(folder) for folder in own_folders),
            os.path.abspath(home if home is not None else os.path.expanduser("~")),
        )

    def both_forms(self, path: str) -> tuple[str, ...]:
        """The path with its links followed and as written; what doesn't exist yet stays as it is.

        The first is looked up once for this context, so that all of a policy means one moment.
        """
        known = {} if self.resolved is None else self.resolved
        real = known.get(path)
        if real is None:
            real = known[path] = os.path.realpath(path)
        written = os.path.normpath(path)
        return (real,) if real == written else (real, written)

    def check(self) -> None:
        """Raises `UsageError` for a relative folder: it would mean another one later."""
        folders = (self.working_folder, self.spell_folder, self.home, *self.own_folders)
        for folder in (*folders, *([self.workspace_folder] if self.workspace_folder else [])):
            if not os.path.isabs(folder):
                raise UsageError(f"the folder {folder!r} of the policy's context is not absolute")
