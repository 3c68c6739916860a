"""Making a session's audit file: before anything is started, and with next to nothing imported."""

from __future__ import annotations

import os
import time

from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.audit import places

if TYPE_CHECKING:
    from typing import Final

SESSION_BYTES: Final = 8
"""Random bytes in a session's name: unique among the runs of a machine, short in a file name."""


class Opened(NamedTuple):
    """A new audit file, locked. `folder` is the one to rotate, None where the user named the file.

    Whoever has it closes `handle`.
    """

    handle: int
    path: str
    folder: str | None

    def close(self) -> None:
        """Lets the file go, without an end record."""
        os.close(self.handle)


def new_session() -> str:
    """A name for a session."""
    return os.urandom(SESSION_BYTES).hex()


def open_file(path: str | None, session: str, folder: str | None = None) -> Opened:
    """A new file at `path`, or in `folder` (default: the user's state folder).

    `session` is 1 to 64 of `[A-Za-z0-9_-]`. Raises `ConfigurationError` for a folder that others
    can write or a file that exists, `AuditFailure` for what the disk refuses.
    """
    kept_in = None
    try:
        if path is not None:
            handle, where = places.create_at(path)
        else:
            kept_in = places.default_folder() if folder is None else folder
            handle, where = places.create_in_folder(kept_in, session, time.time())
    except OSError as error:
        from llmspell.supervisor.audit.log import AuditFailure

        raise AuditFailure(
            f"the audit file can't be made: {os.strerror(error.errno or 5).lower()}",
            hint="give another place: --audit FILE",
        ) from None
    places.hold(handle)
    return Opened(handle, where, kept_in)
