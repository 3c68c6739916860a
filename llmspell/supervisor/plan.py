"""Everything one run needs, put together once before its worker starts."""

from __future__ import annotations

from llmspell import __version__
from llmspell.channel.bounds import OUTSTANDING_MAX
from llmspell.channel.messages import EFFECTS, Hello
from llmspell.channel.states import Role
from llmspell.config import paths
from llmspell.digests import sha256
from llmspell.errors import (
    ConfigurationError,
    IsolationRefused,
    LlmspellError,
    WorkerViolation,
)
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.ending import Ending, number_of
from llmspell.supervisor.result import Isolation, Usage
from llmspell.supervisor.worker import engine_name, level_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.policies.budget import Budget
    from llmspell.policies.paths import Roots
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.audit.log import AuditLog
    from llmspell.supervisor.broker import Broker
    from llmspell.supervisor.lineage import Lineage
    from llmspell.supervisor.script_cache import Script
    from llmspell.supervisor.services import Services

NOT_LIMITED: Final = float("inf")

REQUESTS_MAX: Final = 200
"""Jobs that a result lists, those of nested spells among them; the audit has every one."""


class SessionPlan(NamedTuple):
    """The parts of a session. Nothing in it reaches a worker but `run_fields()`."""

    session: str
    spell: Spell
    policy: Policy
    budget: Budget
    broker: Broker
    audit: AuditLog
    mask: Callable[[Any], Any]
    params: Mapping[str, Any]
    args: tuple[str, ...]
    env: Mapping[str, str]
    keep_output: bool
    check: bool = False
    script: Script | None = None
    tenant: str | None = None
    services: Services | None = None
    lineage: Lineage | None = None
    requests: dict[str, dict[str, Any]] | None = None
    """Jobs that the spell asked for, by id."""

    def intercepts(self, tool: str) -> bool:
        """Whether a call of this tool has to come by the service that holds the spell's own tools
        and the hooks; false for most runs, whose tools go straight to their workers."""
        return self.services is not None and self.services.intercepts(tool)

    def keep_request(self, identity: str, job: dict[str, Any]) -> None:
        """Keeps a job that was asked for, for the result."""
        if self.requests is not None and len(self.requests) < REQUESTS_MAX:
            self.requests[identity] = job

    def forget_request(self, identity: str) -> None:
        """A request that was taken back."""
        if self.requests is not None:
            self.requests.pop(identity, None)

    def take_requests(self, other: SessionPlan) -> None:
        """The requests of a spell that this one ran are this one's too."""
        for identity, job in (other.requests or {}).items():
            self.keep_request(f"{other.session}/{identity}", job)

    @property
    def audit_path(self) -> str | None:
        """Where the records are, or None when they are kept nowhere."""
        return self.audit.path

    def start_record(self) -> dict[str, Any]:
        """What the first audit record says."""
        script = self.script
        source = self.spell.source
        return {
            "spell": self.spell.name,
            "engine": self.spell.engine,
            "sha256": sha256(source.encode("utf-8")) if script is None else script.digest,
            "profile": self.policy.profile,
            "policy": list(self.policy.origin),
        }

    def run_fields(self) -> dict[str, Any]:
        """The `run` message: all that a worker is ever told about its run."""
        fields: dict[str, Any] = {
            "source": self.spell.source,
            "name": self.spell.name,
            "profile": self.policy.confinement.level,
            "params": dict(self.params),
            "args": list(self.args),
            "env": dict(self.env),
            "modules": list(self.policy.modules.granted(self.spell.engine)),
            "globals": self._globals(),
        }
        if self.check:
            fields["check"] = True
        return fields

    def _globals(self) -> dict[str, Any]:
        limits = self.policy.limits
        memory = number_of(limits.memory)
        wall = number_of(limits.wall)
        level = self.policy.confinement.level
        available, default = _providers(self.policy.files.roots.working)
        return {
            "VERSION": __version__,
            "PLATFORM": platform_name(),
            **_places(level, self.policy.files.roots),
            "SECURITY_LEVEL": "custom" if _is_custom(self.policy) else level,
            "SANDBOX_ENABLED": level != "none",
            "MAX_MEMORY": None if memory is None else int(memory),
            "MAX_EXECUTION_TIME": int(wall) if wall is not None and wall == int(wall) else wall,
            "MAX_CONCURRENT_OPERATIONS": OUTSTANDING_MAX,
            "AVAILABLE_PROVIDERS": available,
            "DEFAULT_PROVIDER": default,
        }

    def output_room(self, used: int) -> float:
        """Bytes of output still allowed; negative when over the limit."""
        limit = number_of(self.policy.limits.output)
        return NOT_LIMITED if limit is None else limit - used

    def judge_isolation(self, role: Role, hello: Hello) -> tuple[Isolation, LlmspellError | None]:
        """What a worker's hello proves, and the error that refuses to go on, if it must."""
        from llmspell import platform

        level = level_for(role, self.policy)
        held = {name: hello.effects[name] for name in EFFECTS}
        missing = tuple(sorted(platform.missing_effects(level, held)))
        if level != "none" and "rlimits" not in hello.layers:
            # Not an act that is refused but a promise all the same: memory and cpu are bounded.
            missing = (*missing, "limits")
        achieved = level if not missing else platform.achieved_level(hello.effects)
        isolation = Isolation(level, achieved, hello.layers, dict(hello.effects), missing)
        if hello.engine != engine_name(role, self.spell.engine):
            other = WorkerViolation("the worker is of another engine", rule="channel")
            return isolation, other
        # A limit that silently is none would be worse than an effect that is known to be missing.
        unlimited = "limits" in missing and not self.policy.confinement.allow_degraded
        if unlimited or (missing and not self._may_go_on(role)):
            return isolation, IsolationRefused(
                f"this machine can't hold what {level} promises: {', '.join(missing)}",
                rule=f"{level}.isolation",
                hint=platform.advice(missing),
            )
        return isolation, None

    def _may_go_on(self, role: Role) -> bool:
        confinement = self.policy.confinement
        if role is Role.TOOLS and confinement.level in ("none", "low"):
            return True
        if confinement.level == "high" or confinement.on_missing == "refuse":
            return confinement.allow_degraded is True and confinement.level != "high"
        return confinement.on_missing in ("record", "warn", "none")

    def close_audit(self, end: Ending, usage: Usage) -> bool:
        """Writes the end record; whether the trail is complete."""
        fields: dict[str, Any] = {
            "status": end.status.value,
            "reason": end.reason,
            "code": None if end.error is None else end.error.code,
            **usage._asdict(),
        }
        try:
            spells = None if self.services is None else self.services.made("spell")
            if spells is not None:
                spells.end_records()
            for violation in end.violations:
                self.audit.record("violation", {"kind": violation.kind.value, **violation.details})
            self.audit.close(fields)
        except (LlmspellError, OSError):
            return False
        return not self.audit.failed()


