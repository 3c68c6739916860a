"""What ties a spell that was run by another one to it: records, output, and how many there are."""

from __future__ import annotations

from llmspell.channel.messages import Log, Output
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.audit.log import AuditFailure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.policies.breaker import CircuitBreaker
    from llmspell.policies.rate import RateLimiter
    from llmspell.supervisor.audit.log import AuditLog
    from llmspell.supervisor.effects import Effect
    from llmspell.supervisor.result import Usage
    from llmspell.supervisor.session import Session

_EVENTS: Final[Mapping[str, str]] = {
    "session_start": "nested_start",
    "session_end": "nested_end",
}
"""A chain has one start and one end: those of the first spell."""


class Tree:
    """What all spells below one first spell share with it: their number, and the tools' rates and
    breakers, which another session would otherwise start anew."""

    __slots__ = ("breakers", "rates", "under_way")

    def __init__(self, rates: dict[str, RateLimiter], breakers: dict[str, CircuitBreaker]) -> None:
        self.under_way = 0
        self.rates = rates
        self.breakers = breakers


class Lineage(NamedTuple):
    """Where a spell stands: the session that runs it, how deep, and the tree of all of them."""

    parent: str
    depth: int
    tree: Tree


class NestedAudit:
    """The records of a nested session, in the chain of the first one's; each names its run."""

    def __init__(self, above: AuditLog, session: str, lineage: Lineage) -> None:
        self._above = above
        self._lineage = lineage
        self._ended = False
        self.session = session

    @property
    def head(self) -> str | None:
        """The head of the whole chain."""
        return self._above.head

    @property
    def path(self) -> str | None:
        """Where the chain is kept."""
        return self._above.path

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        """Appends one record. Raises `AuditFailure`, also after this session's end."""
        if self._ended and event != "session_end":
            raise AuditFailure("this run has ended")
        told = {**fields, "run": fields.get("run", self.session)}
        if event == "session_start":
            told = {**told, "parent": self._lineage.parent, "depth": self._lineage.depth}
        self._above.record(_EVENTS.get(event, event), told, effect=effect)

    def failed(self) -> bool:
        """Whether any record was lost."""
        return self._above.failed()

    def close(self, fields: Mapping[str, Any]) -> None:
        """The record of this session's end; the chain goes on."""
        if not self._ended:
            self._ended = True
            self.record("session_end", fields)

    def abandon(self) -> None:
        """Says that the session had no end of its own, if it had none."""
        self.close({"status": "killed", "reason": "abandoned"})


class ParentSink:
    """Output and logs of a nested session: counted, masked and shown as its parent's."""

    def __init__(self, parent: Session) -> None:
        self._parent = parent

    def show(self, stream: str, text: str) -> None:
        """Text that the nested spell printed."""
        self._shown(self._parent.printed.print(Output(stream, text)))

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """A log record of the nested spell's."""
        self._shown(self._parent.printed.note(Log(level, message, dict(fields))))

    def _shown(self, effect: Effect | None) -> None:
        if self._parent.result is None:
            self._parent._show(effect)
            self._parent.wake()


def lineage_of(parent: Session) -> Lineage:
    """Where the spells that this session runs hang: below it, in the tree of the first one."""
    own = parent.plan.lineage
    bench = parent.toolbench
    tree = Tree(bench.rates, bench.breakers) if own is None else own.tree
    return Lineage(parent.plan.session, 1 if own is None else own.depth + 1, tree)


def add_usage(parent: Session, usage: Usage) -> None:
    """What a nested run used counts as its parent's."""
    parent._cpu += usage.cpu
    parent._peak = max(parent._peak, usage.peak_memory)
    parent.broker.calls += usage.calls
