"""Runs a function as another machine would: another uid, or a kernel that refuses some calls."""

from __future__ import annotations

import codecs
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

NOBODY = 65534
EPERM = 1
ENOSYS = 38

# Another uid may not be able to read this interpreter's library, and sockets need this part of it.
codecs.lookup("ascii")


def as_machine(
    work: Callable[[], Any], uid: int | None = None, refuse: Mapping[str, int] | None = None
) -> Any:
    """What `work` returns (as JSON) in a forked process with this uid, where calls are refused.

    A container's own seccomp profile acts in just this way: EPERM (Docker) or ENOSYS (old kernel).
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            if refuse:
                _refuse(refuse)
            if uid is not None and os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            os.write(writer, json.dumps(work()).encode())
            status = 0
        except BaseException as error:
            os.write(writer, json.dumps(f"{type(error).__name__}: {error}").encode())
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as answers:
        text = answers.read()
    _, status = os.waitpid(pid, 0)
    answer = json.loads(text)
    if status:
        raise AssertionError(answer)
    return answer


def _refuse(calls: Mapping[str, int]) -> None:
    import pyseccomp

    filter_ = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for call, error in calls.items():
        number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), call)
        filter_.add_rule(pyseccomp.ERRNO(error), number)
    filter_.load()


def is_running(pid: int) -> bool:
    """Whether the process still exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


def processes_with(marker: str) -> list[int]:
    """The processes that carry `marker` as an argument of their command line."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if marker.encode() in words and is_running(int(name)):
                found.append(int(name))
    return found


def kill_quietly(pid: int) -> None:
    """For clean-up after a test that failed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
