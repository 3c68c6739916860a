"""The one function that opens spell paths: a component walk by directory handles.

No path string is ever given to the kernel as a whole (threats FS-03, 04, 06, 07, 26). Each name is
opened relative to the handle before it with `O_NOFOLLOW`, so a link is seen as a link, read from
its own handle and followed by hand; whoever flips names meanwhile gets an error or the old object,
never one outside. `/proc` magic links have no special meaning here: their text is followed like
any other link's. The caller's judge is asked again after every link and on the end's real path.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from llmspell.errors import IsolationRefused, Missing, OperationFailed
from llmspell.policies.verdict import Verdict, deny
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.services.special import SpecialFileSystems

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, NoReturn

LINKS_MAX: Final = 40
"""Links followed for one path, as Linux itself does (path_resolution(7))."""

STEPS_MAX: Final = 5_000
"""Names opened for one path; a hostile tree of links can't make one call long."""

PATHS_KEPT: Final = 1_024
"""Paths whose root is remembered; a path has at most 4 KiB, so a few megabytes at the worst."""

HANDLE: Final = getattr(os, "O_PATH", os.O_RDONLY | os.O_NONBLOCK) | os.O_CLOEXEC | os.O_NOFOLLOW

HANDLE_OF_FOLDER: Final = HANDLE | os.O_DIRECTORY

Judge = Callable[[str], None]
"""Given a real absolute path; returns when it is allowed and raises when it is not."""

Refuse = Callable[[Verdict], "NoReturn"]
"""Records a verdict that is a denial and raises it."""


