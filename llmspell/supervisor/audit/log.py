"""The writer of one session's audit file: one `write` a record, before the act it allows.

A record that can't be written raises `AuditFailure`; the broker then denies (IP-23). A write that
was cut short is taken back, so that the file never holds half a record while the disk allows it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from llmspell.errors import OperationFailed
from llmspell.policies.policy import AuditRules
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.audit import places
from llmspell.supervisor.audit.opening import open_file
from llmspell.supervisor.audit.records import END, FIRST, OUR_WORDS, Clock, make_record, seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.supervisor.audit.spelling import Speller

RECORDS_MAX: Final = 100_000
BYTES_MAX: Final = 64 * 2**20
"""Records and bytes a session may have; later ones are counted and dropped (SL-14)."""

ALWAYS_KEPT: Final = frozenset({END, "violation", "override", "session_start"})

MaskText = Callable[["Any"], "Any"]

SPELLED: Final = frozenset({"decision", "call"})
"""The events of ordinary calls, which have a quicker spelling."""


class AuditFailure(OperationFailed):
    """A record could not be kept; what it was about must not happen."""

    default_code = 6002
    default_kind = "audit"


class AuditLog:
    """One session's records. `head` is the hash of the last one: keep it elsewhere to pin them.

    Not for two threads. `rules` (the strict ones when absent): with `sync_each_effect` records
    with `effect` are on the disk before the act; `on_failure = warn` counts a lost record and
    does not raise.
    """

    __slots__ = (
        "_clock",
        "_dropped",
        "_folder",
        "_handle",
        "_lost",
        "_mask",
        "_seq",
        "_size",
        "_speller",
        "_strict",
        "_sync_effects",
        "head",
        "path",
        "session",
    )

    def __init__(
        self,
        handle: int | None,
        path: str | None,
        session: str,
        *,
        mask: MaskText | None = None,
        rules: AuditRules | None = None,
        folder: str | None = None,
    ) -> None:
        self.session = session
        self.path = path
        self.head = FIRST
        self._handle = handle
        self._folder = folder
        self._mask = mask
        chosen = AuditRules() if rules is None else rules
        self._sync_effects = chosen.sync_each_effect
        # Anything but the one word that loosens it is the strict reading.
        self._strict = chosen.on_failure != "warn"
        self._seq = 0
        self._clock = Clock()
        self._speller: Speller | None = None
        self._size = 0
        self._dropped = 0
        self._lost = 0

    @classmethod
    def open(
        cls,
        path: str | None,
        session: str,
        *,
        mask: MaskText | None = None,
        rules: AuditRules | None = None,
        folder: str | None = None,
    ) -> AuditLog:
        """A new file at `path`, or in `folder` (default: the user's state folder).

        `session` is 1 to 64 of `[A-Za-z0-9_-]`. Raises `ConfigurationError` for a folder that
        others can write or a file that exists, `AuditFailure` for what the disk refuses.
        """
        opened = open_file(path, session, folder)
        return cls(
            opened.handle, opened.path, session, mask=mask, rules=rules, folder=opened.folder
        )

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        """Appends one record. Raises `AuditFailure`; the chain then goes on where it was."""
        full = self._seq >= RECORDS_MAX or self._size >= BYTES_MAX
        if full and event not in ALWAYS_KEPT:
            self._dropped += 1
            return
        seq, moment = self._seq + 1, self._clock.text(time.time())
        sealed = None
        if event in SPELLED:
            if self._speller is None:
                # A run that calls nothing needs neither the pieces nor a fast digest (OpenSSL's).
                from llmspell.supervisor.audit.spelling import Speller

                self._speller = Speller(self.session, self._masked)
            sealed = self._speller.line(seq, moment, event, fields, self.head)
        if sealed is None:
            record = make_record(seq, moment, self.session, event, self._masked(fields))
            sealed = seal(record, self.head)
        line, digest = sealed
        try:
            self._append(line)
        except OSError as error:
            self._lose("kept", error)
            return
        self.head = digest
        self._seq += 1
        self._size += len(line)
        if effect and self._sync_effects:
            try:
                self.sync()
            except OSError as error:
                self._lose("synced", error)

    def sync(self) -> None:
        """Puts all records on the disk. Raises `OSError`."""
        if self._handle is not None:
            os.fsync(self._handle)

    def failed(self) -> bool:
        """Whether any record was lost (records over the cap are counted, not lost)."""
        return self._lost > 0

    def close(self, fields: Mapping[str, Any]) -> None:
        """Writes the end record with count and head, syncs, closes, rotates. Once."""
        if self._handle is None:
            return
        try:
            ending = {
                **fields,
                "records": self._seq,
                "head": self.head,
                "dropped": self._dropped,
                "lost": self._lost,
            }
            self.record(END, ending)
            self.sync()
        except OSError as error:
            self._lost += 1
            raise AuditFailure(f"the audit can't be synced: {error.strerror}") from None
        finally:
            self._let_go()
        if self._folder is not None and self.path is not None:
            try:
                places.tidy(self._folder, self.path, self._size)
            except OSError:
                return  # Old files that can't be tidied are no reason to fail this run.

    def abandon(self) -> None:
        """Closes the file without an end record, if `close` has not been there. Idempotent.

        A file that no record came to (a run that never began, `warm`) is taken away again.
        """
        if self._handle is None:
            return
        try:
            if self._seq == 0 and self.path is not None:
                mine = os.fstat(self._handle)
                there = os.stat(self.path, follow_symlinks=False)
                if mine.st_size == 0 and os.path.samestat(mine, there):
                    os.unlink(self.path)
        except OSError:
            return  # It stays, empty: no record is lost by that.
        finally:
            self._let_go()

    def _let_go(self) -> None:
        # Forgotten first: a handle whose close fails (NFS) is closed all the same, and its number
        # may be somebody else's by the time of a second try. What counts is on the disk: `sync`.
        handle, self._handle = self._handle, None
        if handle is not None:
            try:
                os.close(handle)
            except OSError:
                self._lost += 1

    def _masked(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._mask is None:
            return fields
        return {
            name: value if name in OUR_WORDS else self._mask(value)
            for name, value in fields.items()
        }

    def _lose(self, how: str, error: OSError) -> None:
        self._lost += 1
        if self._strict:
            raise AuditFailure(
                f"the audit record can't be {how}: {os.strerror(error.errno or 5).lower()}",
                hint="nothing happens without a record; make room or give --audit FILE",
            ) from None

    def _append(self, line: bytes) -> None:
        if self._handle is None:
            raise OSError(9, "closed")
        try:
            written = os.write(self._handle, line)
            if written != len(line):
                raise OSError(28, "cut short")
        except OSError:
            try:
                if os.fstat(self._handle).st_size > self._size:
                    os.ftruncate(self._handle, self._size)
            except OSError:
                # Half a record stands there: nothing may follow it.
                self.abandon()
            raise
