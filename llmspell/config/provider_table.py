"""One `[providers.NAME]` table as people write it, checked (LLM-017, CFG-011, CFG-020 … 022).

Keys have the spellings of all seeds (X35). A key itself never stands in the file: `${NAME}`,
`api_key_env` and `api_key_file` say where it is.
"""

from __future__ import annotations

import os
import re

from llmspell.config import paths
from llmspell.config.provider_types import ALIASES, TYPES
from llmspell.errors import ConfigurationError, LlmspellError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

RATE_DEFAULT: Final = 60
"""Requests a minute where the configuration says nothing (CFG-020, X34)."""

RETRIES_DEFAULT: Final = 3
RETRIES_MAX: Final = 10
TIMEOUT_DEFAULT: Final = 60.0
TIMEOUT_MAX: Final = 3_600.0
MILLISECONDS_FROM: Final = 1_000
"""A bare `timeout` from here up is milliseconds, below it seconds: the seeds write 30000 and 60
(X37), and nobody means 60 ms or 30 000 s."""

TOKENS_MAX: Final = 1_000_000
TABLES_MAX: Final = 64
LIST_MAX: Final = 100

SPELLINGS: Final[Mapping[str, str]] = {
    "provider_type": "type",
    "api_base": "base_url",
    "retry_attempts": "retries",
    "max_retries": "retries",
    "rate_limit": "requests_per_minute",
    "rate_limit_requests_per_minute": "requests_per_minute",
    "rate_limit_tokens_per_minute": "tokens_per_minute",
    "default_model": "model",
}

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


class ProviderConfig(NamedTuple):
    """One provider. `headers` and `organization` name variables whose values are secrets, too.

    Times in seconds; `retries` come on top of the first try (X58); `cost_per_token` in US dollars,
    None: the adapter's price list decides; `models` are further models that may be chosen.
    `foreign`: a spell chose the address, so it has no key and only public addresses count.
    """

    name: str
    type: str
    model: str | None = None
    models: tuple[str, ...] = ()
    base_url: str = ""
    api_key_env: str = ""
    api_key_file: str = ""
    organization: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    timeout: float = TIMEOUT_DEFAULT
    retries: int = RETRIES_DEFAULT
    retry_delay: float = 1.0
    requests_per_minute: float | None = RATE_DEFAULT
    tokens_per_minute: float | None = None
    cost_per_token: float | None = None
    enabled: bool = True
    fallback: tuple[str, ...] = ()
    script: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    foreign: bool = False

    @property
    def local(self) -> bool:
        """Whether it runs on the user's own machine."""
        return TYPES[self.type].local


def check_name(name: str, source: str) -> str:
    """The name of a provider. Raises `ConfigurationError`."""
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"{source}: providers: {name[:40]!r} is no name of a provider")
    return name


def check_table(name: str, given: Mapping[str, Any], source: str) -> ProviderConfig:
    """The provider that a table describes. Raises `ConfigurationError` naming source and key."""
    place = f"{source}: providers.{name}"
    table: dict[str, Any] = {}
    for key, value in given.items():
        known = SPELLINGS.get(key, key)
        if known in table:
            raise ConfigurationError(f"{place}.{key} is given twice, in two spellings")
        table[known] = value
    kind = str(table.pop("type", name)).lower()
    kind = ALIASES.get(kind, kind)
    if kind not in TYPES:
        known_types = ", ".join(TYPES)
        raise ConfigurationError(
            f"{place}.type: there is no kind of provider {kind[:40]!r}",
            hint=f'set type to one of {known_types}; a server that speaks OpenAI is "openai"',
        )
    fields: dict[str, Any] = {"name": name, "type": kind}
    fields |= {"base_url": TYPES[kind].base_url, "api_key_env": TYPES[kind].key_env}
    if kind == "fake":
        fields |= {"requests_per_minute": None, "retries": 0}
    try:
        _key_of(table, fields)
        _local_model(table, fields)
        for key, value in table.items():
            reader = _READERS.get(key)
            if reader is None:
                raise ConfigurationError(f"{key}: this key is unknown")
            field, read = reader
            try:
                fields[field] = read(value)
            except (ValueError, LlmspellError) as error:
                raise ConfigurationError(f"{key}: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}.{error.message}", hint=error.hint) from None
    provider = ProviderConfig(**fields)
    if provider.enabled and kind != "fake" and not provider.base_url:
        raise ConfigurationError(f"{place}.base_url is missing: {kind} has none of its own")
    return provider


