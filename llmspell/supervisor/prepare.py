"""From what a caller chose to a prepared session: policy, services, broker, audit.

Raises `UsageError` for everything the caller got wrong, before anything is started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmspell.config import paths as own
from llmspell.config.files import load_settings
from llmspell.errors import UsageError
from llmspell.policies.budget import Budget
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.loader import load_policy
from llmspell.spells import manifest as manifests
from llmspell.spells.spell import Spell
from llmspell.supervisor.broker import Broker
from llmspell.supervisor.masking import Masker
from llmspell.supervisor.methods import method_table
from llmspell.supervisor.plan import SessionPlan

if TYPE_CHECKING:
    from llmspell.policies.policy import Policy
    from llmspell.supervisor.services import Services

SESSION_BYTES: Final = 8
"""Random bytes in a session's name: unique among the runs of a machine, short in a file name."""

PARAMS_MAX: Final = 1_000
ARGS_MAX: Final = 10_000


class RunOptions(NamedTuple):
    """What a caller chooses about one run; everything has a safe default.

    `profile` None means: as the policy file, the configuration or the default (`medium`) says.
    `stdin` is a descriptor the spell may read through its broker, or None. `check` parses the spell
    and runs no line of it (ENG-022).
    """

    profile: str | Mapping[str, Any] | None = None
    policy_file: str | None = None
    grants: tuple[tuple[str, str], ...] = ()
    grant_requested: bool = False
    limits: Mapping[str, str] = {}
    allow_degraded: bool = False
    params: Mapping[str, Any] = {}
    args: tuple[str, ...] = ()
    audit: str | None = None
    stdin: int | None = 0
    keep_output: bool = False
    check: bool = False

    def script_size(self, default: int) -> int:
        """Bytes a spell's source may have, from the limits chosen. Raises `UsageError`."""
        text = self.limits.get("script_size")
        if text is None:
            return default
        from llmspell.policies.limits import UNLIMITED, parse_limit

        amount = parse_limit("script_size", text)
        return 1 << 30 if amount is UNLIMITED else int(amount)


class Prepared(NamedTuple):
    """A session ready to start, and what must be closed after it."""

    plan: SessionPlan
    services: Services

    def close(self) -> None:
        """Closes every handle the session held. Idempotent."""
        self.services.close()
        # A run that came to its end has closed it already; any other stays without an end record.
        self.plan.audit.abandon()


def choose_policy(spell: Spell | None, options: RunOptions) -> Policy:
    """The policy of a run. Raises `UsageError`, `ConfigurationError`."""
    grants = [Grant(kind, value, source="command line").checked() for kind, value in options.grants]
    limits = dict(options.limits)
    if spell is not None and options.grant_requested:
        manifest = manifest_of(spell)
        grants += [
            Grant(kind, value, source="the spell's request").checked()
            for kind, value in manifest.requests
        ]
        limits = {**dict(manifest.limits), **limits}
    context = policy_context(spell)
    if options.audit is not None:
        # The record of a run is ours wherever it lies.
        record = os.path.abspath(options.audit)
        context = context._replace(own_folders=(*context.own_folders, record))
    settings = load_settings(context.working_folder)
    return load_policy(
        options.profile,
        context=context,
        grants=tuple(grants),
        policy_file=options.policy_file,
        overrides=settings.overrides_for(None if spell is None else spell.path),
        limits=limits,
        allow_degraded=options.allow_degraded,
        layers=settings.layers,
        default_profile=settings.profile,
    )


def policy_context(spell: Spell | None) -> PolicyContext:
    """The folders that policies speak of, for this user and this spell."""
    working = os.getcwd()
    folder = working if spell is None or spell.folder is None else spell.folder
    return PolicyContext(
        working_folder=os.path.realpath(working),
        spell_folder=folder,
        workspace_folder=own.workspace_folder(None if spell is None else spell.path),
        own_folders=own.own_folders(),
        home=own.home(),
    )


def manifest_of(spell: Spell) -> manifests.Manifest:
    """What the spell asks for: its comment block, else `spell.toml` beside it, else nothing."""
    block = manifests.block_of(spell.source, spell.engine)
    if block is not None:
        return manifests.parse(block, spell.name)
    if spell.folder is None:
        return manifests.NOTHING
    path = os.path.join(spell.folder, "spell.toml")
    if not os.path.isfile(path):
        return manifests.NOTHING
    with open(path, encoding="utf-8") as file:
        return manifests.parse(file.read(65_536), path)


def prepare(spell: Spell, options: RunOptions) -> Prepared:
    """Everything a run needs. Raises `UsageError` in words; leaves nothing open then."""
    from llmspell.supervisor.audit.log import AuditLog
    from llmspell.supervisor.services import Services

    _check_inputs(options)
    policy = choose_policy(spell, options)
    _check_limits(policy)
    session = os.urandom(SESSION_BYTES).hex()
    masker = Masker(_known_secrets())
    audit = AuditLog.open(options.audit, session, mask=masker.mask_record, rules=policy.audit)
    services = Services(policy, stdin=options.stdin)
    budget = Budget(policy.limits)
    broker = Broker(method_table(services, spell.engine), policy, budget, audit, masker.mask)
    plan = SessionPlan(
        session=session,
        spell=spell,
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
    )
    return Prepared(plan, services)


def _environment(policy: Policy) -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if policy.env.judge(name).allowed is True
    }


def _known_secrets() -> list[str]:
    """Passwords of the proxies in our own environment: a proxy's error page may echo them."""
    from urllib.parse import unquote, urlsplit

    found = []
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        for proxy in (os.environ.get(name), os.environ.get(name.lower())):
            if proxy and "@" in proxy:
                password = urlsplit(proxy).password
                if password:
                    found += [password, unquote(password)]
    return found


def _check_inputs(options: RunOptions) -> None:
    if len(options.params) > PARAMS_MAX or len(options.args) > ARGS_MAX:
        raise UsageError(f"over {PARAMS_MAX} parameters or {ARGS_MAX} arguments")


def _check_limits(policy: Policy) -> None:
    level, limits = policy.confinement.level, policy.limits
    if level != "none" and limits.processes != 0:
        raise UsageError(
            f"the limit processes can't be raised at {policy.profile}: its workers start none",
            rule="limit.processes",
            hint="use --profile none for code of your own",
        )
    if level in ("medium", "high") and limits.threads not in (0, 1):
        raise UsageError(
            f"the limit threads can't be raised at {policy.profile}: its workers have one",
            rule="limit.threads",
            hint="use --profile low or none",
        )
