"""Zygotes: processes with an engine booted, of which each run's worker is a fork.

The protocol is that of sandboxes/confine/confine_zygote.c, which also says who shares what.
Sources: unix(7), cmsg(3), pidfd_send_signal(2), pid_namespaces(7).
"""

from __future__ import annotations

import array
import contextlib
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Sequence
from typing import Final

from llmspell.errors import OperationFailed
from llmspell.platform.linux.process import ExitStatus, Process, spawn

_READY: Final = struct.pack("=II", 0x5A50534C, 1)
_ORDER: Final = struct.Struct("=I")
_ANSWER: Final = struct.Struct("=Ii")
_ENDING: Final = struct.Struct("=iIQQ")
_TIME: Final = struct.Struct("@ll")
_FD_SPACE: Final = socket.CMSG_SPACE(struct.calcsize("i"))

ANSWER_SECONDS: Final = 5.0
"""Time a zygote may take for one fork; a loaded machine needs a hundredth of it."""


class ZygoteGone(OperationFailed):
    """The zygote ended or does not answer; runs start by exec until there is another."""


class Forked:
    """A worker that a zygote forked: what `Process` is for one that was exec'ed.

    Its end is told through a pipe by the zygote, whose child it is; it is killed by its own handle.
    """

    __slots__ = ("_handle", "_status", "_zygote", "number", "pidfd", "was_refused")

    def __init__(self, zygote: Zygote, number: int, ending: int) -> None:
        self._zygote = zygote
        self._handle = -1
        self._status: ExitStatus | None = None
        self.number: Final = number
        self.pidfd = ending
        """Readable once the worker ended; -1 after close()."""
        self.was_refused = False
        """The zygote answered that it could not fork."""

    @property
    def pid(self) -> int:
        """Its number in this process's namespace, for people; 0 once it is reaped."""
        self.settle()
        try:
            with open(f"/proc/self/fdinfo/{self._handle}", "rb") as file:
                _, _, rest = file.read().partition(b"\nPid:")
                return max(0, int(rest.split()[0]))
        except (OSError, ValueError, IndexError):
            return 0

    @property
    def is_unknown(self) -> bool:
        """Whether no answer to its order was heard."""
        return self._handle < 0 and not self.was_refused

    def settle(self) -> None:
        """Waits until the zygote has forked it. Raises `ZygoteGone`, `OperationFailed`."""
        if self._handle < 0 and self.pidfd >= 0:
            self._zygote.await_answer(self)

    def answered(self, error: int, handle: int) -> None:
        """What the zygote said to the order."""
        self._handle = handle
        if error:
            self.was_refused = True
            self._status = ExitStatus(None, signal.SIGKILL, 0.0, 0)

    def poll(self) -> ExitStatus | None:
        """The end, or None while it runs."""
        if self._status is None and _readable(self.pidfd, 0.0):
            self._read_end()
        return self._status

    def wait(self, timeout: float | None = None) -> ExitStatus:
        """Waits for the end, at most `timeout` seconds. Raises TimeoutError."""
        if self._status is None:
            if not _readable(self.pidfd, timeout):
                raise TimeoutError(f"worker {self.number} still runs after {timeout} s")
            self._read_end()
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        """Ends it with SIGKILL; it has no children. Does not wait; harmless when it ended."""
        if self.poll() is not None:
            return
        try:
            self.settle()
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        except ProcessLookupError:
            return
        except ZygoteGone:
            # Without a zygote there is no child: the kernel ended it with its parent.
            self._zygote.kill()
        except OperationFailed:
            return  # refused: it never was, and its siblings live on

    def sample(self) -> int:
        """Nothing to sample: the zygote tells the exact peak, in bytes, at the end."""
        return 0

    def close(self) -> None:
        """Kills what still runs, waits for its end and closes the descriptors."""
        if self._status is None:
            self.kill()
            self.wait()
        if self.pidfd >= 0:
            self._zygote.live -= 1
        for descriptor in (self.pidfd, self._handle):
            if descriptor >= 0:
                os.close(descriptor)
        self.pidfd = self._handle = -1

    def _read_end(self) -> None:
        record = os.read(self.pidfd, _ENDING.size)
        if len(record) != _ENDING.size:
            self._end_without_record()
            return
        status, _, microseconds, peak_kib = _ENDING.unpack(record)
        code, number = None, None
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
        else:
            code = os.WEXITSTATUS(status)
        self._status = ExitStatus(code, number, microseconds / 1e6, peak_kib * 1024)

    def _end_without_record(self) -> None:
        """The pipe ended without a word: it was never forked, or the zygote is gone.

        In dying the zygote closes its pipes a little before the kernel kills its children.
        """
        try:
            self.settle()
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
                _readable(self._handle, ANSWER_SECONDS)
        except (OperationFailed, ProcessLookupError):
            pass  # refused, or ended together with the zygote, whose whole tree was waited for
        self._status = ExitStatus(None, signal.SIGKILL, 0.0, 0)


