"""What stands around a run: project folders, configuration, homes, streams, and who cancels it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import llmspell
from llmspell.config import paths
from llmspell.config.files import load_settings
from llmspell.config.providers import load_providers
from llmspell.errors import ConfigurationError
from llmspell.spells import manifest as manifests
from llmspell.supervisor import guest_cache
from llmspell.supervisor.audit import places
from llmspell.supervisor.audit.verify import verify
from tests.adversarial.proof import Control
from tests.adversarial.test_secrets_shown import is_harmless, on_a_terminal
from tests.e2e.program import Program
from tests.e2e.test_mistakes import is_usage_error

PROFILES = ("low", "medium", "high")
LOOSER = {
    "low": ("development", "none"),
    "medium": ("data_analysis", "production", "development", "low"),
    "high": ("testing", "production", "data_analysis", "medium"),
}
NARROWER = {"low": ("medium", "testing", "high"), "medium": ("testing", "high"), "high": ("high",)}


@pytest.mark.parametrize("profile", PROFILES)
def test_EN_60_a_project_names_no_profile_that_allows_more(
    program: Program, profile: str, control: Control
) -> None:
    program.write("data.txt", "found")
    program.write("spells/s.lua", "return fs.read('data.txt')")
    program.write("own.toml", f'[security]\nprofile = "{profile}"\n').chmod(0o600)
    env = {"LLMSPELL_CONFIG_PATH": "own.toml"}
    environ = {
        "HOME": str(program.folder),
        "LLMSPELL_CONFIG_PATH": str(program.folder / "own.toml"),
    }
    for named in LOOSER[profile]:
        program.write("llmspell.toml", f'[security]\nprofile = "{named}"\n')
        with pytest.raises(ConfigurationError, match="looser than yours"):
            load_settings(str(program.folder), environ)
    is_usage_error(program("run", "spells/s.lua", env=env), "looser than yours")
    for named in NARROWER[profile]:
        program.write("llmspell.toml", f'[security]\nprofile = "{named}"\n')
        control(load_settings(str(program.folder), environ).profile == named, "EN-60")
    (program.folder / "llmspell.toml").unlink()
    reads = program("run", "--profile", "data_analysis", "spells/s.lua", env=env)
    control(reads.out == "found\n", "EN-60")


@pytest.mark.profile("low", "medium", "high")
def test_EN_60_a_project_names_no_price(tmp_path: Path, control: Control) -> None:
    own, project = tmp_path / "own.toml", tmp_path / "llmspell.toml"
    environ = {"HOME": str(tmp_path), "OPENAI_API_KEY": "x", "LLMSPELL_CONFIG_PATH": str(own)}
    price = "[providers.openai]\ncost_per_token = "
    for owns, projects in (("", "0"), ("", "0.5"), (price + "0.001", "0")):
        own.write_text(owns)
        project.write_text(price + projects)
        with pytest.raises(ConfigurationError, match="cost_per_token"):
            load_providers(str(tmp_path), environ)
    own.write_text(price + "0.001")
    project.write_text(price + "0.002")
    found = load_providers(str(tmp_path), environ).providers["openai"]
    control(found.cost_per_token == 0.002)


@pytest.mark.parametrize("profile", PROFILES)
def test_EN_61_a_manifest_shows_all_that_it_asks_for(
    program: Program, profile: str, control: Control
) -> None:
    program.write("spells/s.lua", "print('ran')")
    manifest = program.folder / "spells/spell.toml"
    words = ("--profile", profile, "spells/s.lua")
    manifest.write_text('[requests]\nread = ["../data"]\n[limits]\noutput = "unlimited"\n')
    shown = program("explain", *words)
    assert "  --limit output=unlimited" in shown.out
    assert program("explain", "--output", "json", *words).json()["requested_limits"]
    control(program("run", "--grant-requested", *words).out == "ran\n")

    middle = "data/" + "a/" * 40 + "../" * 60 + "etc/" + "./" * 60
    for wrong in (middle, "data/..", "spell:a/../..", "/data/../etc", "~/../x"):
        text = f"[requests]\nread = [{json.dumps(wrong)}]\n"
        with pytest.raises(ConfigurationError, match="turns back"):
            manifests.parse(text, "spell.toml")
    manifest.write_text(text)
    is_usage_error(program("run", "--grant-requested", *words), "turns back")
    manifest.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        manifests.read(str(manifest))
    manifest.write_text("# " + "x" * 65_536 + '\n[requests]\nread = ["/"]\n')
    is_usage_error(program("explain", *words), "it is over")


@pytest.mark.parametrize("profile", PROFILES)
def test_EN_62_no_file_gets_the_number_of_a_closed_stream(
    program: Program, profile: str, control: Control
) -> None:
    program.write("s.lua", "for turn = 1, 9 do print('printed') end return {'printed'}")
    record = program.folder / "a.jsonl"
    for closed in ("", ">&-", "<&- >&- 2>&-"):
        shell = ("/bin/sh", "-c", f'exec "$@" {closed}', "sh")
        words = ("run", "--profile", profile, "--audit", "a.jsonl", "s.lua")
        ended = program(*words, wrapper=shell)
        assert ended.code == 0 and verify(record).ok, (closed, ended)
        assert "printed" not in record.read_text() and not ended.err
        if ">&-" not in closed.replace("2>&-", ""):
            control(ended.out.count("printed") == 10, "EN-62")
        record.unlink()


@pytest.mark.profile("none", "low", "medium", "high")
def test_EN_63_types_replace_a_link_and_never_follow_it(program: Program, control: Control) -> None:
    mine = program.folder.parent / "mine.txt"
    mine.write_text("precious")
    there = program.folder / "there"
    there.mkdir()
    (there / "llmspell.lua").symlink_to(mine)
    os.mkfifo(there / "llmspell.pyi")
    ended = program("types", "--output", "there", timeout=20)
    assert ended.code == 0 and mine.read_text() == "precious"
    control(all((there / name).is_file() for name in ("llmspell.lua", "llmspell.pyi")))
    assert not (there / "llmspell.lua").is_symlink()
    assert sorted(os.listdir(there)) == ["llmspell.d.ts", "llmspell.lua", "llmspell.pyi"]


OURS = ("pol.toml", "own.toml", "kept/x.db", "vault.json", "key.txt", "cass.jsonl", "fake.toml")
TRIES = """
local found = {}
for _, path in ipairs(args) do
    local wrote, write = pcall(fs.write, path, "mine")
    local read, text = pcall(fs.read, path)
    local moved = pcall(fs.move, path, "moved")
    local gone = pcall(fs.remove, moved and "moved" or path)
    found[path] = {wrote or tostring(write), read and text or tostring(text), moved, gone}
