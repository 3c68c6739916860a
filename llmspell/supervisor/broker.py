"""One way through for every call: schema, budget, verdict, act, mask, record, reply.

`decode` and `identify` happen in the channel; the verdict and the act happen in a service, which
reaches both only through the `CallContext` it is given. A call that ends well without any verdict
is an internal error unless its method is declared to have no effect outside the run.
"""

from __future__ import annotations

from llmspell.errors import Denied, InternalError, LlmspellError, Missing
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol
from llmspell.supervisor.result import Denial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.policies.budget import Budget
    from llmspell.policies.policy import Policy
    from llmspell.policies.verdict import Verdict

TOOL_DENIED: Final = 2006
LOOKING: Final = frozenset({"read", "list", "stat", "exists"})
"""Actions that change nothing: their records are kept like all, but not synced one by one."""

NOT_COUNTED: Final = "events.emit"
"""Emissions travel many to a call and have a budget of their own: one of it is charged instead."""

DENIALS_KEPT: Final = 100
"""Denials a result lists; the audit holds every one."""


class AuditPort(Protocol):
    """Where records go. `record` raises when the record can't be kept."""

    def record(self, event: str, fields: Mapping[str, Any], *, effect: bool = False) -> None:
        """Appends one record; with `effect` it is synced where the profile asks for that."""

    def failed(self) -> bool:
        """Whether any record was lost."""


class Method(NamedTuple):
    """One brokered function of the script API.

    `need` is what a tool must have declared to call it; `judged` says that its service makes a
    verdict (false only for what has no effect outside the run).
    """

    name: str
    check: Callable[[Mapping[str, Any]], dict[str, Any]]
    perform: Callable[[CallContext, dict[str, Any]], Any]
    need: str | None
    judged: bool


class CallContext:
    """One call's way to policy, budget and audit. Services get nothing else."""

    __slots__ = ("_broker", "decided", "method", "origin", "policy")

    def __init__(self, broker: Broker, origin: str, method: str) -> None:
        self._broker = broker
        self.policy = broker._policy
        self.origin = origin
        self.method = method
        self.decided = False

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        """Records the verdict and raises `Denied` unless it is an explicit allow.

        The record is written before the act: a record that can't be kept denies the call
        where the profile says so (IP-23).
        """
        allowed = verdict.allowed is True
        fields: dict[str, Any] = {
            "origin": self.origin,
            "method": self.method,
            "action": action,
            "target": target,
            "allowed": allowed,
            "rule": verdict.rule,
        }
        if not allowed:
            raise self._broker.denied(verdict, fields)
        self._broker._audit.record("decision", fields, effect=action not in LOOKING)
        self.decided = True

    def reserve(self, kind: str, amount: int) -> None:
        """Charges the session's budget before the work. Raises `LimitExceeded`."""
        self._broker._budget.reserve(kind, amount)


class MethodsPort(Protocol):
    """The table of methods."""

    def get(self, name: str) -> Method | None:
        """The method of this wire name, or None."""


class Broker:
    """The methods and the steps around them; no I/O of its own."""

    __slots__ = (
        "_audit",
        "_budget",
        "_mask",
        "_methods",
        "_policy",
        "_session",
        "_traced",
        "calls",
        "denials",
    )

    def __init__(
        self,
        methods: MethodsPort,
        policy: Policy,
        budget: Budget,
        audit: AuditPort,
        mask: Callable[[Any], Any],
        session: str = "run",
    ) -> None:
        self._session = session
        self._traced = 0
        self._methods = methods
        self._policy = policy
        self._budget = budget
        self._audit = audit
        self._mask = mask
        self.denials: list[Denial] = []
        self.calls = 0

    @property
    def policy(self) -> Policy:
        """The policy that decides now."""
        return self._policy

    def narrow(self, policy: Policy) -> None:
        """Another policy decides from the next call on; it must allow nothing that this denies."""
        self._policy = policy

    def count(self, method_name: str = "") -> None:
        """Charges one call, whatever becomes of it. Raises `LimitExceeded`."""
        self.calls += 1
        self._budget.reserve("events" if method_name == NOT_COUNTED else "calls", 1)

    def admit(
        self, method_name: str, args: Mapping[str, Any], origin: str, needs: frozenset[str] | None
    ) -> tuple[Method, CallContext, dict[str, Any]]:
        """Everything between count and verdict. Raises the typed error that the caller gets.

        `needs` is None for the spell itself, or the rights that the calling tool declared.
        """
        method = self._methods.get(method_name)
        if method is None:
            raise Missing(
                f"there is no function {method_name!r} in this version's script API",
                code=4007,
                kind="api_not_available",
            )
        context = CallContext(self, origin, method_name)
        if needs is not None and method.need not in needs:
            # A tool worker that asks for more than its tool declared was taken over.
            context.judge(_undeclared(origin, method), action=method_name, target=origin)
        return method, context, method.check(args)

    def denied(self, verdict: Verdict, fields: Mapping[str, Any]) -> Denied:
        """Records a denial and keeps it for the result; the error to raise."""
        method, action, target = fields["method"], fields["action"], fields["target"]
        code = TOOL_DENIED if action == "tool" else Denied.default_code
        trace = self._trace()
        self._audit.record("decision", {**fields, "code": code, "trace_id": trace})
        self.keep_denial(Denial(method, action, target, verdict.rule, verdict.hint))
        return Denied(
            f"denied {action} {target}",
            code=code,
            rule=verdict.rule,
            hint=verdict.hint,
            trace_id=trace,
        )

    def keep_denial(self, denial: Denial) -> None:
        """Keeps a denial for the result, also one of a spell that this one ran."""
        if len(self.denials) < DENIALS_KEPT:
            self.denials.append(denial)

    def conclude(self, method: Method, context: CallContext, value: Any) -> Any:
        """Everything after a good act: the masked value to reply. Raises on a missing verdict."""
        if method.judged:
            if not context.decided:
                raise InternalError(f"{method.name} acted without a verdict")
        else:
            self._audit.record("call", {"origin": context.origin, "method": method.name})
        return self._mask(value)

    def failed(self, method_name: str, origin: str, error: LlmspellError) -> dict[str, Any]:
        """Everything after a failed call: the record (a denial has its own) and the wire form.

        An error that crosses for the first time gets its trace id, which its record has as well.
        """
        if error.trace_id is None:
            error.trace_id = self._trace()
        if not isinstance(error, Denied):
            self._audit.record(
                "failed_call",
                {
                    "origin": origin,
                    "method": method_name,
                    "code": error.code,
                    "trace_id": error.trace_id,
                },
            )
        wire: dict[str, Any] = self._mask(error.to_wire())
        return wire

    def _trace(self) -> str:
        self._traced += 1
        return f"{self._session}-{self._traced}"


def _undeclared(origin: str, method: Method) -> Verdict:
    from llmspell.policies.verdict import deny

    return deny("tools.declared-needs", f"{origin} did not declare that it needs {method.need}")
