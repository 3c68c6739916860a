"""Who may say what when: one table. Anything it does not list ends the worker (IP-11, IP-13)."""

from __future__ import annotations

import enum

from llmspell.channel import messages
from llmspell.channel.roles import Role as Role
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class State(enum.Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    RUNNING = "running"
    ENDED = "ended"


_WORKING: Final = frozenset(
    {messages.Call, messages.Returned, messages.Log, messages.Cancel, messages.Part}
)

MAY_SEND: Final[Mapping[tuple[Role, State], frozenset[type]]] = {
    (Role.SPELL, State.STARTING): frozenset({messages.Hello}),
    (Role.SPELL, State.READY): frozenset(),
    (Role.SPELL, State.RUNNING): _WORKING | {messages.Output, messages.Done, messages.Failed},
    (Role.SPELL, State.ENDED): frozenset(),
    (Role.TOOLS, State.STARTING): frozenset({messages.Hello}),
    (Role.TOOLS, State.READY): frozenset(),
    (Role.TOOLS, State.RUNNING): _WORKING,
    (Role.TOOLS, State.ENDED): frozenset(),
}
"""What a worker may send, by role and state."""

AFTER: Final[Mapping[tuple[State, type], State]] = {
    (State.STARTING, messages.Hello): State.READY,
    (State.RUNNING, messages.Done): State.ENDED,
    (State.RUNNING, messages.Failed): State.ENDED,
}
"""Where a worker's message takes it; a message not listed leaves the state as it is.

READY becomes RUNNING when the supervisor sends `run` (a spell) or its first `invoke` (tools).
"""
