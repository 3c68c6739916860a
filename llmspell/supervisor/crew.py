"""The workers of one run as the drivers hold them: process, channel and bytes still to write."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOBUFS

from llmspell.channel.roles import Role
from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from socket import SHUT_RDWR, socketpair
    from typing import Final

    from llmspell.platform import ExitStatus, Process
    from llmspell.platform.forking import Forked
    from llmspell.supervisor.audit.log import AuditLog
else:
    # What `socket` adds to its C module costs a cold command 3 ms, and nothing here needs it.
    from _socket import SHUT_RDWR, socketpair

Launch = Callable[[Role, "socket.socket", int], "Process | Forked"]
"""Starts a worker of this role: our end of its channel (for its plan), and the worker's end."""

Spare = Callable[[Role], "tuple[Process | Forked, socket.socket] | None"]
"""A worker of this role that waits already, with our end of its channel; or None."""

TURN_SIZE: Final = 4_096
"""Bytes taken from a channel in one turn: some fifty small calls, a millisecond of work, so that
a worker that floods can't hold the loop (ASY-013). A large frame is one message however long."""

READ_SIZE: Final = 262_144
"""Bytes taken at most when a frame under way lacks so many, and written at most at a time."""


def give_plan(ours: socket.socket, preamble: bytes) -> None:
    """Puts a worker's plan into its channel, whole: half of one would be waited for.

    Raises `OSError`. It fits into an empty socket's buffer, which is never below its length.
    """
    if ours.send(preamble) != len(preamble):
        raise OSError(ENOBUFS, "its plan does not fit into its channel")


def not_started(error: OSError) -> OperationFailed:
    """A worker that could not be started for what the machine lacks."""
    reason = (error.strerror or "unknown reason").lower()
    return OperationFailed(f"the worker could not be started: {reason}")


def broken_off(error: OSError) -> OperationFailed:
    """A run whose supervisor the machine failed in the middle: everything of it was ended.

    Its audit has no end record, which says `incomplete`.
    """
    reason = (error.strerror or "unknown reason").lower()
    return OperationFailed(f"the run was broken off: {reason}", recoverable=True)


def no_spare(role: Role) -> None:
    """Where no worker waits."""


class Worker:
    """One worker: its process and our non-blocking end of its channel.

    `wanted`: bytes that the frame under way still lacks, as the session said.
    """

    __slots__ = ("channel", "number", "open", "outbox", "process", "wanted")

    def __init__(self, number: int, process: Process | Forked, channel: socket.socket) -> None:
        self.number = number
        self.process = process
        self.channel = channel
        self.outbox = bytearray()
        self.open = True
        self.wanted = 0

    def send(self, data: bytes) -> int:
        """Writes what fits now, keeps the rest; the number of bytes that wait."""
        if not self.open:
            return 0
        if self.outbox:
            self.outbox += data
            return len(self.outbox)
        try:
            sent = self.channel.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._cut()
            return 0
        if sent < len(data):
            self.outbox += data[sent:]
        return len(self.outbox)

    def flush(self) -> int:
        """Writes more of what waits; the number of bytes still waiting."""
        if self.outbox:
            try:
                sent = self.channel.send(memoryview(self.outbox)[:READ_SIZE])
            except (BlockingIOError, InterruptedError):
                return len(self.outbox)
            except OSError:
                self.outbox = bytearray()
                self._cut()
                return 0
            del self.outbox[:sent]
        return len(self.outbox)

    def _cut(self) -> None:
        """Ends the channel after a message that could not be written.

        Mostly the worker is gone, and its exit is reported by its process. One that lives would
        wait for the lost message until its wall limit: it finds the end, as we do, and with it
        the run ends. What it wrote before is still read.
        """
        try:
            self.channel.shutdown(SHUT_RDWR)
        except OSError:
            return  # nobody is at the other end

    def read(self, wanted: int = 0) -> bytes | None:
        """Bytes that arrived; b"" at the channel's end; None when there is nothing now.

        A turn's worth of them, or as many as the frame under way still lacks (`wanted`).
        """
        size = TURN_SIZE if wanted <= TURN_SIZE else min(wanted, READ_SIZE)
        try:
            return self.channel.recv(size)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    def reap(self) -> ExitStatus:
        """The end of a process that has ended; its descriptors are closed."""
        status = self.process.wait()
        self.close()
        self.process.close()
        return status

    def close(self) -> None:
        """Closes our end of the channel."""
        if self.open:
            self.open = False
            self.channel.close()


class Ahead:
    """A spell's worker that starts while the rest of its run is put together.

    It can do nothing before its hello is judged. Whoever made it closes it when no run takes it.
    """

    __slots__ = ("_channel", "_process", "how")

    def __init__(self, process: Process | Forked, channel: socket.socket, how: str) -> None:
        self._process: Process | Forked | None = process
        self._channel = channel
        self.how = how
        """`spare`, `fork` or `exec`."""

    def take(self) -> tuple[Process | Forked, socket.socket] | None:
        """Worker and our end of its channel, once; None when it was taken."""
        if self._process is None:
            return None
        taken = self._process, self._channel
        self._process = None
        return taken

    def close(self) -> None:
        """Ends it, if no run took it."""
        taken = self.take()
        if taken is not None:
            taken[0].close()
            taken[1].close()


class Crew:
    """All workers of one run, by number."""

    __slots__ = ("_launch", "_spare", "starts", "workers")

    def __init__(self, launch: Launch, spare: Spare = no_spare) -> None:
        self._launch = launch
        self._spare = spare
        self.workers: dict[int, Worker] = {}
        self.starts: list[dict[str, str]] = []
        """How each worker was started where there was a choice; the audit gets each."""

    def start(self, number: int, role: Role) -> Worker:
        """Starts a worker. Raises `LlmspellError`; then nothing is left open."""
        try:
            waiting = self._spare(role)
            if waiting is not None:
                worker = self.workers[number] = Worker(number, *waiting)
                return worker
            return self._begin(number, role)
        except OSError as error:
            # No descriptor, no memory, no process: whatever the machine lacks, it is the start
            # that failed, and the session ends typed and recorded.
            raise not_started(error) from error

    def _begin(self, number: int, role: Role) -> Worker:
        ours, theirs = socketpair()
        try:
            ours.setblocking(False)
            process = self._launch(role, ours, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = Worker(number, process, ours)
        self.workers[number] = worker
        return worker

    def record_starts(self, audit: AuditLog) -> None:
        """Records how workers were started since the last time, where there was a choice."""
        for how in self.starts:
            audit.record("worker_start", how)
        self.starts.clear()

    def abandon(self) -> None:
        """Kills and reaps everything: the way out when a driver itself fails."""
        failed: OSError | None = None
        for worker in self.workers.values():
            if worker.open or worker.process.pidfd >= 0:
                try:
                    worker.process.kill()
                    worker.reap()
                except OSError as error:
                    # One that can't be ended now is no reason to leave the others running.
                    failed = error
        if failed is not None:
            raise broken_off(failed) from failed
