"""The models of one run: `llm.*` of the script API, and what agents and workflows ask for."""

from __future__ import annotations

from contextvars import ContextVar
from random import random

from llmspell.channel.jsontext import Callback
from llmspell.config.providers import ProvidersConfig, load_providers
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError
from llmspell.llm import counting
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds
from llmspell.spells.models.asking import Asking, Settings
from llmspell.spells.models.embedding import Embedding
from llmspell.spells.models.rates import Rates
from llmspell.spells.models.targets import Target, Targets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any, Final

    from llmspell.config.provider_table import ProviderConfig
    from llmspell.llm.cassette import Cassette
    from llmspell.llm.port import OnChunk, Provider
    from llmspell.spells.ports import Host
    from llmspell.supervisor.broker import CallContext
    from llmspell.supervisor.providers.remote import Shared

TEXTS_MAX: Final = 2_048
"""Texts of one embedding request."""

TEXT_MAX: Final = 4_194_304
"""Characters of all of them together."""

MOVES_MAX: Final = 4
"""Changes of a provider's address in one run: each is another process of 165 MB."""

CHUNK_SECONDS: Final = 30.0
"""How long a spell's function may take for one piece of a stream."""

_listener: ContextVar[OnChunk | None] = ContextVar("listener", default=None)
"""Who hears the stream of the call under way in this task: no function crosses the broker."""

_REQUEST_KEYS: Final = (
    "prompt", "messages", "provider", "model", "system", "system_prompt", "tools", "tool_choice",
    "schema", "temperature", "max_tokens", "stop",
)  # fmt: skip
_SETTING_KEYS: Final = ("timeout", "fallback", "prefer", "needs", "options", "metadata")
_OTHER_NAMES: Final = {"stop_sequences": "stop", "output_schema": "schema"}
_KEPT: Final = frozenset({"parameters", "arguments", "schema", "output_schema", "metadata"})