end
return found
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_64_what_decides_the_next_run_is_not_in_the_grant(
    program: Program, profile: str, control: Control
) -> None:
    folder = program.folder
    (folder / "kept").mkdir(mode=0o700)
    contents = dict.fromkeys(OURS, "k") | {
        "own.toml": '[storage]\npath = "kept"\nencryption_key_path = "vault.json"\n[providers]\n'
        f'record = "{folder}/cass.jsonl"\n[providers.openai]\napi_key_file = "{folder}/key.txt"\n',
        "pol.toml": f'extends = "{profile}"\n',
        "fake.toml": '[[turn]]\ntext = "a"\n',
        "beside.toml": "old",
    }
    for name, text in contents.items():
        program.write(name, text).chmod(0o600)
    program.write("spells/try.lua", TRIES.replace("args", "params.paths"))
    flags = ("--policy", "pol.toml", "--allow-read", ".", "--allow-write", ".")
    paths_tried = json.dumps([*OURS, "beside.toml"])
    ended = program(
        *("run", *flags, "--param", f"paths={paths_tried}", "--audit", "audit.jsonl"),
        *("--output", "json", "spells/try.lua"),
        env={"LLMSPELL_CONFIG_PATH": "own.toml", "LLMSPELL_FAKE_SCRIPT": "fake.toml"},
    )
    found: dict[str, Any] = ended.json()["value"]
    control(found.pop("beside.toml") == [True, "mine", True, True])
    for name, (wrote, read, moved, gone) in found.items():
        assert "protected.llmspell" in str(wrote) and "protected.llmspell" in str(read), name
        assert moved is False and gone is False
        assert (folder / name).read_text() == contents[name]
    records = [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]
    denied = {item["target"] for item in records if item.get("rule") == "protected.llmspell"}
    assert len(denied) >= len(OURS)


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_65_one_home_for_the_rules_and_for_what_they_protect(
    program: Program, profile: str, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = program.folder.parent / "away/deep"
    away.mkdir(parents=True)
    (program.folder / "link").symlink_to(away)
    program.write("s.lua", "return {pcall(fs.list, '.local/state/llmspell/audit')}")
    env = {"HOME": f"{program.folder}/link/..", "XDG_STATE_HOME": ""}
    flags = ("--profile", profile, "--allow-read", ".", "--allow-write", ".")
    ended = program("run", *flags, "--output", "json", "s.lua", env=env)
    assert "protected.llmspell" in json.dumps(ended.json()["denials"]), ended
    control(ended.code == 0 and os.listdir(program.folder / ".local/state/llmspell/audit") != [])
    assert not (away.parent / ".local").exists()

    monkeypatch.chdir(program.folder)
    for home in ("", "relative", ".", "~", str(program.folder / "link/..")):
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(name, "relative")
        monkeypatch.setenv("HOME", home)
        own = paths.own_folders()
        for kept in (places.default_folder(), str(guest_cache.folder())):
            assert os.path.isabs(kept) and any(kept.startswith(f"{one}/") for one in own), home


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_07_SL_08_a_table_is_shown_escaped_as_well(
    program: Program, profile: str, control: Control
) -> None:
    """A value that is no text is printed as JSON, which escapes only what is below a blank."""
    evil = "\u009b31m\u202efdp\u200b\U000e0041"
    program.write("s.lua", f"return {{[{json.dumps(evil, ensure_ascii=False)}] = 1}}")
    words = ("run", "--profile", profile, "s.lua")
    control(program(*words).json() == {evil: 1}, "SL-07", "SL-08")
    for more in ((), ("--output", "json")):
        shown = on_a_terminal(program, *words[:-1], *more, "s.lua")
        assert is_harmless(shown) and "\\u009b31m\\u202efdp\\u200b\\udb40" in shown
    assert json.loads(on_a_terminal(program, *words)) == {evil: 1}


@pytest.mark.parametrize("profile", PROFILES)
def test_RS_61_a_run_cancelled_twice_leaves_the_next_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, control: Control
) -> None:
    """The descriptors of a run that was left in its end were still known to the loop: whoever got
    their numbers next was never heard."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def lua(text: str) -> llmspell.Spell:
        return llmspell.Spell.from_source(text, language="lua")

    async def storm() -> list[Any]:
        values = []
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            for _ in range(3):
                ends = supervisor.run(lua("while true do end"), tenant="a", profile=profile)
                outer = asyncio.ensure_future(ends)
                await asyncio.sleep(0.1)
                for run in list(supervisor._runs):
                    for _ in range(3):
                        run.task.cancel()
                        await asyncio.sleep(0)
                assert isinstance(
                    (await asyncio.gather(outer, return_exceptions=True))[0], asyncio.CancelledError
                )
                heard = supervisor.run(lua("return 7"), tenant="b", profile=profile)
                values.append((await asyncio.wait_for(heard, 20)).value)
        return values

    begun = time.process_time()
    assert asyncio.run(storm()) == [7, 7, 7]
    control(time.process_time() - begun < 5)
