"""Which mounted file systems are the kernel's own: /proc, /sys, /dev and their kin (FS-14, 16)."""

from __future__ import annotations

import os

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

TYPES: Final = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)
"""File system types that hold no user's files."""

PLACES: Final = ("/proc", "/sys", "/dev")
"""Mounts here and below are special whatever their type: in a container /dev is a tmpfs."""


class SpecialFileSystems:
    """The device numbers of special mounts, read once from the mount table (proc_pid_mountinfo(5)).

    Where there is no mount table the device numbers of `/proc`, `/sys` and `/dev` stand in.
    """

    __slots__ = ("_devices",)

    def __init__(self, table: str | None = None) -> None:
        ordinary = os.stat("/").st_dev
        found = {_device(path) for path in PLACES}
        if table is None:
            try:
                with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
                    table = file.read()
            except OSError:
                table = ""
        for line in table.splitlines():
            before, _, after = line.partition(" - ")
            fields = before.split(" ")
            if len(fields) < 5 or not after:
                continue
            place = fields[4]
            if after.split(" ")[0] in TYPES or place.startswith(tuple(f"{p}/" for p in PLACES)):
                major, _, minor = fields[2].partition(":")
                if major.isdecimal() and minor.isdecimal():
                    found.add(os.makedev(int(major), int(minor)))
        self._devices = frozenset(found - {None, ordinary})

    def holds(self, device: int) -> bool:
        """Whether the device number is one of a special file system."""
        return device in self._devices


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None
