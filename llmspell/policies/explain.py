"""A policy in words and as JSON, for `llmspell explain` and the audit's first record."""

from __future__ import annotations

from llmspell.policies.limits import KINDS, describe_amount
from llmspell.policies.names import SCOPES
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from llmspell.policies.policy import Policy


def describe(policy: Policy) -> list[str]:
    """One sentence for each thing that the policy grants or refuses."""
    lines = [f"profile {policy.profile}: {_confinement(policy)}"]
    lines += _files(policy)
    lines.append(f"network: {_net(policy)}")
    lines.append(f"tools: {_tools(policy)}")
    lines.append(f"models: {_names(policy.models.mode, policy.models.names)}")
    lines.append(f"environment: {_names(policy.env.mode, policy.env.names)}")
    lines.append(f"state that outlives a run: {_state(policy)}")
    lines.append(f"modules: {_modules(policy)}")
    lines.append(
        "limits: "
        + ", ".join(
            f"{name} {describe_amount(name, value)}"
            for name, value in zip(KINDS, policy.limits, strict=True)
        )
    )
    lines += [
        f"override for {item.script}: {item.key} = {item.value} (from {item.source})"
        for item in policy.overrides
    ]
    if policy.origin:
        lines.append("made from: " + "; ".join(policy.origin))
    return lines


def _state(policy: Policy) -> str:
    allowed = [scope for scope in SCOPES[1:] if policy.state.judge(scope).allowed is True]
    return ", ".join(allowed) or "none"


def _confinement(policy: Policy) -> str:
    level, on_missing, degraded = policy.confinement
    if level == "none":
        return "own process, no confinement"
    words = {"refuse": "refused", "warn": "run and warned of", "record": "run and recorded"}
    missing = "run and recorded (degraded)" if degraded else words.get(on_missing, "run")
    return f"confined at level {level}; without an effect that it promises it is {missing}"


def _files(policy: Policy) -> list[str]:
    lines = [
        f"files: {'may' if rule.allowed else 'may not'} {' and '.join(sorted(rule.rights))} "
        f"{rule.pattern.text} ({rule.name})"
        for rule in policy.files.rules
    ]
    if policy.files.roots.scratch:
        lines.append("files: may read and write its own scratch in memory (scratch:)")
    if not lines:
        lines.append("files: none")
    if policy.files.protects:
        lines.append("files: may never write names that are run as code later, nor llmspell's own")
        lines.append("files: may use credentials (.ssh, .env, …) only where a rule names them")
    return lines


def _net(policy: Policy) -> str:
    net = policy.net
    listed = ", ".join(rule.text for rule in net.rules)
    words = {"any": "any host", "public": "any host on a public address"}.get(net.mode)
    if words is None:
        words = listed or "none"
    elif listed:
        words += f", and {listed}"
    if net.denied:
        words += "; never " + ", ".join(rule.text for rule in net.denied)
    return words


def _tools(policy: Policy) -> str:
    tools = policy.tools
    words = {
        "all": "all",
        "unless": "all that don't need " + " or ".join(sorted(tools.refused_needs)),
        "granted": "pure ones, and those that need no more than "
        + (", ".join(sorted(tools.granted_needs)) or "nothing"),
    }.get(tools.mode, "none")
    if tools.names:
        words += "; by name " + ", ".join(tools.names)
    never = (*tools.denied, *sorted(tools.denied_categories))
    return words + ("; never " + ", ".join(never) if never else "")


def _names(mode: str, names: tuple[str, ...]) -> str:
    return "all" if mode == "all" else ", ".join(names) or "none"


def _modules(policy: Policy) -> str:
    modules = policy.modules
    words = {"all": "the whole language", "whitelist": "the profile's list"}.get(
        modules.mode, "none beyond the language's core"
    )
    if modules.names:
        words += "; granted " + ", ".join(modules.names)
    return words + ("; files of the spell's own folder" if modules.own_folder else "")


def to_json(policy: Policy) -> dict[str, Any]:
    """The policy as plain JSON values."""
    from llmspell.policies.policy import limits_json

    return {
        "profile": policy.profile,
        "files": {
            "rules": [
                {
                    "path": rule.pattern.text,
                    "rights": sorted(rule.rights),
                    "allow": rule.allowed,
                    "rule": rule.name,
                }
                for rule in policy.files.rules
            ],
            "scratch": policy.files.roots.scratch,
            "workspace": policy.files.roots.workspace,
            "protects": policy.files.protects,
        },
        "net": {
            "mode": policy.net.mode,
            "hosts": [rule.text for rule in policy.net.rules],
            "denied": [rule.text for rule in policy.net.denied],
            "require_tls": policy.net.require_tls,
        },
        "tools": {
            "mode": policy.tools.mode,
            "granted_needs": sorted(policy.tools.granted_needs),
            "refused_needs": sorted(policy.tools.refused_needs),
            "names": list(policy.tools.names),
            "denied": list(policy.tools.denied),
            "denied_categories": sorted(policy.tools.denied_categories),
        },
        "models": _names_json(policy.models.mode, policy.models.names, policy.models.denied),
        "env": _names_json(policy.env.mode, policy.env.names, policy.env.denied),
        "state": _names_json(policy.state.mode, policy.state.names, policy.state.denied),
        "modules": {
            "mode": policy.modules.mode,
            "names": list(policy.modules.names),
            "denied": list(policy.modules.denied),
            "own_folder": policy.modules.own_folder,
        },
        "limits": limits_json(policy.limits),
        "confinement": {
            "level": policy.confinement.level,
            "on_missing": policy.confinement.on_missing,
            "allow_degraded": policy.confinement.allow_degraded,
        },
        "audit": {
            "on_failure": policy.audit.on_failure,
            "sync_each_effect": policy.audit.sync_each_effect,
        },
        "advisories": policy.advisories,
        "origin": list(policy.origin),
        "overrides": [
            {"script": item.script, "key": item.key, "value": item.value, "source": item.source}
            for item in policy.overrides
        ],
    }


def _names_json(mode: str, names: tuple[str, ...], denied: tuple[str, ...]) -> dict[str, Any]:
    return {"mode": mode, "names": list(names), "denied": list(denied)}
