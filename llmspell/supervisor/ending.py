"""How a run ends: pure classification of errors, exits and limits into one typed end."""

from __future__ import annotations

import signal

from llmspell.errors import (
    Denied,
    InternalError,
    IsolationRefused,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
    SpellError,
    WorkerViolation,
)
from llmspell.policies.limits import number_of as number_of
from llmspell.policies.violations import SecurityViolation, ViolationKind, violation
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.result import Denial, Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from llmspell.platform import ExitStatus
    from llmspell.policies.limits import Limits
    from llmspell.supervisor.services import Services

MEMORY_CODES: Final = frozenset({4005, 1006})
LIMIT_VIOLATIONS: Final = {
    "memory": ViolationKind.MEMORY_LIMIT_EXCEEDED,
    "wall": ViolationKind.EXECUTION_TIME_EXCEEDED,
    "cpu": ViolationKind.EXECUTION_TIME_EXCEEDED,
}
CPU_SLACK: Final = 0.3
"""Seconds below the cpu limit at which a SIGKILL still counts as the kernel's own cpu kill."""

REFUSED_CODES: Final = {
    64: "its library, guest or limits can't be used",
    70: "its confinement failed",
    71: "its confinement failed",
    77: "it could not be confined",
}
"""Exit codes by which our own programs say before their hello that they will not go on."""

MEMORY_SHARE: Final = 0.8
"""Share of the memory limit a crashed worker must have reached for memory to be the reason."""


class Ending(NamedTuple):
    """The end of a run, before its usage is known."""

    status: Status
    reason: str
    value: Any = None
    error: LlmspellError | None = None
    violations: tuple[SecurityViolation, ...] = ()


def deadline(now: float, seconds: object) -> float | None:
    """The moment at which a wall limit is over."""
    number = number_of(seconds)
    return None if number is None else now + number


def done(value: Any, services: Services | None = None) -> Ending:
    """The spell ended well, unless a service objects: a script of the fake model's is not over."""
    problem = None if services is None else services.objection()
    if problem is not None:
        return Ending(Status.SPELL_ERROR, problem.kind, value, problem)
    return Ending(Status.DONE, "done", value)


def killed(reason: str) -> Ending:
    """Somebody outside ended the run."""
    return Ending(Status.KILLED, reason)


def internal(error: LlmspellError) -> Ending:
    """Our own mistake, or a record that can't be kept."""
    return Ending(Status.INTERNAL, error.kind, error=error)


def service_failed(error: BaseException, whose: str = "a service") -> InternalError:
    """An unexpected exception of a service, without the words it may have taken from secrets."""
    return InternalError(f"{whose} failed unexpectedly ({type(error).__name__})")


def known(error: Exception, whose: str = "a service") -> LlmspellError:
    """The error itself where it is one of ours, else what may be said of it."""
    return error if isinstance(error, LlmspellError) else service_failed(error, whose)


def limit(name: str, value: object, actual: float | None = None) -> Ending:
    """A limit ended the run."""
    error = LimitExceeded(
        name,
        f"the spell reached its {name} limit ({_amount(name, value)})",
        hint=f"to allow more: --limit {name}=…",
    )
    violations: tuple[SecurityViolation, ...] = ()
    kind = LIMIT_VIOLATIONS.get(name)
    if kind is not None:
        violations = (violation(kind, limit=number_of(value), actual=actual),)
    return Ending(Status.LIMIT, name, error=error, violations=violations)


def _amount(name: str, value: object) -> str:
    number = number_of(value)
    if number is None:
        return "unlimited"
    if name in ("wall", "cpu"):
        return f"{number:g} s"
    if name in ("memory", "output", "scratch", "transfer"):
        return f"{number / 1_048_576:g} MiB" if number >= 1_048_576 else f"{number:g} bytes"
    return f"{number:g}"


