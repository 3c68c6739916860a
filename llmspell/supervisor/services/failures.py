"""What the operating system's errors are called for a spell: typed, and without a host path."""

from __future__ import annotations

import errno
import os

from llmspell.errors import InvalidInput, LlmspellError, Missing, OperationFailed
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

STORAGE: Final = 6002

_KINDS: Final = {
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EROFS: "permission",
    errno.EEXIST: "exists",
    errno.ENOTDIR: "not_a_directory",
    errno.EISDIR: "not_a_file",
    errno.ENOTEMPTY: "not_empty",
    errno.EXDEV: "other_file_system",
    errno.ELOOP: "changed",
}
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


def failure(error: OSError, action: str, shown: str) -> LlmspellError:
    """The typed error for an `OSError` while doing `action` on what the spell calls `shown`."""
    number = error.errno or errno.EIO
    if number == errno.ENOENT:
        return Missing(f"can't {action} {shown}: there is no such file or folder")
    words = os.strerror(number).lower()
    if number in (errno.ENAMETOOLONG, errno.EINVAL):
        return InvalidInput(f"can't {action} {shown}: {words}")
    if number == errno.ELOOP:
        words = "it changed while it was opened"
    kind = "disk" if number in _DISK else _KINDS.get(number, "failed")
    return OperationFailed(
        f"can't {action} {shown}: {words}",
        code=STORAGE if kind == "disk" else None,
        kind=kind,
        recoverable=kind == "changed",
    )


def wrong(action: str, shown: str, why: str, kind: str) -> OperationFailed:
    """A permitted act that the object itself does not allow."""
    return OperationFailed(f"can't {action} {shown}: {why}", kind=kind)
