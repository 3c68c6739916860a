"""From what was decided to a prepared session: services, broker, audit.

`decide` comes first and holds everything that a caller can get wrong. Nothing here is needed to
start a worker, so the command line does it while the worker starts.
"""

from __future__ import annotations

import os

from llmspell.policies.budget import Budget
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.audit.log import AuditLog
from llmspell.supervisor.broker import Broker
from llmspell.supervisor.decide import choose_policy, decide, manifest_of
from llmspell.supervisor.masking import Masker
from llmspell.supervisor.methods import Methods
from llmspell.supervisor.options import RunOptions
from llmspell.supervisor.plan import SessionPlan
from llmspell.supervisor.services import Services

if TYPE_CHECKING:
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.crew import Ahead
    from llmspell.supervisor.decide import Decided
    from llmspell.supervisor.script_cache import Script

__all__ = ["Prepared", "RunOptions", "choose_policy", "complete", "manifest_of", "prepare"]


class Prepared(NamedTuple):
    """A session ready to start, and what must be closed after it."""

    plan: SessionPlan
    services: Services
    ahead: Ahead | None = None
    """Its worker, if it is on its way already."""

    def close(self) -> None:
        """Closes every handle the session held, ends a worker nobody took. Idempotent."""
        if self.ahead is not None:
            self.ahead.close()
        self.services.close()
        # A run that came to its end has closed it already; any other stays without an end record.
        self.plan.audit.abandon()


def prepare(spell: Spell, options: RunOptions, script: Script | None = None) -> Prepared:
    """Everything a run needs. Raises `UsageError` in words; leaves nothing open then."""
    return complete(decide(spell, options), script)


def complete(decided: Decided, script: Script | None = None) -> Prepared:
    """What was decided, with all that acts on it. Leaves nothing open when it raises."""
    policy, options, record = decided.policy, decided.options, decided.record
    masker = Masker(_known_secrets())
    audit = AuditLog(
        record.handle,
        record.path,
        decided.session,
        mask=masker.mask_record,
        rules=policy.audit,
        folder=record.folder,
    )
    services = None
    try:
        services = Services(policy, stdin=options.stdin)
        budget = Budget(policy.limits)
        methods = Methods(services, decided.spell.engine)
        broker = Broker(methods, policy, budget, audit, masker.mask, decided.session)
        plan = SessionPlan(
            session=decided.session,
            spell=decided.spell,
            policy=policy,
            budget=budget,
            broker=broker,
            audit=audit,
            mask=masker.mask,
            params=options.params,
            args=options.args,
            env=_environment(policy),
            keep_output=options.keep_output,
            check=options.check,
            script=script,
            tenant=options.tenant,
            services=services,
            requests={},
        )
    except BaseException as error:
        if services is not None:
            services.close()
        audit.abandon()
        if isinstance(error, OSError):
            from llmspell.supervisor.crew import broken_off

            raise broken_off(error) from error
        raise
    return Prepared(plan, services)


def _environment(policy: Policy) -> dict[str, str]:
    if not policy.env.grants_any():
        return {}
    return {
        name: value for name, value in os.environ.items() if policy.env.judge(name).allowed is True
    }


def _known_secrets() -> list[str]:
    """Credentials of the proxies in our own environment: a proxy's error page may echo them."""
    found = []
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for proxy in (os.environ.get(name), os.environ.get(name.lower())):
            if proxy and "@" in proxy:
                found += _credentials_in(proxy)
    return found


def _credentials_in(proxy: str) -> list[str]:
    """The password, or the user where there is none, and both as they travel to the proxy."""
    from binascii import b2a_base64
    from urllib.parse import unquote

    # A proxy may be written without its scheme.
    pair = (proxy.partition("://")[2] or proxy).rpartition("@")[0]
    user, _, password = pair.partition(":")
    sent = f"{unquote(user)}:{unquote(password)}".encode("utf-8", "replace")
    secret = password or user
    return [secret, unquote(secret), b2a_base64(sent, newline=False).decode("ascii")]
