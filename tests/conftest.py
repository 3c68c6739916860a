"""What tests of the whole program share: the command line in a home of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Place, Program


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """Home, state and temporary folder of this session; guests are compiled once in it.

    `LLMSPELL_TEST_CACHE` keeps compiled guests from one session to the next.
    """
    root = Path(tempfile.mkdtemp(prefix="llmspell-e2e-"))
    try:
        yield Place.in_folder(root, os.environ.get("LLMSPELL_TEST_CACHE"))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def program(place: Place, tmp_path: Path) -> Program:
    """`llmspell` as a person calls it, standing in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(place, folder)
