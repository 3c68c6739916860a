"""What a spell may change of a provider in its run: never more, and no key (API-093)."""

from __future__ import annotations

from llmspell.config.provider_table import SPELLINGS, check_table
from llmspell.errors import ConfigurationError, InvalidInput
from llmspell.policies.narrowed import Looser
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.config.provider_table import ProviderConfig

CHOSEN: Final = frozenset({"model", "temperature"})
"""What a spell says with each request anyway."""

LOWERED: Final = ("max_tokens", "timeout", "retries")
FIXED: Final = frozenset(
    {"requests_per_minute", "tokens_per_minute", "fallback", "type", "models", "cost_per_token"}
)
"""What belongs to the user's account, not to a run."""

SOURCE: Final = "config.configure_provider"


def narrowed(provider: ProviderConfig, options: Mapping[str, Any], engine: str) -> ProviderConfig:
    """The provider with these options. Raises `InvalidInput`, and `Looser` for what would allow
    more. A `base_url` is taken (its host was judged before) without the key: the user's key goes
    only where the user configured it.
    """
    changed: dict[str, Any] = {}
    for key, value in options.items():
        known = SPELLINGS.get(key, key)
        if known in ("timeout", "timeout_seconds"):
            changed["timeout"] = _lower(provider, "timeout", seconds(value, engine, key))
        elif known in LOWERED:
            changed[known] = _lower(provider, known, _checked(provider, known, value))
        elif known in CHOSEN:
            changed[known] = _checked(provider, known, value)
        elif known == "enabled":
            if value is not False and not provider.enabled:
                raise Looser(key, "a provider is switched on where llmspell is configured")
            changed["enabled"] = value is not False
        elif known == "base_url":
            changed["base_url"] = _checked(provider, known, value)
            changed |= {"api_key_env": "", "api_key_file": "", "organization": "", "headers": ()}
            changed["foreign"] = True
        elif known in FIXED:
            raise Looser(key, "this belongs to the user's account")
        else:
            raise InvalidInput(f"{SOURCE} takes no {key[:60]!r}")
    return provider._replace(**changed)


def described(provider: ProviderConfig) -> dict[str, Any]:
    """The settings without anything secret, nor where secrets are kept."""
    return {
        "name": provider.name,
        "type": provider.type,
        "model": provider.model,
        "models": list(provider.models),
        "temperature": provider.temperature,
        "max_tokens": provider.max_tokens,
        "timeout": provider.timeout,
        "retries": provider.retries,
        "requests_per_minute": provider.requests_per_minute,
        "tokens_per_minute": provider.tokens_per_minute,
        "enabled": provider.enabled,
        "local": provider.local,
    }


def _lower(provider: ProviderConfig, field: str, value: Any) -> Any:
    current = getattr(provider, field)
    if current is not None and (value is None or value > current):
        raise Looser(field, f"{value} is more than {current}")
    return value


def _checked(provider: ProviderConfig, key: str, value: Any) -> Any:
    table = {"type": provider.type, "enabled": False, key: value}
    try:
        return getattr(check_table(provider.name, table, SOURCE), key)
    except ConfigurationError as error:
        raise InvalidInput(error.message, hint=error.hint) from None
