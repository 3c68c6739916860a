"""`llmspell.toml`: layers, origins, and a project's file that may only narrow."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from llmspell.config.files import Settings, load_settings
from llmspell.errors import ConfigurationError, UsageError
from llmspell.policies.policy import Policy
from llmspell.profiles.builder import CustomSecurityProfileBuilder
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.loader import load_policy


class Desk(NamedTuple):
    home: Path
    work: Path

    def user(self, text: str) -> None:
        folder = self.home / ".config/llmspell"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "llmspell.toml").write_text(text, encoding="utf-8")

    def project(self, text: str) -> None:
        (self.work / "llmspell.toml").write_text(text, encoding="utf-8")

    def settings(self, **environ: str) -> Settings:
        return load_settings(str(self.work), {"HOME": str(self.home), **environ})

    def policy(self, profile: str | None = None, script: str | None = None) -> Policy:
        settings = self.settings()
        return load_policy(
            profile,
            context=PolicyContext.of(str(self.work), home=str(self.home)),
            layers=settings.layers,
            overrides=settings.overrides_for(script),
            default_profile=settings.profile,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("home", "work"):
        (tmp_path / name).mkdir(mode=0o755)
    return Desk(tmp_path / "home", tmp_path / "work")


def test_without_files_nothing_is_set(desk: Desk) -> None:
    assert desk.settings() == Settings()
    assert desk.policy().profile == "medium"


def test_other_sections_are_not_looked_at(desk: Desk) -> None:
    desk.user("[server]\nport = 1\n[scripting]\nx = 1")
    assert desk.settings() == Settings()


def test_the_default_profile_and_its_origin(desk: Desk) -> None:
    desk.user('[security]\nprofile = "high"')
    settings = desk.settings()
    assert settings.profile == "high" and str(settings.profile_origin).endswith("llmspell.toml")
    assert desk.policy().profile == "high" and desk.policy("low").profile == "low"
    named = desk.settings(LLMSPELL_SECURITY__PROFILE="low")
    assert named.profile == "low" and "LLMSPELL_SECURITY__PROFILE" in str(named.profile_origin)
    with pytest.raises(UsageError):
        desk.settings(LLMSPELL_SECURITY__PROFILE="hihg")


def test_CFG_038_another_file(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[security]\nprofile = "high"', encoding="utf-8")
    assert desk.settings(LLMSPELL_CONFIG_PATH=str(other)).profile == "high"
    with pytest.raises(ConfigurationError):
        desk.settings(LLMSPELL_CONFIG_PATH=str(tmp_path / "missing.toml"))


@pytest.mark.parametrize(
    "text",
    [
        'allowed_domains = ["*.github.com", "api.example.com"]',
        '[security.network_restrictions]\nallowed_domains = ["*.github.com", "api.example.com"]',
        "[security.sandbox.network_restrictions]\n"
        'allowed_domains = ["*.github.com", "api.example.com"]',
    ],
)
def test_SEC_032_allowed_domains_restrict_and_fill_but_not_high(desk: Desk, text: str) -> None:
    desk.user("[security]\n" + text)
    for profile, allowed in (("low", True), ("medium", True), ("high", False)):
        net = desk.policy(profile).net
        assert net.judge_host("https", "api.example.com", 443).allowed is allowed
        assert net.judge_host("https", "raw.github.com", 443).allowed is allowed
        assert net.judge_host("https", "other.io", 443).allowed is False


def test_a_custom_profile_at_level_high_gets_no_domains_from_the_configuration(desk: Desk) -> None:
    desk.user('[security]\nallowed_domains = ["example.com"]')
    for level, allowed in (("high", False), ("medium", True)):
        profile = CustomSecurityProfileBuilder(level).allow_host("a.io").build()
        table = {**profile, "net": {**profile["net"], "mode": "listed"}}
        policy = load_policy(
            table, context=PolicyContext.of(str(desk.work)), layers=desk.settings().layers
        )
        assert policy.net.judge_host("https", "example.com", 443).allowed is allowed
        assert policy.net.judge_host("https", "a.io", 443).allowed is True


def test_EN_07_an_empty_list_of_domains_allows_none(desk: Desk) -> None:
    desk.user("[security]\nallowed_domains = []")
    assert desk.policy("low").net.judge_host("https", "example.com", 443).allowed is False
    desk.user("[security]\n")
    assert desk.policy("low").net.judge_host("https", "example.com", 443).allowed is True


def test_the_sections_change_the_policy(desk: Desk) -> None:
    desk.user(
        """
