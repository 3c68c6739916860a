"""How much a run may keep on disk: bytes and number of files (FS-42, 43, 44).

The workspace outlives a run, so what is in it is measured; elsewhere only what this run added
counts. Two runs in one workspace measure the same folder and see each other's files.
"""

from __future__ import annotations

from llmspell.errors import LimitExceeded
from llmspell.policies.limits import Amount, Unlimited, describe_amount
from llmspell.records import TYPE_CHECKING, Protocol
from llmspell.supervisor.services import tree

if TYPE_CHECKING:
    from typing import Final

FILES_MAX: Final = 10_000
"""Files and folders that a run may have in its scratch, its workspace, or add elsewhere."""

MEASURE_EVERY: Final = 64
"""Changes after which a workspace is measured again, for what other runs did there."""


class Measure(Protocol):
    """Says what is there now: bytes and number of objects."""

    def __call__(self) -> tuple[int, int]:
        """Bytes, files."""


class Quota:
    """A budget in bytes and files that is given back when files go."""

    __slots__ = ("_above", "_changes", "_files", "_limit", "_measure", "_size")

    def __init__(
        self, limit: Amount, measure: Measure | None = None, above: Quota | None = None
    ) -> None:
        """`above` is charged as well: the quota of the run that this one belongs to."""
        self._above = above
        self._limit = limit
        self._measure = measure
        self._size = 0
        self._files = 0
        self._changes = 0

    def change(self, size: int, files: int) -> None:
        """Charges a change (negative gives back) before it is made. Raises `LimitExceeded`."""
        if self._above is not None:
            self._above.change(size, files)
        try:
            self._change(size, files)
        except LimitExceeded:
            if self._above is not None:
                self._above.change(-size, -files)
            raise

    def release(self) -> None:
        """Gives back above what is charged here: all of it went."""
        if self._above is not None:
            self._above.change(-self._size, -self._files)
            self._size = self._files = 0

    def _change(self, size: int, files: int) -> None:
        if isinstance(self._limit, Unlimited) and self._above is None:
            return
        if self._measure is not None and self._changes % MEASURE_EVERY == 0:
            self._size, self._files = self._measure()
        if self._over(size, files) and self._measure is not None:
            self._size, self._files = self._measure()
        if self._over(size, files):
            what = describe_amount("scratch", self._limit)
            raise LimitExceeded(
                "scratch",
                f"the spell may keep {what} in {FILES_MAX} files",
                hint="to allow more: --limit scratch=…, or remove files first",
            )
        self._changes += 1
        self._size = max(0, self._size + size)
        self._files = max(0, self._files + files)

    def _over(self, size: int, files: int) -> bool:
        if isinstance(self._limit, Unlimited):
            return False
        too_large = size > 0 and self._size + size > self._limit
        return too_large or (files > 0 and self._files + files > FILES_MAX)


def measure(folder: int) -> tuple[int, int]:
    """Bytes and objects below a handle; a folder fuller than a walk may be counts as full."""
    size = files = 0
    try:
        for entry in tree.entries(folder, most=2 * FILES_MAX):
            files += 1
            if not entry.is_folder:
                size += entry.status.st_size
    except LimitExceeded:
        files = 2 * FILES_MAX
    return size, files
