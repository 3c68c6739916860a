"""The preludes of these tests are their own, so the package's need not be there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmspell.supervisor import guests


@pytest.fixture(autouse=True)
def own_preludes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("preludes")
    for suffix in ("lua", "js", "py"):
        (folder / f"prelude.{suffix}").touch()
    monkeypatch.setattr(guests, "PRELUDES", folder)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One compile of each guest for all these tests, and none of it in the user's cache."""
    kept = os.environ.get("LLMSPELL_TEST_CACHE")
    return Path(kept) if kept else tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # For each test anew: what other folders' tests start must not find this one.
    monkeypatch.setenv("XDG_CACHE_HOME", str(compiled))
