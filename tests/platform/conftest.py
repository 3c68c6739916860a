from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.platform import native


@pytest.fixture(scope="session", autouse=True)
def built_programs_are_removed() -> Iterator[None]:
    yield
    native.remove()
