"""What is decided before anything is started: the policy of a run, and where it is recorded.

All that a caller can get wrong ends here in a `UsageError`. Imported before a cold command's worker
is on its way, so only what the decision needs is imported; the rest of a run is put together in
`prepare` while the worker starts.
"""

from __future__ import annotations

import os

from llmspell.config import paths as own
from llmspell.config.files import load_settings
from llmspell.errors import UsageError
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.loader import load_policy
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells import manifest as manifests
from llmspell.supervisor import policies_kept
from llmspell.supervisor.audit.opening import new_session, open_file

if TYPE_CHECKING:
    from typing import Final

    from llmspell.config.files import Settings
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.audit.opening import Opened
    from llmspell.supervisor.options import RunOptions

PARAMS_MAX: Final = 1_000
ARGS_MAX: Final = 10_000


class Decided(NamedTuple):
    """A run that may begin. `record` is its audit file, which is closed by whoever goes on."""

    spell: Spell
    options: RunOptions
    policy: Policy
    session: str
    record: Opened


def decide(spell: Spell, options: RunOptions) -> Decided:
    """The policy and the opened audit file of a run.

    Raises `UsageError` for what the caller got wrong, `AuditFailure` when no record can be kept.
    """
    if len(options.params) > PARAMS_MAX or len(options.args) > ARGS_MAX:
        raise UsageError(f"over {PARAMS_MAX} parameters or {ARGS_MAX} arguments")
    policy = choose_policy(spell, options)
    _check_limits(policy)
    session = new_session()
    return Decided(spell, options, policy, session, open_file(options.audit, session))


def choose_policy(spell: Spell | None, options: RunOptions) -> Policy:
    """The policy of a run. Raises `UsageError`, `ConfigurationError`."""
    context = policy_context(spell)
    settings = load_settings(context.working_folder)
    # The record of a run is ours wherever it lies, and so is what decides over the next one.
    named = [os.path.abspath(path) for path in (options.audit, options.policy_file) if path]
    if named or settings.places:
        own_places = (*context.own_folders, *settings.places, *named)
        context = context._replace(own_folders=own_places)
    key = policies_kept.key_of(options, context, settings)
    policy = policies_kept.find(key, settings)
    if policy is None:
        policy = _made(spell, options, context, settings)
        policies_kept.keep(key, policy, settings, context)
    return policy


def _made(
    spell: Spell | None, options: RunOptions, context: PolicyContext, settings: Settings
) -> Policy:
    grants = [Grant(kind, value, source="command line").checked() for kind, value in options.grants]
    limits = dict(options.limits)
    if spell is not None and options.grant_requested:
        manifest = manifest_of(spell)
        grants += [
            Grant(kind, value, source="the spell's request").checked()
            for kind, value in manifest.requests
        ]
        limits = {**dict(manifest.limits), **limits}
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
        resolved={},
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
    return manifests.parse(manifests.read(path), path)


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