def _places(level: str, roots: Roots) -> dict[str, str]:
    """CONFIG_PATH, DATA_PATH and CACHE_PATH (API-023): the user's real folders only at `none` and
    `low`; elsewhere the roots that the spell's own paths start with."""
    if level in ("none", "low"):
        folders = (paths.config_folder(), paths.data_folder(), paths.cache_folder())
    else:
        scratch = "scratch:" if roots.scratch else "workspace:"
        folders = ("config:", scratch if roots.workspace is None else "workspace:", scratch)
    return dict(zip(("CONFIG_PATH", "DATA_PATH", "CACHE_PATH"), folders, strict=True))


def _is_custom(policy: Policy) -> bool:
    return any(piece.startswith(("custom profile", "policy ")) for piece in policy.origin)


_PROVIDERS: Final = ("LLMSPELL_PROVIDERS__", "LLMSPELL_DEVELOPMENT__", "LLMSPELL_CONFIG_PATH")
"""How the names of variables begin that say something of providers (`config.providers`)."""


def _providers(working: str) -> tuple[list[str], str | None]:
    """AVAILABLE_PROVIDERS and DEFAULT_PROVIDER (API-027).

    Reading the providers' configuration costs a cold command milliseconds, so it is read only
    where there is something to read: a file, or a variable that configures one.
    """
    import os

    files = (f"{paths.config_folder()}/llmspell.toml", f"{working}/llmspell.toml")
    if not any(os.path.lexists(file) for file in files) and not any(
        name.startswith(_PROVIDERS) or name.endswith(("_API_KEY", "_API_TOKEN"))
        for name in os.environ
    ):
        return ["fake"], None
    from llmspell.config.providers import load_providers

    try:
        config = load_providers(working)
    except ConfigurationError:
        # A model's call says what is wrong with it; a spell that calls none may go on.
        return [], None
    return config.available(), config.default


def platform_name() -> str:
    """`linux`, `macos` or `windows`: what a spell sees as PLATFORM (API-023)."""
    import sys

    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
