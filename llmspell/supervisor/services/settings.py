"""`config.*`: what a spell may know of its run's settings, and tightening them (API-092 … 096).

Nothing here allows more than before: a looser value is refused with `config.tighten-only`, and
every change is a recorded decision (EN-13). Keys of providers never come back.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, LimitExceeded, UsageError
from llmspell.policies.limits import KINDS, UNLIMITED, Kind, Limits, Unlimited, parse_limit
from llmspell.policies.narrowed import Looser
from llmspell.policies.policy import limits_json
from llmspell.policies.verdict import allow, deny
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds
from llmspell.supervisor.printed import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.policies.policy import Policy
    from llmspell.supervisor.desk import Desk
    from llmspell.supervisor.services.context import Args, CallContext

OWN_KEYS_MAX: Final = 256
"""Settings of its own that a spell may keep for its run."""

OWN_VALUE_MAX: Final = 65_536
"""Characters of one such setting, as it is written by `repr`."""

TIGHTEN: Final = "config.tighten-only"

RESOURCES: Final[Mapping[str, str]] = {
    **{name: name for name in KINDS},
    "max_memory": "memory",
    "memory_limit": "memory",
    "max_execution_time": "wall",
    "execution_time": "wall",
    "timeout": "wall",
    "max_cpu_time": "cpu",
    "max_output": "output",
    "max_calls": "calls",
    "max_api_calls": "calls",
    "max_transfer": "transfer",
    "max_scratch": "scratch",
    "max_tokens": "model_tokens",
    "max_cost": "model_cost",
    "max_concurrent_requests": "requests_at_once",
}
"""What `configure_resources` takes, and the limit each is."""

RUNNING: Final = frozenset(
    {"wall", "output", "calls", "transfer", "scratch", "model_tokens", "model_cost"}
)
"""Limits that the supervisor counts, so that they can be lowered while the run is under way."""

RESERVED: Final = frozenset(
    {"security", "limits", "resources", "providers", "observability", "engine", "version",
     "platform", "tools", "models", "files", "net", "env", "modules", "audit", "confinement"}
)  # fmt: skip


class ConfigService:
    """The settings of one run as the spell sees them."""

    def __init__(self, host: Desk) -> None:
        self._host = host
        self._own: dict[str, Any] = {}
        self._observability: dict[str, Any] = {"log_level": LEVELS[0]}
        self.table = {
            "config.get": self.get,
            "config.set": self.set,
            "config.configure_provider": self.configure_provider,
            "config.get_provider": self.get_provider,
            "config.configure_security": self.configure_security,
            "config.get_security": self.get_security,
            "config.configure_resources": self.configure_resources,
            "config.get_resources": self.get_resources,
            "config.configure_observability": self.configure_observability,
            "config.get_observability": self.get_observability,
        }

    def close(self) -> None:
        """Holds nothing that must be let go."""

    # -- one key -------------------------------------------------------------------------------

    def get(self, ctx: CallContext, args: Args) -> Any:
        """A setting by its dotted key, or the default given, or None (API-092)."""
        key = args["key"]
        if key in self._own:
            return self._own[key]
        section, _, rest = key.partition(".")
        value: Any = self._section(ctx, section)
        for name in rest.split(".") if rest else ():
            value = value.get(name) if isinstance(value, dict) else None
        return args.get("default") if value is None else value

    async def set(self, ctx: CallContext, args: Args) -> None:
        """A setting of the run, tightened, or one of the spell's own (API-092)."""
        key, value = args["key"], args.get("value")
        section, _, rest = key.partition(".")
        if section in ("security", "resources", "limits", "observability", "providers") and rest:
            if section == "providers":
                name, _, option = rest.partition(".")
                changed = {option: value} if option else value
                return await self.configure_provider(ctx, {"provider": name, "config": changed})
            act = {
                "security": self.configure_security,
                "observability": self.configure_observability,
            }.get(section, self.configure_resources)
            return await act(ctx, {"config": {rest: value}})
        if section in RESERVED:
            self._refuse(ctx, key, "this setting can't be changed by a spell")
        if key not in self._own and len(self._own) >= OWN_KEYS_MAX:
            raise LimitExceeded("config", f"a spell keeps at most {OWN_KEYS_MAX} settings")
        if len(repr(value)) > OWN_VALUE_MAX:
            raise LimitExceeded("config", f"{key} is over {OWN_VALUE_MAX} characters")
        ctx.judge(allow("config.own", "a setting of the spell's own"), action="set", target=key)
        self._own[key] = value
        await self._changed("own", {"key": key})
        return None

    # -- providers -----------------------------------------------------------------------------

    async def configure_provider(self, ctx: CallContext, args: Args) -> None:
        """Narrows a provider for this run (API-093). No key, no header; a base_url only where
        its host is granted."""
        name, given = args["provider"], args["config"]
        if not isinstance(given, dict):
            raise InvalidInput("config.configure_provider: config must be an object")
        options = normalise(given)
        for key in options:
            if any(word in key for word in ("key", "secret", "password", "header", "credential")):
                self._refuse(ctx, f"providers.{name}.{key}", "keys are the user's to configure")
        url = options.pop("base_url", options.pop("api_base", None))
        if url is not None:
            _judge_url(ctx, url)
            options["base_url"] = url
        target = f"providers.{name}"
        try:
            settle = self._host.models.narrow(name, options)
        except Looser as looser:
            self._refuse(ctx, f"{target}.{looser.key}", looser.reason)
        ctx.judge(allow("config.provider", "narrows a provider"), action="configure", target=target)
        settle()
        await self._changed("provider", {"provider": name, "keys": sorted(options)})

    def get_provider(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A provider's settings without anything secret (API-093)."""
        return self._provider(args["provider"])

    def _provider(self, name: str) -> dict[str, Any]:
        settings: dict[str, Any] = self._host.models.settings(name)
        return settings

    # -- security ------------------------------------------------------------------------------

    async def configure_security(self, ctx: CallContext, args: Args) -> None:
        """A stricter level, or further refusals, from now on (API-094)."""
        from llmspell.supervisor.narrowing import narrow_policy
        from llmspell.supervisor.tightening import tightened

        options = normalise(args["config"])
        try:
            policy = tightened(self._policy, options)
        except Looser as looser:
            self._refuse(ctx, f"security.{looser.key}", looser.reason)
        target = f"security {', '.join(sorted(options))}"
        ctx.judge(allow(TIGHTEN, "allows less"), action="configure", target=target)
        narrow_policy(self._host.running, policy)
        await self._changed("security", {"keys": sorted(options)})

    def get_security(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """The rules in force, without host paths (API-094)."""
        return self._security()

    def _security(self) -> dict[str, Any]:
        policy = self._policy
        level = policy.confinement.level
        return {
            "level": level,
            "security_level": level,
            "profile": policy.profile,
            "sandbox_enabled": self._host.plan.policy.confinement.level != "none",
            "network": {"mode": policy.net.mode, "granted": policy.net.grants_any()},
            "tools": {"mode": policy.tools.mode, "denied": list(policy.tools.denied)},
            "models": {"mode": policy.models.mode, "granted": policy.models.grants_any()},
            "files": {"read": policy.files.grants("read"), "write": policy.files.grants("write")},
            "audit": {"on_failure": policy.audit.on_failure},
        }

    # -- resources -----------------------------------------------------------------------------

    async def configure_resources(self, ctx: CallContext, args: Args) -> None:
        """Lower limits from now on (API-095): `max_…` or the limits' own names."""
        from llmspell.supervisor.narrowing import narrow_limits

        options = normalise(args["config"])
        current = self._policy.limits
        lower: dict[str, Any] = {}
        for key, value in options.items():
            name = RESOURCES.get(key)
            if name is None:
                raise InvalidInput(
                    f"config.configure_resources takes no {key[:60]!r}",
                    hint=f"it takes {', '.join(sorted(set(RESOURCES) - set(KINDS)))}",
                )
            amount = self._amount(name, value)
            limit = getattr(current, name)
            if amount == limit:
                continue
            looser = isinstance(amount, Unlimited) or (
                not isinstance(limit, Unlimited) and amount > limit
            )
            if looser:
                self._refuse(ctx, f"resources.{key}", "a run's limits can only be lowered")
            if name not in RUNNING:
                raise InvalidInput(
                    f"{key} is fixed when the worker starts",
                    hint=f"start the spell with --limit {name}=…",
                )
            lower[name] = amount
        target = f"resources {', '.join(sorted(options))}"
        ctx.judge(allow(TIGHTEN, "allows less"), action="configure", target=target)
        unlimited = Limits(*([UNLIMITED] * len(current)))
        narrow_limits(self._host.running, unlimited._replace(**lower))
        await self._changed("resources", {"keys": sorted(lower)})

    def get_resources(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Limits, what is used of them and what is left (API-095). Bytes, seconds, dollars."""
        return self._resources()

    def _resources(self) -> dict[str, Any]:
        limits = limits_json(self._policy.limits)
        names = {key: name for key, name in RESOURCES.items() if key not in KINDS}
        return {
            **{key: limits[name] for key, name in names.items() if key.startswith("max_")},
            "limits": limits,
            "used": dict(self._host.budget.usage()),
        }

    def _amount(self, name: str, value: Any) -> Any:
        if KINDS[name] is Kind.SECONDS and value != UNLIMITED.value:
            value = seconds(value, self._host.engine, name)
        try:
            return parse_limit(name, value)
        except UsageError as error:
            raise InvalidInput(error.message) from None

    # -- observability -------------------------------------------------------------------------

    async def configure_observability(self, ctx: CallContext, args: Args) -> None:
        """The least level that is shown, and labels (API-096). The audit can't be turned off."""
        options = normalise(args["config"])
        for key in ("audit", "audit_enabled", "masking", "mask_secrets"):
            if options.get(key) is False:
                self._refuse(ctx, f"observability.{key}", "records are kept")
        level = options.get("log_level", self._observability["log_level"])
        if level not in LEVELS:
            raise InvalidInput(f"log_level is one of {', '.join(LEVELS)}")
        # All that is kept, or a hundred calls with other labels would each leave theirs.
        kept = {**self._observability, **options}
        if len(repr(kept)) > OWN_VALUE_MAX:
            raise LimitExceeded("config", f"settings over {OWN_VALUE_MAX} characters")
        target = f"observability {', '.join(sorted(options))}"
        ctx.judge(allow("config.observability", "labels"), action="configure", target=target)
        self._observability = kept
        self._host.running.printed.least = level
        await self._changed("observability", {"keys": sorted(options)})

    def get_observability(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """What was configured, and the session's id that ties logs and records together."""
        return {**self._observability, "session": self._host.session, "audit": True}

    # -- inside --------------------------------------------------------------------------------

    @property
    def _policy(self) -> Policy:
        return self._host.policy

    def _section(self, ctx: CallContext, section: str) -> Any:
        if section == "security":
            return self._security()
        if section == "resources":
            return self._resources()
        if section == "limits":
            return limits_json(self._policy.limits)
        if section == "observability":
            return self.get_observability(ctx, {})
        if section == "engine":
            return self._host.engine
        if section == "version":
            from llmspell import __version__

            return __version__
        if section == "platform":
            from llmspell.supervisor.plan import platform_name

            return platform_name()
        if section == "providers":
            names = self._host.models.names()
            return {name: self._provider(name) for name in names}
        return None

    def _refuse(self, ctx: CallContext, key: str, reason: str) -> Any:
        hint = "a run's settings can only be tightened; loosen them where the spell is started"
        ctx.judge(deny(TIGHTEN, reason, hint), action="configure", target=key)

    async def _changed(self, section: str, fields: Mapping[str, Any]) -> None:
        """Tells hooks and listeners; a hook can't undo what has been tightened."""
        told = {"section": section, **fields}
        if self._host.hooks.any("configuration_change"):
            await self._host.hooks.run("configuration_change", told)
        self._host.events.emit("configuration_change", told, "config")


def _judge_url(ctx: CallContext, url: Any) -> None:
    from llmspell.supervisor.services.weburl import parse_url

    if not isinstance(url, str):
        raise InvalidInput("config.configure_provider: base_url must be text")
    parsed = parse_url(url)
    verdict = ctx.policy.net.judge_host(parsed.scheme, parsed.host, parsed.port)
    ctx.judge(verdict, action="net", target=url[:256])
