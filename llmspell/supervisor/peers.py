"""What the core knows of each worker: its connection and what is under way on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmspell.channel.bounds import OUTBOX_PAUSE
from llmspell.channel.connection import Connection
from llmspell.channel.states import Role
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from llmspell.channel.messages import Message
    from llmspell.supervisor.broker import CallContext, Method
    from llmspell.supervisor.session import Session

MAIN = 0
"""Number of the worker that runs the spell; tool workers count from 1."""

OnReturn = Callable[["Any", dict[str, "Any"] | None], None]
"""Called once with an invoke's value or its error as it travelled."""


def asleep() -> None:
    """Wakes nobody: a driver that looks after every event needs no telling."""


def unheard(value: Any, error: dict[str, Any] | None) -> None:
    """Takes the answer to an invoke that was taken back."""


class ToolJob:
    """One `tools.execute` on its way to, or in, a tool worker."""

    __slots__ = ("answer", "args", "deadline", "needs", "seconds", "tool")

    def __init__(
        self,
        tool: str,
        needs: frozenset[str],
        args: dict[str, Any],
        seconds: float,
        answer: Callable[[Any], None],
    ) -> None:
        self.tool = tool
        self.needs = needs
        self.args = args
        self.seconds = seconds
        self.answer = answer
        self.deadline: float | None = None


class Pending:
    """One brokered call whose service is at work."""

    __slots__ = ("call", "context", "method", "origin", "peer")

    def __init__(
        self, peer: int, call: int, method: Method, context: CallContext, origin: str
    ) -> None:
        self.peer = peer
        self.call = call
        self.method = method
        self.context = context
        self.origin = origin


class Peer:
    """One worker as the core sees it. The driver holds its socket and its process."""

    __slots__ = (
        "calls",
        "close_deadline",
        "closed",
        "connection",
        "ending",
        "exited",
        "inbox",
        "invokes",
        "job",
        "number",
        "origin",
        "ready",
        "start_deadline",
        "waiting",
    )

    def __init__(self, number: int, role: Role, start_deadline: float) -> None:
        self.number = number
        self.connection = Connection(role)
        self.calls: dict[int, int | Callable[[Any], None]] = {}
        """Calls under way: the token of each, or what answers one that a tool worker does."""
        self.invokes: dict[int, OnReturn] = {}
        self.inbox: list[Message] = []
        """Messages that wait until the answers to those before them are on their way."""
        self.waiting = 0
        """Bytes of answers that the worker has not read yet."""
        self.job: ToolJob | None = None
        self.origin = "spell"
        self.ready = False
        self.ending = False
        self.closed = False
        self.exited = False
        self.start_deadline: float | None = start_deadline
        self.close_deadline: float | None = None

    def next_deadline(self) -> float | None:
        """The earliest moment (monotonic seconds) at which this worker needs a look."""
        earliest = self.start_deadline
        for moment in (
            self.close_deadline,
            self.connection.deadline(),
            None if self.job is None else self.job.deadline,
        ):
            if moment is not None and (earliest is None or moment < earliest):
                earliest = moment
        return earliest


class Backlog:
    """Messages that are not handled yet, because answers to those before them wait to be sent.

    A small call may have an answer of 16 MiB, one turn brings fifty calls, and a worker need not
    read: nothing more is done for one for whom a MiB waits already (IP-16).
    """

    __slots__ = ("_peers", "_session", "held", "to_perform", "unsent")

    def __init__(self, session: Session, peers: Mapping[int, Peer]) -> None:
        self._session = session
        self._peers = peers
        self.held = 0
        """Messages held, of all workers."""
        self.unsent = 0
        """Bytes of answers that the driver has not taken yet."""
        self.to_perform = 0
        """Acts that the driver has not taken yet; their answers may have any size."""

    def holds(self, peer: Peer, message: Message) -> bool:
        """Takes the message if it has to wait; whether it did."""
        if not peer.inbox and not self._is_full(peer):
            return False
        peer.inbox.append(message)
        self.held += 1
        return True

    def resume(self) -> bool:
        """Goes on with what was held, as far as it may; whether it did with any."""
        before = self.held
        for peer in list(self._peers.values()) if before else ():
            # One that has ended reads nothing, and what it said before still counts.
            while peer.inbox and (peer.exited or not self._is_full(peer)):
                self.held -= 1
                try:
                    self._session.handle(peer, peer.inbox.pop(0))
                except Exception as error:
                    self._session.broke(peer, error)
        return self.held != before

    def drop(self, peer: Peer) -> None:
        """Forgets what a worker said that is ended."""
        self.held -= len(peer.inbox)
        peer.inbox.clear()

    def _is_full(self, peer: Peer) -> bool:
        return self.unsent + peer.waiting > OUTBOX_PAUSE or self.to_perform > 0
