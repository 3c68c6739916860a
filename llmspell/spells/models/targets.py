"""Which provider and model a request means: as named, by default, as a fallback, or by choice."""

from __future__ import annotations

import re

from llmspell.config.provider_types import FAKE_MODELS, TYPES, canonical
from llmspell.errors import ConfigurationError, InvalidInput
from llmspell.policies.models import judge_stand_in
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from llmspell.config.provider_table import ProviderConfig
    from llmspell.config.providers import ProvidersConfig
    from llmspell.policies.names import NameRules
    from llmspell.policies.verdict import Verdict

FALLBACKS_MAX: Final = 8

_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,255}")


class Target(NamedTuple):
    """One model at one provider. `stand_in` answers in its place: `fake`, `replay` or None."""

    provider: ProviderConfig
    model: str
    stand_in: str | None = None

    @property
    def name(self) -> str:
        """`provider/model`, as grants and records name it."""
        return f"{self.provider.name}/{self.model}"

    def judge(self, rules: NameRules) -> Verdict:
        """Whether a run with these rules may ask it."""
        return judge_stand_in(rules, self.provider.name, self.model, self.stand_in)


class Targets:
    """Finds targets among the configured providers."""

    def __init__(self, config: ProvidersConfig) -> None:
        self._config = config

    def use(self, config: ProvidersConfig) -> None:
        """From now on these providers."""
        self._config = config

    @property
    def mock(self) -> bool:
        """Whether every name leads to `fake`."""
        return self._config.mock

    def provider(self, name: str) -> ProviderConfig:
        """A provider by its name. Raises `ConfigurationError` 6001."""
        found = self._find(name)
        if found is None:
            raise ConfigurationError(f"Provider not found: {name[:64]}")
        return found

    def primary(self, request: Mapping[str, Any]) -> Target:
        """What a request names, or the default.

        A model of `fake`'s own, and `provider/model` in the model's place, name their provider.
        Raises `ConfigurationError` 6001 naming the key to set where nothing is named and nothing
        is the default, `InvalidInput` for a provider that is not there.
        """
        name, model = request.get("provider"), request.get("model")
        if name is None and model is not None:
            before, slash, after = model.partition("/")
            if slash and after and self._find(before) is not None:
                name, model = before, after
        if name is None and model in FAKE_MODELS:
            name = "fake"
        if name is None and model is not None:
            name = next(
                (
                    each.name
                    for each in self._config.providers.values()
                    if each.enabled and (model == each.model or model in each.models)
                ),
                None,
            )
        if name is None:
            name = self._config.default
        if name is None and self._config.mock:
            name = "fake"
        if name is None:
            raise ConfigurationError(
                "no provider is named and there is no default",
                hint="set providers.default in llmspell.toml, or name one: provider = …",
            )
        return self.target(name, model)

    def fallbacks(self, first: Target, named: Sequence[str] | None) -> list[Target]:
        """The further targets, in order: the request's, else the provider's, else the common ones.

        Each is `provider`, with its default model, or `provider/model`.
        """
        if named is None:
            named = first.provider.fallback or self._config.fallback
        if len(named) > FALLBACKS_MAX:
            raise InvalidInput(f"llm: fallback has over {FALLBACKS_MAX} providers")
        found = []
        for text in named:
            before, slash, after = text.partition("/")
            target = self.target(before, after if slash else None)
            if target.name != first.name and target not in found:
                found.append(target)
        return found

    def every(self) -> list[Target]:
        """Every enabled provider with each model that is configured for it."""
        found = []
        for provider in self._config.providers.values():
            if provider.enabled:
                models = [*filter(None, [provider.model]), *provider.models]
                if provider.name == "fake":
                    models += [name for name in FAKE_MODELS if name != "script" or provider.script]
                found += [
                    Target(provider, model, self._stand_in(provider))
                    for model in dict.fromkeys(models)
                ]
        return found

    def target(self, name: str, model: str | None) -> Target:
        """A provider's model, its default one where none is named."""
        provider = self._find(name)
        if provider is None:
            known = canonical(name) in TYPES
            key = TYPES[canonical(name)].key_env if known else ""
            hint = f"add [providers.{canonical(name)}] to llmspell.toml" if known or name else None
            if key:
                hint = f"set the variable {key}, or {hint}"
            raise ConfigurationError(f"Provider not found: {name[:64]}", hint=hint)
        if not provider.enabled:
            raise ConfigurationError(
                f"the provider {provider.name} is switched off",
                hint=f"set providers.{provider.name}.enabled to true",
            )
        wanted = model or provider.model
        if wanted is not None and wanted.startswith(f"{provider.name}/"):
            # `provider = "openai", model = "openai/gpt-4"` names the provider twice.
            wanted = wanted.partition("/")[2] or None
        if wanted is None and (provider.name == "fake" or self._config.mock):
            wanted = "echo"
        if wanted is None:
            raise ConfigurationError(
                f"no model is named and {provider.name} has no default",
                hint=f"set providers.{provider.name}.model, or name one: model = …",
            )
        if _MODEL.fullmatch(wanted) is None or ".." in wanted or "//" in wanted:
            # Some providers are asked by a path that holds the name.
            raise InvalidInput(f"llm: {wanted[:64]!r} is no name of a model")
        return Target(provider, wanted, self._stand_in(provider))

    def _find(self, name: str) -> ProviderConfig | None:
        key = canonical(name)
        found = self._config.providers.get(key)
        if found is None and self._config.mock and key:
            # Offline every name will do: a spell written for a provider runs without one.
            from llmspell.config.provider_table import ProviderConfig

            found = ProviderConfig(key[:64], "fake", retries=0, requests_per_minute=None)
        return found

    def _stand_in(self, provider: ProviderConfig) -> str | None:
        if self._config.mock or provider.type == "fake":
            return "fake"
        return "replay" if self._config.replay is not None else None
