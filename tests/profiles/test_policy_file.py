"""Policy files: exactly what is known, only the user's own, and never a silent default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmspell.errors import ConfigurationError, UsageError
from llmspell.policies.limits import UNLIMITED
from llmspell.profiles.builder import (
    CustomSecurityProfile,
    CustomSecurityProfileBuilder,
    SecurityProfile,
    SecurityProfilePresets,
)
from tests.profiles.helpers import Place

GOOD = """
extends = "high"
name = "nightly"
[files]
read = ["data"]
deny_read = ["data/secret"]
[net]
mode = "listed"
allow = ["example.com"]
[limits]
memory = "1GiB"
wall = "unlimited"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder / "p.toml"


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def test_a_good_policy(place: Place, file: Path) -> None:
    policy = place.load(policy_file=write(file, GOOD))
    assert policy.profile == "nightly" and policy.confinement.level == "high"
    assert policy.files.judge("read", place.path("work/data/a")).allowed is True
    assert policy.files.judge("read", place.path("work/data/secret/a")).allowed is False
    assert policy.limits.memory == 2**30 and policy.limits.wall is UNLIMITED
    assert policy.limits.cpu == 30
    loosened = [line for line in policy.origin if "loosens" in line]
    assert loosened and "files.read" in loosened[0] and "limits.wall" in loosened[0]
    assert place.load("high", policy_file=file).profile == "nightly"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "nothing"),
        ("# only a comment", "nothing"),
        ('extends = "hi', ""),
        ("[files", ""),
        ('extends = "hihg"', "extends"),
        ('[files]\nraed = ["x"]', "files.raed"),
        ('[fiels]\nread = ["x"]', "fiels"),
        ('[files]\nread = "x"', "files.read"),
        ("[files]\nread = [1]", "files.read"),
        ("[files]\nprotects = false", "files.protects"),
        ('[net]\nmode = "everything"', "net.mode"),
        ('[net]\nallow = ["http://a.com/path"]', "net.allow"),
        ('[net]\nrequire_tls = "no"', "net.require_tls"),
        ("[limits]\nmemory = 0", "memory"),
        ("[limits]\nmemory = -1", "memory"),
        ("[limits]\nmemory = nan", "memory"),
        ("[limits]\nmemory = inf", "memory"),
        ("[limits]\nmemory = true", "limits"),
        ('[limits]\nmemmory = "1GB"', "memmory"),
        ('[confinement]\nlevel = "weak"', "confinement.level"),
        ("[confinement]\nallow_degraded = 1", "confinement.allow_degraded"),
        ('name = "high"', "name"),
        ('name = "A b"', "name"),
        ('[env]\nallow = ["LD_PRELOAD"]', "env.allow"),
        ('[tools]\nrefused_needs = ["root"]', "tools.refused_needs"),
        ("advisories = 0", "advisories"),
    ],
)
def test_EN_11_a_wrong_policy_names_file_and_key(
    place: Place, file: Path, text: str, key: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        place.load(policy_file=write(file, text))
    assert str(file) in caught.value.message and key in caught.value.message


def test_EN_11_half_of_any_policy_is_an_error_or_stricter(place: Place, file: Path) -> None:
    for cut in range(len(GOOD)):
        try:
            policy = place.load(policy_file=write(file, GOOD[:cut]))
        except UsageError:
            continue
        # A cut between two keys is a policy too; it can only have lost grants and limits.
        assert policy.files.judge("write", place.path("work/x")).allowed is False
        assert policy.confinement.level in ("high", "medium")


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o646])
def test_EN_11_a_file_everybody_may_write(place: Place, file: Path, mode: int) -> None:
    write(file, GOOD).chmod(mode)
    with pytest.raises(ConfigurationError, match="everybody may write"):
        place.load(policy_file=file)
    file.chmod(0o644)
    assert place.load(policy_file=file).profile == "nightly"


def test_EN_11_a_folder_everybody_may_write(place: Place, file: Path) -> None:
    write(file, GOOD)
    file.parent.chmod(0o777)
    with pytest.raises(ConfigurationError, match="everybody may replace"):
        place.load(policy_file=file)
    file.parent.chmod(0o1777)
    assert place.load(policy_file=file).profile == "nightly"


@pytest.mark.skipif(os.getuid() != 0, reason="changing an owner needs root")
def test_EN_11_files_and_links_of_another_user(place: Place, file: Path) -> None:
    write(file, GOOD)
    link = file.parent / "link.toml"
    link.symlink_to(file)
    assert place.load(policy_file=link).profile == "nightly"
    os.lchown(link, 65534, 65534)
    with pytest.raises(ConfigurationError, match="link that belongs to another user"):
        place.load(policy_file=link)
    os.lchown(link, 0, 0)
    os.chown(file, 65534, 65534)
    for path in (file, link):
        with pytest.raises(ConfigurationError, match="another user"):
            place.load(policy_file=path)