def failed(error: LlmspellError, denials: Iterable[Denial], limits: Limits) -> Ending:
    """What a spell's own `failed` message means.

    Its words are untrusted: it ends as denied only when the broker did deny by that rule, and as
    a limit only for memory (the guest's own refusal) or when the broker's limit code is in it.
    """
    if error.code in MEMORY_CODES or error.kind == "memory":
        return limit("memory", limits.memory)
    if error.kind == "denied" and any(item.rule == error.rule for item in denials):
        denied = Denied(
            error.message,
            code=error.code,
            rule=error.rule,
            hint=error.hint,
            line=error.line,
            stack=error.stack,
        )
        return Ending(Status.DENIED, error.rule or "denied", error=denied)
    if error.kind == "limit" and error.rule is not None and error.rule.startswith("limit."):
        return Ending(Status.LIMIT, error.rule.removeprefix("limit."), error=error)
    return Ending(Status.SPELL_ERROR, error.kind, error=error)


def by_error(error: LlmspellError) -> Ending:
    """An error of the supervisor's own that ends the run."""
    if isinstance(error, WorkerViolation):
        return Ending(
            Status.VIOLATION, "protocol", error=error, violations=(_suspicious("channel"),)
        )
    if isinstance(error, IsolationRefused):
        return Ending(Status.ISOLATION_REFUSED, error.rule or error.kind, error=error)
    if isinstance(error, LimitExceeded):
        return Ending(Status.LIMIT, error.limit, error=error)
    if isinstance(error, Denied):
        return Ending(Status.DENIED, error.rule or "denied", error=error)
    if isinstance(error, SpellError):
        return Ending(Status.SPELL_ERROR, error.kind, error=error)
    return internal(error)


def not_started(error: LlmspellError) -> Ending:
    """The system would not start the worker: nothing was run, and nothing could be held."""
    if isinstance(error, OperationFailed):
        error = IsolationRefused(
            error.message,
            rule="worker.start",
            hint=error.hint or "llmspell doctor says what this machine can't do",
        )
    return by_error(error)


def by_exit(status: ExitStatus, limits: Limits, started: bool) -> Ending:
    """What a worker's exit means that nobody asked for.

    As PID 1 of a namespace a worker ignores SIGXCPU and is killed at the hard limit, so the cpu
    limit is told by the time used, not by the signal.
    """
    cpu = number_of(limits.cpu)
    memory = number_of(limits.memory)
    spent = cpu is not None and status.cpu_seconds >= cpu - CPU_SLACK
    if status.signal == signal.SIGXCPU or (status.signal == signal.SIGKILL and spent):
        return limit("cpu", limits.cpu, status.cpu_seconds)
    if status.signal == signal.SIGSYS:
        error: LlmspellError = WorkerViolation(
            "the worker was ended for a system call it must not make", rule="seccomp"
        )
        return Ending(
            Status.VIOLATION, "seccomp", error=error, violations=(_suspicious("unknown"),)
        )
    full = memory is not None and status.max_rss_bytes >= MEMORY_SHARE * memory
    if full and status.signal in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT):
        return limit("memory", limits.memory, float(status.max_rss_bytes))
    if not started and status.code in REFUSED_CODES:
        error = IsolationRefused(
            f"the worker refused to start here (exit code {status.code}: "
            f"{REFUSED_CODES[status.code]})",
            rule="worker.start",
            hint="llmspell doctor says what this machine can't do",
        )
        return by_error(error)
    if not started:
        what = _exit_words(status)
        error = InternalError(f"the worker ended before it was ready ({what})")
        return Ending(Status.INTERNAL, "worker", error=error)
    if status.signal is not None:
        error = SpellError(f"the worker died ({_exit_words(status)})", kind="crash")
        return Ending(Status.SPELL_ERROR, "crash", error=error)
    error = SpellError(
        f"the worker went away without a result ({_exit_words(status)})", kind="worker_gone"
    )
    return Ending(Status.SPELL_ERROR, "worker_gone", error=error)


def _exit_words(status: ExitStatus) -> str:
    if status.signal is None:
        return f"exit code {status.code}"
    try:
        return signal.Signals(status.signal).name
    except ValueError:
        return f"signal {status.signal}"


def _suspicious(call: str) -> SecurityViolation:
    return violation(ViolationKind.SUSPICIOUS_SYSTEM_CALL, syscall=call)
