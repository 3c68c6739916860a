"""The five kinds of violation that the seeds name (SEC-017), with their details."""

from __future__ import annotations

import enum

from llmspell.errors import InternalError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class ViolationKind(enum.Enum):
    """What was overstepped. Limits in bytes or seconds."""

    MEMORY_LIMIT_EXCEEDED = "MemoryLimitExceeded"
    EXECUTION_TIME_EXCEEDED = "ExecutionTimeExceeded"
    UNAUTHORIZED_FILE_ACCESS = "UnauthorizedFileAccess"
    UNAUTHORIZED_NETWORK_ACCESS = "UnauthorizedNetworkAccess"
    SUSPICIOUS_SYSTEM_CALL = "SuspiciousSystemCall"


DETAILS: Mapping[ViolationKind, tuple[str, ...]] = {
    ViolationKind.MEMORY_LIMIT_EXCEEDED: ("limit", "actual"),
    ViolationKind.EXECUTION_TIME_EXCEEDED: ("limit", "actual"),
    ViolationKind.UNAUTHORIZED_FILE_ACCESS: ("path",),
    ViolationKind.UNAUTHORIZED_NETWORK_ACCESS: ("domain",),
    ViolationKind.SUSPICIOUS_SYSTEM_CALL: ("syscall",),
}
"""The details of each kind, all of them and no others."""


class SecurityViolation(NamedTuple):
    """One violation. Make it with `violation`, which checks the details."""

    kind: ViolationKind
    details: Mapping[str, Any]


def violation(kind: ViolationKind, **details: Any) -> SecurityViolation:
    """A violation with exactly the details of its kind. Raises `InternalError` otherwise."""
    if set(details) != set(DETAILS[kind]):
        raise InternalError(f"{kind.value} has the details {', '.join(DETAILS[kind])}")
    return SecurityViolation(kind, details)


def for_denied(method: str, target: str) -> SecurityViolation | None:
    """The violation that a denied call of a method is, or None where the seeds have no kind."""
    if method.startswith("fs."):
        return violation(ViolationKind.UNAUTHORIZED_FILE_ACCESS, path=target)
    if method.startswith("http."):
        return violation(ViolationKind.UNAUTHORIZED_NETWORK_ACCESS, domain=target)
    return None