def test_EN_11_what_is_no_file(place: Place, file: Path) -> None:
    os.mkfifo(file)
    for path in (file, file.parent, file.parent / "missing.toml", Path("/dev/zero")):
        with pytest.raises(ConfigurationError):
            place.load(policy_file=path)
    big = file.parent / "big.toml"
    write(big, "#" * 2_000_000)
    with pytest.raises(ConfigurationError, match="bytes"):
        place.load(policy_file=big)
    (file.parent / "latin.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigurationError, match="UTF-8"):
        place.load(policy_file=file.parent / "latin.toml")


def test_a_profile_and_a_policy_that_disagree(place: Place, file: Path) -> None:
    write(file, GOOD)
    with pytest.raises(UsageError, match="extends high"):
        place.load("low", policy_file=file)
    write(file, '[net]\nallow = ["a.com"]')
    assert place.load("high", policy_file=file).confinement.level == "high"
    assert place.load(policy_file=file).confinement.level == "medium"


def test_EN_07_an_empty_list_in_a_policy_grants_nothing(place: Place, file: Path) -> None:
    write(file, '[net]\nmode = "listed"\nallow = []\n[models]\nmode = "listed"\nallow = []')
    policy = place.load(policy_file=file)
    assert policy.net.judge_host("https", "example.com", 443).allowed is False
    assert policy.models.judge("fake").allowed is False


def test_a_written_default_never_loosens(place: Place, file: Path) -> None:
    policy = place.load(
        "high", policy_file=write(file, '[files]\nread = ["x"]\n[tools]\nallow = []')
    )
    assert policy.files.roots.workspace is None
    assert policy.files.judge("write", place.path("spells/x")).allowed is False


def test_high_is_never_degraded(place: Place, file: Path) -> None:
    write(file, '[confinement]\non_missing = "none"\nallow_degraded = true')
    assert place.load("high", policy_file=file).confinement == ("high", "refuse", False)
    assert place.load("medium", policy_file=file).confinement == ("medium", "none", True)


def test_SEC_001_the_enum() -> None:
    assert [item.value for item in SecurityProfile] == ["none", "low", "medium", "high", "custom"]
    assert set(SecurityProfilePresets.all()) == {
        "development", "testing", "production", "data_analysis"
    }  # fmt: skip


def test_SEC_002_the_builder(place: Place) -> None:
    profile = (
        CustomSecurityProfileBuilder("high", name="mine")
        .allow_read("data/**").deny_read("data/secret").allow_write("out")
        .allow_host("example.com").allow_tool("http_client").deny_tool_category("ai")
        .allow_model("fake").allow_env("LANG").allow_module("io").limit("memory", "1GiB")
        .confinement("medium").require_tls(True).build()
    )  # fmt: skip
    policy = place.load(profile)
    assert policy.profile == "mine" and policy.confinement.level == "medium"
    assert policy.files.judge("read", place.path("work/data/a")).allowed is True
    assert policy.files.judge("read", place.path("work/data/secret")).allowed is False
    assert policy.tools.judge("x", frozenset(), "ai").allowed is False
    assert policy.modules.granted("lua") == ("io",) and policy.limits.memory == 2**30
    assert place.load(SecurityProfile.HIGH).profile == "high"


@pytest.mark.parametrize(
    "table",
    [
        {"extends": "high", "fiels": {}},
        {"extends": "hihg"},
        {"files": {"protects": False}},
        {"net": {"mode": 1}},
        {"limits": {"memory": None}},
        {"limits": {"memory": 0}},
    ],
)
def test_EN_11_a_table_from_code_is_checked_as_well(place: Place, table: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="the custom profile"):
        place.load(table)
    assert place.load({"extends": "high"}).confinement.level == "high"


def test_SEC_002_the_builder_refuses(place: Place) -> None:
    builder = CustomSecurityProfileBuilder()
    for wrong in (
        lambda: builder.allow_host("http://a.com/b"),
        lambda: builder.limit("memory", 0),
        lambda: builder.allow_env("LD_PRELOAD"),
        lambda: builder.confinement("weak").build(),
        lambda: CustomSecurityProfileBuilder("custom"),
        lambda: CustomSecurityProfileBuilder("hihg"),
        lambda: CustomSecurityProfileBuilder(name="high").build(),
    ):
        with pytest.raises(UsageError):
            wrong()
    built = CustomSecurityProfile({"extends": "high"})
    with pytest.raises(TypeError):
        built["extends"] = "none"
    with pytest.raises(UsageError):
        place.load(built, policy_file="x.toml")
