"""What the core knows of each worker: its connection and what is under way on it."""

from __future__ import annotations

from collections.abc import Callable

from llmspell.channel.connection import Connection
from llmspell.channel.states import Role
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from llmspell.supervisor.broker import CallContext, Method

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
        "invokes",
        "job",
        "number",
        "origin",
        "ready",
        "start_deadline",
    )

    def __init__(self, number: int, role: Role, start_deadline: float) -> None:
        self.number = number
        self.connection = Connection(role)
        self.calls: dict[int, int | Callable[[Any], None]] = {}
        """Calls under way: the token of each, or what answers one that a tool worker does."""
        self.invokes: dict[int, OnReturn] = {}
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
