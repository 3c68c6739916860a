"""Fixtures of the profile tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profiles.helpers import Place, make_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A user's folders."""
    return make_place(tmp_path)
