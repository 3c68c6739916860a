"""Looking at files: read, list, stat, exists. Nothing here changes anything."""

from __future__ import annotations

import os
import stat

from llmspell.errors import Denied, InvalidInput, Missing, OperationFailed, UsageError
from llmspell.policies import globs
from llmspell.policies.verdict import allow
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services import tree
from llmspell.supervisor.services.access import Access
from llmspell.supervisor.services.context import Args, CallContext
from llmspell.supervisor.services.failures import failure, wrong
from llmspell.supervisor.services.scratch import Scratch
from llmspell.supervisor.services.walk import Place, Walker, kind_of
from llmspell.supervisor.services.whole import LEFTOVER

if TYPE_CHECKING:
    from typing import Any, Final

READ_MAX: Final = 8 * 2**20
"""Most bytes of one read, so that the answer fits the channel's 16 MiB also as base64."""

_CHUNK: Final = 2**20

READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Never follows, never waits for a FIFO's writer, never takes a terminal (FS-23, 24)."""


class FileReading:
    """The service functions that look at files."""

    __slots__ = ("_scratch", "_walker")

    def __init__(self, walker: Walker, scratch: Scratch) -> None:
        self._walker = walker
        self._scratch = scratch

    def read(self, ctx: CallContext, args: Args) -> str | bytes:
        """A file's content, or `length` bytes of it from `offset`; at most `READ_MAX`.

        Raises `Denied`, `Missing`, `LimitExceeded`, `OperationFailed` for what is no regular
        file or no UTF-8.
        """
        access = Access(ctx, "read", "read", args["path"])
        offset, length = args.get("offset", 0), args.get("length")
        if access.in_scratch:
            access.judge_scratch()
            data = self._scratch.read(access, offset, length)
        else:
            with access.open(self._walker) as place:
                data = _read_place(ctx, access, place, offset, length)
        if args.get("encoding", "utf-8") == "binary":
            return data
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise OperationFailed(
                f"can't read {access.spelled}: it is not UTF-8 text",
                kind="encoding",
                hint='read it with encoding = "binary"',
            ) from None

    def list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        """The entries of a folder, sorted, without what the rules hide; never through a link."""
        access = Access(ctx, "list", "list", args["path"])
        limit = args.get("limit", 1000)
        pattern = _pattern(args.get("pattern"))
        recursive = args.get("recursive", False)
        if access.in_scratch:
            access.judge_scratch()
            found = self._scratch.list(access, recursive)
            return [item for item in found if globs.matches(pattern, item["name"])][:limit]
        with access.open(self._walker) as place:
            if place.status is None:
                raise Missing(f"can't list {access.spelled}: there is no such folder")
            if place.kind != "directory" or place.handle is None:
                raise wrong("list", access.spelled, "it is not a folder", "not_a_directory")
            try:
                return _list_place(access, place, self._walker, recursive, pattern, limit)
            except OSError as error:
                raise failure(error, "list", access.spelled) from None

    def stat(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """What a path is: type, size (bytes), modified (seconds since the epoch), readonly."""
        access = Access(ctx, "stat", "stat", args["path"])
        if access.in_scratch:
            access.judge_scratch()
            return self._scratch.stat(access)
        with access.open(self._walker, looking=True) as place:
            if place.status is None:
                raise Missing(f"can't stat {access.spelled}: there is no such file or folder")
            return {
                **_facts(place.status),
                "readonly": access.rules.judge("write", place.path).allowed is not True,
            }

    def exists(self, ctx: CallContext, args: Args) -> bool:
        """Whether something is there; False as well for what may not be seen (FS-49)."""
        access = Access(ctx, "stat", "exists", args["path"])
        try:
            if access.in_scratch:
                access.judge_scratch()
                return self._scratch.exists(access)
            with access.open(self._walker, looking=True) as place:
                return place.status is not None
        except Denied:
            # The denial is on record; the answer itself is one that everybody may have.
            access.record(allow("files.hidden-is-absent", "what may not be seen is not there"))
            return False
        except (Missing, OperationFailed):
            return False


def open_regular(place: Place, flags: int) -> int:
    """Opens the file a walk arrived at. Raises `OSError`; ELOOP when it became something else.

    Name and folder handle are the judged ones, so another regular file that a second run has just
    put in its place is as good; a link, FIFO or device is not (FS-26). Call only when the walk
    saw a regular file: then no device is opened in the first place.
    """
    handle = os.open(place.name, flags, dir_fd=place.parent)
    try:
        status = os.fstat(handle)
        expected = place.status
        same_volume = expected is not None and status.st_dev == expected.st_dev
        if not same_volume or not stat.S_ISREG(status.st_mode):
            raise OSError(40, "changed")
    except BaseException:
        os.close(handle)
        raise
    return handle


def _read_place(
    ctx: CallContext, access: Access, place: Place, offset: int, length: int | None
) -> bytes:
    if place.status is None:
        raise Missing(f"can't read {access.spelled}: there is no such file or folder")
    if place.kind != "file":
        raise wrong("read", access.spelled, "it is not a regular file", "not_a_file")
    expected = max(0, place.status.st_size - offset)
    most = READ_MAX if length is None else min(length, READ_MAX)
    if length is None and expected > READ_MAX:
        raise OperationFailed(
            f"can't read {access.spelled}: it has {place.status.st_size} bytes",
            kind="too_large",
            hint=f"read it in pieces of at most {READ_MAX} bytes with offset and length",
        )
    charged = min(expected, most)
    ctx.reserve("transfer", charged)
    try:
        handle = open_regular(place, READING)
        try:
            data = _read_bytes(handle, offset, most)
        finally:
            os.close(handle)
    except OSError as error:
        raise failure(error, "read", access.spelled) from None
    if len(data) > charged:
        ctx.reserve("transfer", len(data) - charged)
    return data


def _read_bytes(handle: int, offset: int, most: int) -> bytes:
    pieces: list[bytes] = []
    left = most
    while left > 0:
        piece = os.pread(handle, min(left, _CHUNK), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        left -= len(piece)
    return b"".join(pieces)


def _pattern(text: str | None) -> str | globs.Glob:
    if text is None:
        return globs.compile_glob("*")
    if "/" in text or len(text) > 255:
        raise InvalidInput("pattern is matched against an entry's name: no '/', at most 255 long")
    try:
        return globs.compile_glob(text)
    except UsageError as error:
        raise InvalidInput(error.message) from None


def _list_place(
    access: Access,
    place: Place,
    walker: Walker,
    recursive: bool,
    pattern: str | globs.Glob,
    limit: int,
) -> list[dict[str, Any]]:
    assert place.handle is not None
    base = place.path.rstrip("/")
    shown = access.spelled.rstrip("/")
    # "/" and "scratch:" end in their own separator.
    shown = shown if shown.endswith(":") else f"{shown}/"

    def enter(entry: tree.Entry) -> bool:
        # A kernel's file system may be mounted anywhere below: /proc lies in a granted "/".
        if not access.unrestricted and walker.is_special_device(entry.status.st_dev):
            return False
        return access.rules.judge("list", f"{base}/{'/'.join(entry.names)}").allowed is True

    found: list[dict[str, Any]] = []
    for entry in tree.entries(place.handle, recursive=recursive, enter=enter):
        name = entry.names[-1]
        below = "/".join(entry.names)
        if LEFTOVER.fullmatch(name) or not _is_text(below):
            continue
        if not globs.matches(pattern, name):
            continue
        if access.rules.judge("stat", f"{base}/{below}").allowed is not True:
            continue
        found.append({"name": name, "path": shown + below, **_facts(entry.status)})
        if len(found) == limit:
            break
    return found


def _is_text(name: str) -> bool:
    # A name that is not UTF-8 can't cross the channel, nor be asked for.
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _facts(status: os.stat_result) -> dict[str, Any]:
    return {
        "type": kind_of(status.st_mode),
        "size": status.st_size if stat.S_ISREG(status.st_mode) else 0,
        "modified": round(status.st_mtime, 3),
    }
