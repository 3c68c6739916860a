"""Encryption at rest and its keys: nothing readable on the disk, nothing lost in a rotation."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llmspell.config.storage import StorageSettings
from llmspell.errors import ConfigurationError, OperationFailed
from llmspell.spells.state import vault as vault_module
from llmspell.spells.state.keeping import Keeping
from llmspell.spells.state.sealing import Sealed
from llmspell.spells.state.sqlite import SqliteStore
from llmspell.spells.state.values import decode, encode
from llmspell.spells.state.vault import Vault

pytest.importorskip("cryptography")

MARK, OTHER = "a" * 64, "b" * 64
SECRET = "the heron wades at dawn"


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "SCRYPT_N", 2**14)


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def opened(folder: Path, vault: Vault, mark: str = MARK) -> SqliteStore:
    return SqliteStore(str(folder / "s.db"), mark, sealer=Sealed(vault, mark))


def test_SEC_024_nothing_of_keys_or_values_is_on_the_disk(tmp_path: Path) -> None:
    store = opened(tmp_path, Vault(str(tmp_path / "vault.json")))
    store.set("where the heron is", encode(SECRET))
    found = bytes_below(tmp_path)
    assert b"heron" not in found
    assert decode(store.get("where the heron is")) == SECRET
    assert store.keys("where") == ["where the heron is"]
    store.close()
    # The positive control: in the clear both are there.
    plain = SqliteStore(str(tmp_path / "plain.db"), MARK)
    plain.set("where the heron is", encode(SECRET))
    assert bytes_below(tmp_path).count(b"heron") >= 2
    plain.close()


def test_equal_values_are_sealed_unequally(tmp_path: Path) -> None:
    store = opened(tmp_path, Vault(str(tmp_path / "vault.json")))
    store.set("a", encode(SECRET))
    store.set("b", encode(SECRET))
    rows = store._database.execute("SELECT value FROM kept").fetchall()
    assert len({row[0] for row in rows}) == 2
    assert len({row[0][8:20] for row in rows}) == 2
    store.close()


def test_a_value_that_was_moved_or_changed_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path, Vault(str(tmp_path / "vault.json")))
    store.set("a", encode(1))
    store.set("b", encode(2))
    ids = [row[0] for row in store._database.execute("SELECT id FROM kept ORDER BY updated")]
    store._database.execute(
        "UPDATE kept SET value = (SELECT value FROM kept WHERE id = ?) WHERE id = ?", ids
    )
    with pytest.raises(OperationFailed) as moved:
        store.get("b")
    assert (moved.value.code, moved.value.kind) == (6002, "damaged")
    assert decode(store.get("a")) == 1
    store.close()


def test_SEC_026_a_rotation_keeps_everything_readable_and_leaves_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = StorageSettings(encrypt=True)
    keeping = Keeping(settings, None, str(tmp_path / "spell.lua"))
    store = keeping.open("spell")
    store.set("k", encode(SECRET))
    keeping.backup(store)
    vault_file = tmp_path / "state" / "llmspell" / "vault" / "vault.json"
    before = json.loads(vault_file.read_text())
    done = Keeping(settings, None, None).rotate()
    assert done == {"resealed": 2, "stores": 2, "retired": 1}
    after = json.loads(vault_file.read_text())
    assert len(after["keys"]) == 1
    assert after["current"] != before["current"]
    # A run that was going on all the while reads, and writes with the new key.
    assert decode(store.get("k")) == SECRET
    store.set("n", encode(SECRET))
    store.close()
    fresh = Keeping(settings, None, str(tmp_path / "spell.lua")).open("spell")
    assert [decode(fresh.get(key)) for key in ("k", "n")] == [SECRET, SECRET]
    fresh.close()


def test_an_interrupted_rotation_loses_nothing(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path / "vault.json"))
    store = opened(tmp_path, vault)
    store.set("k", encode(SECRET))
    vault.rotate()  # and then the power went
    store.set("n", encode(SECRET))
    store.close()
    again = opened(tmp_path, Vault(str(tmp_path / "vault.json")))
    assert [decode(again.get(key)) for key in ("k", "n")] == [SECRET, SECRET]
    assert again.reseal() == 1
    again.close()


def test_a_rotation_that_can_not_be_written_seals_nothing_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(str(tmp_path / "vault.json"))
    before = vault.current_id

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OperationFailed):
        vault.rotate()
    monkeypatch.undo()
    assert vault.current_id == before


def test_a_passphrase_seals_the_keys_themselves(tmp_path: Path) -> None:
    path = str(tmp_path / "vault.json")
    first = Vault(path, "correct horse")
    first.store_secret("api_key:openai", "sk-very-secret")
    key = first.key(first.current_id)
    found = bytes_below(tmp_path)
    assert vault_module._text(key).encode() not in found
    assert b"sk-very-secret" not in found
    assert Vault(path, "correct horse").retrieve_secret("api_key:openai") == "sk-very-secret"
    for wrong in ("battery staple", None):
        with pytest.raises(OperationFailed) as refused:
            Vault(path, wrong)
        assert refused.value.code == 6004
        assert "correct" not in str(refused.value.to_wire())


def test_SEC_025_secrets_are_kept_sealed_and_rotated(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path / "vault.json"))
    vault.store_secret("api_key:openai", "sk-very-secret")
    assert b"sk-very-secret" not in bytes_below(tmp_path)
    vault.rotate()
    vault.retire()
    again = Vault(str(tmp_path / "vault.json"))
    assert again.retrieve_secret("api_key:openai") == "sk-very-secret"
    assert again.retrieve_secret("api_key:other") is None
    assert again.secret_names() == ["api_key:openai"]
    assert again.forget_secret("api_key:openai") is True
    assert again.secret_names() == []


def test_a_vault_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    Vault(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(ConfigurationError):
        Vault(str(path))


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 1}', "no json", '{"version": 1, "keys": 3}']
)
def test_a_damaged_vault_is_told_and_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vault.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(OperationFailed) as refused:
        Vault(str(path))
    assert refused.value.code == 6002
    assert path.read_text() == text


def test_plain_and_sealed_are_not_mixed(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path / "vault.json"))
    sealed = opened(tmp_path, vault)
    sealed.set("k", b"1")
    sealed.close()
    with pytest.raises(OperationFailed) as refused:
        SqliteStore(str(tmp_path / "s.db"), MARK)
    assert refused.value.kind == "encrypted"
    plain = SqliteStore(str(tmp_path / "p.db"), MARK)
    plain.set("k", b"1")
    plain.close()
    with pytest.raises(OperationFailed) as begun:
        SqliteStore(str(tmp_path / "p.db"), MARK, sealer=Sealed(vault, MARK))
    assert begun.value.kind == "not_encrypted"


def test_another_owner_can_not_open_what_was_sealed_for_this_one(tmp_path: Path) -> None:
    vault = Vault(str(tmp_path / "vault.json"))
    mine, theirs = Sealed(vault, MARK), Sealed(vault, OTHER)
    blob = mine.seal(b"id", b"text")
    assert mine.open(b"id", blob) == b"text"
    with pytest.raises(OperationFailed):
        theirs.open(b"id", blob)


_ROTATE = """
from llmspell.config.storage import StorageSettings
from llmspell.spells.state.keeping import Keeping
Keeping(StorageSettings(encrypt=True), None, None).rotate()
"""


def test_rotations_of_two_processes_and_a_writer_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keeping = Keeping(StorageSettings(encrypt=True), None, str(tmp_path / "spell.lua"))
    store = keeping.open("spell")
    for number in range(50):
        store.set(f"k{number}", encode(number))
    rotating = [subprocess.Popen([sys.executable, "-c", _ROTATE]) for _ in range(2)]
    number = 50
    while any(one.poll() is None for one in rotating):
        store.set(f"k{number}", encode(number))
        number += 1
    assert [one.returncode for one in rotating] == [0, 0]
    store.close()
    again = Keeping(StorageSettings(encrypt=True), None, str(tmp_path / "spell.lua"))
    opened = again.open("spell")
    assert [decode(opened.get(f"k{n}")) for n in range(number)] == list(range(number))
    opened.close()
