"""A collaboration: who takes part, what they share, and which state it is in (ORC-002, ORC-003)."""

from __future__ import annotations

from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

STRATEGIES: Final = ("sequential", "parallel", "consensus", "hierarchical", "dynamic")

STATES: Final[Mapping[str, frozenset[str]]] = {
    "Initializing": frozenset({"Active", "Failed"}),
    "Active": frozenset({"Synchronizing", "Completing", "Failed"}),
    "Synchronizing": frozenset({"Active", "Failed"}),
    "Completing": frozenset({"Completed", "Failed"}),
    "Completed": frozenset({"Active"}),
    "Failed": frozenset({"Active"}),
}
"""The states, and what may follow each; a session that ended may be used again."""

PARTICIPANTS_MAX: Final = 50
MESSAGES_MAX: Final = 1_000
"""Messages kept of one session; the oldest go first."""

MESSAGE_MAX: Final = 65_536
"""Characters kept of one message."""

HISTORY_MAX: Final = 2_097_152
"""Characters kept of all messages of one session; there may be a hundred sessions."""

CONTEXT_MAX: Final = 1_048_576
"""Characters of a shared context, as `repr` writes it."""


class Participant(NamedTuple):
    """An agent of a session. `about`: what it can do, where that is known."""

    id: str
    name: str
    about: str = ""
    weight: float = 1.0


class Step(NamedTuple):
    """One step: who does what with which input, after which others. `timeout` in seconds."""

    id: str
    agent: Participant
    action: str
    input: Any = None
    output: str = ""
    depends_on: tuple[str, ...] = ()
    timeout: float | None = None
    retries: int = 0
    fallback: Participant | None = None


class Collaboration:
    """One session. Its methods decide nothing: they keep what must hold."""

    def __init__(
        self,
        identity: str,
        strategy: str,
        participants: tuple[Participant, ...],
        options: Mapping[str, Any],
        context: Mapping[str, Any],
    ) -> None:
        if strategy not in STRATEGIES:
            raise InvalidInput(
                f"there is no strategy {strategy[:60]!r}",
                code=3002,
                hint=f"one of {', '.join(STRATEGIES)}",
            )
        if not 1 <= len(participants) <= PARTICIPANTS_MAX:
            raise InvalidInput(f"a collaboration has 1 to {PARTICIPANTS_MAX} agents")
        self.id = identity
        self.strategy = strategy
        self.participants = participants
        self.options = dict(options)
        self.state = "Initializing"
        self.failure = ""
        self.history: list[dict[str, Any]] = []
        self._said = 0
        self.executions = 0
        self.context: dict[str, Any] = {}
        self.share(context)

    def move(self, state: str, failure: str = "") -> None:
        """Goes to another state. Raises `OperationFailed` 3008 where it can't follow."""
        if state not in STATES[self.state]:
            raise OperationFailed(
                f"a collaboration can't go from {self.state} to {state}",
                code=3008,
                kind="state",
            )
        self.state = state
        self.failure = failure

    def share(self, values: Mapping[str, Any]) -> None:
        """Adds to what all participants are told. Raises `LimitExceeded`."""
        merged = {**self.context, **values}
        if len(repr(merged)) > CONTEXT_MAX:
            raise LimitExceeded("context", f"a shared context is over {CONTEXT_MAX} characters")
        self.context = merged

    def say(self, sender: str, receiver: str, content: str, kind: str) -> None:
        """Keeps a message in the history."""
        content = content[:MESSAGE_MAX]
        self.history.append({"from": sender, "to": receiver, "content": content, "kind": kind})
        self._said += len(content)
        while len(self.history) > MESSAGES_MAX or self._said > HISTORY_MAX:
            self._said -= len(self.history.pop(0)["content"])

    def find(self, name_or_id: str) -> Participant:
        """A participant. Raises `InvalidInput` 1001."""
        for one in self.participants:
            if name_or_id in (one.id, one.name):
                return one
        raise InvalidInput(
            f"no agent {name_or_id[:100]!r} takes part",
            code=1001,
            kind="not_found",
            hint=f"these do: {', '.join(one.name for one in self.participants[:10])}",
        )

    def tell(self) -> dict[str, Any]:
        """The session as a spell sees it."""
        return {
            "session_id": self.id,
            "strategy": self.strategy,
            "coordination_strategy": self.strategy,
            "state": self.state,
            "session_state": self.state,
            "error": self.failure or None,
            "participants": [one.name for one in self.participants],
            "shared_context": self.context,
            "messages": len(self.history),
            "executions": self.executions,
        }
