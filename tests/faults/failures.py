"""What can go wrong at each primitive, as the kernel (or SQLite, or a name server) says it.

There is no `EINTR` here: Python itself calls again (PEP 475). A storm of signals during a run and
the C programs' own calls are tests of their own. Failures that end in `+` strike at every use from
the first on, as a full disk does; the others strike once.
"""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

from tests.faults.sites import Site

HANG_SECONDS: Final = 2.0
"""How long a step hangs: longer than the wall limit of the runs that are held up."""

KERNEL: Final[dict[str, tuple[str, ...]]] = {
    "fcntl.fcntl": ("EMFILE",),
    "fcntl.flock": ("ENOLCK", "EWOULDBLOCK", "hang"),
    "file.read": ("EIO", "hang"),
    "file.write": ("ENOSPC", "EIO"),
    "net.connect": ("ECONNREFUSED", "ETIMEDOUT", "EMFILE", "hang"),
    "net.read": ("ECONNRESET", "end", "hang"),
    "net.write": ("EPIPE", "hang"),
    "net.tls": ("ECONNRESET",),
    "open": ("EMFILE", "EIO", "ENOENT", "EACCES+"),
    "os.chmod": ("EIO", "EPERM"),
    "os.close": (),
    "os.dup": ("EMFILE",),
    "os.fchmod": ("EPERM",),
    "os.fchown": ("EPERM", "EIO"),
    "os.fdopen": ("ENOMEM",),
    "os.fstat": ("EIO", "EIO+"),
    "os.fsync": ("EIO", "ENOSPC+", "hang"),
    "os.ftruncate": ("EIO",),
    "os.kill": ("ESRCH",),
    "os.link": ("ENOSPC", "EPERM", "EEXIST", "EIO+"),
    "os.listdir": ("EIO", "EMFILE"),
    "os.lseek": ("EIO",),
    "os.lstat": ("EIO", "ENOENT"),
    "os.makedirs": ("ENOSPC", "EACCES"),
    "os.memfd_create": ("EMFILE", "ENOSYS", "ENOMEM+"),
    "os.mkdir": ("ENOSPC", "EROFS"),
    "os.open": ("EMFILE", "EIO", "ENOSPC+", "EACCES+", "hang"),
    "os.pidfd_open": ("EMFILE", "ENOSYS", "ESRCH"),
    "os.pipe": ("EMFILE",),
    "os.pipe2": ("EMFILE", "ENFILE+"),
    "os.posix_spawn": ("EAGAIN", "ENOMEM", "ENOENT+"),
    "os.pread": ("EIO", "short", "hang"),
    "os.read": ("EIO", "short", "end", "hang"),
    "os.readlink": ("EIO",),
    "os.rename": ("EIO", "ENOSPC", "EXDEV"),
    "os.replace": ("EIO", "ENOSPC"),
    "os.rmdir": ("EIO", "ENOTEMPTY"),
    "os.scandir": ("EIO", "EMFILE"),
    "os.sendfile": ("EIO", "ENOSPC"),
    "os.stat": ("EIO", "ENOENT"),
    "os.unlink": ("EIO", "EROFS"),
    "os.wait4": ("late ECHILD",),
    "os.waitpid": ("late ECHILD",),
    "os.write": ("EIO", "ENOSPC+", "short", "torn", "hang"),
    "path.read": ("EIO", "EACCES+"),
    "path.write": ("ENOSPC",),
    "poll": ("ENOMEM",),
    "select.select": ("ENOMEM",),
    "signal.pidfd_send_signal": ("ESRCH",),  # another uid only where CAP_KILL is ours
    "socket.fromfd": ("EMFILE",),
    "socket.getaddrinfo": ("EAI", "hang"),
    "socket.recv": ("ECONNRESET", "short", "end", "EAGAIN"),
    "socket.recvmsg": ("ECONNRESET", "EMFILE", "end"),
    "socket.send": ("EPIPE", "ENOBUFS", "short", "EAGAIN"),
    "socket.sendall": ("EPIPE", "ENOBUFS"),
    "socket.sendmsg": ("EPIPE", "ETOOMANYREFS", "ENOBUFS+"),
    "socketpair": ("EMFILE", "ENFILE+"),
    "sqlite.execute": ("full", "disk I/O", "locked", "hang"),
    "sqlite3.connect": ("unable to open", "hang"),
    "tempfile.TemporaryFile": ("EMFILE", "ENOSPC"),
}
"""The failures of each primitive. Closing what was only read, a pipe, a socket or a handle on a
process has none."""

_WRITTEN: Final = ("late EIO",)
_PIPE: Final = ("short", "end")
SPECIAL: Final[dict[str, tuple[str, ...]]] = {
    # A file system may tell at close what it could not write (NFS, FUSE).
    "supervisor/services/whole write_whole os.close": _WRITTEN,
    "supervisor/services/changes FileChanges.append os.close": _WRITTEN,
    "supervisor/audit/log AuditLog.close os.close": _WRITTEN,
    "llm/cassette _append os.close": _WRITTEN,
    # poll(2) allocates nothing for under thirty descriptors, and these ask for one.
    "platform/linux/process _is_readable poll": (),
    "platform/linux/zygote _readable poll": (),
    "platform/linux/process Process._told os.read": _PIPE,
    "platform/linux/zygote Forked._read_end os.read": _PIPE,
    "supervisor/guest_cache _compile os.read": _PIPE,
    # What ends well is no failure: no more of a text, of an image whose worker has written it.
    "cli/run _standard_input os.read": ("EIO", "short"),
    "supervisor/services/stdin Stdin._fill os.read": ("EIO", "short"),
    "supervisor/guest_image _write_frames socket.recv": ("ECONNRESET", "short"),
}
"""Sites whose descriptors are of a kind that fails in other ways."""


def failures_of(site: Site) -> tuple[str, ...]:
    """The failures that can strike at a site."""
    return SPECIAL.get(str(site), KERNEL[site.primitive])


_SQLITE: Final = {
    "full": "database or disk is full",
    "disk I/O": "disk I/O error",
    "locked": "database is locked",
    "unable to open": "unable to open database file",
}

Act = Callable[..., Any]


def strike(kind: str, real: Act, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a primitive does in the place of `real` when this failure strikes."""
    word = kind.removesuffix("+")
    if word == "hang":
        time.sleep(HANG_SECONDS)
        return real(*args, **named)
    if word == "end":
        return (b"", [], 0, None) if real.__name__ == "recvmsg" else b""
    if word == "short":
        return _short(real, args, named)
    if word == "torn":
        _short(real, args, named)
        raise error_of("ENOSPC")
    if word.startswith("late "):
        real(*args, **named)
        raise error_of(word.removeprefix("late "))
    raise error_of(word)


def _short(real: Act, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """The half of it: of what is written, or of how much may be read."""
    halved = list(args)
    for index, argument in enumerate(halved):
        if isinstance(argument, bytes | bytearray | memoryview):
            halved[index] = bytes(argument)[: max(1, len(argument) // 2)]
            return real(*halved, **named)
    # os.read(fd, n), os.pread(fd, n, at), socket.recv(self, n)
    halved[1] = 1
    return real(*halved, **named)


def error_of(word: str) -> Exception:
    """The exception that Python makes of this failure."""
    if word in _SQLITE:
        return sqlite3.OperationalError(_SQLITE[word])
    if word == "EAI":
        return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    number = getattr(errno, word)
    return OSError(number, os.strerror(number))
