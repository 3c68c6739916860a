"""What a warm supervisor keeps between runs, and that every change makes it forget."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmspell.config import files, paths
from llmspell.errors import ConfigurationError
from llmspell.platform.linux import seccomp
from llmspell.policies.policy import Policy
from llmspell.spells.spell import Spell
from llmspell.supervisor import guests, policies_kept, worker
from llmspell.supervisor.decide import choose_policy
from llmspell.supervisor.options import RunOptions
from llmspell.supervisor.prepare import prepare


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user with no settings, standing in an empty folder."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    policies_kept._kept.clear()
    yield tmp_path
    policies_kept._kept.clear()


SPELL = Spell.from_source("return 1", "lua")


def policy(
    grants: tuple[tuple[str, str], ...] = (), spell: Spell = SPELL, **more: object
) -> Policy:
    return choose_policy(spell, RunOptions(grants=grants, stdin=None, **more))  # type: ignore[arg-type]


def test_the_same_choice_gives_the_same_policy(home: Path) -> None:
    first = policy((("read", "data"),))
    assert policy((("read", "data"),)) is first
    policies_kept._kept.clear()
    again = policy((("read", "data"),))
    assert again is not first
    assert again.to_json() == first.to_json() and again.describe() == first.describe()


def test_each_choice_has_a_policy_of_its_own(home: Path) -> None:
    plain = policy()
    other = Spell("other", "return 1", "lua", str(home / "a.lua"), str(home))
    found = [
        plain,
        policy(profile="low"),
        policy((("read", "x"),)),
        policy((("write", "x"),)),
        policy(limits={"memory": "64MiB"}),
        policy(allow_degraded=True),
        policy(spell=other),
        policy(audit=str(home / "record.jsonl")),
    ]
    assert len({id(one) for one in found}) == len(found)
    assert policy() is plain
    record = str(home / "record.jsonl")
    assert found[-1].files.judge("read", record).rule == "protected.llmspell"
    assert plain.files.judge("read", record).rule != "protected.llmspell"


def test_another_folder_or_home_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = policy((("read", "data"),))
    inside = str(home / "work" / "data" / "a")
    assert here.files.judge("read", inside).allowed is True
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    there = policy((("read", "data"),))
    assert there.files.judge("read", inside).allowed is False
    assert there.files.judge("read", str(elsewhere / "data" / "a")).allowed is True
    state = home / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    assert f"{state}/llmspell" in paths.own_folders()
    moved = policy((("read", "data"),))
    assert moved is not there
    assert moved.files.judge("read", str(state / "llmspell" / "x")).rule == "protected.llmspell"


def test_a_link_that_leads_elsewhere_is_seen(home: Path) -> None:
    for name in ("one", "two"):
        (home / name).mkdir()
    link = home / "work" / "data"
    link.symlink_to(home / "one")
    before = policy((("read", "data"),))
    assert before.files.judge("read", str(home / "one" / "a")).allowed is True
    assert before.files.judge("read", str(home / "two" / "a")).allowed is False
    assert policy((("read", "data"),)) is before
    link.unlink()
    link.symlink_to(home / "two")
    after = policy((("read", "data"),))
    assert after.files.judge("read", str(home / "one" / "a")).allowed is False
    assert after.files.judge("read", str(home / "two" / "a")).allowed is True


def settings_file(home: Path) -> Path:
    folder = home / "xdg_config_home" / "llmspell"
    folder.mkdir(exist_ok=True)
    return folder / "llmspell.toml"


def test_a_changed_settings_file_is_seen(home: Path) -> None:
    assert policy().profile == "medium"
    file = settings_file(home)
    file.write_text('[security]\nprofile = "high"\n')
    assert policy().profile == "high"
    kept = policy()
    assert policy() is kept
    # The same length, and put back to the same moment: only the bytes differ.
    moment = file.stat().st_mtime_ns
    file.write_text('[security]\nprofile = "low" \n'[:30])
    os.utime(file, ns=(moment, moment))
    assert policy().profile == "low"
    file.write_text('[security]\nallowed_domains = ["a.example"]\n')
    assert [rule.text for rule in policy().net.rules] == ["a.example"]
    file.write_text('[security]\nallowed_domains = ["b.example"]\n')
    assert [rule.text for rule in policy().net.rules] == ["b.example"]
    file.unlink()
    assert policy().profile == "medium" and policy().net.rules == ()


def test_a_settings_file_that_others_may_write_is_refused_though_it_was_read(home: Path) -> None:
    file = settings_file(home)
    file.write_text('[security]\nprofile = "low"\n')
    assert policy().profile == "low"
    file.chmod(0o666)
    with pytest.raises(ConfigurationError, match="everybody may write it"):
        policy()
    file.chmod(0o600)
    assert policy().profile == "low"


def test_a_projects_file_that_loosens_is_refused_each_time(home: Path) -> None:
    project = home / "work" / "llmspell.toml"
    project.write_text('[security]\nprofile = "high"\n')
    assert policy().profile == "high"
    project.write_text('[security]\nprofile = "none"\n')
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="looser"):
            policy()
    project.unlink()
    assert policy().profile == "medium"


def test_an_exception_follows_its_script(home: Path) -> None:
    scripts = [home / "a.lua", home / "b.lua"]
    for script in scripts:
        script.write_text("return 1")
    link = home / "named.lua"
    link.symlink_to(scripts[0])
    settings_file(home).write_text(f'[[security.overrides]]\nscript = "{link}"\nmodules = ["io"]\n')

    def modules() -> list[bool]:
        return ["io" in policy(spell=Spell.from_file(script)).modules.names for script in scripts]

    assert modules() == [True, False]
    link.unlink()
    link.symlink_to(scripts[1])
    assert modules() == [False, True]


def test_a_policy_file_is_read_each_time(home: Path) -> None:
    file = home / "policy.toml"
    file.write_text('extends = "medium"\n[net]\nallow = ["a.example"]\n')
    assert "a.example" in str(policy(policy_file=str(file)).to_json())
    file.write_text('extends = "medium"\n[net]\nallow = ["b.example"]\n')
    assert "a.example" not in str(policy(policy_file=str(file)).to_json())


def test_a_mistake_is_never_kept(home: Path) -> None:
    from llmspell.errors import UsageError

    for _ in range(2):
        with pytest.raises(UsageError):
            policy((("env", "LD_PRELOAD"),))
    assert not policies_kept._kept


def test_no_more_is_kept_than_was_said(home: Path) -> None:
    for number in range(policies_kept.KEPT_MAX + 5):
        policy((("read", f"data{number}"),))
    assert len(policies_kept._kept) == policies_kept.KEPT_MAX
    assert files.FILES_KEPT > 0


def test_a_granted_variable_is_read_at_each_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = RunOptions(grants=(("env", "GREETING"),), stdin=None)
    for value in ("hello", "bye"):
        monkeypatch.setenv("GREETING", value)
        prepared = prepare(SPELL, options)
        assert prepared.plan.env == {"GREETING": value}
        prepared.close()
    prepared = prepare(SPELL, RunOptions(stdin=None))
    assert prepared.plan.env == {}
    prepared.close()


def test_a_changed_filter_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "BUILT", str(tmp_path))
    file = tmp_path / seccomp.file_name("medium", "native", "x86_64")
    file.write_bytes(b"12345678")
    assert seccomp.program("medium", "native", "x86_64") == b"12345678"
    moment = file.stat().st_mtime_ns
    other = tmp_path / "other"
    other.write_bytes(b"87654321")
    os.utime(other, ns=(moment, moment))
    other.replace(file)
    assert seccomp.program("medium", "native", "x86_64") == b"87654321"


def test_a_guest_is_looked_for_again_when_a_file_of_it_changes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prelude = tmp_path / "prelude.lua"
    prelude.write_text("-- one")
    asked: list[str] = []

    def booted(engine: str) -> guests.Guest:
        asked.append(engine)
        return guests.Guest(engine, prelude, prelude, prelude, {})

    monkeypatch.setattr(guests, "booted", booted)
    monkeypatch.setattr(worker, "_guests", {})
    for _ in range(2):
        worker._guest("lua")
    assert asked == ["lua"]
    prelude.write_text("-- longer")
    worker._guest("lua")
    assert asked == ["lua"] * 2
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    worker._guest("lua")
    assert asked == ["lua"] * 3
    prelude.unlink()
    for _ in range(2):
        worker._guest("lua")
    assert asked == ["lua"] * 5
