"""`[providers]` of llmspell.toml: the user's own may say all, a project's only narrow (CFG-020)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmspell.config.provider_table import check_table
from llmspell.config.providers import ProvidersConfig, load_providers
from llmspell.errors import ConfigurationError

OWN = """
[providers]
default = "openai"
fallback = ["anthropic"]

[providers.openai]
api_key_env = "OPENAI_API_KEY"
base_url = "https://api.openai.com/v1"
model = "gpt-4"
timeout = 30000
retry_attempts = 3
retry_delay = 1000
max_tokens = 4096
temperature = 0.7
rate_limit_requests_per_minute = 60

[providers.anthropic]
api_key = "${ANTHROPIC_API_KEY}"
api_base = "https://api.anthropic.com"
model = "claude"
timeout = 90

[providers.ollama]
base_url = "http://localhost:11434"
timeout = 120

[providers.local]
enabled = false
model_path = "/path/to/models"
device = "cpu"
threads = 4
context_size = 2048
"""


def load(tmp_path: Path, own: str = "", project: str | None = None, **environ: str) -> Any:
    user = tmp_path / "user.toml"
    user.write_text(own)
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    if project is not None:
        (folder / "llmspell.toml").write_text(project)
    environ = {"HOME": str(tmp_path), "LLMSPELL_CONFIG_PATH": str(user), **environ}
    return load_providers(str(folder), environ)


def test_CFG_020_to_022_the_seeds_own_sections_are_understood(tmp_path: Path) -> None:
    config: ProvidersConfig = load(tmp_path, OWN)
    openai, anthropic = config.providers["openai"], config.providers["anthropic"]
    assert (config.default, config.fallback) == ("openai", ("anthropic",))
    assert (openai.timeout, openai.retries, openai.retry_delay) == (30.0, 3, 1.0), "milliseconds"
    assert (openai.max_tokens, openai.requests_per_minute) == (4096, 60)
    assert (anthropic.timeout, anthropic.api_key_env) == (90.0, "ANTHROPIC_API_KEY"), "seconds"
    assert config.providers["ollama"].local and config.providers["ollama"].timeout == 120
    local = config.providers["local"]
    assert (local.type, local.enabled) == ("ollama", False)
    assert dict(local.options) == {"num_ctx": 2048, "num_thread": 4}
    assert config.available() == ["anthropic", "fake", "ollama", "openai"]


def test_without_anything_there_is_fake_and_no_default(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.available() == ["fake"] and config.default is None and not config.mock


def test_a_key_in_the_environment_is_a_provider(tmp_path: Path) -> None:
    config = load(tmp_path, OPENAI_API_KEY="sk-secret")
    assert config.available() == ["fake", "openai"]
    assert "sk-secret" not in repr(config), "where it is, not what it is"


def test_a_key_under_the_configurations_own_variable_stays_in_it(tmp_path: Path) -> None:
    variable = "LLMSPELL_PROVIDERS__ANTHROPIC__API_KEY"
    config = load(tmp_path, OWN, **{variable: "sk-live-secret"})
    assert config.providers["anthropic"].api_key_env == variable
    assert "sk-live" not in repr(config)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        OWN,
        LLMSPELL_PROVIDERS__DEFAULT="anthropic",
        LLMSPELL_PROVIDERS__OPENAI__MODEL="gpt-5",
        LLMSPELL_PROVIDERS__OPENAI__RETRIES="1",
        LLMSPELL_PROVIDERS__OPENAI__TIMEOUT="5s",
        LLMSPELL_DEVELOPMENT__MOCK_LLM_RESPONSES="true",
        LLMSPELL_FAKE_SCRIPT="/tmp/script.toml",
    )
    openai = config.providers["openai"]
    assert (config.default, openai.model, openai.retries, openai.timeout) == (
        "anthropic", "gpt-5", 1, 5.0,
    )  # fmt: skip
    assert config.mock and config.providers["fake"].script == "/tmp/script.toml"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"api_key": "sk-live-1234567890abcdef"}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"api_key_env": "not a name"}, "api_key_env"),
        ({"api_key_file": "relative/key"}, "absolute"),
        ({"base_url": "ftp://example.com"}, "base_url"),
        ({"base_url": "https://user:pw@example.com"}, "user name"),
        ({"base_url": "https://example.com:99999"}, "base_url"),
        ({"type": "strange"}, "kind of provider"),
        ({"type": "azure"}, "base_url is missing"),
        ({"temperature": 2.5}, "temperature"),
        ({"timeout": 0}, "timeout"),
        ({"retries": 11}, "retries"),
        ({"retries": 1, "retry_attempts": 2}, "twice"),
        ({"headers": {"X-Key": "value"}}, "headers"),
        ({"provider_specific": {"api_base": "http://evil"}}, "provider_specific"),
        ({"model_path": "/models"}, "model_path"),
        ({"strange": 1}, "unknown"),
        ({"enabled": "maybe"}, "enabled"),
        ({"cost_per_token": -1}, "cost_per_token"),
    ],
)
def test_what_is_wrong_is_refused_by_name_and_never_repeated(
    table: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        check_table("openai", table, "file.toml")
    assert "file.toml: providers.openai" in caught.value.message
    assert "sk-live" not in caught.value.sentence()


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ({"timeout": 999}, "timeout", 999.0),
        ({"timeout": 1000}, "timeout", 1.0),
        ({"timeout": "1500ms"}, "timeout", 1.5),
        ({"timeout_seconds": 1500}, "timeout", 1500.0),
        ({"max_retries": 0}, "retries", 0),
        ({"organization": "${ORG}"}, "organization", "ORG"),
        ({"headers": {"X-Key": "${KEY}"}}, "headers", (("X-Key", "KEY"),)),
        ({"api_key_file": "/keys/openai"}, "api_key_env", ""),
        ({"provider_type": "openai"}, "type", "openai"),
    ],
)
def test_X35_X37_spellings_and_units(table: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(check_table("openai", table, "x"), field) == value


@pytest.mark.parametrize(
    "project",
    [
        '[providers.openai]\napi_key_env = "OTHER"',
        '[providers.openai]\nbase_url = "https://evil.example"',
        '[providers.openai]\nheaders = { X = "${HOME}" }',
        '[providers.openai]\nscript = "/tmp/x"',
        "[providers.openai]\nmax_tokens = 9999",
        "[providers.openai]\nretries = 9",
        "[providers.openai]\nrate_limit_requests_per_minute = 600",
        "[providers.openai]\ntimeout = 31",
        "[providers.openai]\nprovider_specific = { seed = 1 }",
        '[providers.evil]\ntype = "openai"\nbase_url = "https://evil.example"',
        '[providers]\nrecord = "/tmp/everything"',
        '[providers]\nreplay = "/tmp/everything"',
        '[providers]\ndefault = "groq"',
        '[providers]\nfallback = ["openai"]',
    ],
)
def test_EN_11_a_projects_file_loosens_nothing(tmp_path: Path, project: str) -> None:
    with pytest.raises(ConfigurationError, match="can't stand in a project's file"):
        load(tmp_path, OWN, project)


def test_a_projects_file_narrows(tmp_path: Path) -> None:
    project = (
        '[providers]\ndefault = "anthropic"\n[providers.openai]\nmax_tokens = 100\nretries = 0\n'
        'rate_limit_requests_per_minute = 6\nmodel = "gpt-mini"\n[providers.anthropic]\n'
        "timeout = 10\n[providers.ollama]\nenabled = false\n"
        "[development]\nmock_llm_responses = true\n"
    )
    config = load(tmp_path, OWN, project)
    openai = config.providers["openai"]
    assert (openai.max_tokens, openai.retries, openai.requests_per_minute) == (100, 0, 6)
    assert (openai.model, openai.base_url) == ("gpt-mini", "https://api.openai.com/v1")
    assert config.default == "anthropic" and config.providers["anthropic"].timeout == 10
    assert config.mock and "ollama" not in config.available()


def test_a_project_can_not_end_the_users_mocking(tmp_path: Path) -> None:
    own = "[development]\nmock_llm_responses = true\n"
    with pytest.raises(ConfigurationError, match="switched off"):
        load(tmp_path, own, "[development]\nmock_llm_responses = false\n")


@pytest.mark.parametrize(
    "own",
    [
        "[providers]\nstrange = 1",
        '[providers]\ndefault = "nobody"',
        '[providers]\nrecord = "a"\nreplay = "b"',
        "[providers.openai]\ntimeout = []",
        '[providers."bad name"]\nmodel = "x"',
        "[providers.fake]\n[providers.mock]\n",
        'providers = "openai"',
        "[development]\nmock_llm_responses = 1",
    ],
)
def test_a_users_file_that_is_wrong_is_refused_whole(tmp_path: Path, own: str) -> None:
    with pytest.raises(ConfigurationError, match=r"user\.toml"):
        load(tmp_path, own)


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    load(tmp_path, OWN)
    (tmp_path / "user.toml").chmod(0o666)
    with pytest.raises(ConfigurationError, match="everybody may write"):
        load_providers(
            None, {"HOME": str(tmp_path), "LLMSPELL_CONFIG_PATH": str(tmp_path / "user.toml")}
        )


def test_LLM_003_tokens_a_minute_have_no_bound_unless_one_is_configured() -> None:
    assert check_table("openai", {}, "here").tokens_per_minute is None
    for key in ("tokens_per_minute", "rate_limit_tokens_per_minute"):
        assert check_table("openai", {key: 90_000}, "here").tokens_per_minute == 90_000
    with pytest.raises(ConfigurationError, match="tokens_per_minute"):
        check_table("openai", {"tokens_per_minute": 0}, "here")
