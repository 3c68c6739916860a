"""What the broker gives every service: policy, verdict and budget of one call, and no more."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import Any

    from llmspell.policies.policy import Policy
    from llmspell.policies.verdict import Verdict

Args = dict[str, "Any"]
"""A call's arguments, already checked against the API's description and with defaults filled."""


class CallContext(Protocol):
    """One call. `origin` is `spell` or `tool:<name>`."""

    policy: Policy
    origin: str

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        """Records the verdict; raises `Denied` unless it is an explicit allow."""

    def reserve(self, kind: str, amount: int) -> None:
        """Charges the budget before the work. Raises `LimitExceeded`."""
