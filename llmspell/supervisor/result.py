"""What a run ends with: one typed result, the same from the shell, from Python and hosted."""

from __future__ import annotations

import enum

from llmspell.errors import LlmspellError
from llmspell.policies.violations import SecurityViolation
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final


class Status(enum.Enum):
    """How a run ended."""

    DONE = "done"
    SPELL_ERROR = "spell_error"
    DENIED = "denied"
    LIMIT = "limit"
    VIOLATION = "violation"
    KILLED = "killed"
    ISOLATION_REFUSED = "isolation_refused"
    INTERNAL = "internal"


EXIT_CODES: Final[Mapping[Status, int]] = {
    Status.DONE: 0,
    Status.SPELL_ERROR: 1,
    Status.DENIED: 3,
    Status.LIMIT: 4,
    Status.VIOLATION: 1,
    Status.KILLED: 130,
    Status.ISOLATION_REFUSED: 5,
    Status.INTERNAL: 6,
}
"""Exit codes of `llmspell run`. 130 is an interrupt."""

EXIT_UNUSABLE: Final = 2
"""Exit code of what can't be used: a usage error, or a spell with a syntax error."""


class Usage(NamedTuple):
    """What a run used. Seconds and bytes; `calls` counts brokered calls, also of its tools;
    `model_cost` in US dollars."""

    wall: float = 0.0
    cpu: float = 0.0
    peak_memory: int = 0
    calls: int = 0
    transfer: int = 0
    output: int = 0
    model_tokens: int = 0
    model_cost: float = 0.0


class Isolation(NamedTuple):
    """What confinement was asked for and what was there, proven by effect in the worker."""

    requested: str
    achieved: str
    layers: tuple[str, ...] = ()
    effects: Mapping[str, bool] = {}
    missing: tuple[str, ...] = ()

    @property
    def degraded(self) -> bool:
        """Whether an effect that the profile promises is not held."""
        return bool(self.missing)


class Denial(NamedTuple):
    """One refused act: what, on what, by which rule, and what would allow it."""

    method: str
    action: str
    target: str
    rule: str
    hint: str | None


class Result(NamedTuple):
    """The end of a run. `value` is the spell's own, from untrusted code."""

    status: Status
    reason: str
    value: Any
    output: str
    error: LlmspellError | None
    usage: Usage
    isolation: Isolation
    denials: tuple[Denial, ...]
    violations: tuple[SecurityViolation, ...]
    session: str
    audit_head: str | None
    audit_path: str | None
    audit_complete: bool
    requests: tuple[Mapping[str, Any], ...] = ()
    """Jobs that the spell asked a host to run later (`Scheduler.register`)."""

    @property
    def ok(self) -> bool:
        """Whether the spell ended well."""
        return self.status is Status.DONE

    @property
    def exit_code(self) -> int:
        """The command line's exit code for this end.

        A spell that can't be parsed is bad input, like a file that is not there: 2.
        """
        if self.status is Status.SPELL_ERROR and self.reason == "syntax":
            return EXIT_UNUSABLE
        return EXIT_CODES[self.status]

    def to_json(self) -> dict[str, Any]:
        """The result as `--output json` prints it."""
        return {
            "status": self.status.value,
            "reason": self.reason,
            "value": self.value,
            "error": None if self.error is None else self.error.to_wire(),
            "usage": self.usage._asdict(),
            "isolation": {
                "requested": self.isolation.requested,
                "achieved": self.isolation.achieved,
                "layers": list(self.isolation.layers),
                "effects": dict(self.isolation.effects),
                "missing": list(self.isolation.missing),
            },
            "denials": [denial._asdict() for denial in self.denials],
            "violations": [{"kind": item.kind.value, **item.details} for item in self.violations],
            "session": self.session,
            "audit_head": self.audit_head,
            **({"requests": [dict(job) for job in self.requests]} if self.requests else {}),
        }
