"""Policies that were made before, for the next run that would get the very same one.

A policy follows from what the caller chose, the user's folders, the settings, and where the paths
in it lead. The first three are the key; the last is looked at again at each use, so a link that
leads elsewhere, a changed settings file or another working folder makes a new policy.
"""

from __future__ import annotations

import os

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Final

    from llmspell.config.files import Settings
    from llmspell.policies.policy import Policy
    from llmspell.profiles.context import PolicyContext
    from llmspell.supervisor.options import RunOptions

KEPT_MAX: Final = 64
"""Policies kept; one that was not asked for longest goes first."""


class Kept(NamedTuple):
    """A policy, the settings it was made with, and what its paths led to."""

    policy: Policy
    settings: Settings
    resolved: dict[str, str]


_kept: dict[Hashable, Kept] = {}


def key_of(options: RunOptions, context: PolicyContext, settings: Settings) -> Hashable | None:
    """What tells policies apart; None where more than this decides (a policy file, a manifest, a
    custom profile, an exception for one script)."""
    custom = options.profile is not None and not isinstance(options.profile, str)
    if custom or options.policy_file is not None or options.grant_requested or settings.overrides:
        return None
    key = (
        options.profile,
        options.grants,
        tuple(options.limits.items()),
        options.allow_degraded,
        context._replace(resolved=None),
    )
    try:
        hash(key)
    except TypeError:
        return None  # a grant or limit that is no text: whoever makes the policy says so
    return key


def find(key: Hashable | None, settings: Settings) -> Policy | None:
    """The policy kept for this key, if every path in it leads where it led."""
    known = _kept.get(key) if key is not None else None
    if known is None or known.settings != settings:
        return None
    if any(os.path.realpath(path) != real for path, real in known.resolved.items()):
        return None
    return known.policy


def keep(key: Hashable | None, policy: Policy, settings: Settings, context: PolicyContext) -> None:
    """Keeps a policy that was made in this context."""
    if key is None or context.resolved is None:
        return
    _kept.pop(key, None)
    if len(_kept) >= KEPT_MAX:
        # Not for a thread to fail at, if another one took the same.
        _kept.pop(next(iter(_kept), None), None)
    _kept[key] = Kept(policy, settings, context.resolved)
