"""`[providers]` and `[development]` of `llmspell.toml`: which models there are, and at which hosts.

Layers as for security: the user's own file, then the project's, then the environment. Only the
user's own file and environment name keys, hosts, headers and files; a project's file lies in a
folder that a stranger may have filled, so it may only narrow. No key is read here.
"""

from __future__ import annotations

import os

from llmspell.config import paths
from llmspell.config.files import FILE_NAME, PATH_VARIABLE
from llmspell.config.provider_table import (
    SPELLINGS,
    TABLES_MAX,
    ProviderConfig,
    check_name,
    check_table,
)
from llmspell.config.provider_types import TYPES, canonical
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

MOCK_VARIABLE: Final = "LLMSPELL_DEVELOPMENT__MOCK_LLM_RESPONSES"
SCRIPT_VARIABLE: Final = "LLMSPELL_FAKE_SCRIPT"
_PREFIX: Final = "LLMSPELL_PROVIDERS__"

_NARROWED: Final[Mapping[str, bool]] = {
    "max_tokens": False,
    "timeout": False,
    "timeout_seconds": False,
    "retries": False,
    "requests_per_minute": False,
    "tokens_per_minute": False,
    "enabled": False,
    "cost_per_token": True,
}
"""What a project's file may change of a provider; True: upwards only (a price that is higher)."""

_CHOSEN: Final = frozenset({"model", "temperature"})
"""What a spell may choose by itself, so a project's file may as well."""


class ProvidersConfig(NamedTuple):
    """Every provider that is configured, or that the environment holds a key for.

    `mock`: every name leads to `fake`. `record`, `replay`: cassette files.
    """

    default: str | None = None
    providers: Mapping[str, ProviderConfig] = {}
    mock: bool = False
    record: str | None = None
    replay: str | None = None
    fallback: tuple[str, ...] = ()

    def available(self) -> list[str]:
        """Names of the enabled providers, sorted: AVAILABLE_PROVIDERS (API-027)."""
        return sorted(name for name, found in self.providers.items() if found.enabled)


