"""`[storage]`: what the seeds write means something here or is said to be replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmspell.config.storage import StorageSettings, check_storage, load_storage
from llmspell.errors import ConfigurationError

SEEDS: dict[str, Any] = {
    "backend": "sled",
    "path": "/var/lib/rs-llmspell/db",
    "connection_pool_size": 10,
    "query_timeout": 5000,
    "backup_enabled": True,
    "backup_interval": 3600,
    "backup_retention": 168,
    "compression_enabled": True,
    "encryption_enabled": False,
    "encryption_key_path": "/path/to/key",
}
"""The section as the seeds write it (STO-013, STO-014)."""


def test_the_seeds_section_is_understood() -> None:
    settings = check_storage(SEEDS, "/c/llmspell.toml", "/home/u")
    assert settings == StorageSettings(
        backend="sqlite",
        folder="/var/lib/rs-llmspell/db",
        busy=5.0,
        compress=True,
        encrypt=False,
        vault="/path/to/key",
        backup_interval=3600.0,
        backup_retention=168 * 3600.0,
        notes=settings.notes,
    )
    assert [note.partition(" ")[0] for note in settings.notes] == [
        "storage.connection_pool_size:",
        "storage.backend",
    ]


def test_STO_015_the_quick_start_section() -> None:
    table = {"backend": "rocksdb", "path": "./llmspell_data", "max_size": "1GB"}
    settings = check_storage(table, "/c/llmspell.toml", "/home/u")
    assert (settings.folder, settings.bytes_max) == ("/c/llmspell_data", 10**9)
    home = check_storage({"path": "~/kept"}, "/c/llmspell.toml", "/home/u")
    assert home.folder == "/home/u/kept"
    assert settings.notes == (
        "storage.backend = 'rocksdb' means the embedded store, which is SQLite",
    )


@pytest.mark.parametrize(
    "table",
    [
        {"backend": "redis"},
        {"backend": 3},
        {"unknown": 1},
        {"path": ""},
        {"backup_enabled": "yes"},
        {"query_timeout": 0},
        {"query_timeout": True},
        {"max_keys": -1},
        {"max_size": "much"},
        {"max_size": 0},
        {"key_rotation_hours": float("nan")},
        [],
    ],
)
def test_a_wrong_value_names_file_and_key(table: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^/c/f: storage"):
        check_storage(table, "/c/f", "/home/u")


def test_only_the_users_own_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llmspell").mkdir()
    (tmp_path / "llmspell.toml").write_text('[storage]\nbackend = "memory"\n')
    monkeypatch.chdir(tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert load_storage(environ) == StorageSettings()
    (tmp_path / "llmspell" / "llmspell.toml").write_text('[storage]\nbackend = "memory"\n')
    assert load_storage(environ).backend == "memory"
    named = {**environ, "LLMSPELL_CONFIG_PATH": str(tmp_path / "llmspell.toml")}
    assert load_storage(named).backend == "memory"
    (tmp_path / "llmspell.toml").write_text("no toml")
    with pytest.raises(ConfigurationError, match=r"llmspell\.toml"):
        load_storage(named)
