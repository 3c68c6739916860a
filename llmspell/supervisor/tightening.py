"""From what a spell says about its security to a stricter policy (API-094, EN-13).

Every option becomes a second set of rules that must allow as well, so that none of them can loosen
anything; what plainly asks for more is refused all the same, so that nobody believes it was given.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, UsageError
from llmspell.policies.hosts import NetRules, parse_net_rule
from llmspell.policies.names import NameRules
from llmspell.policies.narrowed import Looser, both_names, both_net, both_tools, narrowed
from llmspell.policies.policy import LEVELS
from llmspell.policies.tools import ToolRules
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, NoReturn

    from llmspell.policies.policy import Policy

NAMES_MAX: Final = 100
"""Names in one list of an option; each call asks all of them."""

RULE_SETS_MAX: Final = 16
"""How often one run may be tightened: each adds a set of rules that every call asks."""

SOURCE: Final = "config"
"""The name of such rules in verdicts and records."""


def tightened(policy: Policy, options: Mapping[str, Any]) -> Policy:
    """The policy with these options on top. Raises `Looser`, `InvalidInput`."""
    if sum(1 for origin in policy.origin if origin.startswith(SOURCE)) >= RULE_SETS_MAX:
        raise InvalidInput(f"a run's security is configured at most {RULE_SETS_MAX} times")
    result = policy
    for key, value in options.items():
        act = _OPTIONS.get(key)
        if act is None:
            raise InvalidInput(
                f"config.configure_security takes no {key[:60]!r}",
                hint=f"it takes {', '.join(_OPTIONS)}",
            )
        result = act(result, key, value)
    return result._replace(origin=(*policy.origin, f"{SOURCE}: {', '.join(sorted(options))}"))


def at_level(policy: Policy, level: str) -> Policy:
    """The policy and the built-in profile of a stricter level, over the same folders.

    Raises `InvalidInput` for an unknown level, `Looser` for a looser one.
    """
    if level not in LEVELS:
        raise InvalidInput(f"there is no level {level[:40]!r}", hint=f"one of {', '.join(LEVELS)}")
    current = policy.confinement.level
    if LEVELS.index(level) < LEVELS.index(current):
        raise Looser("level", f"{level} is looser than {current}")
    if level == current:
        return policy
    from llmspell.profiles.context import PolicyContext
    from llmspell.profiles.loader import load_policy

    roots = policy.files.roots
    context = PolicyContext(
        working_folder=roots.working,
        spell_folder=roots.spell,
        workspace_folder=roots.workspace,
        own_folders=policy.files.own_folders,
        home=roots.working,
        resolved={},
    )
    return narrowed(policy, load_policy(level, context=context), f"level {level}")


def _level(policy: Policy, key: str, value: Any) -> Policy:
    if not isinstance(value, str):
        raise InvalidInput(f"config.configure_security: {key} is one of {', '.join(LEVELS)}")
    return at_level(policy, value.lower())


def _sandbox(policy: Policy, key: str, value: Any) -> Policy:
    if value is not True:
        raise Looser(key, "the sandbox can't be left")
    if policy.confinement.level == "none":
        raise InvalidInput("the sandbox is chosen when the spell is started: --profile medium")
    return policy


def _degraded(policy: Policy, key: str, value: Any) -> Policy:
    if value is not False:
        raise Looser(key, "what the machine can't hold is the user's to accept")
    return policy._replace(confinement=policy.confinement._replace(allow_degraded=False))


def _network(policy: Policy, key: str, value: Any) -> Policy:
    if value is True and policy.net.grants_any():
        return policy
    if value is not False:
        raise Looser(key, "the network is granted where the spell is started")
    return policy._replace(net=both_net(policy.net, NetRules(SOURCE, "none")))


def _allowed_hosts(policy: Policy, key: str, value: Any) -> Policy:
    rules = tuple(_net_rule(one) for one in _names(key, value))
    return policy._replace(net=both_net(policy.net, NetRules(SOURCE, "listed", rules)))


def _denied_hosts(policy: Policy, key: str, value: Any) -> Policy:
    denied = tuple(_net_rule(one) for one in _names(key, value))
    return policy._replace(net=both_net(policy.net, NetRules(SOURCE, "any", (), denied)))


def _allowed_tools(policy: Policy, key: str, value: Any) -> Policy:
    rules = ToolRules(SOURCE, "none", names=_names(key, value))
    return policy._replace(tools=both_tools(policy.tools, rules))


def _denied_tools(policy: Policy, key: str, value: Any) -> Policy:
    rules = ToolRules(SOURCE, "all", denied=_names(key, value))
    return policy._replace(tools=both_tools(policy.tools, rules))


def _allowed_models(policy: Policy, key: str, value: Any) -> Policy:
    rules = NameRules(SOURCE, "models", "allow-llm", "listed", _names(key, value))
    return policy._replace(models=both_names(policy.models, rules))


def _denied_models(policy: Policy, key: str, value: Any) -> Policy:
    rules = NameRules(SOURCE, "models", "allow-llm", "all", (), _names(key, value))
    return policy._replace(models=both_names(policy.models, rules))


_OPTIONS: Final = {
    "level": _level,
    "security_level": _level,
    "profile": _level,
    "sandbox_enabled": _sandbox,
    "allow_degraded": _degraded,
    "network": _network,
    "allow_network": _network,
    "allowed_hosts": _allowed_hosts,
    "allowed_domains": _allowed_hosts,
    "denied_hosts": _denied_hosts,
    "blocked_domains": _denied_hosts,
    "allowed_tools": _allowed_tools,
    "denied_tools": _denied_tools,
    "allowed_models": _allowed_models,
    "denied_models": _denied_models,
}


def _names(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > NAMES_MAX:
        raise InvalidInput(f"config.configure_security: {key} is a list of at most {NAMES_MAX}")
    for one in value:
        if not isinstance(one, str) or not 1 <= len(one) <= 256:
            _no_name(key)
        from llmspell.policies.globs import compile_glob

        try:
            compile_glob(one)
        except UsageError as error:
            raise InvalidInput(f"config.configure_security: {key}: {error.message}") from None
    return tuple(value)


def _net_rule(text: str) -> Any:
    try:
        return parse_net_rule(text)
    except (UsageError, InvalidInput) as error:
        raise InvalidInput(f"config.configure_security: {error.message}") from None


def _no_name(key: str) -> NoReturn:
    raise InvalidInput(f"config.configure_security: {key} holds what is no name")