class Root:
    """A folder from which spell paths are walked; links may not lead out of it.

    Its own prefix is resolved once, when the session begins, because the user named it; its handle
    is opened at first use so that it may be made in between, then kept.
    """

    __slots__ = ("_device", "_handle", "path", "real")

    def __init__(self, path: str) -> None:
        self.path = os.path.normpath(path)
        self.real = os.path.realpath(path)
        self._handle: int | None = None
        self._device: int | None = None
        if os.path.isdir(self.real):
            try:
                self._handle = _open_real(self.real)
            except OSError:
                # Tried again at first use, where the spell is told: one that never comes there,
                # and the runs beside it, lose nothing by a folder that can't be opened now.
                self._handle = None

    def handle(self) -> int:
        """The folder's handle. Raises `FileNotFoundError` while it does not exist."""
        if self._handle is None:
            self._handle = _open_real(self.real)
        return self._handle

    def device(self) -> int:
        """The device number of what the handle holds; a handle can't change its object."""
        if self._device is None:
            self._device = os.fstat(self.handle()).st_dev
        return self._device

    def make(self) -> None:
        """Makes the folder and what is missing above it, for the user only (0700)."""
        if self._handle is None:
            os.makedirs(self.real, mode=0o700, exist_ok=True)
            self.handle()

    def close(self) -> None:
        """Lets the handle go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = self._device = None


def _open_real(real: str) -> int:
    """Opens a folder whose path was resolved before; a link in it by now is refused (ELOOP)."""
    flags = HANDLE_OF_FOLDER
    current = os.open("/", flags)
    for name in real.split("/"):
        if name:
            try:
                following = os.open(name, flags, dir_fd=current)
            finally:
                os.close(current)
            current = following
    return current


class Place:
    """Where a walk ended. Owns its handles, but for a `lent` parent; use it in a `with`.

    `parent` and `name` say where the object hangs (`name` is empty for the root itself); a parent
    that is lent is the root's own handle and stays open. `handle` and `status` are of the object
    and None when it is absent; `handle` is None too when the walk was for looking only. `absent`
    holds the names that don't exist (more than one when folders on the way are missing).
    """

    __slots__ = ("_path", "absent", "handle", "lent", "names", "parent", "root", "status")

    def __init__(
        self,
        root: Root,
        parent: int,
        names: list[str],
        handle: int | None,
        status: os.stat_result | None,
        absent: tuple[str, ...],
        lent: bool,
        path: str | None = None,
    ) -> None:
        self._path = path
        self.root = root
        self.parent = parent
        self.lent = lent
        self.names = names
        self.handle = handle
        self.status = status
        self.absent = absent

    @property
    def name(self) -> str:
        """The last name; empty for the root itself."""
        return self.names[-1] if self.names else ""

    @property
    def path(self) -> str:
        """The real absolute path; for rules and never for a spell's eyes."""
        if self._path is None:
            self._path = real_path(self.root, self.names)
        return self._path

    @property
    def kind(self) -> str:
        """`file`, `directory`, `link`, `other` or `absent`."""
        return "absent" if self.status is None else kind_of(self.status.st_mode)

    def close(self) -> None:
        """Lets both handles go."""
        if not self.lent:
            os.close(self.parent)
        if self.handle is not None:
            os.close(self.handle)

    def descend(self, handle: int) -> None:
        """Takes a folder's handle for the parent instead of the one it was."""
        if not self.lent:
            os.close(self.parent)
        self.parent = handle
        self.lent = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def kind_of(mode: int) -> str:
    """The word for a file type; everything that is neither file, folder nor link is `other`."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def real_path(root: Root, names: Iterable[str]) -> str:
    """The real absolute path of names below a root."""
    below = "/".join(names)
    return f"{root.real.rstrip('/')}/{below}" if below else root.real


class Walker:
    """Walks spell paths from the roots of one session."""

    __slots__ = ("_found", "_roots", "_special")

    def __init__(self, roots: Iterable[str], special: SpecialFileSystems | None = None) -> None:
        if os.open not in os.supports_dir_fd:
            raise IsolationRefused(
                "brokered files need directory handles, which this operating system lacks",
                rule="files.handles",
            )
        unique = {os.path.normpath(path) for path in [*roots, "/"]}
        self._roots = [Root(path) for path in sorted(unique, key=len, reverse=True)]
        # The mount table is read when a file is first asked for: most spells ask for none.
        self._special = special
        self._found: dict[str, _Course] = {}

    def _course(self, path: str) -> _Course:
        # The roots never change, so neither does the answer.
        known = self._found.get(path)
        if known is None:
            root, names = self.root_of(path)
            known = _Course(root, names, real_path(root, names))
            if len(self._found) >= PATHS_KEPT:
                self._found.clear()
            self._found[path] = known
        return known

    def root_of(self, path: str) -> tuple[Root, list[str]]:
        """The innermost root that covers `path` and the names below it."""
        for root in self._roots:
            for prefix in (root.path, root.real):
                if path == prefix:
                    return root, []
                if path.startswith(prefix.rstrip("/") + "/"):
                    return root, _split(path[len(prefix) :])
        raise Missing("the path is not absolute")

    def close(self) -> None:
        """Lets every root's handle go."""
        for root in self._roots:
            root.close()

    def walk(
        self,
        path: str,
        judge: Judge,
        refuse: Refuse,
        *,
        follow_last: bool = True,
        special_allowed: bool = False,
        looking: bool = False,
    ) -> Place:
        """Opens `path` (absolute, normalised, already judged as it is spelled).

        `looking`: only the status is wanted, so the place may come without a handle of its own.

        `judge` is called with the real path whenever a link changed it and at the end. A link
        that leads out of the root, and a special file system unless `special_allowed`, are
        `refuse`d. Raises what those raise, `OSError`, and `OperationFailed` for a maze of links.
        """
        course = self._course(path)
        place = _straight(course, looking)
        if place is None:
            walk = _Walk(course.root, course.names, judge, refuse)
            try:
                place = walk.run(follow_last)
            except BaseException:
                walk.abandon()
                raise
        try:
            if not special_allowed and self._is_special(place):
                refuse(
                    deny(
                        "files.special-filesystem",
                        "kernel and device file systems are not for spells",
                    )
                )
            judge(place.path)
        except BaseException:
            place.close()
            raise
        return place

    def is_special_device(self, device: int) -> bool:
        """Whether a device number is of a kernel's or devices' file system."""
        special = self._special
        if special is None:
            special = self._special = SpecialFileSystems()
        return special.holds(device)

    def _is_special(self, place: Place) -> bool:
        device = place.root.device() if place.lent else os.fstat(place.parent).st_dev
        if self.is_special_device(device):
            return True
        status = place.status
        return (
            status is not None and status.st_dev != device and self.is_special_device(status.st_dev)
        )


class _Course(NamedTuple):
    """Where a path leads when no link is on it: the root, the names below, the real path."""

    root: Root
    names: list[str]
    real: str


def _straight(course: _Course, looking: bool) -> Place | None:
    """The walk along folders to a name that is no link; None for all else.

    Most paths are so, and this is the walk below with nothing to remember on the way: the same
    opening name by name, where `O_DIRECTORY` refuses a link as it refuses a file. After None
    nothing is open and the walk begins anew.
    """
    root, names, real = course
    if not names or ".." in names:
        return None
    lent, handle = True, -1
    try:
        current = root.handle()
        for name in names[:-1]:
            following = os.open(name, HANDLE_OF_FOLDER, dir_fd=current)
            if not lent:
                os.close(current)
            current, lent = following, False
    except OSError:
        if not lent:
            os.close(current)
        return None
    name = names[-1]
    try:
        if looking:
            status = os.stat(name, dir_fd=current, follow_symlinks=False)
        else:
            handle = os.open(name, HANDLE, dir_fd=current)
            status = os.fstat(handle)
        if not stat.S_ISLNK(status.st_mode):
            opened = None if looking else handle
            return Place(root, current, names[:], opened, status, (), lent, real)
    except FileNotFoundError:
        return Place(root, current, names[:], None, None, (name,), lent, real)
    except OSError:
        pass  # The slow walk meets it again, and tells.
    if handle >= 0:
        os.close(handle)
    if not lent:
        os.close(current)
    return None


