"""The error tree and the 60 numeric codes of the inventory (COD-001 … COD-060).

LlmspellError                 everything this package raises on purpose
 ├─ UsageError                the user gave something that can't be used (exit code 2)
 │   └─ ConfigurationError    a policy, profile or configuration file says something wrong
 ├─ SpellError                the spell is wrong
 │   ├─ SpellSyntaxError      it can't be parsed
 │   ├─ InvalidInput          an argument has the wrong type or is out of bounds
 │   └─ Missing               it asked for something that is not there
 ├─ Denied                    the policy said no; carries rule and hint
 ├─ LimitExceeded             a budget ran out; carries the limit's name
 ├─ OperationFailed           a permitted operation failed (disk, network, time-out)
 ├─ WorkerViolation           the worker broke the protocol; it is ended
 ├─ IsolationRefused          the machine can't hold what the profile promises (exit code 5)
 └─ InternalError             our own mistake
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

MAX_MESSAGE_CHARACTERS: Final = 4_096
"""Longest message that leaves an error; longer ones are cut (a 10 MB traceback is an attack)."""


RETRY_AFTER_MAX: Final = 86_400.0
"""Seconds: what a stranger's error says beyond a day is not taken over."""


class Code(NamedTuple):
    """One numeric code: its area, its name in the seeds and what it means for a person."""

    number: int
    area: str
    name: str
    meaning: str


def _area(area: str, base: int, entries: tuple[tuple[str, str], ...]) -> dict[int, Code]:
    return {
        base + index: Code(base + index, area, name, meaning)
        for index, (name, meaning) in enumerate(entries, start=1)
    }


CODES: Final[Mapping[int, Code]] = {
    **_area(
        "agent",
        1000,
        (
            ("NotFound", "no agent has this name"),
            ("InitializationFailed", "the agent could not be created"),
            ("ExecutionFailed", "the agent's run failed"),
            ("InvalidConfiguration", "the agent's configuration is wrong"),
            ("Timeout", "the agent took longer than it may"),
            ("MemoryLimitExceeded", "the agent used more memory than it may"),
            ("StateCorrupted", "the agent's saved state can't be read"),
            ("ToolNotFound", "the agent asked for a tool that does not exist"),
            ("LLMCallFailed", "the model call failed"),
            ("PromptTemplateInvalid", "the prompt template can't be used"),
        ),
    ),
    **_area(
        "tool",
        2000,
        (
            ("NotFound", "no tool has this name"),
            ("InvalidInput", "the input has a wrong type or value"),
            ("ExecutionFailed", "the operation failed"),
            ("InitializationFailed", "the tool could not be started"),
            ("ConfigurationInvalid", "the tool's configuration is wrong"),
            ("PermissionDenied", "the policy does not allow this tool"),
            ("ResourceUnavailable", "something the tool needs is not there"),
            ("Timeout", "the operation took longer than it may"),
            ("ValidationFailed", "the data did not pass its check"),
            ("SchemaInvalid", "the schema itself is wrong"),
        ),
    ),
    **_area(
        "workflow",
        3000,
        (
            ("NotFound", "no workflow has this name"),
            ("InvalidDefinition", "the workflow's definition is wrong"),
            ("ExecutionFailed", "the workflow's run failed"),
            ("StepFailed", "a step failed"),
            ("DependencyFailed", "a step that this one needs failed"),
            ("CircularDependency", "steps wait for each other in a circle"),
            ("Timeout", "the workflow took longer than it may"),
            ("StateInvalid", "the workflow is in no state to do this"),
            ("ConditionEvaluationFailed", "a condition could not be evaluated"),
            ("MergeFailed", "the branches' results could not be merged"),
        ),
    ),
    **_area(
        "script",
        4000,
        (
            ("SyntaxError", "the spell can't be parsed"),
            ("RuntimeError", "the spell raised an error"),
            ("CompilationFailed", "the spell could not be compiled"),
            ("ExecutionTimeout", "the spell took longer than it may"),
            ("MemoryLimitExceeded", "the spell used more memory than it may"),
            ("SecurityViolation", "the worker did what no well-behaved worker does"),
            ("APINotAvailable", "this function does not exist"),
            ("PermissionDenied", "the policy does not allow this"),
            ("ResourceExhausted", "a budget of the spell ran out"),
            ("InvalidFunction", "what was called is not a function that can be called here"),
        ),
    ),
    **_area(
        "hook_event",
        5000,
        (
            ("HookNotFound", "no hook has this name"),
            ("HookExecutionFailed", "a hook failed"),
            ("HookTimeout", "a hook took longer than it may"),
            ("InvalidPriority", "the priority is out of range"),
            ("EventEmissionFailed", "the event could not be emitted"),
            ("SubscriptionFailed", "the subscription could not be made"),
            ("FilterInvalid", "the event filter is wrong"),
            ("HandlerNotFound", "no handler has this name"),
            ("CircularDependency", "hooks wait for each other in a circle"),
            ("DeadlockDetected", "hooks exclude each other"),
        ),
    ),
    **_area(
        "system",
        6000,
        (
            ("ConfigurationInvalid", "a setting is wrong"),
            ("StorageFailure", "the storage failed"),
            ("NetworkFailure", "the network failed"),
            ("AuthenticationFailed", "the credentials were not accepted"),
            ("AuthorizationFailed", "the credentials do not permit this"),
            ("RateLimitExceeded", "too many requests in too short a time"),
            ("ResourceExhausted", "a budget shared by the session ran out"),
            ("ServiceUnavailable", "something llmspell needs is not available"),
            ("InternalError", "llmspell itself made a mistake"),
            ("VersionMismatch", "two parts have versions that do not fit"),
        ),
    ),
}


