"""From a profile, a policy file, overrides and grants to the one `Policy` of a run."""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.policies.policy import Override, Policy
from llmspell.profiles.assemble import build
from llmspell.profiles.grants import KINDS as GRANT_KINDS
from llmspell.profiles.grants import Grant, refuse_conflicts, refuse_contradictions
from llmspell.profiles.recipe import DEFAULT_PROFILE, Recipe, builtin, merged
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any, Protocol

    from llmspell.profiles.context import PolicyContext
    from llmspell.profiles.overrides import ScriptOverride

    class Layer(Protocol):
        """What a configuration file adds to whatever profile is chosen."""

        @property
        def origin(self) -> str:
            """Where it comes from."""

        def apply(self, recipe: Recipe) -> Recipe:
            """The profile with the layer on top."""


def load_policy(
    profile: str | Mapping[str, Any] | None = None,
    *,
    context: PolicyContext,
    grants: Sequence[Grant] = (),
    policy_file: Path | str | None = None,
    overrides: Sequence[ScriptOverride] = (),
    limits: Mapping[str, object] | None = None,
    allow_degraded: bool = False,
    layers: Sequence[Layer] = (),
    default_profile: str | None = None,
) -> Policy:
    """The policy of one run.

    `profile`: a built-in name, or a custom profile from `builder`; None is the policy file's own
    base, else the script's override, else `default_profile` (of the configuration), else
    `medium`. What was asked for by name is never replaced by an override.

    Applied in this order: profile, `layers` (of the configuration), policy file, `overrides` (of
    this script, recorded for the audit), `grants`, `limits` (`{"memory": "512MiB"}`).
    `allow_degraded` never applies to confinement level `high`.

    Raises `UsageError` for an unknown profile, grant or limit and for conflicts, and
    `ConfigurationError` for a policy file that is wrong.
    """
    context.check()
    if profile is None and policy_file is None:
        profile = _implied(overrides, default_profile or DEFAULT_PROFILE)
        implied = True
    else:
        implied = False
    recipe, name, origin = _base(profile, policy_file, layers)
    notes: list[Override] = []
    for override in overrides:
        recipe = override.apply(recipe)
        notes += override.records(with_profile=implied)
        origin.append(f"override for {override.script} ({override.source})")
    refuse_conflicts(grants)
    told = f"profile {name}" if policy_file is None else f"policy {policy_file}"
    refuse_contradictions(recipe, grants, told)
    granted = _with_grants(recipe, grants)
    origin += [f"{grant} ({grant.source})" for grant in grants]
    if limits:
        granted = merged(granted, {"limits": dict(limits)})
        origin += [f"limit {key}={value}" for key, value in limits.items()]
    if allow_degraded:
        granted = merged(granted, {"confinement": {"allow_degraded": True}})
        origin.append("--allow-degraded")
    return build(granted, name, context, tuple(origin), tuple(notes), grants)


def _implied(overrides: Sequence[ScriptOverride], default: str) -> str:
    name = default
    for override in overrides:
        name = override.profile_instead_of(name)
    return name


def _base(
    profile: str | Mapping[str, Any] | None,
    policy_file: Path | str | None,
    layers: Sequence[Layer],
) -> tuple[Recipe, str, list[str]]:
    if policy_file is None:
        if profile is None or isinstance(profile, str):
            name = DEFAULT_PROFILE if profile is None else profile
            return _custom({"extends": name}, None, layers)
        from llmspell.profiles.document import check_policy

        return _custom(check_policy(profile, "the custom profile"), "custom profile", layers)
    if profile is not None and not isinstance(profile, str):
        raise UsageError("give a custom profile or a policy file, not both")
    from llmspell.profiles.files import read_policy_file

    table = read_policy_file(policy_file)
    base = table.get("extends")
    if base is not None and profile is not None and base != profile:
        raise UsageError(
            f"the policy {policy_file} extends {base}, but the profile {profile} was asked for",
            hint=f"drop --profile {profile}, or change the policy's `extends`",
        )
    named = {"extends": profile or DEFAULT_PROFILE, **table}
    return _custom(named, f"policy {policy_file}", layers)


def _custom(
    table: Mapping[str, Any], source: str | None, layers: Sequence[Layer]
) -> tuple[Recipe, str, list[str]]:
    rest = dict(table)
    base = str(rest.pop("extends", DEFAULT_PROFILE))
    name = str(rest.pop("name", base))
    rest.pop("description", None)
    recipe = builtin(base)
    origin = [f"profile {base}"]
    for layer in layers:
        recipe = layer.apply(recipe)
        origin.append(layer.origin)
    if source is None:
        return recipe, name, origin
    from llmspell.profiles.loosening import loosenings

    result = merged(recipe, rest)
    origin.append(source)
    loosened = loosenings(recipe, result)
    if loosened:
        origin.append(f"{source} loosens {', '.join(loosened)}")
    return result, name, origin


def _with_grants(recipe: Recipe, grants: Iterable[Grant]) -> Recipe:
    result = recipe
    for grant in grants:
        grant.checked()
        table, key = GRANT_KINDS[grant.kind]
        if table == "files":
            continue
        result = merged(result, {table: {key if grant.allowed else "deny": [grant.value]}})
    return result
