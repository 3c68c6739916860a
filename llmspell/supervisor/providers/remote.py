"""The real providers as the services see them: orders to the one provider process of this loop.

A process is shared by all runs of an event loop whose configuration is the same, and kept a while
after the last of them; where the loop ends with its run it ends at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from llmspell.digests import sha256
from llmspell.llm.port import ModelInfo
from llmspell.spells.models.rates import Rates
from llmspell.supervisor.providers.home import ProviderProcess

if TYPE_CHECKING:
    from llmspell.config.provider_table import ProviderConfig
    from llmspell.config.providers import ProvidersConfig
    from llmspell.llm.port import OnChunk

LINGER_SECONDS: Final = 120.0
"""How long a process stays that no run uses."""

INFO_MAX: Final = 1_000
"""Models of which is remembered what is known."""

_PASSED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Shared:
    """One process, the runs that use it, and what they share: rate limits and model facts."""

    def __init__(self, starting: Callable[[], Mapping[str, Any]]) -> None:
        self.process = ProviderProcess(starting)
        self.loop = asyncio.get_running_loop()
        self.users = 0
        self.rates: dict[str, Rates] = {}
        self.facts: dict[tuple[str, str], ModelInfo] = {}
        self.timer: asyncio.TimerHandle | None = None


_shared: dict[tuple[int, str], Shared] = {}
"""By event loop and configuration."""


def acquire(config: ProvidersConfig, environ: Mapping[str, str] = os.environ) -> Shared:
    """The process for this configuration, on the running loop; `release` it when done."""
    mark = sha256(json.dumps(starting(config, environ), sort_keys=True).encode("utf-8"))
    key = (id(asyncio.get_running_loop()), mark)
    shared = _shared.get(key)
    if shared is not None and shared.loop is not asyncio.get_running_loop():
        # The loop of this number has ended, and with it what it drove.
        _forget(shared)
        shared = None
    if shared is None:
        shared = _shared[key] = Shared(lambda: starting(config, environ))
    shared.users += 1
    if shared.timer is not None:
        shared.timer.cancel()
        shared.timer = None
    return shared


def release(shared: Shared) -> None:
    """One run less uses it."""
    shared.users -= 1
    if shared.users > 0:
        return
    if not shared.loop.is_running():
        _forget(shared)
    elif shared.timer is None:
        shared.timer = shared.loop.call_later(LINGER_SECONDS, _forget, shared)


def close_all() -> None:
    """Ends the processes of the running loop: its supervisor ends."""
    loop = asyncio.get_running_loop()
    for shared in [one for one in _shared.values() if one.loop is loop]:
        _forget(shared)


def _forget(shared: Shared) -> None:
    for key in [key for key, one in _shared.items() if one is shared]:
        del _shared[key]
    if shared.timer is not None:
        shared.timer.cancel()
        shared.timer = None
    shared.process.close()


class RemoteProvider:
    """One configured provider, in the process (`llm.port.Provider`)."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self._name = name

    async def complete(
        self, request: Mapping[str, Any], seconds: float, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        """See `Provider.complete`."""
        order = {
            "operation": "complete",
            "provider": self._name,
            "request": dict(request),
            "seconds": seconds,
            "stream": on_chunk is not None,
        }
        reply: dict[str, Any] = await self._shared.process.ask(order, on_chunk)
        return reply

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        """See `Provider.embed`."""
        order = {
            "operation": "embed",
            "provider": self._name,
            "model": model,
            "texts": texts,
            "seconds": seconds,
        }
        reply: dict[str, Any] = await self._shared.process.ask(order)
        return reply

    async def count_tokens(self, model: str, text: str) -> int:
        """See `Provider.count_tokens`."""
        order = {
            "operation": "count_tokens",
            "provider": self._name,
            "model": model,
            "text": text,
        }
        return int(await self._shared.process.ask(order))

    async def info(self, model: str) -> ModelInfo:
        """See `Provider.info`; asked once for each model."""
        facts = self._shared.facts
        known = facts.get((self._name, model))
        if known is None:
            order = {"operation": "info", "provider": self._name, "model": model}
            known = ModelInfo(**await self._shared.process.ask(order))
            if len(facts) >= INFO_MAX:
                facts.clear()
            facts[self._name, model] = known
        return known


def starting(config: ProvidersConfig, environ: Mapping[str, str]) -> dict[str, Any]:
    """All that the process is told: its providers, and of the environment what they name."""
    providers = [
        _fields(provider)
        for provider in config.providers.values()
        if provider.enabled and provider.type != "fake"
    ]
    names: set[str] = set()
    for provider in providers:
        names |= {provider["api_key_env"], provider["organization"]}
        names |= {variable for _, variable in provider["headers"]}
    passed = {name: environ[name] for name in _PASSED if name in environ}
    proxies, secrets = [], []
    for name in _PROXIES:
        value = environ.get(name) or environ.get(name.lower())
        if not value:
            continue
        passed[name] = value
        if name != "NO_PROXY":
            proxies.append(value)
            secrets += _password(value)
    return {
        "providers": providers,
        "variables": {name: environ[name] for name in sorted(names) if environ.get(name)},
        "environ": passed,
        "proxies": [proxy for proxy in proxies if proxy.startswith(("http://", "https://"))],
        "secrets": secrets,
    }


def _fields(provider: ProviderConfig) -> dict[str, Any]:
    return {
        "name": provider.name,
        "type": provider.type,
        "base_url": provider.base_url,
        "api_key_env": provider.api_key_env,
        "api_key_file": provider.api_key_file,
        "organization": provider.organization,
        "headers": [list(header) for header in provider.headers],
        "options": [list(option) for option in provider.options],
        "foreign": provider.foreign,
    }


def _password(proxy: str) -> list[str]:
    from urllib.parse import unquote, urlsplit

    password = urlsplit(proxy).password
    return [password, unquote(password)] if password else []
