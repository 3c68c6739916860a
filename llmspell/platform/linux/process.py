"""The one place that starts, watches and kills processes.

Sources: posix_spawn(3), pidfd_open(2), wait4(2), proc(5).
"""

from __future__ import annotations

import errno
import os
import resource  # noqa: F401  os.wait4 imports it; in a process that left its uid that would fail
import select
import signal
import time

from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

_CHANNEL_FD: Final = 3
_USAGE_FD: Final = 63
"""Where a program that applies a plan tells its worker's peak memory (confine_internal.h)."""
_FIRST_SAFE_FD: Final = 64
"""Copies for the child lie from here up, so that no dup2 in the child hits another's source."""


_DESCRIPTORS_TRIED: Final = 1024


class ExitStatus(NamedTuple):
    """How a process ended: exactly one of code and signal is a number.

    Both None: somebody else reaped it (the host ignores SIGCHLD) and nothing is known.
    cpu_seconds: user and system time of the whole tree. max_rss_bytes: peak of the worker if
    `measured`; otherwise of the largest process, and where that is below this process's own peak,
    the largest figure that sample() saw (0: none).
    """

    code: int | None
    signal: int | None
    cpu_seconds: float
    max_rss_bytes: int


class Process:
    """A started process, or the tree below it; never handled by a number that can be reused."""

    __slots__ = ("_floor", "_peak", "_status", "_usage", "pid", "pidfd")

    def __init__(self, pid: int, pidfd: int, floor: int, usage: int) -> None:
        self.pid: Final = pid
        self.pidfd = pidfd
        """Readable once the process ended; -1 after close()."""
        self._floor = floor
        self._usage = usage
        self._peak = 0
        self._status: ExitStatus | None = None

    def poll(self) -> ExitStatus | None:
        """The end, or None while it runs."""
        if self._status is None and (self.pidfd < 0 or _is_readable(self.pidfd, 0.0)):
            self._reap()
        return self._status

    def wait(self, timeout: float | None = None) -> ExitStatus:
        """Waits for the end, at most `timeout` seconds. Raises TimeoutError."""
        if self._status is None:
            if self.pidfd >= 0 and not _is_readable(self.pidfd, timeout):
                raise TimeoutError(f"process {self.pid} still runs after {timeout} s")
            self._reap()
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        """Ends the whole tree with SIGKILL. Does not wait; harmless when it already ended."""
        if self.poll() is not None:
            return
        if self._usage < 0:
            self.sample()  # nobody else will tell
        # With a waiter its child is the tree's root: killing that one lets the waiter report usage.
        if not _kill_children(self.pid):
            self._signal(signal.SIGKILL)
            return
        # A waiter that the tree below had stopped must go on to see its end.
        self._signal(signal.SIGCONT)

    def sample(self) -> int:
        """Peak memory so far, in bytes, of the process that works; kept for the exit status."""
        for pid in (self.pid, *_children(self.pid)):
            self._peak = max(self._peak, _peak_rss(pid))
        return self._peak

    def close(self) -> None:
        """Kills what still runs, reaps it and closes the descriptor."""
        if self._status is None:
            self.kill()
            try:
                self.wait(1.0)
            except TimeoutError:
                self._signal(signal.SIGKILL)
                self.wait()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        if self._usage >= 0:
            os.close(self._usage)
            self._usage = -1

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal(self, number: int) -> None:
        if self._status is None and self.pidfd >= 0:
            try:
                signal.pidfd_send_signal(self.pidfd, number)
            except OSError as error:
                if error.errno not in (errno.ESRCH, errno.EBADF):  # it ended
                    raise

    def _told(self) -> int:
        try:
            told = os.read(self._usage, 8) if self._usage >= 0 else b""
        except BlockingIOError:
            return 0  # the waiter was killed before it could, and something else holds the pipe
        return int.from_bytes(told, "little") * 1024 if len(told) == 8 else 0

    def _reap(self) -> None:
        while True:
            try:
                _, status, usage = os.wait4(self.pid, 0)
                break
            except ChildProcessError:
                self._status = ExitStatus(None, None, 0.0, self._peak)
                return
        # The kernel counts the spawning process's own peak into the child's at exec: a figure that
        # does not exceed it says nothing of the child.
        measured = usage.ru_maxrss * 1024
        peak = self._told() or (measured if measured > self._floor else self._peak)
        cpu = usage.ru_utime + usage.ru_stime
        if os.WIFSIGNALED(status):
            self._status = ExitStatus(None, os.WTERMSIG(status), cpu, peak)
        else:
            self._status = ExitStatus(os.WEXITSTATUS(status), None, cpu, peak)


