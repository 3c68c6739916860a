"""Tightening a run that is under way (EN-13): policy, budget, output and wall, never the reverse.

What the worker itself is held by (confinement, memory, processor time) stands since it started.
"""

from __future__ import annotations

from llmspell.policies.narrowed import stricter_limits
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor import ending

if TYPE_CHECKING:
    from llmspell.policies.limits import Limits
    from llmspell.policies.policy import Policy
    from llmspell.supervisor.session import Session


def narrow_policy(session: Session, policy: Policy) -> None:
    """From the next call on this policy decides; make it with `policies.narrowed`."""
    session.plan = session.plan._replace(policy=policy)
    session.policy = policy
    session.broker.narrow(policy)
    session.printed.narrow(session.plan)
    services = session.plan.services
    spells = None if services is None else services.made("spell")
    if spells is not None:
        spells.narrow(policy)


def narrow_limits(session: Session, limits: Limits) -> None:
    """The stricter of each limit, from now on; what is used already counts."""
    narrower = stricter_limits(session.policy.limits, limits)
    narrow_policy(session, session.policy._replace(limits=narrower))
    session.plan.budget.narrow(narrower)
    moment = ending.deadline(session.begun, narrower.wall)
    if moment is not None and (session.wall_deadline is None or moment < session.wall_deadline):
        session.wall_deadline = moment
        session._deadline_known = False
        session.wake()
