"""The result of a run that has ended: its audit closed, its value masked, its denials told."""

from __future__ import annotations

from llmspell.policies.violations import SecurityViolation, for_denied
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.result import Isolation, Result, Usage

if TYPE_CHECKING:
    from llmspell.supervisor.ending import Ending
    from llmspell.supervisor.plan import SessionPlan


def usage(plan: SessionPlan, *, wall: float, cpu: float, peak_memory: int, output: int) -> Usage:
    """What a run used: what its processes took, and what its budget and broker counted."""
    spent = plan.budget.usage()
    return Usage(
        wall=round(wall, 4),
        cpu=round(cpu, 4),
        peak_memory=peak_memory,
        calls=plan.broker.calls,
        transfer=int(spent.get("transfer", 0)),
        output=output,
        model_tokens=int(spent.get("model_tokens", 0)),
        model_cost=round(spent.get("model_cost", 0), 6),
    )


def result(
    plan: SessionPlan, end: Ending, usage: Usage, isolation: Isolation, output: str
) -> Result:
    """Closes the audit, then tells how the run ended; call it once, when every worker is reaped."""
    complete = plan.close_audit(end, usage)
    denials = tuple(plan.broker.denials)
    found = (for_denied(denial.method, denial.target) for denial in denials)
    violations: list[SecurityViolation] = [one for one in found if one is not None]
    return Result(
        status=end.status,
        reason=end.reason,
        value=plan.mask(end.value),
        output=output,
        error=end.error,
        usage=usage,
        isolation=isolation,
        denials=denials,
        violations=(*end.violations, *violations),
        session=plan.session,
        audit_head=plan.audit.head,
        audit_path=plan.audit_path,
        audit_complete=complete,
        requests=tuple(plan.mask(list((plan.requests or {}).values()))),
    )
