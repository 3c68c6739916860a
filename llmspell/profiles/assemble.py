"""From complete tables to the rules of `policies`, with every path resolved once."""

from __future__ import annotations

from llmspell.errors import LlmspellError, UsageError
from llmspell.policies.hosts import MODES as NET_MODES
from llmspell.policies.hosts import NetRules, parse_net_rule
from llmspell.policies.limits import Amount, Limits, parse_limit
from llmspell.policies.modules import MODES as MODULE_MODES
from llmspell.policies.modules import ModuleRules
from llmspell.policies.names import MODES as NAME_MODES
from llmspell.policies.names import STATE_MODES, NameRules, StateRules
from llmspell.policies.paths import FileRule, FileRules, Roots
from llmspell.policies.policy import (
    LEVELS,
    ON_MISSING,
    AuditRules,
    Confinement,
    Override,
    Policy,
)
from llmspell.policies.tools import ToolRules
from llmspell.profiles.anchors import absolute_patterns
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.recipe import Recipe
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def build(
    recipe: Recipe,
    name: str,
    context: PolicyContext,
    origin: tuple[str, ...] = (),
    overrides: tuple[Override, ...] = (),
    grants: Sequence[Grant] = (),
) -> Policy:
    """The policy that complete tables mean. Raises `UsageError` naming table and key."""
    try:
        limits = _limits(recipe["limits"])
        files = _files(recipe["files"], name, context, grants, limits.scratch)
        net = _net(recipe["net"], name)
        models = _names(recipe["models"], name, "models", "allow-llm")
        env = _names(recipe["env"], name, "env", "allow-env")
        return Policy(
            profile=name,
            files=files,
            net=net,
            tools=_tools(recipe["tools"], name, files, net, models, env),
            models=models,
            env=env,
            modules=_modules(recipe["modules"], name),
            limits=limits,
            confinement=_confinement(recipe["confinement"]),
            audit=AuditRules(
                _choice("audit.on_failure", recipe["audit"]["on_failure"], ("deny", "warn")),
                recipe["audit"]["sync_each_effect"] is not False,
            ),
            advisories=recipe.get("advisories") is not False,
            origin=origin,
            overrides=overrides,
            state=_state(recipe["state"], name),
        )
    except KeyError as error:
        raise UsageError(f"the profile {name} lacks {error.args[0]!r}") from None
    except UsageError:
        raise
    except LlmspellError as error:
        raise UsageError(error.message) from None


def _limits(table: Mapping[str, object]) -> Limits:
    missing = [key for key in Limits._fields if key not in table]
    if missing:
        raise UsageError(f"the limits lack {missing[0]!r}: say unlimited for no limit")
    amounts: dict[str, Amount] = {key: parse_limit(key, value) for key, value in table.items()}
    return Limits(**amounts)


def _files(
    table: Mapping[str, Any],
    name: str,
    context: PolicyContext,
    grants: Sequence[Grant],
    scratch: Amount,
) -> FileRules:
    kept = table["workspace"] is True or any(
        grant.kind in ("read", "write") and grant.value.startswith("workspace:") for grant in grants
    )
    if not kept:
        context = context._replace(workspace_folder=None)
    workspace = context.workspace_folder
    roots = Roots(
        context.both_forms(context.working_folder)[0],
        context.both_forms(context.spell_folder)[0],
        None if workspace is None else context.both_forms(workspace)[0],
        table["scratch"] is True and scratch != 0,
    )
    rules: list[FileRule] = []
    for key, right, allowed in (
        ("read", "read", True),
        ("write", "write", True),
        ("deny_read", "read", False),
        ("deny_write", "write", False),
    ):
        for text in table[key]:
            rules += _rules(text, right, allowed, _rule_name(name, text, right, allowed), context)
    for grant in grants:
        if grant.kind in ("read", "write"):
            word = "grant" if grant.allowed else "deny"
            rules += _rules(grant.value, grant.kind, grant.allowed, f"{word}.{grant.kind}", context)
    own = tuple(form for folder in context.own_folders for form in context.both_forms(folder))
    return FileRules(
        name,
        tuple(rules),
        roots,
        own_folders=tuple(dict.fromkeys(own)),
        protects=table["protects"] is not False,
    )


def _rules(
    text: str, right: str, allowed: bool, rule: str, context: PolicyContext
) -> list[FileRule]:
    # A denied write of what may be read is one thing, a denied read hides the whole path.
    rights = (right,) if allowed or right == "write" else ("read", "write")
    return [
        FileRule.make(pattern, rights, allowed, rule)
        for pattern in absolute_patterns(text, context)
    ]


def _rule_name(profile: str, text: str, right: str, allowed: bool) -> str:
    root, colon, _ = text.partition(":")
    if not allowed:
        return f"{profile}.files.deny-{right}"
    return f"{profile}.files.{root if colon else right}"


def _net(table: Mapping[str, Any], name: str) -> NetRules:
    return NetRules(
        name,
        _choice("net.mode", table["mode"], sorted(NET_MODES)),
        tuple(parse_net_rule(text) for text in table["allow"]),
        tuple(parse_net_rule(text) for text in table["deny"]),
        table["require_tls"] is not False,
    )


def _names(table: Mapping[str, Any], name: str, what: str, option: str) -> NameRules:
    mode = _choice(f"{what}.mode", table["mode"], sorted(NAME_MODES))
    return NameRules(name, what, option, mode, tuple(table["allow"]), tuple(table["deny"]))


def _state(table: Mapping[str, Any], name: str) -> StateRules:
    mode = _choice("state.mode", table["mode"], STATE_MODES)
    return StateRules(name, mode, tuple(table["allow"]), tuple(table["deny"]))


def _tools(
    table: Mapping[str, Any],
    name: str,
    files: FileRules,
    net: NetRules,
    models: NameRules,
    env: NameRules,
) -> ToolRules:
    possible = {
        "read": files.grants("read"),
        "write": files.grants("write"),
        "net": net.grants_any(),
        "model": models.grants_any(),
        "env": env.grants_any(),
    }
    return ToolRules(
        name,
        _choice("tools.mode", table["mode"], ("all", "unless", "granted", "none")),
        frozenset(need for need, granted in possible.items() if granted),
        frozenset(table["refused_needs"]),
        tuple(table["allow"]),
        tuple(table["deny"]),
        frozenset(table["deny_categories"]),
    )


def _modules(table: Mapping[str, Any], name: str) -> ModuleRules:
    return ModuleRules(
        name,
        _choice("modules.mode", table["mode"], sorted(MODULE_MODES)),
        tuple(table["allow"]),
        table["own_folder"] is True,
        tuple(table["deny"]),
    )


def _confinement(table: Mapping[str, Any]) -> Confinement:
    level = _choice("confinement.level", table["level"], LEVELS)
    on_missing = _choice("confinement.on_missing", table["on_missing"], ON_MISSING)
    if level == "high":
        return Confinement(level, "refuse", False)
    return Confinement(level, on_missing, table.get("allow_degraded") is True)


def _choice(key: str, value: object, known: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise UsageError(f"{key} is {value!r}; it can be {', '.join(known)}")
    return value