class ModelService:
    """`ports.Models`, and the functions behind `llm.*`."""

    def __init__(self, host: Host, config: ProvidersConfig | None = None) -> None:
        """`config` replaces the configuration files and the environment. Raises
        `ConfigurationError` for what they say wrong."""
        self._host = host
        folder = None if host.policy is None else host.policy.files.roots.working
        self.config = load_providers(folder) if config is None else config
        self._starting = self.config
        """What the provider process is started with: narrowing a run starts no other one."""
        self._targets = Targets(self.config)
        self._providers: dict[str, Provider] = {}
        self._rates: dict[str, Rates] = {}
        self._cassette: Cassette | None = None
        self._shared: Shared | None = None
        self._moves = 0
        self._asking = Asking(host, self._targets, self._provider_of, self._rates_of, random)
        self.table: dict[str, Callable[[CallContext, dict[str, Any]], Any]] = {
            "llm.complete": self._complete,
            "llm.stream": self._stream,
            "llm.embed": self._embed,
            "llm.count_tokens": self._count_tokens,
            "llm.providers": self._list_providers,
            "llm.models": self._list_models,
            "llm.info": self._info,
        }

    # -- for the other services ----------------------------------------------------------------

    async def complete(
        self,
        request: Mapping[str, Any],
        *,
        origin: str,
        on_chunk: Callable[[str], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        """One completion with all of the broker's steps; see `ports.Models.complete`."""
        token = _listener.set(on_chunk)
        try:
            args = _in_seconds(request)
            reply: dict[str, Any] = await self._host.call("llm.complete", args, origin=origin)
        finally:
            _listener.reset(token)
        return reply

    async def embed(self, request: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
        """Vectors of texts with all of the broker's steps; see `ports.Models.embed`."""
        args = _in_seconds(request)
        reply: dict[str, Any] = await self._host.call("llm.embed", args, origin=origin)
        return reply

    def objection(self) -> LlmspellError | None:
        """Why a run that came to its end did not end well: its script has turns left."""
        fake = self._providers.get("fake")
        if fake is None:
            return None
        from llmspell.llm.fake import FakeProvider

        return fake.unfinished() if isinstance(fake, FakeProvider) else None

    def close(self) -> None:
        """Lets the providers go; calls under way were cancelled with their tasks."""
        self._providers.clear()
        shared, self._shared = self._shared, None
        if shared is not None:
            from llmspell.supervisor.providers.remote import release

            release(shared)

    def names(self) -> list[str]:
        """Every provider that is switched on, sorted."""
        return self.config.available()

    def settings(self, provider: str) -> dict[str, Any]:
        """A provider's settings without anything secret; see `ports.Models.settings`."""
        from llmspell.spells.models.narrowing import described

        return described(self._targets.provider(provider))

    def narrow(self, provider: str, options: Mapping[str, Any]) -> Callable[[], None]:
        """A narrower provider for the rest of this run; see `ports.Models.narrow`."""
        from llmspell.spells.models.narrowing import narrowed

        found = self._targets.provider(provider)
        changed = narrowed(found, options, self._host.engine)
        moves = changed.base_url != found.base_url
        if moves and self._moves >= MOVES_MAX:
            raise LimitExceeded(
                "model_moves", f"a run gives providers another address {MOVES_MAX} times at most"
            )

        def settle() -> None:
            providers = {**self.config.providers, found.name: changed}
            self.config = self.config._replace(providers=providers)
            self._targets.use(self.config)
            if moves:
                self._moves += 1
                self._move(found.name, changed)

        return settle

    def _move(self, name: str, changed: ProviderConfig) -> None:
        """Another address: the process that may reach it is another one, without the key."""
        before = self._starting.providers
        self._starting = self._starting._replace(providers={**before, name: changed})
        shared, self._shared = self._shared, None
        for key in [key for key in self._providers if key.startswith(("process:", "replay:"))]:
            del self._providers[key]
        if shared is not None:
            from llmspell.supervisor.providers.remote import release

            # The account's rates hold wherever its requests go.
            self._processes().rates.update(shared.rates)
            release(shared)

    # -- the script API ------------------------------------------------------------------------

    async def _complete(self, ctx: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        request, settings = self._read(args)
        listener = _listener.get()
        return await self._asking.complete(ctx, request, settings, listener)

    async def _stream(self, ctx: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        given = args.get("request", {})
        given = {"prompt": given} if isinstance(given, str) else dict(given)
        listener = args.get("on_chunk") or given.pop("on_chunk", None) or given.pop("onChunk", None)
        if not isinstance(listener, Callback):
            raise InvalidInput("llm.stream: on_chunk is missing: a function of one text")
        request, settings = self._read(given)

        async def hear(piece: str) -> None:
            await self._host.invoke(listener, [piece], seconds=CHUNK_SECONDS)

        return await self._asking.complete(ctx, request, settings, hear)

    async def _embed(self, ctx: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        given = args["texts"]
        texts = [given] if isinstance(given, str) else given
        if not texts or len(texts) > TEXTS_MAX or not all(isinstance(one, str) for one in texts):
            raise InvalidInput(f"llm.embed: texts is a list of 1 to {TEXTS_MAX} texts")
        if sum(map(len, texts)) > TEXT_MAX:
            raise InvalidInput(f"llm.embed: texts have over {TEXT_MAX} characters")
        target = self._targets.primary(args)
        ctx.judge(target.judge(ctx.policy.models), action="model", target=target.name)
        time = self._seconds(args.get("timeout")) or target.provider.timeout
        provider, rates = self._provider_of(target), self._rates_of(target)
        embedding = Embedding(self._host, target, provider, rates, random)
        return await embedding.vectors(texts, time, ctx.origin)

    async def _count_tokens(self, ctx: CallContext, args: dict[str, Any]) -> int:
        try:
            target = self._targets.primary(args)
        except LlmspellError:
            return counting.estimate(args["text"])
        if target.stand_in is not None or target.judge(ctx.policy.models).allowed is not True:
            return counting.estimate(args["text"])
        return await self._provider_of(target).count_tokens(target.model, args["text"])

    def _list_providers(self, ctx: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
        from llmspell.policies.models import judge_model

        rules = ctx.policy.models
        return [
            {
                "name": provider.name,
                "type": provider.type,
                "model": provider.model,
                "models": list(provider.models),
                "local": provider.local,
                "default": provider.name == self.config.default,
                "enabled": provider.enabled,
                "allowed": judge_model(rules, provider.name, provider.model or "*").allowed is True,
            }
            for provider in self.config.providers.values()
        ]

    def _list_models(self, ctx: CallContext, args: dict[str, Any]) -> list[str]:
        wanted = args.get("provider")
        every = self._targets.every()
        return [one.name for one in every if wanted in (None, one.provider.name)]

    async def _info(self, ctx: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        target = self._targets.primary(args)
        ctx.judge(target.judge(ctx.policy.models), action="model", target=target.name)
        info = await self._provider_of(target).info(target.model)
        known = {key: value for key, value in info._asdict().items() if value is not None}
        return {"provider": target.provider.name, "model": target.model, **known}

    # -- inside --------------------------------------------------------------------------------

    def _read(self, args: Mapping[str, Any]) -> tuple[dict[str, Any], Settings]:
        """A request and how it is to be carried out, from what a spell or a service gave."""
        given = normalise(args, _KEPT)
        options = given.pop("options", None)
        if isinstance(options, dict):
            given = {**options, **given}
        fields: dict[str, Any] = {}
        for key, value in given.items():
            name = _OTHER_NAMES.get(key, key)
            if name in _REQUEST_KEYS:
                fields[name] = value
            elif name not in _SETTING_KEYS:
                self._host.note("warn", f"llm: the option {name[:64]} is not known", {})
        fields["tools"] = self._definitions(fields.get("tools"))
        fallback, needs = given.get("fallback"), given.get("needs") or []
        fallback = [fallback] if isinstance(fallback, str) else fallback
        for what, names in (("fallback", fallback or []), ("needs", needs)):
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InvalidInput(f"llm: {what} is a list of texts")
        settings = Settings(
            self._seconds(given.get("timeout")), fallback, given.get("prefer"), tuple(needs)
        )
        return fields, settings

    def _definitions(self, tools: Any) -> Any:
        """Tools that are only named, or handed over as the spell holds them, get their schema."""
        if not isinstance(tools, list):
            return tools
        found = []
        for tool in tools:
            name = tool
            if isinstance(tool, dict) and "parameters" not in tool and "function" not in tool:
                name = tool.get("name")
            found.append(self._definition(name) if isinstance(name, str) else tool)
        return found

    def _definition(self, name: str) -> dict[str, Any]:
        described = self._host.tools.describe(name)
        return {key: described[key] for key in ("name", "description", "parameters")}

    def _seconds(self, value: Any) -> float | None:
        return None if value is None else seconds(value, self._host.engine, "llm: timeout")

    def _provider_of(self, target: Target) -> Provider:
        key = target.stand_in or f"process:{target.provider.name}"
        if target.stand_in == "replay":
            key = f"replay:{target.provider.name}"
        provider = self._providers.get(key)
        if provider is None:
            provider = self._providers[key] = self._make(target)
        return provider

    def _make(self, target: Target) -> Provider:
        if target.stand_in == "fake":
            from llmspell.llm.fake import FakeProvider

            fake = self.config.providers.get("fake")
            return FakeProvider("" if fake is None else fake.script)
        if self.config.replay is not None:
            from llmspell.llm.cassette import Cassette, Replayed

            if self._cassette is None:
                self._cassette = Cassette(self.config.replay)
            return Replayed(self._cassette, target.provider.name)
        from llmspell.supervisor.providers.remote import RemoteProvider

        remote = RemoteProvider(self._processes(), target.provider.name)
        if self.config.record is None:
            return remote
        from llmspell.llm.cassette import Recorded

        return Recorded(remote, self.config.record, target.provider.name)

    def _processes(self) -> Shared:
        if self._shared is None:
            from llmspell.supervisor.providers.remote import acquire

            self._shared = acquire(self._starting)
        return self._shared

    def _rates_of(self, target: Target) -> Rates | None:
        """Shared by the runs that share a provider's process: the account is one."""
        provider = target.provider
        if provider.requests_per_minute is None and provider.tokens_per_minute is None:
            return None
        if target.stand_in is not None and provider.type != "fake":
            return None
        known = self._rates if target.stand_in is not None else self._processes().rates
        if provider.name not in known:
            known[provider.name] = Rates.of(provider)
        return known[provider.name]


def _in_seconds(request: Mapping[str, Any]) -> dict[str, Any]:
    """A service's request: its times are seconds, whatever the spell's language."""
    args = {key: value for key, value in request.items() if value is not None}
    time = args.get("timeout")
    if type(time) in (int, float):
        args["timeout"] = f"{time:.3f}s"
    return args