class _Layers:
    """Tables as they are merged, before they are checked as a whole."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.top: dict[str, Any] = {}
        self.mock: bool | None = None
        self.source = "the environment"


def load_providers(
    working_folder: str | None, environ: Mapping[str, str] = os.environ
) -> ProvidersConfig:
    """The providers for a run in this folder.

    Raises `ConfigurationError` naming file and key: for what can't be parsed or is unknown, a file
    that somebody else could have written, and a project's file that says more than it may.
    """
    layers = _Layers()
    own_file = environ.get(PATH_VARIABLE) or os.path.join(paths.config_folder(environ), FILE_NAME)
    if PATH_VARIABLE in environ or os.path.lexists(own_file):
        _take_own(_sections(own_file), own_file, layers)
    _take_environment(environ, layers)
    providers = {
        name: check_table(name, table, layers.source) for name, table in layers.tables.items()
    }
    for kind, known in TYPES.items():
        held = bool(known.key_env and environ.get(known.key_env)) and bool(known.base_url)
        wanted = kind == "fake" or kind == layers.top.get("default")
        if kind not in providers and (held or wanted):
            providers[kind] = check_table(kind, {}, "the environment")
    script = environ.get(SCRIPT_VARIABLE)
    if script:
        providers["fake"] = providers["fake"]._replace(script=os.path.abspath(script))
    config = _whole(layers, providers)
    if working_folder is not None:
        project_file = os.path.join(os.path.abspath(working_folder), FILE_NAME)
        if os.path.lexists(project_file) and not _same(project_file, own_file):
            config = _narrow(config, _sections(project_file), project_file)
    return config


def _same(first: str, second: str) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _sections(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from llmspell.profiles.files import parse_toml, read_trusted

    table = parse_toml(read_trusted(path), path)
    found = []
    for name in ("providers", "development"):
        section = table.get(name, {})
        if not isinstance(section, dict):
            raise ConfigurationError(f"{path}: {name} is a table")
        found.append(section)
    return found[0], found[1]


def _take_own(
    sections: tuple[dict[str, Any], dict[str, Any]], source: str, layers: _Layers
) -> None:
    providers, development = sections
    layers.source = source
    for key, value in providers.items():
        if isinstance(value, dict):
            name = canonical(check_name(key, source))
            if name in layers.tables:
                raise ConfigurationError(f"{source}: providers.{key} is there as {name} as well")
            layers.tables[name] = dict(value)
        else:
            layers.top[_top_key(key, source)] = value
    if len(layers.tables) > TABLES_MAX:
        raise ConfigurationError(f"{source}: over {TABLES_MAX} providers")
    layers.mock = _mock(development, source)


def _top_key(key: str, source: str) -> str:
    known = {"default": "default", "default_provider": "default"}.get(key, key)
    if known not in ("default", "record", "replay", "fallback"):
        raise ConfigurationError(f"{source}: providers.{key}: this key is unknown")
    return known


def _mock(development: Mapping[str, Any], source: str) -> bool | None:
    value = development.get("mock_llm_responses")
    if value is not None and not isinstance(value, bool):
        raise ConfigurationError(f"{source}: development.mock_llm_responses is true or false")
    return value


def _take_environment(environ: Mapping[str, str], layers: _Layers) -> None:
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX):
            continue
        parts = variable[len(_PREFIX) :].lower().split("__")
        if len(parts) == 1:
            layers.top[_top_key(parts[0], f"variable {variable}")] = value
        elif len(parts) == 2:
            name = canonical(check_name(parts[0], f"variable {variable}"))
            table = layers.tables.setdefault(name, {})
            known = SPELLINGS.get(parts[1], parts[1])
            if known == "api_key":
                # The variable holds a key: it stays there, and is named like any other.
                table.pop("api_key", None)
                table["api_key_env"] = variable
                continue
            for spelling in [key for key in table if SPELLINGS.get(key, key) == known]:
                del table[spelling]
            table[known] = value
        else:
            raise ConfigurationError(f"variable {variable}: providers have no such setting")
    mock = environ.get(MOCK_VARIABLE)
    if mock is not None:
        if mock.lower() not in ("true", "false", "1", "0"):
            raise ConfigurationError(f"variable {MOCK_VARIABLE} is true or false")
        layers.mock = mock.lower() in ("true", "1")


def _whole(layers: _Layers, providers: dict[str, ProviderConfig]) -> ProvidersConfig:
    top, source = layers.top, layers.source
    default = top.get("default")
    if default is not None:
        if not isinstance(default, str):
            raise ConfigurationError(f"{source}: providers.default is the name of a provider")
        default = canonical(default)
        if default not in providers and default not in TYPES:
            raise ConfigurationError(f"{source}: providers.default: there is no {default[:40]!r}")
    files: dict[str, str | None] = {}
    for key in ("record", "replay"):
        value = top.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise ConfigurationError(f"{source}: providers.{key} is the path of a file")
        files[key] = None if value is None else os.path.abspath(paths.expanded(value))
    if files["record"] and files["replay"]:
        raise ConfigurationError(f"{source}: providers: either record or replay")
    fallback = top.get("fallback", [])
    if isinstance(fallback, str):
        fallback = [part.strip() for part in fallback.split(",") if part.strip()]
    if not isinstance(fallback, list) or not all(isinstance(item, str) for item in fallback):
        raise ConfigurationError(f"{source}: providers.fallback is a list of providers")
    return ProvidersConfig(
        default, providers, layers.mock is True, files["record"], files["replay"], tuple(fallback)
    )


def _narrow(
    config: ProvidersConfig, sections: tuple[dict[str, Any], dict[str, Any]], source: str
) -> ProvidersConfig:
    """What a project's file leaves of the user's providers."""
    given, development = sections
    providers = dict(config.providers)
    default = config.default
    for key, value in given.items():
        if isinstance(value, dict):
            name = canonical(check_name(key, source))
            if name not in providers:
                if value.get("enabled") is False:
                    continue
                raise _belongs_to_user(source, key)
            providers[name] = _narrowed(providers[name], value, source)
        elif _top_key(key, source) == "default" and canonical(str(value)) in providers:
            default = canonical(str(value))
        else:
            raise _belongs_to_user(source, key)
    mock = _mock(development, source)
    if config.mock and mock is False:
        raise ConfigurationError(f"{source}: development.mock_llm_responses can't be switched off")
    return config._replace(default=default, providers=providers, mock=config.mock or mock is True)


def _narrowed(found: ProviderConfig, table: Mapping[str, Any], source: str) -> ProviderConfig:
    changed: dict[str, Any] = {}
    for key, value in table.items():
        known = SPELLINGS.get(key, key)
        if known not in _NARROWED and known not in _CHOSEN:
            raise _belongs_to_user(source, f"{found.name}.{key}")
        field = "timeout" if known == "timeout_seconds" else known
        table_now = {"type": found.type, "enabled": False, known: value}
        new = getattr(check_table(found.name, table_now, source), field)
        old = getattr(found, field)
        if known in _NARROWED:
            upwards = _NARROWED[known]
            # Where the user says no price, the price list does, and what is said here replaces it.
            looser = upwards if old is None else new < old if upwards else new > old
            if looser:
                raise _belongs_to_user(source, f"{found.name}.{key}")
        changed[field] = new
    return found._replace(**changed)


def _belongs_to_user(source: str, key: str) -> ConfigurationError:
    return ConfigurationError(
        f"{source}: providers.{key} can't stand in a project's file",
        hint=f"it belongs in {paths.config_folder()}/{FILE_NAME}",
    )
