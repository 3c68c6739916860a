# ruff: noqa: E501 - spells are laid out as their authors would
"""Kept values as spells of three languages use them: whose they are, how long, how safely."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Place, Program


@pytest.fixture
def program(place: Place, tmp_path: Path) -> Program:
    """The command line with a state and a configuration of the test's own."""
    folders = {"XDG_STATE_HOME": tmp_path / "state", "XDG_CONFIG_HOME": tmp_path / "config"}
    for folder in (*folders.values(), tmp_path / "work"):
        folder.mkdir(mode=0o700)
    environ = {**place.environ, **{name: str(folder) for name, folder in folders.items()}}
    return Program(place._replace(root=tmp_path, environ=environ), tmp_path / "work")


COUNTS: Final = {
    "lua": """
local mine = Storage.scope("spell")
mine.set("runs", (mine.get("runs") or 0) + 1)
mine.set_batch { a = 1, b = { c = { 2 } } }
local done = mine.transaction {
  { op = "get", key = "a" }, { op = "set", key = "t", value = "x" }, { op = "merge", key = "b", value = { d = 3 } },
  { op = "delete", key = "a" },
}
local refused, why = pcall(mine.transaction, { { op = "delete", key = "t" }, { op = "check", key = "runs", value = -1 } })
return { runs = mine.get("runs"), first = done[1], b = mine.get("b"), keys = mine.list(), why = why.kind,
  batch = mine.get_batch { "t", "none" }, gone = mine.delete_batch { "t", "none" }, t = mine.exists("t"),
  found = mine.query(function(key, value) return key ~= "b" end), backend = mine.stats().backend,
  other = Storage.list() }
""",
    "javascript": """
const mine = Storage.scope("spell");
await mine.set("runs", ((await mine.get("runs")) ?? 0) + 1);
await mine.setBatch({ a: 1, b: { c: [2] } });
const done = await mine.transaction([
  { op: "get", key: "a" }, { op: "set", key: "t", value: "x" }, { op: "merge", key: "b", value: { d: 3 } },
  { op: "delete", key: "a" },
]);
let why;
try { await mine.transaction([{ op: "delete", key: "t" }, { op: "check", key: "runs", value: -1 }]); }
catch (error) { why = error.kind; }
return { runs: await mine.get("runs"), first: done[0], b: await mine.get("b"), keys: await mine.list(), why,
  batch: await mine.getBatch(["t", "none"]), gone: await mine.deleteBatch(["t", "none"]), t: await mine.exists("t"),
  found: await mine.query((key, value) => key !== "b"), backend: (await mine.stats()).backend,
  other: await Storage.list() };
""",
    "python": """
mine = Storage.scope("spell")
await mine.set("runs", (await mine.get("runs") or 0) + 1)
await mine.set_batch({"a": 1, "b": {"c": [2]}})
done = await mine.transaction([
    {"op": "get", "key": "a"}, {"op": "set", "key": "t", "value": "x"},
    {"op": "merge", "key": "b", "value": {"d": 3}}, {"op": "delete", "key": "a"},
])
try:
    await mine.transaction([{"op": "delete", "key": "t"}, {"op": "check", "key": "runs", "value": -1}])
except LLMSpellError as error:
    why = error.kind
result = {"runs": await mine.get("runs"), "first": done[0], "b": await mine.get("b"), "keys": await mine.list(),
    "why": why, "batch": await mine.get_batch(["t", "none"]), "gone": await mine.delete_batch(["t", "none"]),
    "t": await mine.exists("t"), "found": await mine.query(lambda key, value: key != "b"),
    "backend": (await mine.stats())["backend"], "other": await Storage.list()}
""",
}  # fmt: skip


def kept(program: Program) -> list[str]:
    folder = program.place.root / "state" / "llmspell" / "kept"
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_API_097_a_spells_own_values_outlive_its_runs(
    program: Program, language: str, profile: str
) -> None:
    for run in (1, 2):
        found = program.result(COUNTS[language], SUFFIXES[language], "--profile", profile)
        assert found["value"] == {
            "runs": run,
            "first": 1,
            "b": {"c": [2], "d": 3},
            "keys": ["b", "runs", "t"],
            "why": "conflict",
            "batch": {"t": "x"},
            "gone": 1,
            "t": False,
            "found": {"runs": run},
            "backend": "sqlite",
            "other": [],
        }, found
    folder = program.place.root / "state" / "llmspell" / "kept"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in kept(program))


