"""Two rule sets that must both allow: how a policy gets narrower while a run is under way.

Whatever the second set says, the result allows nothing that the first did not; so a spell may
choose it (Config.configure_security), and a spell run by another spell gets no more than its parent
(EN-13). The first refusal is the one that is told.
"""

from __future__ import annotations

from llmspell.policies.hosts import NetRules
from llmspell.policies.limits import Limits, stricter
from llmspell.policies.modules import ModuleRules
from llmspell.policies.names import NameRules, StateRules
from llmspell.policies.paths import FileRules
from llmspell.policies.policy import LEVELS, ON_MISSING, AuditRules, Confinement, Policy
from llmspell.policies.tools import ToolRules
from llmspell.policies.verdict import Verdict
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set
    from typing import Final

    from llmspell.policies.hostnames import Host


TIGHTENED: Final = "the rules were tightened after the run was granted them"
"""The hint of a refusal by the second set: a flag of the first would change nothing."""


class Looser(Exception):
    """An option would allow more. `key` and `reason` are for the refusal."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _told(verdict: Verdict) -> Verdict:
    return verdict if verdict.allowed is True else verdict._replace(hint=TIGHTENED)


class BothFiles(FileRules):
    """File rules over the first set's folders that the second set must allow as well."""

    __slots__ = ("_first", "_second")
    _first: FileRules
    _second: FileRules

    def __init__(self, first: FileRules, second: FileRules) -> None:
        super().__init__(
            first.profile,
            # Whoever looks at the rules themselves looks for denials.
            (*first.rules, *(rule for rule in second.rules if not rule.allowed)),
            first.roots,
            own_folders=tuple(dict.fromkeys((*first.own_folders, *second.own_folders))),
            protects=first.protects or second.protects,
        )
        object.__setattr__(self, "_first", first)
        object.__setattr__(self, "_second", second)

    def _judge(self, operation: str, path: str, spelled: str | None) -> Verdict:
        verdict = self._first.judge(operation, path, spelled=spelled)
        if verdict.allowed is not True:
            return verdict
        return _told(self._second.judge(operation, path, spelled=spelled))

    def judge_tree(self, operation: str, path: str, *, spelled: str | None = None) -> Verdict:
        """As `judge`, for a folder with all that is in it."""
        verdict = self._first.judge_tree(operation, path, spelled=spelled)
        if verdict.allowed is not True:
            return verdict
        return _told(self._second.judge_tree(operation, path, spelled=spelled))

    def _judge_scratch(self, operation: str) -> Verdict:
        verdict = self._first.judge_scratch(operation)
        if verdict.allowed is not True:
            return verdict
        return _told(self._second.judge_scratch(operation))

    def grants(self, right: str) -> bool:
        """Whether any path at all may be used with the right."""
        return self._first.grants(right) and self._second.grants(right)


class BothNet(NetRules):
    """Network rules that must both allow."""

    first: NetRules
    second: NetRules

    def judge_host(self, scheme: str, host: str | Host, port: int | None = None) -> Verdict:
        """The verdict on a request before anything is resolved."""
        verdict = self.first.judge_host(scheme, host, port)
        if verdict.allowed is not True:
            return verdict
        return _told(self.second.judge_host(scheme, host, port))

    def judge_address(self, host: str | Host, address: str, port: int) -> Verdict:
        """The verdict on one resolved address."""
        verdict = self.first.judge_address(host, address, port)
        if verdict.allowed is not True:
            return verdict
        return _told(self.second.judge_address(host, address, port))

    def grants_any(self) -> bool:
        """Whether any host at all can be reached."""
        return self.first.grants_any() and self.second.grants_any()


class BothTools(ToolRules):
    """Tool rules that must both allow."""

    first: ToolRules
    second: ToolRules

    def judge(self, name: str, needs: Set[str], category: str = "") -> Verdict:
        """The verdict on running a tool."""
        verdict = self.first.judge(name, needs, category)
        if verdict.allowed is not True:
            return verdict
        return _told(self.second.judge(name, needs, category))


