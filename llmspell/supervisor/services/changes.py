"""Changing files: write, append, mkdir, remove, move. All are judged as `write`."""

from __future__ import annotations

import os
import stat

from llmspell.errors import InvalidInput, Missing
from llmspell.policies.verdict import deny
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services import tree
from llmspell.supervisor.services.access import LEVELS_MAX, Access
from llmspell.supervisor.services.context import Args, CallContext
from llmspell.supervisor.services.failures import failure, wrong
from llmspell.supervisor.services.files import open_regular
from llmspell.supervisor.services.quota import Quota, measure
from llmspell.supervisor.services.scratch import Scratch
from llmspell.supervisor.services.walk import HANDLE, Place, Walker
from llmspell.supervisor.services.whole import (
    PLACED_MODE,
    remove_leftovers,
    write_all,
    write_whole,
)

if TYPE_CHECKING:
    from typing import Final

WRITING: Final = (
    os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
)
PRIVATE_FILE: Final = 0o600
SHARED_FILE: Final = 0o666
"""Mode of a new file before the umask: the workspace is private, other folders are the user's."""


class FileChanges:
    """The service functions that change files, and what the run may still keep on disk."""

    __slots__ = ("_elsewhere", "_scratch", "_tidied", "_walker", "_workspace", "_workspace_quota")

    def __init__(
        self, walker: Walker, scratch: Scratch, workspace: str | None, limit: Quota, kept: Quota
    ) -> None:
        self._walker = walker
        self._scratch = scratch
        self._workspace = workspace
        self._elsewhere = limit
        self._workspace_quota = kept
        self._tidied: set[tuple[int, int]] = set()

    def write(self, ctx: CallContext, args: Args) -> None:
        """Replaces or creates a file, whole or not at all; keeps the mode of one it replaces."""
        access = Access(ctx, "write", "write", args["path"])
        data = _bytes(args["data"])
        parents = args.get("create_parents", False)
        if access.in_scratch:
            access.judge_scratch()
            ctx.reserve("transfer", len(data))
            self._scratch.write(access, data, parents)
            return
        with self._open(access, parents) as place:
            old = self._writable(access, place)
            ctx.reserve("transfer", len(data))
            growth = len(data) - (0 if old is None else old.st_size)
            quota = self._quota(place)
            files = 1 if old is None else 0
            quota.change(growth, files)
            try:
                self._tidy(place)
                mode = PRIVATE_FILE if quota is self._workspace_quota else SHARED_FILE
                write_whole(place.parent, place.name, data, old, mode)
            except OSError as error:
                quota.change(-growth if growth > 0 else 0, -files)
                raise failure(error, "write", access.spelled) from None

    def append(self, ctx: CallContext, args: Args) -> None:
        """Adds to the end of a file, or creates it; a failed append leaves what was there."""
        access = Access(ctx, "write", "append", args["path"])
        data = _bytes(args["data"])
        if access.in_scratch:
            access.judge_scratch()
            ctx.reserve("transfer", len(data))
            self._scratch.append(access, data)
            return
        with self._open(access, False) as place:
            old = self._writable(access, place)
            ctx.reserve("transfer", len(data))
            quota = self._quota(place)
            files = 1 if old is None else 0
            quota.change(len(data), files)
            try:
                if old is None:
                    mode = PRIVATE_FILE if quota is self._workspace_quota else SHARED_FILE
                    write_whole(place.parent, place.name, data, None, mode)
                else:
                    handle = open_regular(place, WRITING)
                    try:
                        # Asked of the opened file: another one may stand there by now.
                        status = os.fstat(handle)
                        if status.st_nlink > 1:
                            self._refuse_hard_link(access)
                        if status.st_mode & ~PLACED_MODE & 0o7777 and not access.unrestricted:
                            # The kernel does it for a user's write, and not for root's (FS-27).
                            os.fchmod(handle, status.st_mode & PLACED_MODE)
                        _append(handle, data)
                    finally:
                        os.close(handle)
            except OSError as error:
                quota.change(-len(data), -files)
                raise failure(error, "append", access.spelled) from None

    def mkdir(self, ctx: CallContext, args: Args) -> None:
        """Makes a folder; with `parents` also those above, and one that exists is fine."""
        access = Access(ctx, "write", "mkdir", args["path"])
        parents = args.get("parents", False)
        if access.in_scratch:
            access.judge_scratch()
            self._scratch.mkdir(access, parents)
            return
        with self._open(access, parents) as place:
            if place.status is not None:
                if parents and place.kind == "directory":
                    return
                raise wrong("mkdir", access.spelled, "it exists", "exists")
            quota = self._quota(place)
            quota.change(0, 1)
            try:
                os.mkdir(place.name, 0o777, dir_fd=place.parent)
            except OSError as error:
                quota.change(0, -1)
                raise failure(error, "mkdir", access.spelled) from None

    def remove(self, ctx: CallContext, args: Args) -> None:
        """Removes a file, a link (never what it points at) or a folder, `recursive` if filled.

        Everything in the folder is judged before anything goes (FS-08).
        """
        recursive = args.get("recursive", False)
        access = Access(ctx, "write", "remove", args["path"], tree=recursive)
        if access.in_scratch:
            access.judge_scratch()
            self._scratch.remove(access, recursive)
            return
        with access.open(self._walker, follow_last=False) as place:
            if place.status is None:
                raise Missing(f"can't remove {access.spelled}: there is no such file or folder")
            if not place.name:
                raise wrong("remove", access.spelled, "it is a granted folder itself", "root")
            self._judge_repository(access, place)
            quota = self._quota(place)
            try:
                if not stat.S_ISDIR(place.status.st_mode):
                    os.unlink(place.name, dir_fd=place.parent)
                    quota.change(-_size(place.status), -1)
                    return
                if recursive and place.handle is not None:
                    self._judge_below(access, place, place.path)
                    for gone in tree.clear(place.handle):
                        quota.change(-_size(gone), -1)
                os.rmdir(place.name, dir_fd=place.parent)
                quota.change(0, -1)
            except OSError as error:
                raise failure(error, "remove", access.spelled) from None

    def move(self, ctx: CallContext, args: Args) -> None:
        """Renames within one file system; never over something that exists (as renameat2(2) with
        RENAME_NOREPLACE), never over, out of or into a denied name (FS-08, 11, 51)."""
        source = Access(ctx, "write", "move", args["from"], tree=True)
        target = Access(ctx, "write", "move", args["to"], tree=True)
        if source.in_scratch or target.in_scratch:
            source.judge_first()
            target.judge_first()
            if not (source.in_scratch and target.in_scratch):
                raise wrong(
                    "move",
                    source.spelled,
                    "the scratch is not on disk; read it and write it instead",
                    "other_file_system",
                )
            self._scratch.move(source, target)
            return
        with source.open(self._walker, follow_last=False) as old:
            if old.status is None:
                raise Missing(f"can't move {source.spelled}: there is no such file or folder")
            # A move into a readable folder would show the content: it takes that right too.
            Access(ctx, "read", "move", source.spelled).judge_real(old.path)
            if not old.name:
                raise wrong("move", source.spelled, "it is a granted folder itself", "root")
            with target.open(self._walker, follow_last=False) as new:
                if new.status is not None:
                    raise wrong("move", target.spelled, "something is there already", "exists")
                self._judge_repository(source, old)
                self._judge_repository(target, new)
                if len(new.absent) > 1:
                    raise Missing(f"can't move to {target.spelled}: its folder does not exist")
                if stat.S_ISDIR(old.status.st_mode):
                    self._judge_below(source, old, old.path)
                    self._judge_below(target, old, new.path)
                elif old.kind == "file" and old.status.st_nlink > 1:
                    self._refuse_hard_link(source)
                self._rename(source, old, new)

    def _rename(self, source: Access, old: Place, new: Place) -> None:
        assert old.status is not None
        came, goes = self._quota(old), self._quota(new)
        size, files = _size(old.status), 1
        if came is not goes:
            if old.kind == "directory" and old.handle is not None:
                size, below = measure(old.handle)
                files += below
            goes.change(size, files)
        try:
            _rename_new(old, new)
        except OSError as error:
            if came is not goes:
                goes.change(-size, -files)
            raise failure(error, "move", source.spelled) from None
        if came is not goes:
            came.change(-size, -files)

    def _open(self, access: Access, parents: bool) -> Place:
        place = access.open(self._walker)
        try:
            self._judge_repository(access, place)
            if len(place.absent) > 1:
                if not parents and not self._lead_to_grant(access, place):
                    raise Missing(
                        f"can't {access.action} {access.spelled}: its folder does not exist",
                        hint="make it first, or let missing folders be made",
                    )
                self._make_parents(access, place)
        except OSError as error:
            place.close()
            raise failure(error, access.action, access.spelled) from None
        except BaseException:
            place.close()
            raise
        return place

    def _judge_repository(self, access: Access, place: Place) -> None:
        if access.rules.protects:
            # Most spells change nothing: what only changes need is loaded then.
            from llmspell.supervisor.services.gitfolders import repository_verdict

            verdict = repository_verdict(place)
            if verdict is not None:
                access.refuse(verdict)

    def _lead_to_grant(self, access: Access, place: Place) -> bool:
        """Whether all that is missing is a folder that the user granted (`--allow-write out`)."""
        return _only_below(access, os.path.dirname(place.path))

    def _make_parents(self, access: Access, place: Place) -> None:
        """Makes the folders that are missing on the way; the place then hangs in the last one."""
        missing = place.absent
        base = place.names[: len(place.names) - len(missing)]
        quota = self._quota(place)
        for index, name in enumerate(missing[:-1], start=1):
            made = "/".join([place.root.real.rstrip("/"), *base, *missing[:index]])
            verdict = access.verdict_on(made)
            if verdict.allowed is not True and not _only_below(access, made):
                access.refuse(verdict)
            quota.change(0, 1)
            try:
                os.mkdir(name, 0o777, dir_fd=place.parent)
            except FileExistsError:
                quota.change(0, -1)
            following = os.open(name, HANDLE | os.O_DIRECTORY, dir_fd=place.parent)
            place.descend(following)
        place.absent = missing[-1:]

    def _writable(self, access: Access, place: Place) -> os.stat_result | None:
        if place.status is None:
            return None
        if place.kind != "file":
            raise wrong(access.action, access.spelled, "it is not a regular file", "not_a_file")
        if place.status.st_nlink > 1 and not access.unrestricted:
            self._refuse_hard_link(access)
        # A file that the user made read-only is not to be replaced either (FS-12).
        try:
            os.close(open_regular(place, WRITING))
        except OSError as error:
            raise failure(error, access.action, access.spelled) from None
        return place.status

    def _refuse_hard_link(self, access: Access) -> None:
        if not access.unrestricted:
            access.refuse(
                deny(
                    "files.hard-link",
                    "the file has another name, which may lie outside (FS-09)",
                    "copy it to a file of its own first",
                )
            )

    def _judge_below(self, access: Access, place: Place, base: str) -> None:
        """Every entry of the folder `place`, as if it lay in `base`."""
        if place.handle is None or access.unrestricted:
            return
        # A folder that can't be looked into may hold a denied name, and `move` needs no look.
        try:
            for entry in tree.entries(place.handle, all_or_none=True):
                elsewhere = place.status is not None and entry.status.st_dev != place.status.st_dev
                if elsewhere and entry.is_folder:
                    # Before anything goes: its mount point can't, and what it holds is elsewhere.
                    raise wrong(
                        access.action,
                        access.spelled,
                        "another file system is mounted in it",
                        "other_file_system",
                    )
                path = f"{base}/{'/'.join(entry.names)}"
                if access.action == "move" and path.count("/") > LEVELS_MAX:
                    raise InvalidInput(f"the moved folder would be over {LEVELS_MAX} levels deep")
                verdict = access.verdict_on(path)
                if verdict.allowed is not True:
                    access.refuse(verdict)
        except OSError as error:
            raise failure(error, access.action, access.spelled) from None

    def _quota(self, place: Place) -> Quota:
        if self._workspace is None:
            return self._elsewhere
        inside = (place.path + "/").startswith(self._workspace.rstrip("/") + "/")
        return self._workspace_quota if inside else self._elsewhere

    def _tidy(self, place: Place) -> None:
        status = os.fstat(place.parent)
        identity = (status.st_dev, status.st_ino)
        if identity not in self._tidied and len(self._tidied) < 10_000:
            self._tidied.add(identity)
            remove_leftovers(place.parent)


