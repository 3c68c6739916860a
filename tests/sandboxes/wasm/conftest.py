"""The preludes of these tests are their own, so the package's need not be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmspell.supervisor import guests


@pytest.fixture(autouse=True)
def own_preludes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("preludes")
    for suffix in ("lua", "js", "py"):
        (folder / f"prelude.{suffix}").touch()
    monkeypatch.setattr(guests, "PRELUDES", folder)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compile of each guest for all these tests, and none of it in the user's cache."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("cache")
    patch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
