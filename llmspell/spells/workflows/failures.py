"""The errors of workflows (ERR-005): what a step's failure becomes, and which are tried again."""

from __future__ import annotations

from llmspell.errors import Denied, LlmspellError, OperationFailed, SpellError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final

EXECUTION_FAILED: Final = 3003
STEP_FAILED: Final = 3004
DEPENDENCY_FAILED: Final = 3005
TIMED_OUT: Final = 3007
STATE_INVALID: Final = 3008
CONDITION_FAILED: Final = 3009

DENIED: Final = frozenset({2006, 4008})
LIMITS: Final = frozenset({4004, 4005, 4006, 4009, 6007})
"""Codes that stay what they are on their way out of a workflow."""

FINAL: Final = DENIED | LIMITS | {1001, 1003, 2001, 2002, 3001, 3002, 3006, 3008, 4001, 4007, 6004}
"""Codes of failures that another attempt can't mend: they are not tried again by themselves."""


def cancelled(workflow: str, reason: str = "") -> LlmspellError:
    """The end of a run that was cancelled."""
    why = f": {reason}" if reason else ""
    return OperationFailed(
        f"workflow {workflow} was cancelled{why}", code=EXECUTION_FAILED, kind="cancelled"
    )


def timed_out(what: str, seconds: float) -> LlmspellError:
    """A step or workflow that took longer than it may."""
    return OperationFailed(
        f"{what} took longer than {seconds:g} s", code=TIMED_OUT, kind="timeout", recoverable=True
    )


def state_invalid(message: str, hint: str | None = None) -> LlmspellError:
    """A workflow that is in no state to do this, or a checkpoint that does not fit."""
    return SpellError(message, code=STATE_INVALID, kind="state", hint=hint)


def of_step(workflow: str, step: str, cause: LlmspellError) -> LlmspellError:
    """A step's failure as the workflow's: 3004, but a denial or a limit keeps its own code."""
    # A step of a phase of this very workflow: its place is said once.
    inner = cause.message.removeprefix(f"workflow {workflow}, step ")
    between = ": " if inner == cause.message else "/"
    message = f"workflow {workflow}, step {step}{between}{inner}"
    if cause.code in DENIED:
        return Denied(message, code=cause.code, rule=cause.rule, hint=cause.hint)
    if cause.code in LIMITS or cause.kind == "cancelled":
        return SpellError(
            message, code=cause.code, kind=cause.kind, rule=cause.rule, hint=cause.hint
        )
    return OperationFailed(
        message,
        code=STEP_FAILED,
        kind="step_failed",
        rule=cause.rule,
        hint=cause.hint,
        recoverable=cause.recoverable,
        trace_id=cause.trace_id,
    )


def show(error: LlmspellError) -> dict[str, Any]:
    """An error as results, callbacks, hooks and events carry it."""
    shown: dict[str, Any] = {"code": error.code, "kind": error.kind, "message": error.message}
    for name in ("rule", "hint"):
        value = getattr(error, name)
        if value is not None:
            shown[name] = value
    return shown