def _only_below(access: Access, folder: str) -> bool:
    """Whether the folder is a granted one, or must exist for one (`--allow-write a/b/c`)."""
    prefix = folder + "/"
    return any(
        rule.allowed and "write" in rule.rights and _starts(rule.pattern.prefix, prefix)
        for rule in access.rules.rules
    )


def _starts(prefix: tuple[str, ...], folder: str) -> bool:
    return ("/" + "/".join(prefix) + "/").startswith(folder)


def _rename_new(old: Place, new: Place) -> None:
    """`rename` that fails with EEXIST instead of replacing, without a moment in between."""
    assert old.status is not None
    if stat.S_ISDIR(old.status.st_mode):
        # rename(2) replaces an empty folder only, and this one is nobody else's.
        os.mkdir(new.name, 0o700, dir_fd=new.parent)
        try:
            os.rename(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent)
        except OSError:
            os.rmdir(new.name, dir_fd=new.parent)
            raise
        return
    os.link(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent, follow_symlinks=False)
    try:
        os.unlink(old.name, dir_fd=old.parent)
    except OSError:
        os.unlink(new.name, dir_fd=new.parent)
        raise


def _append(handle: int, data: bytes) -> None:
    before = os.fstat(handle).st_size
    try:
        write_all(handle, data)
        os.fsync(handle)
    except OSError:
        # Taken back unless somebody else wrote behind it.
        after = os.fstat(handle).st_size
        if before < after <= before + len(data):
            os.ftruncate(handle, before)
        raise


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _bytes(data: str | bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("data can't hold half of a surrogate pair") from None
