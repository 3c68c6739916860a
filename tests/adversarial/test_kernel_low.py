"""What Landlock does not judge, or not on every kernel, and what all processes of a user share.

At `low` a worker has the user's own uid, and files that it may open. As in test_kernel.py a refusal
is EPERM, told to the caller alone; the same calls outside, on a folder of the same kind, are the
control.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from llmspell.supervisor import worker
from tests.adversarial.fs_acts import tree
from tests.adversarial.placed import attack, outside
from tests.adversarial.proof import Control
from tests.adversarial.test_kernel import number

PROFILES: Final = ("low", "medium", "high")
AT_WORKING_FOLDER: Final = -100


def folder_of_ones_own(place: Path) -> Path:
    """Files that may be read and written, one with a note in an attribute."""
    place.mkdir(parents=True)
    for name in ("emptied", "truncated", "renamed", "removed"):
        (place / name).write_text("kept")
    (place / "gone").mkdir()
    with suppress(OSError):  # some disks have no attributes (NOT_EVERYWHERE)
        os.setxattr(place / "emptied", "user.note", b"whose")
    return place


def words(calls: Mapping[str, str], at: Path) -> list[str]:
    """The calls as kernel.c takes them, with `@` for the folder."""
    found = []
    for name, call in calls.items():
        what, _, arguments = call.partition(",")
        found.append(f"{name}={number(what)},{arguments.replace('@', f't:{at}')}")
    return found


def read_paths(profile: str, at: Path) -> dict[str, Any]:
    """At `low` the folder may be read, as that of an interpreter which the user installed."""
    return {"read_paths": (str(at),)} if profile == "low" else {}


CHANGES: Final = {
    "truncate": "truncate,@/truncated,0",
    "empty by reading": "open,@/emptied,0x200",
    "empty by reading at": f"openat,{AT_WORKING_FOLDER},@/emptied,0x200,0",
    "empty by writing": "open,@/emptied,0x201",
    "write": "open,@/emptied,1",
    "read and write": f"openat,{AT_WORKING_FOLDER},@/emptied,2,0",
    "create": "creat,@/made,0x180",
    "create by reading": "open,@/made too,0x40,0x180",
    "open by a structure": f"openat2,{AT_WORKING_FOLDER},@/emptied,b,24",
    "link": "link,@/emptied,@/linked",
    "symlink": "symlink,@/emptied,@/soft",
    "rename": f"renameat2,{AT_WORKING_FOLDER},@/renamed,{AT_WORKING_FOLDER},@/renamed too,0",
    "remove": "unlink,@/removed",
    "make a folder": "mkdir,@/folder,0x1c0",
    "remove a folder": "rmdir,@/gone",
}
LANDLOCKS: Final = {
    "as it is": ("as it is", ()),
    # Linux 5.13 to 5.18; the second (to 6.1) knows no truncation either.
    "the first": ("as it is", ("handled=1fff,0,0",)),
    "none": ("no landlock", ()),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="not all these calls are elsewhere")
@pytest.mark.parametrize("landlock", LANDLOCKS)
@pytest.mark.parametrize("profile", PROFILES)
def test_FS_70_no_file_is_changed_whatever_landlock_knows(
    tmp_path: Path, profile: str, landlock: str, control: Control
) -> None:
    free = folder_of_ones_own(tmp_path / "free")
    before = tree(free)
    found = outside("kernel", words(CHANGES, free))
    control(not any(found.values()) and tree(free) != before)
    mine = folder_of_ones_own(tmp_path / "mine")
    before = tree(mine)
    machine, handled = LANDLOCKS[landlock]
    tried = [*handled, *words({**CHANGES, "read": "open,@/emptied,0"}, mine)]
    told = attack("kernel", tried, profile, "exec", machine, **read_paths(profile, mine))
    acts = dict(told.acts)
    read = acts.pop("read")
    assert acts == dict.fromkeys(CHANGES, errno.EPERM)
    assert tree(mine) == before
    assert (read == 0) == (profile == "low"), "what is granted is read"
    assert landlock != "none" or "landlock" not in told.achieved["layers"]


LOOKS: Final = {
    "attribute": "getxattr,@/emptied,t:user.note,b,64",
    "attributes": "listxattr,@/emptied,b,64",
    "watches": "inotify_init1,0x80800",
    "watch of a folder": "inotify_add_watch,l,@,0xfff",
    "open": "open,@/emptied,0",
    "lease": "fcntl,l,1024,0",
    "open again": "open,@/truncated,0",
    "flags": "ioctl,l,0x80086601,b",
    "open once more": "open,@/truncated,0",
    "set flags": "ioctl,l,0x40086602,b",
}
OPENS: Final = {"open", "open again", "open once more"}
NOT_EVERYWHERE: Final = {"attribute", "flags", "set flags", "lease"}
"""What depends on the disk."""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_71_nothing_is_seen_or_set_of_a_file_but_what_is_in_it(
    tmp_path: Path, profile: str, control: Control
) -> None:
    """Names of what others do in a folder; notes in attributes; flags of a file opened to read."""
    free = folder_of_ones_own(tmp_path / "free")
    found = outside("kernel", words(LOOKS, free))
    control({name for name, error in found.items() if error} <= NOT_EVERYWHERE)
    mine = folder_of_ones_own(tmp_path / "mine")
    told = attack("kernel", words(LOOKS, mine), profile, **read_paths(profile, mine))
    assert {name for name, error in told.acts.items() if not error} == (
        OPENS if profile == "low" else set()
    )
    assert {told.acts[name] for name in set(LOOKS) - OPENS} == {errno.EPERM}
    # What lies outside of what is granted tells no more.
    told = attack("kernel", words(LOOKS, free), profile, **read_paths(profile, mine))
    assert {told.acts[name] for name in set(LOOKS) - OPENS} == {errno.EPERM}
    assert all(told.acts.values())


SHARED: Final = {
    "requests": "io_setup,1,b",
    "timer": "timer_create,1,0,b",
    "watches": "inotify_init1,0",
    "all disks": "sync",
    "a disk": "syncfs,0",
    "a large pipe": "fcntl,0,1031,0x100000",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_RS_70_what_all_processes_of_a_user_share_is_not_used_up(
    profile: str, control: Control
) -> None:
    found = outside("kernel", words(SHARED, Path("/")))
    # Its standard input is no pipe.
    control({name: error for name, error in found.items() if error} == {"a large pipe": 9})
    told = attack("kernel", words(SHARED, Path("/")), profile)
    assert told.acts == dict.fromkeys(SHARED, errno.EPERM)


URGENT: Final = {
    "send urgent bytes": "sendto,3,t:x,1,0x4041,0,0",
    "take urgent bytes": "recvfrom,3,b,1,0x41,0,0",
}
PLAIN: Final = {
    "send": "sendto,3,t:x,0,0x4040,0,0",
    "take": "recvfrom,3,b,0,0x40,0,0",
}
BY_MESSAGE: Final = {
    "send a message": "sendmsg,3,b,0x4041",
    "take a message": "recvmsg,3,b,0x41",
    "send messages": "sendmmsg,3,b,1,0x4041",
    "take messages": "recvmmsg,3,b,1,0x41,0",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_KX_70_odd_flags_of_messages_do_not_reach_the_kernel(
    profile: str, control: Control
) -> None:
    """Urgent bytes of a unix socket were the door out of a filter like this (CVE-2025-38236)."""
    tried = words({**URGENT, **BY_MESSAGE, **PLAIN}, Path("/"))
    found = outside("kernel", tried)
    control(errno.EPERM not in found.values())
    acts = attack("kernel", tried, profile).acts
    assert {acts[name] for name in (*URGENT, *BY_MESSAGE)} == {errno.EPERM}
    assert {acts[name] for name in PLAIN} <= {0, errno.EAGAIN}


ADVICE: Final = {"merge": "madvise,b,8192,12", "put aside": "madvise,b,8192,20"}
OWN_ADVICE: Final = {"drop": "madvise,b,8192,4", "drop later": "madvise,b,8192,15"}


@pytest.mark.parametrize("profile", PROFILES)
def test_KX_72_no_page_is_offered_to_be_shared(profile: str, control: Control) -> None:
    """Where the machine merges pages, how long a write takes tells what others have in memory."""
    tried = words({**OWN_ADVICE, **ADVICE}, Path("/"))
    found = outside("kernel", tried)
    # A kernel may be built without merging.
    control(all(error in (0, errno.EINVAL) for error in found.values()))
    acts = attack("kernel", tried, profile).acts
    assert {name: acts[name] for name in ADVICE} == dict.fromkeys(ADVICE, errno.EPERM)
    assert {name: acts[name] for name in OWN_ADVICE} == {name: found[name] for name in OWN_ADVICE}


@pytest.mark.profile("low")
def test_SL_70_a_prefix_or_an_applications_folder_is_not_the_interpreters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, control: Control
) -> None:
    """`~/.local` may be a prefix, and the package be copied to where an application keeps keys."""
    app = tmp_path / "app"
    for name in ("llmspell", "lupa", "granted"):
        (app / name).mkdir(parents=True)
        (app / name / "__init__.py").write_text("")
    (app / ".env").write_text("KEY=1")
    monkeypatch.setattr(worker, "_site_folders", lambda: [str(app)])
    given = worker._code_folders(("granted", "json"))
    above = f"{sys.base_prefix}/bin/python{sys.version_info[0]}"
    calls = {
        "library": f"open,t:{os.__file__},0",
        "package": f"open,t:{app}/llmspell/__init__.py,0",
        "engine": f"open,t:{app}/lupa/__init__.py,0",
        "module": f"open,t:{app}/granted/__init__.py,0",
        "key": f"open,t:{app}/.env,0",
        "prefix": f"open,t:{above},0",
    }
    control(not any(outside("kernel", words(calls, app)).values()))
    told = attack("kernel", words(calls, app), "low", read_paths=given)
    if "landlock" not in told.achieved["layers"]:
        pytest.skip("without Landlock the result says that files are not held")
    refused = {name: error for name, error in told.acts.items() if error}
    assert refused == {"key": errno.EACCES, "prefix": errno.EACCES}