class _Walk:
    """One walk under way: the names behind it, the handle it stands on, the names ahead."""

    __slots__ = ("ahead", "current", "judge", "lent", "links", "names", "refuse", "root", "steps")

    def __init__(self, root: Root, parts: list[str], judge: Judge, refuse: Refuse) -> None:
        self.root = root
        self.names: list[str] = []
        self.current = -1
        self.lent = False
        self.ahead = parts[::-1]
        self.judge = judge
        self.refuse = refuse
        self.links = 0
        self.steps = 0

    def abandon(self) -> None:
        if self.current >= 0 and not self.lent:
            os.close(self.current)
        self.current = -1

    def stand_on(self, handle: int) -> None:
        self.abandon()
        self.current = handle
        self.lent = False

    def run(self, follow_last: bool) -> Place:
        try:
            self.restart([])
        except FileNotFoundError:
            raise Missing("the folder does not exist yet") from None
        while self.ahead:
            name = self.ahead.pop()
            if name == "..":
                if not self.names:
                    self.outside()
                self.restart(self.names[:-1])
                continue
            self.count_step()
            try:
                handle = os.open(name, HANDLE, dir_fd=self.current)
            except FileNotFoundError:
                return self.absent(name)
            try:
                status = os.fstat(handle)
                if stat.S_ISLNK(status.st_mode) and (self.ahead or follow_last):
                    self.follow(os.readlink("", dir_fd=handle))
                    os.close(handle)
                    continue
                if not self.ahead:
                    self.names.append(name)
                    return self.arrived(handle, status)
                if not stat.S_ISDIR(status.st_mode):
                    raise NotADirectoryError(20, "Not a directory")
            except BaseException:
                os.close(handle)
                raise
            self.stand_on(handle)
            self.names.append(name)
        # The path ends on the root (its own parent here), or on a folder by way of "..".
        last = "."
        if self.names:
            names = self.names
            last = names[-1]
            self.restart(names[:-1])
            self.names.append(last)
        handle = os.open(last, HANDLE_OF_FOLDER, dir_fd=self.current)
        return self.arrived(handle, os.fstat(handle))

    def arrived(self, handle: int, status: os.stat_result) -> Place:
        parent, self.current = self.current, -1
        return Place(self.root, parent, self.names, handle, status, (), self.lent)

    def absent(self, name: str) -> Place:
        missing = (name, *reversed(self.ahead))
        if ".." in missing:
            raise FileNotFoundError(2, "No such file or directory")
        parent, self.current = self.current, -1
        names = [*self.names, *missing]
        return Place(self.root, parent, names, None, None, missing, self.lent)

    def follow(self, target: str) -> None:
        self.links += 1
        if self.links > LINKS_MAX:
            raise OperationFailed(f"over {LINKS_MAX} links in one path", kind="links")
        if target.startswith("/"):
            if target != self.root.real and not target.startswith(self.root.real.rstrip("/") + "/"):
                self.outside()
            target = target[len(self.root.real) :]
            self.ahead.extend(reversed(_split(target)))
            self.restart([])
        else:
            self.ahead.extend(reversed(_split(target)))
        ahead = list(self.names)
        for name in reversed(self.ahead):
            if name != "..":
                ahead.append(name)
            elif ahead:
                ahead.pop()
            else:
                self.outside()
        # Judged before the target is touched: a link is no oracle for what it points at.
        self.judge(real_path(self.root, ahead))

    def restart(self, names: list[str]) -> None:
        """Stands on root/names again by walking there: `..` is never asked of the kernel."""
        self.abandon()
        self.names = []
        self.current = self.root.handle()
        self.lent = True
        for name in names:
            self.count_step()
            handle = os.open(name, HANDLE_OF_FOLDER, dir_fd=self.current)
            self.stand_on(handle)
            self.names.append(name)

    def count_step(self) -> None:
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise OperationFailed("the path takes too many steps", kind="links")

    def outside(self) -> NoReturn:
        self.refuse(deny("files.leads-outside", "a link leads outside the granted folder"))


def _split(text: str) -> list[str]:
    return [name for name in text.split("/") if name not in ("", ".")]