def _key_of(table: dict[str, Any], fields: dict[str, Any]) -> None:
    key = table.pop("api_key", None)
    if key is not None:
        reference = _REFERENCE.fullmatch(key) if isinstance(key, str) else None
        if reference is None:
            # The value is never repeated: it may be a key.
            raise ConfigurationError(
                "api_key: a key does not stand in a configuration",
                hint='write api_key = "${NAME}" for a variable, or api_key_file for a 0600 file',
            )
        fields["api_key_env"] = reference[1]
    if "api_key_file" in table and "api_key_env" not in table and key is None:
        fields["api_key_env"] = ""


def _local_model(table: dict[str, Any], fields: dict[str, Any]) -> None:
    """The seeds' keys of candle (CFG-022): Ollama or its like runs the model."""
    options: dict[str, Any] = dict(table.get("provider_specific") or {})
    for key, option in (("context_size", "num_ctx"), ("threads", "num_thread")):
        if key in table:
            options[option] = table.pop(key)
    off = table.get("enabled") is False
    for key in ("model_path", "device"):
        if table.pop(key, None) is not None and not off:
            raise ConfigurationError(
                f"{key}: models are not loaded here",
                hint="serve the model with Ollama and set base_url and model",
            )
    if options:
        table["provider_specific"] = options


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 1_024 or not value.isprintable():
        raise ValueError("must be a text")
    return value


def _variable(value: Any) -> str:
    if not isinstance(value, str) or _VARIABLE.fullmatch(value) is None:
        raise ValueError("must be the name of an environment variable")
    return value


def _reference(value: Any) -> str:
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a variable, written "${NAME}"')
    return found[1]


def _url(value: Any) -> str:
    from urllib.parse import urlsplit

    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user name and no password")
    _ = parts.port  # raises ValueError for one that is none
    return text.rstrip("/")


def _file(value: Any) -> str:
    path = paths.expanded(_text(value))
    if not os.path.isabs(path):
        raise ValueError("must be an absolute path")
    return path


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _number(low: float, high: float, *, whole: bool = False) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            value = float(value) if not whole else int(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("must be a number")
        if not low <= value <= high or (whole and value != int(value)):
            raise ValueError(
                f"must be {'a whole number ' if whole else ''}from {low:g} to {high:g}"
            )
        return int(value) if whole else float(value)

    return read


def _seconds(value: Any) -> float:
    from llmspell.policies.limits import parse_seconds

    if isinstance(value, str) and not value.strip().isdigit():
        seconds = parse_seconds(value)
    else:
        number = float(_number(0, TIMEOUT_MAX * 1000)(value))
        seconds = number / 1000 if number >= MILLISECONDS_FROM else number
    if not 0 < seconds <= TIMEOUT_MAX:
        raise ValueError(f"must be over 0 and at most {TIMEOUT_MAX:g} seconds")
    return seconds


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or len(value) > LIST_MAX:
        raise ValueError("must be a list of names")
    return tuple(_text(item) for item in value)


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or len(value) > LIST_MAX:
        raise ValueError("must be a table")
    for name in value:
        if _HEADER.fullmatch(name) is None:
            raise ValueError(f"{name[:40]!r} is no name of a header")
    return tuple((name, _reference(item)) for name, item in value.items())


OPTION_NAMES: Final = frozenset(
    {"num_ctx", "num_thread", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty",
     "api_version", "reasoning_effort", "keep_alive", "service_tier", "user"}
)  # fmt: skip
"""Settings of one provider that are passed on. A list, because the adapter takes others that name
hosts, keys, log files and callbacks."""


def _specific(value: Any) -> tuple[tuple[str, Any], ...]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    for name, item in value.items():
        if name not in OPTION_NAMES:
            raise ValueError(f"{name[:40]!r} is not one of {', '.join(sorted(OPTION_NAMES))}")
        if not isinstance(item, (str, int, float, bool)):
            raise ValueError(f"{name} must be a plain value")
    return tuple(value.items())


_READERS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "model": ("model", _text),
    "models": ("models", _names),
    "base_url": ("base_url", _url),
    "api_key_env": ("api_key_env", _variable),
    "api_key_file": ("api_key_file", _file),
    "organization": ("organization", _reference),
    "headers": ("headers", _headers),
    "max_tokens": ("max_tokens", _number(1, TOKENS_MAX, whole=True)),
    "temperature": ("temperature", _number(0, 2)),
    "timeout": ("timeout", _seconds),
    "timeout_seconds": ("timeout", _number(0.001, TIMEOUT_MAX)),
    "retries": ("retries", _number(0, RETRIES_MAX, whole=True)),
    "retry_delay": ("retry_delay", _seconds),
    "requests_per_minute": ("requests_per_minute", _number(1, 1_000_000)),
    "tokens_per_minute": ("tokens_per_minute", _number(1, 1_000_000_000)),
    "cost_per_token": ("cost_per_token", _number(0, 1)),
    "enabled": ("enabled", _flag),
    "fallback": ("fallback", _names),
    "script": ("script", _file),
    "provider_specific": ("options", _specific),
}
