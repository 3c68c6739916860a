"""llmspell's own folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmspell.config import paths
from llmspell.errors import ConfigurationError


def test_the_default_places() -> None:
    env = {"HOME": "/home/u"}
    assert paths.cache_folder(env) == "/home/u/.cache/llmspell"
    assert paths.config_folder(env) == "/home/u/.config/llmspell"
    assert paths.audit_folder(env) == "/home/u/.local/state/llmspell/audit"
    assert paths.data_folder(env) == "/home/u/.local/share/llmspell"


def test_xdg_variables_count_only_when_absolute() -> None:
    env = {"HOME": "/home/u", "XDG_CACHE_HOME": "/c", "XDG_CONFIG_HOME": "rel", "XDG_DATA_HOME": ""}
    assert paths.cache_folder(env) == "/c/llmspell"
    assert paths.config_folder(env) == "/home/u/.config/llmspell"
    assert paths.data_folder(env) == "/home/u/.local/share/llmspell"


def test_FS_32_the_default_places_stay_own_when_xdg_points_elsewhere() -> None:
    own = paths.own_folders({"HOME": "/home/u", "XDG_CONFIG_HOME": "/tmp/x"})
    assert "/tmp/x/llmspell" in own and "/home/u/.config/llmspell" in own
    assert len(set(own)) == len(own)


def test_home_without_the_variable() -> None:
    import pwd

    assert paths.home({}) == pwd.getpwuid(os.getuid()).pw_dir
    assert paths.home({"HOME": "not/absolute"}) == pwd.getpwuid(os.getuid()).pw_dir


def test_workspaces_are_per_script(tmp_path: Path) -> None:
    env = {"HOME": "/home/u"}
    first = paths.workspace_folder(str(tmp_path / "a/job.lua"), env)
    second = paths.workspace_folder(str(tmp_path / "b/job.lua"), env)
    assert first is not None and first != second
    assert os.path.dirname(first) == "/home/u/.local/share/llmspell/workspaces"
    assert os.path.basename(first).startswith("job-")
    odd = paths.workspace_folder(str(tmp_path / "../x/ü $(rm).lua"), env)
    assert odd is not None and os.path.basename(odd).replace("-", "").isalnum()
    assert paths.workspace_folder(None, env) is None


def test_private_folders(tmp_path: Path) -> None:
    folder = str(tmp_path / "x/y")
    assert paths.make_private(folder) == folder
    assert os.stat(folder).st_mode & 0o777 == 0o700
    paths.make_private(folder)
    os.chmod(folder, 0o777)
    with pytest.raises(ConfigurationError, match="other users may write"):
        paths.make_private(folder)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(ConfigurationError):
        paths.make_private(str(link))