def spawn(
    argv: Sequence[str],
    *,
    channel: int | None,
    pass_fds: Mapping[int, int] | None = None,
    stderr: int | None = None,
    measured: bool = False,
) -> Process:
    """Starts `argv[0]` (an absolute path) with an empty environment and nothing inherited.

    channel: becomes descriptor 3. pass_fds: descriptor in the child -> descriptor here, from 4 up.
    stderr: becomes descriptor 2; 0, 1 and otherwise 2 are /dev/null.
    measured: the program applies a plan and tells its worker's peak memory, for the exit status.
    The caller keeps its own descriptors. Raises OperationFailed when it can't be started.
    """
    if not argv or not os.path.isabs(argv[0]):
        raise ValueError("a program is named by its absolute path")
    wanted = dict(pass_fds or {})
    if any(target <= _CHANNEL_FD or target == _USAGE_FD for target in wanted):
        raise ValueError("descriptors 0 to 3 and 63 are not for pass_fds")
    if channel is not None:
        wanted[_CHANNEL_FD] = channel
    if stderr is not None:
        wanted[2] = stderr
    if not measured:
        return _on_lasting_thread(lambda: _spawn(argv, wanted, -1))
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return _on_lasting_thread(lambda: _spawn(argv, {**wanted, _USAGE_FD: writer}, reader))
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)


def _spawn(argv: Sequence[str], wanted: Mapping[int, int], usage: int) -> Process:
    import fcntl

    above = max(_FIRST_SAFE_FD, *wanted, 0) + 1
    copies: dict[int, int] = {}
    try:
        for target, source in wanted.items():
            copies[target] = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, above)
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
        for target in (0, 1, 2):
            if target not in copies:
                actions.append((os.POSIX_SPAWN_OPEN, target, os.devnull, os.O_RDWR, 0))
        actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable() if fd > 2]
        actions += [(os.POSIX_SPAWN_DUP2, copies[target], target) for target in sorted(copies)]
        pid = os.posix_spawn(
            argv[0],
            tuple(argv),
            {},
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_signals(),
        )
    except OSError as error:
        raise OperationFailed(
            f"{argv[0]} could not be started: {os.strerror(error.errno or errno.EIO)}"
        ) from error
    finally:
        for copy in copies.values():
            os.close(copy)
    # The peak is taken after the exec that inherited it.
    return Process(pid, _handle(pid), _peak_rss(os.getpid()), usage)


_known_signals: list[int] = []


def _signals() -> list[int]:
    """Every signal that can be set; asked once, for it makes an object of each."""
    if not _known_signals:
        _known_signals.extend(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    return _known_signals


def _handle(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        # It ended, and a host that ignores SIGCHLD lets the kernel reap: a pipe at its end is
        # readable at once, as the handle of an ended process would be.
        reader, writer = os.pipe()
        os.close(writer)
        return reader
    except OSError as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise OperationFailed(
            f"this kernel gives no handle on a process (pidfd_open: {error.strerror}); "
            "llmspell needs Linux 5.3 or newer"
        ) from error


def _inheritable() -> list[int]:
    """Descriptors that another library left open for children."""
    found = []
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        # A chroot without /proc: the launcher closes everything itself, so a bound is no leak.
        numbers = list(range(3, _DESCRIPTORS_TRIED))
    for number in numbers:
        try:
            if os.get_inheritable(number):
                found.append(number)
        except OSError:
            continue  # the listing's own descriptor, or one that another thread just closed
    return found


def _is_readable(fd: int, timeout: float | None) -> bool:
    deadline = None if timeout is None else time.monotonic() + timeout
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    left = timeout
    while True:
        # Rounded up: a rest below a millisecond must not become a busy loop.
        if poller.poll(None if left is None else max(0, int(left * 1000 + 0.999))):
            return True
        if deadline is None:
            continue
        left = deadline - time.monotonic()
        if left <= 0:
            return False


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name may hold spaces and parentheses; the fields go on behind its last one.
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _kill_children(pid: int) -> bool:
    killed = False
    for child in _children(pid):
        try:
            handle = os.pidfd_open(child)
        except OSError:
            continue
        try:
            # Asked after the handle was taken: the number can't have become another process since.
            if _parent(child) == pid:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                killed = True
        except OSError:
            continue
        finally:
            os.close(handle)
    return killed


def _peak_rss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            _, found, rest = file.read().partition(b"VmHWM:")
            return int(rest.split()[0]) * 1024 if found else 0
    except (OSError, ValueError, IndexError):
        return 0


def _on_lasting_thread(start: Callable[[], Process]) -> Process:
    """Runs `start` on the main thread, or on one that lives as long as this process.

    The kernel sends the parent-death signal when the spawning *thread* ends (prctl(2)).
    """
    import _thread

    if _thread.get_native_id() == os.getpid():
        return start()
    from llmspell.platform.linux import spawner

    return spawner.run(start)