[security]
require_tls = true
audit_logging = true
max_request_size = "2MB"
max_response_size = 1000
request_timeout = "5s"
max_concurrent_requests = 3
[security.sandbox]
enabled = true
script_execution_limits = { max_script_size = 5000, max_execution_time_ms = 1500 }
memory_limits = { max_memory = "64MiB" }
filesystem_restrictions = { deny_read = ["secret"] }
"""
    )
    policy = desk.policy("low")
    limits = policy.limits
    assert (limits.request_body, limits.response_body, limits.request_time) == (2_000_000, 1000, 5)
    assert (limits.requests_at_once, limits.script_size, limits.wall) == (3, 5000, 1.5)
    assert limits.memory == 64 * 2**20 and policy.net.require_tls is True
    assert policy.files.judge("read", f"{desk.work}/secret/a").allowed is False
    assert policy.files.judge("read", f"{desk.work}/open/a").allowed is True
    assert any("configuration" in line for line in policy.origin)


def test_SEC_009_file_operations(desk: Desk) -> None:
    desk.user('[security]\nallowed_file_operations = ["read"]')
    files = desk.policy("low").files
    assert files.judge("read", f"{desk.work}/a").allowed is True
    assert files.judge("write", f"{desk.work}/a").allowed is False
    desk.user("[security]\nallowed_file_operations = []")
    assert desk.policy("low").files.judge("read", f"{desk.work}/a").allowed is False


@pytest.mark.parametrize("key", ["script_sandbox_mode", "sandbox_enabled"])
def test_SEC_006_sandbox_off_means_none(desk: Desk, key: str) -> None:
    desk.user(f"[security]\n{key} = false")
    assert desk.policy().profile == "none" and desk.policy("high").profile == "high"
    desk.user(f"[security]\n{key} = true")
    assert desk.policy().profile == "medium"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('profile = "hihg"', "hihg"),
        ("profil = 1", "profil"),
        ('script_sandbox_mode = "no"', "script_sandbox_mode"),
        ('allowed_domains = [".example.com"]', "allowed_domains"),
        ('allowed_domains = ["a.com/path"]', "a.com/path"),
        ('allowed_domains = "a.com"', "allowed_domains"),
        ("audit_logging = false", "audit_logging"),
        ('allowed_file_operations = ["execute"]', "allowed_file_operations"),
        ('profile = "high"\nsandbox_enabled = false', "on and off"),
        ('profile = "none"\nsandbox_enabled = true', "none"),
        ("[security.encryption]\nenabled = true", "encryption"),
        ('[security.sandbox]\nallowed_system_calls = ["read"]', "allowed_system_calls"),
        ("[security.limits]\nmemory = 0", "memory"),
        ('[[security.overrides]]\nscript = "rel.lua"', "rel.lua"),
        ('[[security.overrides]]\nprofile = "low"', "script"),
        ('[[security.overrides]]\nscript = "/a"\nallow = ["net:*"]', "--allow-net"),
    ],
)
def test_EN_11_wrong_settings_name_file_and_key(desk: Desk, text: str, key: str) -> None:
    desk.user("[security]\n" + text)
    with pytest.raises(ConfigurationError) as caught:
        desk.settings()
    assert "llmspell.toml" in caught.value.message and key in caught.value.message


def test_EN_11_a_broken_or_foreign_file(desk: Desk) -> None:
    desk.user("[security")
    with pytest.raises(ConfigurationError):
        desk.settings()
    desk.user('[security]\nprofile = "low"')
    (desk.home / ".config/llmspell/llmspell.toml").chmod(0o666)
    with pytest.raises(ConfigurationError, match="everybody"):
        desk.settings()


@pytest.mark.parametrize(
    "text",
    [
        'profile = "low"',
        "sandbox_enabled = false",
        '[security.limits]\nmemory = "8GiB"',
        '[security.file_access]\nwrite = ["/"]',
        '[security]\n[[security.overrides]]\nscript = "/a"\nsandbox = false',
    ],
)
def test_a_project_never_loosens(desk: Desk, text: str) -> None:
    desk.project(text if text.startswith("[security]") else "[security]\n" + text)
    with pytest.raises(ConfigurationError) as caught:
        desk.policy()
    assert str(desk.work) in caught.value.message and caught.value.hint


def test_a_project_may_narrow(desk: Desk) -> None:
    desk.user('[security]\nprofile = "low"')
    desk.project(
        '[security]\nprofile = "medium"\nallowed_domains = ["example.com"]\n'
        '[security.limits]\nmemory = "64MiB"'
    )
    policy = desk.policy()
    assert policy.profile == "medium" and policy.limits.memory == 64 * 2**20
    assert policy.net.judge_host("https", "example.com", 443).allowed is False
    low = desk.policy("low")
    assert low.net.judge_host("https", "example.com", 443).allowed is True
    assert low.net.judge_host("https", "other.io", 443).allowed is False


@pytest.mark.parametrize("host", ["10.0.0.1", "http://example.com", "localhost:80", "127.1"])
def test_a_project_does_not_open_private_hosts(desk: Desk, host: str) -> None:
    desk.project(f'[security]\nallowed_domains = ["{host}"]')
    with pytest.raises(ConfigurationError, match=r"net\.allow"):
        desk.policy("low")


def test_SEC_004_overrides_belong_to_one_script(desk: Desk) -> None:
    script = desk.home / "spells/nightly.lua"
    desk.user(
        '[[security.overrides]]\nscript = "~/spells/nightly.lua"\nstdlib_access = ["io"]\n'
        'allow = ["read:~/data"]\nlimits = { wall = "10m" }\n'
    )
    policy = desk.policy("medium", str(script))
    assert policy.modules.granted("lua") == ("io",) and policy.limits.wall == 600
    assert policy.files.judge("read", f"{desk.home}/data/x").allowed is True
    assert {note.key for note in policy.overrides} == {"modules", "allow", "limits.wall"}
    assert desk.policy("medium", str(desk.home / "spells/other.lua")).overrides == ()
    assert desk.settings().overrides_for(None) == ()


def test_grants_of_the_command_line_come_last(desk: Desk) -> None:
    desk.user('[security]\nallowed_file_operations = ["read"]')
    policy = load_policy(
        "low",
        context=PolicyContext.of(str(desk.work), home=str(desk.home)),
        layers=desk.settings().layers,
        grants=[Grant("write", "out")],
    )
    assert policy.files.judge("write", f"{desk.work}/out/x").allowed is True
    assert policy.files.judge("write", f"{desk.work}/x").allowed is False