class BothNames(NameRules):
    """Rules over names that must both allow."""

    first: NameRules
    second: NameRules

    def judge(self, name: str) -> Verdict:
        """The verdict on one name."""
        verdict = self.first.judge(name)
        return verdict if verdict.allowed is not True else _told(self.second.judge(name))

    def grants_any(self) -> bool:
        """Whether any name at all may be used."""
        return self.first.grants_any() and self.second.grants_any()


class BothState(StateRules):
    """Rules over scopes of kept values that must both allow."""

    first: StateRules
    second: StateRules

    def judge(self, scope: str) -> Verdict:
        """The verdict on one scope."""
        verdict = self.first.judge(scope)
        return verdict if verdict.allowed is not True else _told(self.second.judge(scope))


class BothModules(ModuleRules):
    """Module rules that must both allow."""

    first: ModuleRules
    second: ModuleRules

    def judge(self, module: str, language: str = "") -> Verdict:
        """The verdict on loading a module."""
        verdict = self.first.judge(module, language)
        if verdict.allowed is not True:
            return verdict
        return _told(self.second.judge(module, language))

    def granted(self, language: str) -> tuple[str, ...]:
        """The names that both give, each in the one that lists them."""
        names = dict.fromkeys((*self.first.granted(language), *self.second.granted(language)))
        return tuple(name for name in names if self.judge(name, language).allowed is True)


def both_net(first: NetRules, second: NetRules) -> NetRules:
    """Network rules that must both allow."""
    made = BothNet(*first)
    made.first, made.second = first, second
    return made


def both_tools(first: ToolRules, second: ToolRules) -> ToolRules:
    """Tool rules that must both allow."""
    made = BothTools(*first)
    made.first, made.second = first, second
    return made


def both_names(first: NameRules, second: NameRules) -> NameRules:
    """Rules over names that must both allow."""
    made = BothNames(*first)
    made.first, made.second = first, second
    return made


def both_state(first: StateRules, second: StateRules) -> StateRules:
    """Rules over scopes of kept values that must both allow."""
    made = BothState(*first)
    made.first, made.second = first, second
    return made


def both_modules(first: ModuleRules, second: ModuleRules) -> ModuleRules:
    """Module rules that must both allow; what is listed is what the stricter mode lists."""
    made = BothModules(*_stricter_mode(first, second))
    made.first, made.second = first, second
    return made


def _stricter_mode(first: ModuleRules, second: ModuleRules) -> ModuleRules:
    order = ("all", "whitelist", "none")
    strict = max(
        (first, second), key=lambda rules: order.index(rules.mode) if rules.mode in order else 2
    )
    return strict._replace(own_folder=first.own_folder and second.own_folder)


def stricter_limits(first: Limits, second: Limits) -> Limits:
    """The smaller of each limit."""
    return Limits(*(stricter(one, other) for one, other in zip(first, second, strict=True)))


def narrowed(first: Policy, second: Policy, origin: str) -> Policy:
    """What both policies allow, at the stricter level; `origin` says in the records why."""
    level = max(first.confinement.level, second.confinement.level, key=LEVELS.index)
    return first._replace(
        profile=first.profile if level == first.confinement.level else second.profile,
        files=BothFiles(first.files, second.files),
        net=both_net(first.net, second.net),
        tools=both_tools(first.tools, second.tools),
        models=both_names(first.models, second.models),
        env=both_names(first.env, second.env),
        modules=both_modules(first.modules, second.modules),
        state=both_state(first.state, second.state),
        limits=stricter_limits(first.limits, second.limits),
        confinement=Confinement(
            level,
            max(first.confinement.on_missing, second.confinement.on_missing, key=ON_MISSING.index),
            first.confinement.allow_degraded
            and (second.confinement.allow_degraded or level == first.confinement.level),
        ),
        audit=AuditRules(
            "warn" if first.audit.on_failure == second.audit.on_failure == "warn" else "deny",
            first.audit.sync_each_effect or second.audit.sync_each_effect,
        ),
        origin=(*first.origin, origin),
    )
