"""The run's scratch: a small file tree in the supervisor's memory, gone at the end.

Same operations and errors as on disk, no links, no host file ever. Bytes and entries are bounded,
so that a spell can't take the supervisor's memory (FS-42, 44).
"""

from __future__ import annotations

import time

from llmspell.errors import InvalidInput, Missing, OperationFailed
from llmspell.policies.limits import Amount, stricter
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services.access import Access
from llmspell.supervisor.services.failures import wrong
from llmspell.supervisor.services.quota import Quota

if TYPE_CHECKING:
    from typing import Any, Final

MEMORY_MAX: Final = 256 * 2**20
"""Bytes a scratch may have however large the limit: it is memory."""

READ_MAX: Final = 8 * 2**20

Names = tuple[str, ...]


class _Node:
    __slots__ = ("data", "modified")

    def __init__(self, data: bytearray | None) -> None:
        self.data = data
        self.modified = time.time()


class Scratch:
    """The tree: every path's names to a file's bytes, or to None for a folder."""

    __slots__ = ("_nodes", "_quota")

    def __init__(self, limit: Amount, above: Scratch | None = None) -> None:
        """`above` is the scratch of the run that this one belongs to: it is charged as well."""
        self._nodes: dict[Names, _Node] = {(): _Node(None)}
        self._quota: Quota = Quota(
            stricter(limit, MEMORY_MAX), above=None if above is None else above._quota
        )

    def release(self) -> None:
        """The tree goes: what it held is given back above."""
        self._nodes = {(): _Node(None)}
        self._quota.release()

    def read(self, access: Access, offset: int, length: int | None) -> bytes:
        """Bytes of a file, at most `READ_MAX`."""
        data = self._file(access).data or bytearray()
        end = len(data) if length is None else min(len(data), offset + length)
        if end - offset > READ_MAX:
            raise OperationFailed(
                f"can't read {access.spelled}: over {READ_MAX} bytes",
                kind="too_large",
                hint="read it in pieces with offset and length",
            )
        access.context.reserve("transfer", max(0, end - offset))
        return bytes(data[offset:end])

    def write(self, access: Access, data: bytes, parents: bool) -> None:
        """Replaces or creates a file."""
        node = self._nodes.get(self._names(access))
        if node is not None and node.data is None:
            raise wrong("write", access.spelled, "it is not a regular file", "not_a_file")
        old = 0 if node is None or node.data is None else len(node.data)
        self._parent(access, parents)
        self._quota.change(len(data) - old, 1 if node is None else 0)
        self._nodes[self._names(access)] = _Node(bytearray(data))

    def append(self, access: Access, data: bytes) -> None:
        """Adds to a file's end, or creates it."""
        node = self._nodes.get(self._names(access))
        if node is None:
            self.write(access, data, False)
            return
        if node.data is None:
            raise wrong("append", access.spelled, "it is not a regular file", "not_a_file")
        self._quota.change(len(data), 0)
        node.data += data
        node.modified = time.time()

    def list(self, access: Access, recursive: bool) -> list[dict[str, Any]]:
        """Entries of a folder, parents before children."""
        folder = self._names(access)
        node = self._nodes.get(folder)
        if node is None:
            raise Missing(f"can't list {access.spelled}: there is no such folder")
        if node.data is not None:
            raise wrong("list", access.spelled, "it is not a folder", "not_a_directory")
        depth = len(folder)
        return [
            {"name": names[-1], "path": "scratch:" + "/".join(names), **_facts(found)}
            for names, found in sorted(self._nodes.items(), key=lambda item: item[0])
            if len(names) > depth
            and names[:depth] == folder
            and (recursive or len(names) == depth + 1)
        ]

    def stat(self, access: Access) -> dict[str, Any]:
        """What a path is."""
        return {**_facts(self._node(access)), "readonly": False}

    def exists(self, access: Access) -> bool:
        """Whether something is there."""
        return self._names(access) in self._nodes

    def mkdir(self, access: Access, parents: bool) -> None:
        """Makes a folder."""
        names = self._names(access)
        node = self._nodes.get(names)
        if node is not None:
            if parents and node.data is None:
                return
            raise wrong("mkdir", access.spelled, "it exists", "exists")
        self._parent(access, parents)
        self._quota.change(0, 1)
        self._nodes[names] = _Node(None)

    def remove(self, access: Access, recursive: bool) -> None:
        """Removes a file or a folder."""
        names = self._names(access)
        self._node(access)
        if not names:
            raise wrong("remove", access.spelled, "it is a granted folder itself", "root")
        below = [key for key in self._nodes if key[: len(names)] == names]
        if len(below) > 1 and not recursive:
            raise wrong("remove", access.spelled, "directory not empty", "not_empty")
        for key in below:
            gone = self._nodes.pop(key)
            self._quota.change(-len(gone.data or b""), -1)

    def move(self, source: Access, target: Access) -> None:
        """Renames; never over something that exists."""
        came, goes = self._names(source), self._names(target)
        self._node(source)
        if not came:
            raise wrong("move", source.spelled, "it is a granted folder itself", "root")
        if goes in self._nodes:
            raise wrong("move", target.spelled, "something is there already", "exists")
        if goes[: len(came)] == came:
            raise InvalidInput("a folder can't be moved into itself")
        self._parent(target, False)
        for key in [key for key in self._nodes if key[: len(came)] == came]:
            self._nodes[goes + key[len(came) :]] = self._nodes.pop(key)

    def _names(self, access: Access) -> Names:
        return access.path.parts

    def _node(self, access: Access) -> _Node:
        node = self._nodes.get(self._names(access))
        if node is None:
            what = f"can't {access.action} {access.spelled}"
            raise Missing(f"{what}: there is no such file or folder")
        return node

    def _file(self, access: Access) -> _Node:
        node = self._node(access)
        if node.data is None:
            raise wrong(access.action, access.spelled, "it is not a regular file", "not_a_file")
        return node

    def _parent(self, access: Access, make: bool) -> None:
        names = self._names(access)
        if not names:
            raise wrong(access.action, access.spelled, "it is not a regular file", "not_a_file")
        for depth in range(1, len(names)):
            node = self._nodes.get(names[:depth])
            if node is None:
                if not make:
                    raise Missing(
                        f"can't {access.action} {access.spelled}: its folder does not exist",
                        hint="make it first, or let missing folders be made",
                    )
                self._quota.change(0, 1)
                self._nodes[names[:depth]] = _Node(None)
            elif node.data is not None:
                raise wrong(access.action, access.spelled, "not a directory", "not_a_directory")


def _facts(node: _Node) -> dict[str, Any]:
    return {
        "type": "directory" if node.data is None else "file",
        "size": len(node.data or b""),
        "modified": round(node.modified, 3),
    }