SECRET: Final = "Storage.set('secret', 'the heron', {scope = 'spell'})"
LOOKS: Final = """
local mine = Storage.scope("spell")
assert(#mine:list() == #mine.list() and mine:get("secret") == mine.get("secret"))
assert(mine:query(function() return true end).secret == mine.get("secret"))
return {mine.get("secret") or "nothing", #mine.list()}
"""


MIGRATES: Final = {
    "lua": """
local mine = Storage.scope("spell")
if mine.version() == 0 then mine.set("name", "a b") end
local function split(from)
  return { { op = "set", key = "first", value = mine.get("name"):sub(1, 1) }, { op = "delete", key = "name" } }
end
local function names(page) local keys = {} for _, item in ipairs(page.items) do keys[#keys + 1] = item[1] end return keys end
return { before = mine.version(), done = mine.migrate(1, split), again = mine.migrate(1, split), now = mine.version(), keys = mine.list(),
  range = names(mine.scan { start = "first", before = "g" }), none = names(mine.scan { before = "first" }) }
""",
    "javascript": """
const mine = Storage.scope("spell");
if (await mine.version() === 0) await mine.set("name", "a b");
const split = async (from) =>
  [{ op: "set", key: "first", value: (await mine.get("name"))[0] }, { op: "delete", key: "name" }];
const names = (page) => page.items.map((item) => item[0]);
return { before: await mine.version(), done: await mine.migrate(1, split), again: await mine.migrate(1, split), now: await mine.version(), keys: await mine.list(),
  range: names(await mine.scan({ start: "first", before: "g" })), none: names(await mine.scan({ before: "first" })) };
""",
    "python": """
mine = Storage.scope("spell")
if await mine.version() == 0:
    await mine.set("name", "a b")
async def split(version):
    return [{"op": "set", "key": "first", "value": (await mine.get("name"))[0]}, {"op": "delete", "key": "name"}]
names = lambda page: [item[0] for item in page["items"]]
{"before": await mine.version(), "done": await mine.migrate(1, split), "again": await mine.migrate(1, split), "now": await mine.version(), "keys": await mine.list(),
 "range": names(await mine.scan(start="first", before="g")), "none": names(await mine.scan(before="first"))}
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_spell_keeps_is_migrated_once(program: Program, language: str) -> None:
    after = {"again": False, "now": 1, "keys": ["first"], "range": ["first"], "none": []}
    for before, done in ((0, True), (1, False)):
        found = program.result(MIGRATES[language], SUFFIXES[language])
        assert found["value"] == {"before": before, "done": done, **after}, found


def test_the_values_of_one_spell_are_no_other_spells(program: Program) -> None:
    program.write("a/spell.lua", SECRET)
    program.write("b/spell.lua", LOOKS)
    program.write("a/other.lua", LOOKS)
    assert program("run", "a/spell.lua").code == 0
    for other in ("b/spell.lua", "a/other.lua"):
        assert json.loads(program("run", other).out) == ["nothing", 0]
    # A spell that was edited, and one reached by a link, are the same spell.
    program.write("a/spell.lua", LOOKS)
    (program.folder / "link.lua").symlink_to(program.folder / "a" / "spell.lua")
    for same in ("a/spell.lua", "link.lua"):
        assert json.loads(program("run", same).out) == ["the heron", 1]


def test_no_spell_reaches_the_files_of_the_stores(program: Program) -> None:
    program.write("spell.lua", SECRET)
    assert program("run", "spell.lua").code == 0
    folder = program.place.root / "state" / "llmspell" / "kept"
    path = folder / kept(program)[0]
    program.write("thief.lua", f"return fs.read('{path}', {{encoding = 'binary'}})")
    refused = program("run", "--profile", "low", "--allow-read", str(folder), "thief.lua")
    assert refused.code == 3, refused


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
@pytest.mark.parametrize("scope", ["tenant", "global"])
def test_shared_scopes_are_by_grant(program: Program, profile: str, scope: str) -> None:
    program.write(
        "w.lua",
        f"Storage.set('k', 1, {{scope = '{scope}'}}) return Storage.get('k', {{scope = '{scope}'}})",
    )
    base = ("run", "--profile", profile)
    refused = program(*base, "--audit", "refused.jsonl", "w.lua")
    assert refused.code == 3, refused
    assert f"rule {profile}.state.{scope}" in refused.err
    assert f"to allow it: --allow-state {scope}" in refused.err
    assert "(4008)" in refused.err
    assert not any(name.startswith(scope) for name in kept(program))
    decided = [
        json.loads(line) for line in (program.folder / "refused.jsonl").read_text().splitlines()
    ]
    denied = [one for one in decided if one.get("allowed") is False]
    assert [(one["method"], one["target"], one["code"]) for one in denied] == [
        ("storage.set", f"state:{scope}/k", 4008)
    ]
    granted = program(*base, "--allow-state", scope, "--audit", "granted.jsonl", "w.lua")
    assert (granted.code, granted.out) == (0, "1\n"), granted
    # Another spell with the grant sees it: the scope is shared.
    program.write("r.lua", f"return Storage.get('k', {{scope = '{scope}'}})")
    assert program(*base, "--allow-state", scope, "r.lua").out == "1\n"
    assert "'k'" not in program(*base, "--allow-state", scope, "r.lua").err


def test_the_spells_own_scope_can_be_denied(program: Program) -> None:
    program.write("p.toml", 'extends = "medium"\n[state]\ndeny = ["spell"]\n')
    program.write("w.lua", SECRET)
    refused = program("run", "--policy", "p.toml", "w.lua")
    assert refused.code == 3 and ".state.denied" in refused.err, refused
    assert kept(program) == []


def test_a_wrong_scope_is_a_mistake(program: Program) -> None:
    found = program.result("Storage.get('k', {scope = 'events'})", ".lua")
    assert found["error"]["code"] == 2002
    assert program("run", "--allow-state", "events", "x.lua").code != 0


@pytest.fixture
def config(program: Program) -> Any:
    folder = program.place.root / "config" / "llmspell"

    def write(text: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "llmspell.toml").write_text(text)

    yield write
    (folder / "llmspell.toml").unlink(missing_ok=True)


def test_X31_sled_and_rocksdb_mean_the_embedded_store(program: Program, config: Any) -> None:
    program.write("c.lua", "return Storage.stats({scope = 'spell'}).backend")
    for spelling in ("sled", "rocksdb"):
        config(f'[storage]\nbackend = "{spelling}"\nconnection_pool_size = 10\n')
        ended = program("run", "c.lua")
        assert ended.out == "sqlite\n"
        assert f"storage.backend = '{spelling}' means the embedded store" in ended.err
    config('[storage]\nbackend = "memory"\n')
    ended = program("run", "c.lua")
    assert ended.out == "memory\n"
    config('[storage]\nbackend = "redis"\n')
    assert "there is no 'redis'" in program("run", "c.lua").err


def test_quotas_are_the_users(program: Program, config: Any) -> None:
    config("[storage]\nmax_keys = 2\n")
    source = "for n = 1, 3 do Storage.set('k' .. n, n, {scope = 'spell'}) end"
    found = program.result(source, ".lua")
    assert (found["error"]["code"], found["error"]["rule"]) == (4009, "limit.storage")


def test_SEC_024_encryption_by_configuration(program: Program, config: Any) -> None:
    pytest.importorskip("cryptography")
    config("[storage]\nencryption_enabled = true\n")
    source = "Storage.set('key of herons', 'wading', {scope = 'spell'}) return Storage.get('key of herons', {scope = 'spell'})"
    assert program.run(source, ".lua").out == "wading\n"
    root = program.place.root / "state" / "llmspell" / "kept"
    mine = [name for name in kept(program) if name.startswith("spell-spell-")]
    newest = max(mine, key=lambda name: (root / name).stat().st_mtime_ns)
    data = (root / newest).read_bytes()
    assert b"heron" not in data and b"wading" not in data
    vault = program.place.root / "state" / "llmspell" / "vault" / "vault.json"
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600


def test_a_damaged_store_is_told_and_put_aside(program: Program) -> None:
    program.write(
        "d.lua", "Storage.set('k', 1, {scope = 'spell'}) return Storage.get('k', {scope = 'spell'})"
    )
    assert program("run", "d.lua").code == 0
    folder = program.place.root / "state" / "llmspell" / "kept"
    (mine,) = (name for name in kept(program) if name.startswith("spell-d-"))
    (folder / mine).write_bytes(b"\x00" * 100 + b"rubbish" * 1000)
    broken = program("run", "d.lua")
    assert "(6002)" in broken.err and "put aside" in broken.err, broken
    assert any(name.startswith(mine + ".damaged-") for name in kept(program))
    assert program("run", "d.lua").out == "1\n"


@pytest.mark.parametrize("scope", ["run", "spell"])
def test_a_function_is_no_value(program: Program, scope: str) -> None:
    for value in ("function() end", "{ a = { function() end } }"):
        source = f"Storage.set('f', {value}, {{scope = '{scope}'}})"
        assert program.result(source, ".lua")["error"]["code"] == 2002


@pytest.mark.parametrize("sealed", [False, True])
def test_STO_001_a_copy_is_put_back(program: Program, config: Any, sealed: bool) -> None:
    if sealed:
        pytest.importorskip("cryptography")
        config("[storage]\nencryption_enabled = true\n")
    source = """
    local mine = Storage.scope("spell")
    mine.set("k", "before")
    local name = mine.backup().name
    mine.set("k", "after")
    mine.set("n", 1)
    mine.restore(name)
    local found, why = pcall(mine.restore, "../" .. name)
    return { k = mine.get("k"), n = mine.exists("n"), listed = mine.backups()[1] == name, found = found,
      code = why.code, again = mine.set("n", 2) == nil and mine.get("n") }
    """
    assert program.result(source, ".lua")["value"] == {
        "k": "before", "n": False, "listed": True, "found": False, "code": 6002, "again": 2,
    }  # fmt: skip


def test_a_light_run_opens_no_store(program: Program) -> None:
    before = kept(program)
    program.write("light.lua", "Storage.set('k', 1) return Storage.get('k')")
    assert program("run", "light.lua").out == "1\n"
    assert kept(program) == before


def test_SEC_026_the_vault_is_rotated_from_the_command_line(program: Program, config: Any) -> None:
    pytest.importorskip("cryptography")
    assert "not encrypted" in program("vault", "status").err
    config("[storage]\nencryption_enabled = true\n")
    program.write("v.lua", "Storage.set('k', 'wading', {scope = 'spell'})")
    program.write("w.lua", "return Storage.scope('spell').get('k')")
    word = {"LLMSPELL_MASTER_PASSWORD": "correct horse"}
    assert program("run", "v.lua", env=word).code == 0
    rotated = program("vault", "rotate", "--output", "json", env=word)
    assert rotated.json() == {"action": "rotate", "resealed": 1, "stores": 1, "retired": 1}
    program.write("v.lua", "return Storage.scope('spell').get('k')")
    assert program("run", "v.lua", env=word).out == "wading\n"
    status = program("vault", "status", "--output", "json", env=word).json()
    assert (status["keys"], status["passphrase"]) == (1, True)
    # The control: another passphrase opens nothing, and its words are shown nowhere.
    wrong = program("run", "v.lua", env={"LLMSPELL_MASTER_PASSWORD": "battery staple"})
    assert "(6004)" in wrong.err and wrong.out == ""
    assert "battery" not in wrong.err and "correct" not in wrong.err


def test_EVT_017_events_are_persisted_where_the_user_says_so(program: Program, config: Any) -> None:
    source = "Events.emit('x', {n = 1}) Events.flush() return #Events.replay()"
    assert program.run(source, ".lua").out == "1\n"
    config("[events]\npersistence_enabled = true\nbatch_size = 10\n")
    assert [program.run(source, ".lua").out for _ in (1, 2)] == ["1\n", "2\n"]
    # Not against the policy: then a line says so, and the run's own events are what there is.
    program.write("p.toml", 'extends = "high"\n[state]\ndeny = ["spell"]\n')
    denied = program.run(source, ".lua", "--policy", "p.toml")
    assert denied.out == "1\n" and "events are not persisted" in denied.err
    config("[events]\nbuffer_size = 5000\n")
    assert "events.buffer_size" in program.run(source, ".lua").err
