"""What tests of the whole program share: the command line in a home of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.adversarial import proof
from tests.e2e.program import Place, Program


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of the adversarial tests: which claim was held (see tests/adversarial/proof.py)."""
    proof.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Cases and profiles that tests carry are collected from the whole session."""
    config.pluginmanager.register(proof.Proof(), "threat-proof")


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
def start() -> str:
    """How workers start: `exec`. Modules that must hold of forked ones too import `both_starts`."""
    return "exec"


@pytest.fixture(params=["exec", "fork"])
def both_starts(request: pytest.FixtureRequest) -> str:
    """Each test once with exec'ed workers and once with workers that a zygote forked."""
    return str(request.param)


LONG: Final = ("mutants", "faults", "build", "bench", "parity")
"""Folders with tests of many seconds each."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers below `medium` are never forked: nothing to test twice.

    Tests of many seconds come first, so that no processor waits for the last of them. The pass of
    those that run alone collects the files that say `mark.alone` (see scripts/test): none is lost.
    """
    alone = {item.path for item in items if item.get_closest_marker("alone")}
    unsaid = sorted(str(path) for path in alone if "mark.alone" not in path.read_text("utf-8"))
    if unsaid:
        raise pytest.UsageError(f"tests here run alone, and the file does not say so: {unsaid}")
    items[:] = sorted(
        (item for item in items if not _is_never_forked(item)),
        key=lambda item: item.path.parent.name not in LONG,
    )


def _is_never_forked(item: pytest.Item) -> bool:
    if not (isinstance(item, pytest.Function) and hasattr(item, "callspec")):
        return False
    chosen = item.callspec.params
    return chosen.get("both_starts") == "fork" and chosen.get("profile") in ("none", "low")


@pytest.fixture
def program(place: Place, tmp_path: Path, start: str) -> Program:
    """`llmspell` as a person calls it, standing in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(place, folder, forked=start == "fork")