class LlmspellError(Exception):
    """An error that a person can act on; crosses the channel typed (ENG-006).

    `code` is one of `CODES`, `kind` a stable lower-case word, `rule` names the policy rule that
    decided, `hint` says what to do.
    """

    default_code = 6009
    default_kind = "internal"
    retry_after: float | None = None
    """Seconds after which another try makes sense, where that is known."""

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        kind: str | None = None,
        rule: str | None = None,
        hint: str | None = None,
        recoverable: bool = False,
        trace_id: str | None = None,
        line: int | None = None,
        stack: str | None = None,
    ) -> None:
        self.message = _clip(message)
        super().__init__(self.message)
        self.code = code if code is not None else self.default_code
        self.kind = kind if kind is not None else self.default_kind
        self.rule = rule
        self.hint = hint
        self.recoverable = recoverable
        self.trace_id = trace_id
        self.line = line
        self.stack = None if stack is None else _clip(stack)

    def to_wire(self) -> dict[str, Any]:
        """The error as the channel carries it: absent fields are left out."""
        wire: dict[str, Any] = {"code": self.code, "kind": self.kind, "message": self.message}
        for name in ("rule", "hint", "trace_id", "line", "stack", "retry_after"):
            value = getattr(self, name)
            if value is not None:
                wire[name] = value
        if self.recoverable:
            wire["recoverable"] = True
        return wire

    def sentence(self) -> str:
        """One line for a terminal: `denied write out.md — rule … — to allow it: …`."""
        parts = [self.message]
        if self.rule is not None:
            parts.append(f"rule {self.rule}")
        if self.hint is not None:
            parts.append(self.hint)
        return " — ".join(parts)


class UsageError(LlmspellError):
    """The caller gave something unusable; the command line ends with exit code 2."""

    default_code = 6001
    default_kind = "usage"


class ConfigurationError(UsageError):
    """A policy, profile or configuration is wrong; the message names file and key."""

    default_kind = "configuration"


class SpellError(LlmspellError):
    """The spell raised, or did something it should not."""

    default_code = 4002
    default_kind = "runtime"


class SpellSyntaxError(SpellError):
    """The spell can't be parsed; `line` is set where the engine says it."""

    default_code = 4001
    default_kind = "syntax"


class InvalidInput(SpellError):
    """An argument of a call has the wrong type or is out of its bounds."""

    default_code = 2002
    default_kind = "validation"


class Missing(SpellError):
    """A file, tool or function that was asked for is not there."""

    default_code = 2003
    default_kind = "not_found"


class Denied(LlmspellError):
    """The policy did not allow it (4008; 2006 for a tool)."""

    default_code = 4008
    default_kind = "denied"


LIMIT_CODES: Final[Mapping[str, int]] = {
    "wall": 4004,
    "cpu": 4004,
    "memory": 4005,
    "model_tokens": 6007,
    "model_cost": 6007,
    "model_rate": 6006,
    "tool_rate": 6006,
    "hook_rate": 6006,
}
"""Codes of the limits that have one of their own; every other limit is 4009."""


class LimitExceeded(LlmspellError):
    """A budget ran out; `limit` is its name in the profile (`wall`, `memory`, `calls`, …)."""

    default_code = 4009
    default_kind = "limit"

    def __init__(self, limit: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(
            message,
            code=LIMIT_CODES.get(limit, self.default_code),
            rule=f"limit.{limit}",
            hint=hint,
        )
        self.limit = limit


class OperationFailed(LlmspellError):
    """A permitted operation failed for a reason outside the policy (disk, network, time)."""

    default_code = 2003
    default_kind = "failed"


class WorkerViolation(LlmspellError):
    """The worker's bytes broke the protocol; the worker is ended, never answered."""

    default_code = 4006
    default_kind = "violation"


class IsolationRefused(LlmspellError):
    """The machine can't hold an effect that the profile promises; nothing was run."""

    default_code = 6008
    default_kind = "isolation_refused"


class InternalError(LlmspellError):
    """Our own mistake; the run ends closed."""


def _clip(text: str) -> str:
    if len(text) <= MAX_MESSAGE_CHARACTERS:
        return text
    return text[: MAX_MESSAGE_CHARACTERS - 1] + "…"


def from_wire(error: Mapping[str, Any]) -> LlmspellError:
    """The error a worker reported, as an exception; its words are untrusted and clipped."""
    code = error.get("code")
    kind = error.get("kind")
    message = error.get("message")
    if not isinstance(code, int) or code not in CODES:
        code = 4002
    line = error.get("line")
    after = error.get("retry_after")
    result = SpellError(
        message if isinstance(message, str) else "the spell failed",
        code=code,
        kind=kind[:40] if isinstance(kind, str) else "runtime",
        rule=_text(error.get("rule")),
        hint=_text(error.get("hint")),
        recoverable=error.get("recoverable") is True,
        trace_id=_text(error.get("trace_id")),
        line=line if isinstance(line, int) and not isinstance(line, bool) else None,
        stack=_text(error.get("stack")),
    )
    if not isinstance(after, bool) and isinstance(after, (int, float)):
        result.retry_after = after if 0 <= after < RETRY_AFTER_MAX else None
    return result


def _text(value: object) -> str | None:
    return _clip(value) if isinstance(value, str) else None