class Zygote:
    """One zygote and the orders under way. Not safe for several threads at once."""

    __slots__ = ("_control", "_gone", "_orders", "_ready", "forks", "live", "process")

    def __init__(self, argv: Sequence[str], preamble: bytes, pass_fds: dict[int, int]) -> None:
        """Starts it; `preamble` are its plans as frames. Raises `OperationFailed`."""
        ours, theirs = socket.socketpair()
        try:
            ours.sendall(preamble)
            self.process: Final[Process] = spawn(argv, channel=theirs.fileno(), pass_fds=pass_fds)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        # A zygote that takes no orders must not hold up who gives them.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIME.pack(int(ANSWER_SECONDS), 0))
        self._control = ours
        self._orders: dict[int, Forked] = {}
        self._ready = False
        self._gone = False
        self.forks = 0
        """Orders so far."""
        self.live = 0
        """Orders whose worker was not closed yet."""

    def fileno(self) -> int:
        """Readable when it became ready, answered or ended; -1 once it is closed."""
        return self._control.fileno()

    def is_ready(self, timeout: float = 0.0) -> bool:
        """Whether it takes orders, waiting up to `timeout` seconds. Raises `ZygoteGone`."""
        if self._gone:
            raise ZygoteGone("the zygote is gone")
        if not self._ready and _readable(self._control.fileno(), timeout):
            if self._receive(len(_READY))[0] != _READY:
                self.kill()
                raise ZygoteGone("the zygote did not start")
            self._ready = True
        return self._ready

    def order(self, channel: int) -> Forked:
        """Orders a worker whose channel is this descriptor; its plan waits there.

        Comes back before it is forked (`Forked.settle` waits). Raises `ZygoteGone`.
        """
        if self._gone or not self._ready:
            raise ZygoteGone("the zygote takes no orders")
        ending, told = os.pipe2(os.O_CLOEXEC)
        number = self.forks + 1
        rights = array.array("i", (channel, told))
        try:
            self._control.sendmsg(
                [_ORDER.pack(number)],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)],
                socket.MSG_NOSIGNAL,
            )
        except OSError as error:
            os.close(ending)
            self.kill()
            raise ZygoteGone("the zygote is gone") from error
        finally:
            os.close(told)
        self.forks = number
        self.live += 1
        forked = self._orders[number] = Forked(self, number, ending)
        return forked

    def await_answer(self, forked: Forked) -> None:
        """Reads answers until this worker's. Raises `ZygoteGone`, `OperationFailed`."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while forked.number in self._orders:
            left = deadline - time.monotonic()
            if self._gone or left <= 0:
                self.kill()
                raise ZygoteGone("the zygote is gone, or does not answer")
            if _readable(self._control.fileno(), left):
                self._take_answer()
        if forked.was_refused:
            raise OperationFailed("the zygote could not fork (too many processes or no memory)")
        if forked.is_unknown:
            raise ZygoteGone("the zygote was ended before it answered")

    def take_answers(self) -> None:
        """Reads the answers that are there, without waiting. Raises `ZygoteGone`."""
        if self._gone:
            # Found out by whoever waited for an answer; its socket stays readable until closed.
            raise ZygoteGone("the zygote is gone")
        while not self._gone and _readable(self._control.fileno(), 0.0):
            self._take_answer()

    def _take_answer(self) -> None:
        data, handle = self._receive(_ANSWER.size)
        if len(data) != _ANSWER.size:
            self.kill()
            raise ZygoteGone("the zygote is gone")
        number, error = _ANSWER.unpack(data)
        forked = self._orders.pop(number, None)
        if forked is None or (error == 0) != (handle >= 0):
            if handle >= 0:
                os.close(handle)
            self.kill()
            raise ZygoteGone("the zygote answered what it was not asked")
        forked.answered(error, handle)

    def kill(self) -> None:
        """Ends it at once, and with it every child."""
        if not self._gone:
            self._gone = True
            self._orders.clear()
            # Without a waiter above it `kill` would take its children for what is to be killed.
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
            self.process.kill()

    def close(self) -> None:
        """Ends it, reaps it and closes its descriptors."""
        self.kill()
        self.process.close()
        self._control.close()

    def _receive(self, size: int) -> tuple[bytes, int]:
        try:
            data, ancillary, _, _ = self._control.recvmsg(
                size, _FD_SPACE, socket.MSG_CMSG_CLOEXEC | socket.MSG_WAITALL
            )
        except OSError:
            return b"", -1  # whatever the reason, it is not heard any more: as good as gone
        handles = array.array("i")
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                handles.frombytes(body[: len(body) - len(body) % handles.itemsize])
        return data, handles[0] if handles else -1


def _readable(descriptor: int, timeout: float | None) -> bool:
    if descriptor < 0:
        return False
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    # Rounded up: a rest below a millisecond must not become a busy loop.
    return bool(poller.poll(None if timeout is None else max(0, int(timeout * 1000 + 0.999))))
